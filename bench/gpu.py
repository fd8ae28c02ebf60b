"""The GPU against the CPU: first against the fastest exact CPU kernel, with every transfer that a scope contains."""

from collections.abc import Iterator

from bench import checklist, claims, crossover, speedup, standing, units
from bench.grid import Grid
from bench.kernel import REFERENCE
from bench.records import Record
from bench.sample import GPU_LAUNCH, GPU_READ, PINNED, Footprint
from bench.standing import Standing, standings

SCOPES = (
    ("baseline", "resident: digits on the device already"),
    ("end_to_end", "end to end, from host memory"),
    ("first_call", "cold: the first call of a process"),
)
FILES = "from files: PNG archive to accuracy"


def absence(record: Record) -> str | None:
    """Return why there is no GPU in a record, as a sentence; None where there is one."""
    if any(_on_gpu(record, name) for name in record.kernels()):
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


def allowed(record: Record, sizes: Record | None) -> Grid | None:
    """Return how many times faster than each pure-Python kernel the GPU could be, and how many times it is.

    Could be = the loops' seconds / the GPU's limit for the same images: by its read bandwidth alone, and with a launch.
    Every row compares equal images: those of `baseline`, whole and in parts, and of `predict` at the largest size that
    the loops were timed at. None where no limit of a GPU was measured.
    """
    rows = [row for where, part in record.views for row in _allowed(part, "baseline", where)]
    for size in reversed(sizes.sizes if sizes else []):
        assert sizes
        seen = {row[0] for row in rows if row[1].startswith("predict")}
        rows += [row for row in _allowed(sizes.at(size), "predict", "") if row[0] not in seen]
    columns = ("loops", "scope", "images", "its bandwidth allows", "with a launch", "measured", "by")
    return Grid(columns, rows, right=columns[2:6]) if rows else None


def _allowed(record: Record, scope: str, where: str) -> Iterator[tuple[str, ...]]:
    reading, launching = (record.of(name, scope, "-") for name in (GPU_READ, GPU_LAUNCH))
    rows = standings(record, scope)
    fastest = next((each.kernel for each in reversed(rows) if _on_gpu(record, each.kernel)), None)
    if not reading or fastest is None or checklist.failed(checklist.judge(record, scope)):
        return
    least = min(each.seconds for each in reading)
    both = max(least, min(each.seconds for each in launching))
    for base in (each for each in rows if each.kernel.startswith(claims.PURE_PYTHON)):
        ratio = standing.paired(record.of(base.kernel, scope), record.of(fastest, scope))
        yield (
            base.kernel, f"{scope}{where}", f"{base.images:,}", units.ratio(base.seconds / least),
            units.ratio(base.seconds / both), units.either(ratio.modes, units.ratio) if ratio else "", fastest,
        )  # fmt: skip


def energy(memory: Record | None) -> Grid | None:
    """Return the energy of a million images, by kernel and scope; None where no counter could be read."""
    counted = [each for each in (memory.footprints if memory else ()) if each.energy_calls]
    if not counted:
        return None

    def joules(each: Footprint, taken: float | None) -> str:
        per_million = each.per_million(taken)
        return "not measured" if per_million is None else f"{per_million:,.3g} J"

    rows = [
        (each.kernel, f"{each.scope} {each.distance}", joules(each, each.cpu_joules), joules(each, each.gpu_joules))
        for each in counted
    ]
    return Grid(("kernel", "scope", "CPU", "GPU"), rows, right=("CPU", "GPU"))


def no_energy(memory: Record | None) -> str:
    """Return why no energy is shown, as a sentence; "" where some is."""
    if energy(memory):
        return ""
    said = {part for each in (memory.footprints if memory else ()) for part in each.not_measured.split("; ")}
    why = sorted(part for part in said if part.startswith("energy"))
    return f"Energy: not measured{f' ({why[0]})' if why else '; python -m bench run --memory does'}."


def crossings(sizes: Record | None) -> Grid | None:
    """Return from how many images on each GPU kernel overtakes the fastest CPU kernel, as intervals of images."""
    if sizes is None:
        return None
    rows = []
    for size in reversed(sizes.sizes):  # the fastest where there are most images
        timed = standings(sizes.at(size), "predict")
        on_cpu = [each.kernel for each in timed if not _on_gpu(sizes, each.kernel)]
        on_gpu = sorted({each for each in sizes.kernels("predict") if _on_gpu(sizes, each)})
        if on_cpu:
            rows = [(each, on_cpu[-1], str(crossover.crossover(sizes, on_cpu[-1], each))) for each in on_gpu]
            break
    return Grid(("GPU kernel", "fastest CPU kernel", "crossover"), rows) if rows else None


def _on_gpu(record: Record, name: str) -> bool:
    return bool(record.kernel_facts[name].get("device") == "cuda")


def _sides(record: Record, scope: str) -> tuple[Standing | None, list[Standing]]:
    """Return the fastest CPU kernel of a scope and every GPU kernel, fastest last."""
    if scope != "first_call" and checklist.failed(checklist.judge(record, scope)):
        return None, []
    rows = standings(record, scope)
    on_gpu = [each for each in rows if _on_gpu(record, each.kernel)]
    return next((each for each in reversed(rows) if each not in on_gpu), None), on_gpu


def _rows(record: Record, scope: str, what: str) -> Iterator[tuple[str, ...]]:
    fastest, on_gpu = _sides(record, scope)
    if fastest is None:
        return
    for each in on_gpu:
        ratio = standing.paired(record.of(fastest.kernel, scope), record.of(each.kernel, scope))
        interval, page_locked = "", each.kernel.endswith(PINNED)
        if ratio and ratio.low is not None and ratio.high is not None and len(ratio.modes) == 1:
            interval = f"{units.ratio(ratio.low)} to {units.ratio(ratio.high)}"
        yield (
            f"{what}, page-locked" if page_locked else what,
            fastest.kernel,
            units.either(fastest.modes, units.time),
            each.kernel.removesuffix(PINNED),
            units.either(each.modes, units.time),
            units.either(ratio.modes, units.ratio) if ratio else "",
            interval,
        )


def _from_files(record: Record) -> Iterator[tuple[str, ...]]:
    fastest, on_gpu = _sides(record, "end_to_end")
    if fastest is None or "loading_s" not in record.facts:
        return
    loading = float(record.facts["loading_s"])
    for each in (each for each in on_gpu if not each.kernel.endswith(PINNED)):
        ours, theirs = loading + fastest.seconds, loading + each.seconds
        most = f"at most {units.ratio(ours / loading)} (Amdahl)"
        yield FILES, fastest.kernel, units.time(ours), each.kernel, units.time(theirs), units.ratio(ours / theirs), most
