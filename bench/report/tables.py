"""The sentences and tables that the verbs print."""

import re
from collections.abc import Iterable, Sequence
from statistics import median

from bench import formatting
from bench.analysis import summary
from bench.analysis.checklist import Line
from bench.analysis.summary import Summary, summaries
from bench.formatting import Grid
from bench.kernel import REFERENCE
from bench.records.model import Record
from bench.records.sample import GPU_LAUNCH, GPU_READ, ONE_CORE, Footprint
from bench.stats import interval


def timed(rows: Sequence[Summary], ratios: bool = True) -> Grid:
    """Return the table of `run`, fastest last; without the ratios where the checklist forbids them."""
    cells = []
    for row in rows:
        ends = row.interval if row.kernel != REFERENCE else ""
        times = ("no reference" if row.speedup is None else formatting.ratio(row.speedup), ends)
        cells.append(
            (
                row.kernel,
                row.median,
                formatting.time(row.smallest),
                *(times if ratios else ("withheld", "")),
                f"{row.seconds / row.images * 1e9:,.0f}",
                formatting.share_of_bound(row.share_of_bound.value) if row.share_of_bound else "",
                formatting.time(row.first_call) if row.first_call else "",
            )
        )
    levels = {f"{row.ratio.level:.1%}" for row in rows if row.ratio and row.ratio.level}
    level = f"{levels.pop()} CI" if len(levels) == 1 else "interval"
    columns = ("kernel", "median", "smallest", "speedup", level, "ns per image", "of limit", "first call")
    return Grid(columns, cells, right=columns[1:])


def limit(record: Record, scope: str) -> str:
    """Return the sentences that say what the limits of the machine, and of its GPU, were taken from."""
    readings, gpu = summary.limit(record, scope), _gpu_bound(record, scope)
    if not readings:
        return f"The limit was not measured.{gpu}"
    size = readings[0].images * int(record.metadata["image_pixels"])
    threads = 1 if readings[0].kernel == ONE_CORE else int(record.metadata["cpu_count"])
    rates = [size / each.seconds / 1e9 for each in readings]
    ends = interval(rates)
    spread = f", median of the processes {median(rates):.0f}" + (f" ({ends[0]:.0f} to {ends[1]:.0f})" if ends else "")
    level = cache_level(size, threads, str(record.metadata["caches"]))
    cores = f"{threads} core{'s' if threads > 1 else ''}"
    return f"The limit: {formatting.size(size)} read from {level} by {cores} at {max(rates):.0f} GB/s{spread}.{gpu}"


def cache_level(size: int, threads: int, caches: str) -> str:
    """Return the smallest of "L1 48K, L2 1024K, L3 32768K" that holds `size` bytes when each core reads an equal part.

    The last level is taken as shared by all cores, the others as each core's own, which holds its part alone.
    """
    levels = re.findall(r"(L\d) (\d+)K", caches)
    for level, kib in levels:
        if size <= int(kib) * 1024 * (1 if level == levels[-1][0] else threads):
            return str(level)
    return "memory" if levels else "unknown"


def _gpu_bound(record: Record, scope: str) -> str:
    """Return the sentence on the GPU's limit, "" where none was measured: both bounds, and which one binds."""
    reading, launching = (record.of(name, scope, "-") for name in (GPU_READ, GPU_LAUNCH))
    if not reading:
        return ""
    size = reading[0].images * int(record.metadata["image_pixels"])
    read_s, launch_s = (min(each.seconds for each in samples) for samples in (reading, launching))
    binds = "launching" if summary.limit(record, scope, "cuda")[0].kernel == GPU_LAUNCH else "reading"
    return (
        f" The GPU's limit, {binds}: {formatting.size(size)} read in {formatting.time(read_s)}, at "
        f"{size / read_s / 1e9:,.0f} GB/s; one launch and the arrival of the least answer take {formatting.time(launch_s)}."
    )


def answers_for(lines: Sequence[Line]) -> Iterable[str]:
    """Yield the checklist, the worst last; what passed is one line."""
    passed = [line.found for line in lines if line.level == "PASS"]
    if passed:
        yield f"PASS  {'; '.join(passed)}"
    for level in ("WARN", "FAIL"):
        yield from (f"{level}  {line.found}: {line.remedy}" for line in lines if line.level == level)


def by_configuration(told: Sequence[Record]) -> Grid:
    """Return the medians of several configurations side by side, in the scope `baseline` under L1."""
    medians = [{row.kernel: row.median for row in summaries(record)} for record in told]
    names = sorted({name for each in medians for name in each})
    columns = [record.configuration for record in told]
    return Grid(
        ("kernel", *columns), [(name, *(each.get(name, "") for each in medians)) for name in names], right=columns
    )


def memory(footprints: Sequence[Footprint]) -> Grid:
    """Return the table of the memory pass, in megabytes (10^6 bytes); without the GPU's columns where none was used."""
    columns = {
        "held, MB": [_megabytes(each.anonymous_before_bytes) or "not applicable" for each in footprints],
        "temporaries, MB": [_megabytes(each.temporaries_bytes) or "not applicable" for each in footprints],
        "on GPU, MB": [_megabytes(each.device_before_bytes) for each in footprints],
        "temporaries on GPU, MB": [_megabytes(each.device_temporaries_bytes) for each in footprints],
    }
    columns = {title: cells for title, cells in columns.items() if any(cells)}
    rows = [
        (each.kernel, f"{each.scope} {each.distance}", f"{each.images:,}", *cells)
        for each, *cells in zip(footprints, *columns.values(), strict=True)
    ]
    return Grid(("kernel", "scope", "images", *columns), rows, right=["images", *columns])


def not_measured(footprints: Sequence[Footprint]) -> Iterable[str]:
    """Yield the line that says what the memory pass did not measure and why; none where nothing is missing."""
    why = dict.fromkeys(each.not_measured for each in footprints if each.not_measured)
    if why:
        yield f"Not measured: {'; '.join(why)}."


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:,.1f}"
