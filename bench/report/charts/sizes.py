"""Time per image against the number of images, one line per kernel, and where one kernel overtakes another."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from statistics import median
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

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


class Point(NamedTuple):
    """A kernel at one size: seconds per image, and their confidence interval; without one, `level` is 0."""

    seconds: float
    low: float
    high: float
    level: float


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
    levels = {f"{point.level:.1%} CI" for points in lines.values() for point in points.values() if point.level}
    slowest_last = sorted(lines, key=lambda name: -[*lines[name].values()][-1].seconds)  # as they end, from above
    with style.drawing():
        high, above, below = max(HIGH, APART * len(lines)), style.HEAD + 12, style.FOOT + 40
        title = f"Time per image by number of images, {record.metadata.get('dataset', 'unknown digits')}, L1 distance"
        bars = f"Bar: {levels.pop() if len(levels) == 1 else 'CI'}." if levels else ""
        legend = style.legend("Line: median.", bars, "Dashed: stale, its source has changed since." if stale else "")
        figure = style.card(title, legend, record, above + high + below)
        right = max(style.text_width(label, SMALL) for label in labels.values()) + 44
        axes = style.area(figure, LEFT, above, right, below, xscale="log", yscale="log")
        for name, mark in zip(slowest_last, cycle(MARKS), strict=False):
            look = f"{mark}{'--' if name in stale else '-'}"
            _line(axes, record.sizes, lines[name], look, style.colour(name), labels[name])
        _scales(axes, record.sizes)
        axes.set(xlabel="images (log scale)", ylabel="time per image (log scale)")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=SMALL)
    span = f"{record.sizes[0]:,} to {record.sizes[-1]:,}"
    caption = f"Seconds per image that each kernel takes to label {span} images, and where one overtakes another."
    sentences = [*_sentences(record, lines, labels), *_crossings(crossover.crossings(record))]
    return Drawing(figure, caption, " ".join(sentences))


def _points(samples: Sequence[Sample]) -> dict[int, Point]:
    """Return a kernel's points, by size; the interval is that of the median over processes."""
    points = {}
    for size in sorted({sample.images for sample in samples}):
        here = [sample for sample in samples if sample.images == size]
        per_process = [
            math.exp(median(math.log(sample.seconds / size) for sample in here if sample.process == process))
            for process in {sample.process for sample in here}
        ]
        seconds = speedup.median_and_smallest(here)[0] / size
        points[size] = Point(seconds, *(stats.interval(per_process) or (seconds, seconds, 0)))
    return points


def _line(axes: Axes, sizes: Sequence[int], points: Mapping[int, Point], look: str, color: str, label: str) -> None:
    """Draw a kernel with its intervals: where it was skipped, there is a gap."""
    nothing = Point(math.nan, math.nan, math.nan, 0)
    seconds, low, high, _ = np.array([points.get(size, nothing) for size in sizes]).T
    axes.plot(sizes, seconds, look, color=color, linewidth=1.6, markersize=4.5, label=label)
    axes.vlines(sizes, low, high, color=color, linewidth=1)


def _scales(axes: Axes, sizes: Sequence[int]) -> None:
    """Mark powers of ten on both axes."""
    axes.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)
    style.ticks(axes.xaxis, LogLocator(), lambda value: f"{value:,.0f}")
    style.ticks(axes.yaxis, LogLocator(), lambda value: time(value).replace(".00", "").replace(".0 ", " "))
    axes.tick_params(labelsize=9)
    axes.grid(axis="y", color=style.FAINT, alpha=0.2, linewidth=0.6)


def _sentences(record: Record, lines: Mapping[str, Mapping[int, Point]], labels: Mapping[str, str]) -> list[str]:
    sentences = [f"Scope predict, L1 distance, {record.label}, time per image at each number of images."]
    for name, points in lines.items():
        times = (f"{time(point.seconds)} at {size:,}" for size, point in points.items())
        skipped = [f"{size:,}" for size in record.sizes if size not in points]
        gap = f"; not timed at {', '.join(skipped)}" if skipped else ""
        sentences.append(f"{labels[name]}: {', '.join(times)}{gap}.")
    return sentences + [f"{row.kernel}: {row.status_in_words}, {row.in_short}." for row in record.not_timed]


def _crossings(pairs: Sequence[Crossover]) -> list[str]:
    """Return a sentence for every crossing, and how many pairs of kernels have none."""
    sentences = [f"{pair}." for pair in pairs if pair.crosses]
    return [*sentences, f"Pairs of kernels without a crossing that is resolved: {len(pairs) - len(sentences)}."]
