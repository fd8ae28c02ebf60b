"""The sentences and tables that the commands print."""

import re
from collections.abc import Iterable, Sequence
from statistics import median
from textwrap import shorten

from bench import formatting
from bench.analysis import bandwidth_bound, claims
from bench.analysis.checklist import LISTED, Item
from bench.analysis.claims import Verdict
from bench.analysis.speedup import Ratio
from bench.analysis.summary import Summary, summaries
from bench.formatting import Grid
from bench.records.model import Record
from bench.records.sample import AGAIN, GPU_LAUNCH, GPU_READ, ONE_CORE, Footprint
from bench.stats import interval


def timed(rows: Sequence[Summary], ratios: bool = True) -> Grid:
    """Return the table of `run`, fastest last; without the ratios where the checklist forbids them."""
    cells = []
    for row in rows:
        speedup = "no reference" if row.speedup is None else formatting.ratio(row.speedup)
        ends = "" if row.is_reference else row.interval
        cells.append(
            (
                row.kernel,
                row.median,
                formatting.time(row.smallest),
                *((speedup, ends) if ratios else ("withheld", "")),
                f"{row.seconds / row.images * 1e9:,.0f}",
                row.share,
                formatting.time(row.first_call) if row.first_call else "",
            )
        )
    level = ci(row.ratio for row in rows)
    columns = ("kernel", "median", "smallest", "speedup", level, "ns per image", "% of bound", "first call")
    return Grid(columns, cells, right=columns[1:], optional=("ns per image", "smallest", "first call", "% of bound"))


def ci(ratios: Iterable[Ratio | None]) -> str:
    """Return what the confidence intervals of ratios are called: 96.9% CI; or CI where their levels differ."""
    levels = {f"{ratio.level:.1%} " for ratio in ratios if ratio and ratio.level}
    return f"{levels.pop() if len(levels) == 1 else ''}CI"


def bound(record: Record, scope: str) -> str:
    """Return the sentences that say from what the bandwidth bounds of the machine and of its GPU were computed."""
    readings, gpu = bandwidth_bound.bound_samples(record, scope), _gpu_bound(record, scope)
    if not readings:
        return f"The bandwidth bound was not measured.{gpu}"
    size = readings[0].images * int(record.metadata["image_pixels"])
    threads = 1 if readings[0].kernel == ONE_CORE else int(record.metadata["cpu_count"])
    rates = [size / sample.seconds / 1e9 for sample in readings]
    ends = interval(rates)
    spread = f"median of the processes {median(rates):.0f}" + (f" ({ends[0]:.0f} to {ends[1]:.0f})" if ends else "")
    level = cache_level(size, threads, str(record.metadata["caches"]))
    place = f"the {level} cache" if level.startswith("L") else level
    cores = f"{threads} core{'s' if threads > 1 else ''}"
    read = f"{formatting.size(size)} read from {place} by {cores} at {max(rates):.0f} GB/s"
    return f"The bandwidth bound: {read}, {spread}.{gpu}"


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
    """Return the sentence on the GPU's bound, "" where none was measured: reading, launching, and which one binds."""
    reading, launching = (record.samples_of(name, scope, "-") for name in (GPU_READ, GPU_LAUNCH))
    if not reading:
        return ""
    size = reading[0].images * int(record.metadata["image_pixels"])
    read_s, launch_s = (min(sample.seconds for sample in samples) for samples in (reading, launching))
    binds = "launching" if bandwidth_bound.bound_samples(record, scope, "cuda")[0].kernel == GPU_LAUNCH else "reading"
    return (
        f" The GPU's bound, {binds}: {formatting.size(size)} read and the answer copied in {formatting.time(read_s)}, "
        f"{size / read_s / 1e9:,.0f} GB/s; one launch and the smallest answer take {formatting.time(launch_s)}."
    )


def checklist_lines(items: Sequence[Item]) -> Iterable[str]:
    """Yield the checklist for a terminal, the worst last: how many checks passed, and a line for each remedy.

    Of what passed the noise floor is shown. Kernels that were not timed are left out: they are printed elsewhere.
    """
    if passed := [item.text for item in items if item.level == "PASS"]:
        floor = "".join(f" {text}." for text in passed if "noise floor" in text)
        yield f"PASS  {len(passed)} check{'s' if len(passed) > 1 else ''}, which the page lists.{floor}"
    for level in ("WARN", "FAIL"):
        by_remedy: dict[str, list[str]] = {}
        for item in items:
            if item.level == level and item.remedy != LISTED:
                by_remedy.setdefault(item.remedy, []).append(item.text)
        yield from (f"{level}  {'. '.join(filter(None, [*texts, remedy]))}." for remedy, texts in by_remedy.items())


def by_configuration(records: Sequence[Record]) -> Grid:
    """Return the medians of several configurations side by side: scope `baseline`, L1 distance."""
    columns = {record.configuration: {row.kernel: row.median for row in summaries(record)} for record in records}
    names = sorted({name for medians in columns.values() for name in medians})
    rows = [(name, *(medians.get(name, "") for medians in columns.values())) for name in names]
    return Grid(("kernel", *columns), rows, right=[*columns])


def verdicts(verdicts: Sequence[Verdict], width: int) -> Grid:
    """Return a line for each claim and part: what it says, the verdict, and the first number that it rests on."""
    first = {(row.claim, "" if row.baseline else row.about): row for row in reversed(verdicts)}  # of several baselines
    rows = []
    for verdict in sorted(first.values(), key=verdicts.index):
        claim = f"{verdict.claim} {claims.IN_SHORT[verdict.claim]}"
        claim += f" ({verdict.about})" if verdict.about in ("accuracy", "signal") else ""
        text = (verdict.number or verdict.why).partition("; ")[0].rstrip(".")
        rows.append((claim, verdict.verdict, shorten(text, width - 38, placeholder=" …")))
    return Grid(("claim", "verdict", "result"), rows)


def code(records: Sequence[Record]) -> Grid | None:
    """Return how much code each kernel is, as recorded, beside how fast it is, the shortest first; None if unknown."""
    speeds = {row.kernel: row.speedup for row in summaries(records[0])}
    counted = {name: own for record in reversed(records) for name, own in record.kernel_metadata.items()}
    sizes = {
        name: (int(own["code_tokens"]), int(own["code_lines"]))
        for name, own in counted.items()
        if "code_tokens" in own and not name.endswith(AGAIN)
    }
    rows = [
        (name, f"{tokens}", f"{lines}", formatting.ratio(speeds.get(name)))
        for name, (tokens, lines) in sorted(sizes.items(), key=lambda item: (item[1], item[0]))
    ]
    return Grid(("kernel", "tokens", "lines", "speedup"), rows, right=("tokens", "lines", "speedup")) if rows else None


def expansion(record: Record) -> Grid | None:
    """Return what one mean image, expanded to the validation images, and the expressions on it allocate."""
    columns = ("expansion", "strides", "a copy would take", "L1 expression", "L2 expression")
    keys = (
        "expansion_bytes", "expansion_strides", "expansion_full_bytes", "expression_bytes_l1", "expression_bytes_l2"
    )  # fmt: skip
    rows = [
        (name, *(formatting.size(own[key]) if isinstance(own.get(key), int) else str(own.get(key, "")) for key in keys))
        for name, own in sorted(record.kernel_metadata.items())
        if "expansion_full_bytes" in own and not name.endswith(AGAIN)
    ]
    return Grid(("kernel", *columns), rows, right=columns) if rows else None


def memory(footprints: Sequence[Footprint]) -> Grid:
    """Return the table of the memory pass, in megabytes (10^6 bytes); without the GPU's columns where none was used."""
    columns = {
        "held, MB": [_megabytes(row.anonymous_before_bytes) or "not applicable" for row in footprints],
        "temporaries, MB": [_megabytes(row.temporaries_bytes) or "not applicable" for row in footprints],
        "on GPU, MB": [_megabytes(row.device_before_bytes) for row in footprints],
        "temporaries on GPU, MB": [_megabytes(row.device_temporaries_bytes) for row in footprints],
    }
    columns = {title: cells for title, cells in columns.items() if any(cells)}
    rows = [
        (row.kernel, f"{row.scope} {row.distance}", f"{row.images:,}", *cells)
        for row, *cells in zip(footprints, *columns.values(), strict=True)
    ]
    return Grid(("kernel", "scope", "images", *columns), rows, right=["images", *columns])


def not_measured(footprints: Sequence[Footprint]) -> Iterable[str]:
    """Yield the line that says what the memory pass did not measure and why; none where nothing is missing."""
    reasons = dict.fromkeys(row.not_measured for row in footprints if row.not_measured)
    if reasons:
        yield f"Not measured: {'; '.join(reasons)}."


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:,.1f}"
