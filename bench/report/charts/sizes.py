"""Time per image against the number of images, one line per kernel, and where one kernel overtakes another."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator

from bench import stats
from bench.analysis import checklist, crossover, speedup
from bench.analysis.crossover import Crossover
from bench.formatting import time
from bench.records.model import Record
from bench.records.sample import Sample
from bench.report.charts import Drawing, NotDrawn, style
from bench.report.page_records import Selection

HIGH, LEFT = 220, 66  # points: of the plot at least, and left of it
APART, SMALL = 13, 8.5  # points of a name in the legend, and of its letters
MARKS = "osD^vPX"


@dataclass(frozen=True)
class Point:
    """A kernel at one size: seconds per image, and their confidence interval (low, high, level), if any."""

    size: int
    seconds: float
    interval: tuple[float, float, float] | None


def draw(selection: Selection) -> Drawing:
    """Draw the record of sizes.

    Raises:
        NotDrawn: there is none.
        BadRecord: its checklist FAILs at one of its sizes.
    """
    record = selection.sizes
    if record is None:
        raise NotDrawn(
            "Times at several numbers of images were not recorded. "
            "Record them with python -m bench run --sizes 1,10,100,1000,10000."
        )
    for size in record.sizes:
        checklist.must_not_fail(record.at(size), "predict", "l1")
    if not record.sizes:
        raise NotDrawn("No kernel was timed at any number of images. The page lists the reasons.")
    lines = {name: _points(record.samples_of(name, "predict")) for name in record.kernels("predict")}
    stale = {name for name in lines if replace(selection, speed=record).stale(name)}
    labels = {name: style.label(name, name in stale) for name in lines}
    levels = {f"{point.interval[2]:.1%} CI" for points in lines.values() for point in points if point.interval}
    with style.drawing():
        high, above, below = max(HIGH, APART * len(lines)), style.HEAD + 12, style.FOOT + 40
        title = f"Time per image by number of images, {record.metadata.get('dataset', 'unknown digits')}, L1 distance"
        shade = f"Shade: {levels.pop() if len(levels) == 1 else 'CI'}." if levels else ""
        legend = style.legend("Line: median.", shade, "Dashed: stale, its source has changed since." if stale else "")
        figure = style.card(title, legend, record, above + high + below)
        right = max(style.text_width(label, SMALL) for label in labels.values()) + 44
        axes = style.area(figure, LEFT, above, right, below, xscale="log", yscale="log")
        marks = {name: MARKS[place % len(MARKS)] for place, name in enumerate(lines)}
        for name, points in lines.items():
            _line(axes, name, points, record.sizes, marks[name], "--" if name in stale else "-")
        _scales(axes, record.sizes)
        axes.set(xlabel="images (log scale)", ylabel="time per image (log scale)")
        slowest_last = sorted(lines, key=lambda name: -lines[name][-1].seconds)  # as the lines end, from above
        handles = [
            Line2D([], [], color=style.colour(name), marker=marks[name], markersize=4.5, label=labels[name])
            for name in slowest_last
        ]
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=SMALL)
    span = f"{record.sizes[0]:,} to {record.sizes[-1]:,}"
    caption = f"Seconds per image that each kernel takes to label {span} images, and where one overtakes another."
    sentences = [*_sentences(record, lines, labels), *_crossings(crossover.crossings(record))]
    return Drawing(figure, caption, " ".join(sentences))


def _points(samples: Sequence[Sample]) -> list[Point]:
    """Return a kernel's points, by size; the interval is that of the median over processes."""
    points = []
    for size in sorted({sample.images for sample in samples}):
        here = [sample for sample in samples if sample.images == size]
        logs = [
            median(math.log(sample.seconds / size) for sample in here if sample.process == process)
            for process in {sample.process for sample in here}
        ]
        low, high, level = stats.interval(logs) or (0.0, 0.0, 0.0)
        interval = (math.exp(low), math.exp(high), level) if level else None
        points.append(Point(size, speedup.median_and_smallest(here)[0] / size, interval))
    return points


def _line(axes: Axes, name: str, points: Sequence[Point], sizes: Sequence[int], mark: str, dash: str) -> None:
    """Draw a kernel between neighbours of the sizes measured: where it was skipped, there is a gap."""
    colour, by_size = style.colour(name), {point.size: point for point in points}
    for left, right in pairwise(by_size.get(size) for size in sizes):
        if left and right:
            span = (left.size, right.size)
            axes.plot(span, (left.seconds, right.seconds), dash, color=colour, linewidth=1.6, label=name)
            if left.interval and right.interval:
                low, high, _ = zip(left.interval, right.interval, strict=True)
                axes.fill_between(span, low, high, color=colour, alpha=0.18, linewidth=0)
    for point in points:
        axes.plot([point.size], [point.seconds], mark, color=colour, markersize=4.5)
        if point.interval:
            axes.plot([point.size] * 2, point.interval[:2], color=colour, linewidth=1)


def _scales(axes: Axes, sizes: Sequence[int]) -> None:
    """Mark the sizes on the x axis, as many as have room, and times on the y axis."""
    labelled = [sizes[0]]
    for size in sizes[1:]:
        if math.log(size / labelled[-1]) >= math.log(sizes[-1] / sizes[0]) / 12:
            labelled.append(size)
    axes.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)
    style.ticks(axes.xaxis, FixedLocator(labelled), lambda value: f"{value:,.0f}")
    style.ticks(axes.yaxis, LogLocator(), lambda value: time(value).replace(".00", "").replace(".0 ", " "))
    axes.tick_params(labelsize=9)
    axes.grid(axis="y", color=style.FAINT, alpha=0.2, linewidth=0.6)


def _sentences(record: Record, lines: Mapping[str, Sequence[Point]], labels: Mapping[str, str]) -> list[str]:
    sentences = [f"Scope predict, L1 distance, {record.label}, time per image at each number of images."]
    for name, points in lines.items():
        times = (f"{time(point.seconds)} at {point.size:,}" for point in points)
        skipped = [f"{size:,}" for size in record.sizes if size not in {point.size for point in points}]
        gap = f"; not timed at {', '.join(skipped)}" if skipped else ""
        sentences.append(f"{labels[name]}: {', '.join(times)}{gap}.")
    return sentences + [f"{row.kernel}: {row.status_in_words}, {row.in_short}." for row in record.not_timed]


def _crossings(crossings: Sequence[Crossover]) -> list[str]:
    """Return a sentence for every crossing, and how many pairs of kernels have none."""
    sentences = [f"{pair}." for pair in crossings if pair.crosses]
    if always := sum(pair.always for pair in crossings):
        sentences.append(f"Pairs of kernels of which one is faster at every size: {always}.")
    if rest := sum(not pair.crosses and not pair.always for pair in crossings):
        sentences.append(f"Pairs of kernels without a crossing that is resolved: {rest}.")
    return sentences
