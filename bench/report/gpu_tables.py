"""The GPU against the CPU: first against the fastest exact CPU kernel, with every transfer that a scope contains."""

from collections.abc import Iterator, Sequence

from bench import formatting
from bench.analysis import checklist, claims, crossover, speedup, summary
from bench.analysis.summary import Summary, summaries
from bench.formatting import Grid
from bench.kernel import REFERENCE
from bench.records.model import Record
from bench.records.sample import GPU_LAUNCH, GPU_READ

SCOPES = (
    ("baseline", "resident: digits on the device already"),
    ("end_to_end", "end to end, from host memory"),
    ("first_call", "cold: the first call of a process"),
)
FILES = "from files: PNG archive to accuracy"


def absence(record: Record) -> str | None:
    """Return why there is no GPU in a record, as a sentence; None where there is one."""
    if record.gpu_kernels():
        return None
    reasons = dict.fromkeys(f"{each.status}, {each.in_short}" for each in record.not_timed if "@cuda" in each.kernel)
    return f"No GPU recorded yet{': kernels for it are ' if reasons else ''}{'; '.join(reasons)}."


def against_cpu(record: Record) -> Grid:
    """Return every GPU kernel beside the fastest exact CPU kernel of the same record, scope by scope."""
    rows: list[tuple[str, ...]] = []
    for scope, what in SCOPES:
        fastest, on_gpu = _sides(record, scope)
        if fastest is None:
            continue
        for row in on_gpu:
            ratio = summary.paired(record.of(fastest.kernel, scope), record.of(row.kernel, scope))
            times = (formatting.ratio(ratio.value) if ratio else "", ratio.interval() if ratio else "")
            rows.append((what, fastest.kernel, fastest.median, row.kernel, row.median, *times))
        if scope == "end_to_end" and "loading_s" in record.metadata:
            rows += [_from_files(float(record.metadata["loading_s"]), fastest, row) for row in on_gpu]
    columns = ("what", "fastest CPU kernel", "its time", "GPU kernel", "its time ", "GPU is", "interval")
    return Grid(columns, rows, right=("its time", "its time ", "GPU is", "interval"))


def from_files(record: Record) -> Grid | None:
    """Return what is left of every speedup when the digits come from files; None where their loading was not timed.

    From files = loading, one thread decoding every PNG + `end_to_end`; Amdahl's limit = the reference's seconds from
    files / the loading alone, which no kernel can pass. Loading was timed once, so there is no interval.
    """
    loading, reference = record.metadata.get("loading_s"), record.of(REFERENCE, "end_to_end")
    if loading is None or not reference:
        return None
    whole = loading + speedup.seconds(reference)[0]
    rows = [
        (
            row.kernel,
            row.median,
            formatting.time(loading + row.seconds),
            formatting.ratio(whole / (loading + row.seconds)),
        )
        for row in summaries(record, "end_to_end")
    ]
    rows.append(("Amdahl's limit: loading alone", "", formatting.time(loading), formatting.ratio(whole / loading)))
    return Grid(("kernel", "end_to_end", "from files", "speedup"), rows, right=("end_to_end", "from files", "speedup"))


def allowed(records: Sequence[Record], sizes: Record | None) -> Grid | None:
    """Return how many times faster than each pure-Python kernel the GPU could be, and how many times it is.

    Could be = the loops' seconds / the GPU's limit for the same images: by its read bandwidth alone, and with a launch.
    Every row compares equal images: those of `baseline`, in the first of the records that holds the loops, and of
    `predict` at the largest size that the loops were timed at. None where no limit of a GPU was measured.
    """
    views = [(record, "baseline", f", {record.per_class} per class" if record.per_class else "") for record in records]
    views += [(sizes.at(size), "predict", "") for size in reversed(sizes.sizes)] if sizes else []
    rows: dict[tuple[str, str], tuple[str, ...]] = {}
    for record, scope, where in views:
        for name, *cells in _allowed(record, scope):
            rows.setdefault((name, scope), (name, f"{scope}{where}", *cells))
    columns = ("loops", "scope", "images", "its bandwidth allows", "with a launch", "measured", "by")
    return Grid(columns, [*rows.values()], right=columns[2:6]) if rows else None


def crossings(sizes: Record | None) -> Grid | None:
    """Return from how many images on each GPU kernel overtakes the fastest CPU kernel, as intervals of images."""
    if sizes is None:
        return None
    on_gpu = sizes.gpu_kernels("predict")
    for size in reversed(sizes.sizes):  # the fastest where there are most images
        on_cpu = [row.kernel for row in summaries(sizes.at(size), "predict") if row.kernel not in on_gpu]
        if on_cpu and on_gpu:
            rows = [(name, on_cpu[-1], str(crossover.crossover(sizes, on_cpu[-1], name))) for name in on_gpu]
            return Grid(("GPU kernel", "fastest CPU kernel", "crossover"), rows)
    return None


def _allowed(record: Record, scope: str) -> Iterator[tuple[str, ...]]:
    reading, launching = (record.of(name, scope, "-") for name in (GPU_READ, GPU_LAUNCH))
    rows, on_gpu = summaries(record, scope), record.gpu_kernels(scope)
    if not reading or not on_gpu or checklist.failed(checklist.review(record, scope)):
        return
    fastest = next(row.kernel for row in reversed(rows) if row.kernel in on_gpu)
    least = min(sample.seconds for sample in reading)
    both = max(least, min(sample.seconds for sample in launching))
    for base in (row for row in rows if row.kernel.startswith(claims.PURE_PYTHON)):
        ratio = summary.paired(record.of(base.kernel, scope), record.of(fastest, scope))
        could = (formatting.ratio(base.seconds / least), formatting.ratio(base.seconds / both))
        yield base.kernel, f"{base.images:,}", *could, formatting.ratio(ratio.value) if ratio else "", fastest


def _sides(record: Record, scope: str) -> tuple[Summary | None, list[Summary]]:
    """Return the fastest CPU kernel of a scope and every GPU kernel, fastest last."""
    if scope != "first_call" and checklist.failed(checklist.review(record, scope)):
        return None, []
    rows = summaries(record, scope)
    on_gpu = [row for row in rows if record.on_gpu(row.kernel)]
    return next((row for row in reversed(rows) if row not in on_gpu), None), on_gpu


def _from_files(loading: float, fastest: Summary, row: Summary) -> tuple[str, ...]:
    ours, theirs = loading + fastest.seconds, loading + row.seconds
    most = f"at most {formatting.ratio(ours / loading)} (Amdahl)"
    return (
        FILES,
        fastest.kernel,
        formatting.time(ours),
        row.kernel,
        formatting.time(theirs),
        formatting.ratio(ours / theirs),
        most,
    )
