"""Speedup over the reference kernel, one bar per kernel on a log axis, its time beside it, a dot per process."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from bench import formatting
from bench.analysis import checklist
from bench.analysis.summary import Summary, summaries
from bench.records.model import BadRecord, NotTimed
from bench.report import tables
from bench.report.charts import Drawing, bars, style
from bench.report.charts.bars import Row
from bench.report.page_records import Selection

ROW, SIZE = 19, 10  # points: of height for each kernel, and of type


def draw(selection: Selection) -> Drawing:
    """Draw the scope `baseline`, L1 distance.

    Raises:
        BadRecord: the record is not one of speed, lacks that scope or the reference in it, or its checklist FAILs.
    """
    record = selection.speed
    if not record.speed:
        raise BadRecord(f"{record.path} is a record of {record.kind}. Name a record of times.")
    if not record.samples_of(record.reference):
        raise BadRecord(f"{record.path} has no times of {record.reference} in baseline l1. Include it in the next run.")
    checklist.must_not_fail(record)
    kernels = sorted(summaries(record), key=lambda row: row.speedup or 0)
    stale = {row.kernel for row in kernels if selection.stale(row.kernel)}
    not_timed = _by_reason(record.not_timed)
    words = {row.kernel: _words(row, row.kernel in stale) for row in kernels}
    rows = [Row(_places(row), words[row.kernel]) for row in kernels]
    rows += [Row([], reason, faint=True) for reason in not_timed]
    share_of_bound = next(row.share_of_bound for row in kernels if row.is_reference)
    bound = 1 / share_of_bound.value if share_of_bound else None
    with style.drawing():
        others = [names[0] if len(names) == 1 else f"{len(names)} others" for names in not_timed.values()]
        labels = [style.short(name) for name in (*words, *others)]
        title = f"Mean images and labels of {record.metadata.get('dataset', 'unknown digits')}, L1 distance"
        ratios = [row.ratio for row in kernels if row.ratio and not row.is_reference]
        legend = style.legend(
            "Bar: median.",
            "Dot: one process." if ratios else "",
            f"Line: {tables.ci(ratios)}." if any(ratio.level for ratio in ratios) else "",
            stale=bool(stale),
            groups=any(row.groups for row in kernels),
        )
        figure = style.card(title, legend, record, ROW * len(rows) + bars.ABOVE + bars.BELOW)
        style.key(figure, words)
        axes = bars.axes(figure, max(map(style.text_width, labels)) + 16, rows, bound, SIZE)
        for y, row in enumerate(kernels):
            _bar(axes, y, row, row.kernel in stale)
        axes.set_yticks(range(len(labels)), labels)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"times as fast as {record.reference} (log scale)")
    caption = f"How many times as fast as {record.reference} each kernel makes mean images and labels."
    sentences = [f"Scope baseline, L1 distance, {record.label}."]
    sentences += [f"{row.kernel}: {words[row.kernel]}{_interval(row)}." for row in kernels]
    sentences += [f"The bandwidth bound of this machine is at {formatting.ratio(bound)}."] if bound else []
    sentences += [f"{', '.join(names)}: {reason}." for reason, names in not_timed.items()]
    return Drawing(figure, caption, " ".join(sentences))


def _by_reason(not_timed: Sequence[NotTimed]) -> dict[str, list[str]]:
    """Return the kernels that were not timed by the reason, which is cut where it is long."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row in not_timed:
        line = row.in_short
        by_reason[f"{row.status_in_words}: {line if len(line) <= 60 else f'{line[:59]}…'}"].append(row.kernel)
    return by_reason


def _words(row: Summary, stale: bool) -> str:
    """Return the words beside a bar: ratio and seconds."""
    times = "1×, the reference" if row.is_reference else formatting.ratio(row.speedup)
    return " · ".join([times, row.median, *(["stale"] if stale else [])])


def _interval(row: Summary) -> str:
    interval = row.ratio.interval(level=True) if row.ratio else ""
    return f", {interval}" if interval and not row.is_reference else ""


def _places(row: Summary) -> list[float]:
    """Return every speedup at which something of a kernel is drawn."""
    return [row.ratio.value, *row.ratio.per_process, *_ends(row)] if row.ratio else [row.speedup or 1]


def _ends(row: Summary) -> Sequence[float]:
    ends = (row.ratio.low, row.ratio.high) if row.ratio else ()
    return [end for end in ends if end is not None]


def _bar(axes: Axes, y: int, row: Summary, stale: bool) -> None:
    """Draw a kernel: its bar, its interval as a line, and a dot per process; the reference is at 1 by definition."""
    if row.is_reference:
        return
    hatch = style.STALE if stale else None
    axes.barh(y, (row.speedup or 1) - 1, left=1, height=0.62, color=style.colour(row.kernel), hatch=hatch)
    ends = _ends(row)
    axes.plot(ends, [y] * len(ends), color=style.PAPER, linewidth=3, solid_capstyle="butt")  # a rim on a dark bar
    axes.plot(ends, [y] * len(ends), color=style.INK, linewidth=1.4, solid_capstyle="butt")
    dots = row.ratio.per_process if row.ratio else ()
    edge: dict[str, Any] = {"markeredgecolor": style.PAPER, "markeredgewidth": 0.5}
    axes.plot(dots, [y] * len(dots), "o", color=style.INK, markersize=3, **edge)
