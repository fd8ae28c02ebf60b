"""Speedup over the reference kernel, one bar per kernel on a log axis, its time beside it, a dot per process."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from bench import formatting
from bench.analysis import checklist
from bench.analysis.summary import Summary, summaries
from bench.kernel import REFERENCE
from bench.records.model import BadRecord, NotTimed
from bench.report.charts import Drawing, bars, style
from bench.report.charts.bars import Row
from bench.report.selection import Selection

ROW, SIZE = 21, 10  # points: of height for each kernel, and of type


def draw(selection: Selection) -> Drawing:
    """Draw the scope `baseline` under L1.

    Raises:
        BadRecord: the record is not one of speed, lacks that scope or the reference in it, or its checklist FAILs.
    """
    record = selection.speed
    if not record.speed:
        raise BadRecord(f"{record.path}: is a record of {record.kind}, expected one of speed; name another")
    if not record.of(REFERENCE):
        raise BadRecord(f"{record.path}: holds no baseline/l1/{REFERENCE} to compare with; record it too")
    checklist.must_not_fail(record)
    kernels = sorted(summaries(record), key=lambda each: each.speedup or 0)
    stale = {each.kernel for each in kernels if selection.stale(each.kernel)}
    not_timed = _by_reason(record.not_timed)
    words = {each.kernel: _beside(each, each.kernel in stale) for each in kernels}
    rows = [Row(_places(each), words[each.kernel]) for each in kernels]
    rows += [Row([], reason, faint=True) for reason in not_timed]
    share_of_bound = next(each.share_of_bound for each in kernels if each.kernel == REFERENCE)
    bound = 1 / share_of_bound.value if share_of_bound else None
    with style.drawing():
        others = [names[0] if len(names) == 1 else f"{len(names)} others" for names in not_timed.values()]
        labels = [style.short(name) for name in (*words, *others)]
        title = f"Mean images and L1 labels of {record.metadata.get('dataset', 'unknown digits')}"
        legend = "Bar: median. Dot: one process. Line: confidence interval. Hatched: stale."
        figure = style.card(title, legend, record, ROW * len(rows) + bars.ABOVE + bars.BELOW)
        style.key(figure, words)
        axes = bars.axes(figure, max(map(style.text_width, labels)) + 16, rows, bound, SIZE)
        for y, each in enumerate(kernels):
            _bar(axes, y, each, each.kernel in stale)
        axes.set_yticks(range(len(labels)), labels)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"times as fast as {REFERENCE} (log scale)")
    caption = f"How many times as fast as {REFERENCE} each kernel makes mean images and labels."
    told = [f"{each.kernel}: {words[each.kernel]}{_interval(each)}." for each in kernels]
    limit = [f"The limit of this machine is at {formatting.ratio(bound)}."] if bound else []
    missing = [f"{', '.join(names)}: {reason}." for reason, names in not_timed.items()]
    return Drawing(figure, caption, " ".join([f"Scope baseline under L1, {record.label}.", *told, *limit, *missing]))


def _by_reason(not_timed: Sequence[NotTimed]) -> dict[str, list[str]]:
    """Return the kernels that were not timed by the reason, which is cut where it is long."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for each in not_timed:
        line = each.in_short
        by_reason[f"{each.status}: {line if len(line) <= 60 else f'{line[:59]}…'}"].append(each.kernel)
    return by_reason


def _beside(own: Summary, stale: bool) -> str:
    """Return what stands beside a bar: ratio and seconds."""
    times = "1×, the reference" if own.kernel == REFERENCE else formatting.ratio(own.speedup)
    return " · ".join([times, own.median, *(["stale"] if stale else [])])


def _interval(own: Summary) -> str:
    interval = own.ratio.interval(level=True) if own.ratio else ""
    return f", {interval}" if interval and own.kernel != REFERENCE else ""


def _places(own: Summary) -> list[float]:
    """Return every speedup at which something of a kernel is drawn."""
    if own.ratio is None:
        return [own.speedup or 1]
    return [own.ratio.value, *own.ratio.per_process, *_ends(own)]


def _ends(own: Summary) -> Sequence[float]:
    found = own.ratio
    return [] if found is None or found.low is None or found.high is None else [found.low, found.high]


def _bar(axes: Axes, y: int, own: Summary, stale: bool) -> None:
    """Draw a kernel: its bar, its interval as a line, and a dot per process; the reference is at 1 by definition."""
    if own.kernel == REFERENCE:
        return
    hatch = style.STALE if stale else None
    axes.barh(y, (own.speedup or 1) - 1, left=1, height=0.62, color=style.colour(own.kernel), hatch=hatch)
    ends = _ends(own)
    axes.plot(ends, [y] * len(ends), color=style.PAPER, linewidth=3, solid_capstyle="butt")  # a rim on a dark bar
    axes.plot(ends, [y] * len(ends), color=style.INK, linewidth=1.4, solid_capstyle="butt")
    dots = own.ratio.per_process if own.ratio else ()
    edge: dict[str, Any] = {"markeredgecolor": style.PAPER, "markeredgewidth": 0.5}
    axes.plot(dots, [y] * len(dots), "o", color=style.INK, markersize=3, **edge)
