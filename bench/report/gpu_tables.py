"""The GPU against the CPU: first against the fastest exact CPU kernel, with every transfer that a scope contains."""

from collections.abc import Iterator, Sequence

from bench import formatting
from bench.analysis import checklist, claims, crossover, speedup
from bench.analysis.speedup import Ratio
from bench.analysis.summary import Summary, summaries
from bench.formatting import Grid
from bench.records.model import Record
from bench.records.sample import GPU_LAUNCH, GPU_READ
from bench.report import tables

SCOPES = {
    "baseline": "resident: digits on the device already",
    "end_to_end": "end to end, from host memory",
    "first_call": "cold: the first call of a process",
}


def no_gpu(record: Record) -> str:
    """Return why there is no GPU in a record, as a sentence; "" where there is one."""
    if record.gpu_kernels():
        return ""
    skipped = [kernel for kernel in record.not_timed if "@cuda" in kernel.kernel]
    reasons = dict.fromkeys(f"{kernel.status_in_words}, {kernel.in_short}" for kernel in skipped)
    return f"No GPU recorded yet{': kernels for one were ' if reasons else ''}{'; '.join(reasons)}."


def against_cpu(record: Record) -> Grid:
    """Return every GPU kernel beside the fastest exact CPU kernel of the same record, scope by scope.

    From files = loading, one thread decoding every image + `end_to_end`. By Amdahl's law no kernel can pass the CPU's
    seconds from files / the loading alone. Loading was timed once, so there is no interval.
    """
    rows: list[tuple[str, ...]] = []
    ratios: list[Ratio | None] = []
    for scope, what in SCOPES.items():
        timed = _summaries(record, scope)
        on_gpu = [row for row in timed if record.on_gpu(row.kernel)]
        fastest = next((row for row in reversed(timed) if row not in on_gpu), None)
        if fastest is None:
            continue
        for row in on_gpu:
            ratio = _ratio(record, scope, fastest.kernel, row.kernel)
            ratios.append(ratio)
            times = (formatting.ratio(ratio.value), ratio.interval()) if ratio else ("", "")
            rows.append((what, fastest.kernel, fastest.median, row.kernel, row.median, *times))
            if scope == "end_to_end" and "loading_s" in record.metadata:
                rows.append(_from_files(float(record.metadata["loading_s"]), fastest, row))
    columns = ("what", "fastest CPU kernel", "its time", "GPU kernel", "its time ", "GPU is", tables.ci(ratios))
    return Grid(columns, rows, right=("its time", "its time ", *columns[5:]))


def allowed(records: Sequence[Record], sizes: Record | None) -> Grid | None:
    """Return how many times faster than each pure-Python kernel the GPU could be, and how many times it is.

    Could be = the loops' seconds / the GPU's bound for the same images: by its read bandwidth alone, and with a launch.
    Every row compares equal images: those of `baseline`, in the first of the records that holds the loops, and of
    `predict` at the largest size that the loops were timed at. None where no bound of a GPU was measured.
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
    reading, launching = (record.samples_of(name, scope, "-") for name in (GPU_READ, GPU_LAUNCH))
    rows, on_gpu = _summaries(record, scope), record.gpu_kernels(scope)
    if not reading or not on_gpu or not rows:
        return
    fastest = next(row.kernel for row in reversed(rows) if row.kernel in on_gpu)
    read_s = min(sample.seconds for sample in reading)
    bound_s = max(read_s, min(sample.seconds for sample in launching))
    for row in rows:
        if row.kernel.startswith(claims.PURE_PYTHON):
            ratio = _ratio(record, scope, row.kernel, fastest)
            times = (row.seconds / read_s, row.seconds / bound_s, ratio.value if ratio else None)
            yield row.kernel, f"{row.images:,}", *map(formatting.ratio, times), fastest


def _ratio(record: Record, scope: str, reference: str, kernel: str) -> Ratio | None:
    return speedup.paired_ratio(record.samples_of(reference, scope), record.samples_of(kernel, scope))


def _summaries(record: Record, scope: str) -> list[Summary]:
    """Return the summaries of a scope, fastest last; [] where its checklist FAILs."""
    failed = scope != "first_call" and checklist.failed(checklist.review(record, scope))
    return [] if failed else summaries(record, scope)


def _from_files(loading: float, fastest: Summary, row: Summary) -> tuple[str, ...]:
    on_cpu, on_gpu = loading + fastest.seconds, loading + row.seconds
    times = (formatting.ratio(on_cpu / on_gpu), f"at most {formatting.ratio(on_cpu / loading)} (Amdahl)")
    what = "from files: PNG archive to accuracy"
    return what, fastest.kernel, formatting.time(on_cpu), row.kernel, formatting.time(on_gpu), *times
