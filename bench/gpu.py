"""The GPU against the CPU: first against the fastest exact CPU kernel, with every transfer that a scope contains."""

from collections.abc import Iterator

from bench import checklist, speedup, standing, units
from bench.grid import Grid
from bench.kernel import REFERENCE
from bench.records import Record
from bench.standing import Standing, standings

SCOPES = (
    ("baseline", "resident: digits on the device already"),
    ("end_to_end", "end to end, from host memory"),
    ("first_call", "cold: the first call of a process"),
)
FILES = "from files: PNG archive to accuracy"


def absence(record: Record) -> str | None:
    """Return why there is no GPU in a record, as a sentence; None where there is one."""
    if any(record.kernel_facts[name].get("device") == "cuda" for name in record.kernels()):
        return None
    reasons = dict.fromkeys(f"{each.status}, {each.in_short}" for each in record.absent if "@cuda" in each.kernel)
    return f"No GPU recorded yet{': kernels for it are ' if reasons else ''}{'; '.join(reasons)}."


def against_cpu(record: Record) -> Grid:
    """Return every GPU kernel beside the fastest exact CPU kernel of the same record, scope by scope."""
    rows: list[tuple[str, ...]] = []
    for scope, what in SCOPES:
        rows += _rows(record, scope, what)
        if scope == "end_to_end":
            rows += _from_files(record)
    columns = ("what", "fastest CPU kernel", "its time", "GPU kernel", "its time ", "GPU is", "interval")
    return Grid(columns, rows, right=("its time", "its time ", "GPU is", "interval"))


def from_files(record: Record) -> Grid | None:
    """Return what is left of every speedup when the digits come from files; None where their loading was not timed.

    From files = loading, one thread decoding every PNG + `end_to_end`; Amdahl's limit = the reference's seconds from
    files / the loading alone, which no kernel can pass. Loading was timed once, so there is no interval.
    """
    loading, reference = record.facts.get("loading_s"), record.of(REFERENCE, "end_to_end")
    if loading is None or not reference:
        return None
    whole = loading + speedup.seconds(reference)[0]
    rows = [
        (each.kernel, units.time(each.seconds), units.time(loading + each.seconds),
         units.ratio(whole / (loading + each.seconds)))
        for each in standings(record, "end_to_end")
    ]  # fmt: skip
    rows.append(("Amdahl's limit: loading alone", "", units.time(loading), units.ratio(whole / loading)))
    return Grid(("kernel", "end_to_end", "from files", "speedup"), rows, right=("end_to_end", "from files", "speedup"))


def _sides(record: Record, scope: str) -> tuple[Standing | None, list[Standing]]:
    """Return the fastest CPU kernel of a scope and every GPU kernel, fastest last."""
    if scope != "first_call" and checklist.failed(checklist.judge(record, scope)):
        return None, []
    rows = standings(record, scope)
    on_gpu = [each for each in rows if record.kernel_facts[each.kernel].get("device") == "cuda"]
    return next((each for each in reversed(rows) if each not in on_gpu), None), on_gpu


def _rows(record: Record, scope: str, what: str) -> Iterator[tuple[str, ...]]:
    fastest, on_gpu = _sides(record, scope)
    if fastest is None:
        return
    for each in on_gpu:
        ratio = standing.paired(record.of(fastest.kernel, scope), record.of(each.kernel, scope))
        interval = ""
        if ratio and ratio.low is not None and ratio.high is not None and len(ratio.modes) == 1:
            interval = f"{units.ratio(ratio.low)} to {units.ratio(ratio.high)}"
        yield (
            what,
            fastest.kernel,
            units.either(fastest.modes, units.time),
            each.kernel,
            units.either(each.modes, units.time),
            units.either(ratio.modes, units.ratio) if ratio else "",
            interval,
        )


def _from_files(record: Record) -> Iterator[tuple[str, ...]]:
    fastest, on_gpu = _sides(record, "end_to_end")
    if fastest is None or "loading_s" not in record.facts:
        return
    loading = float(record.facts["loading_s"])
    for each in on_gpu:
        ours, theirs = loading + fastest.seconds, loading + each.seconds
        most = f"at most {units.ratio(ours / loading)} (Amdahl)"
        yield FILES, fastest.kernel, units.time(ours), each.kernel, units.time(theirs), units.ratio(ours / theirs), most
