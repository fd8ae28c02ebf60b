"""Time per image against the number of images, one line per kernel, and where one kernel overtakes another."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from matplotlib.axes import Axes

from bench import checklist, crossover
from bench.case import Case
from bench.charts import Drawing, NotDrawn, style
from bench.charts import lines as drawn
from bench.charts.lines import Point
from bench.crossover import Crossover
from bench.records import Record
from bench.units import time

MOST = 5  # crossings that are drawn; the words tell the others
HIGH, STRIP, LEFT, AXIS = 240, 15, 66, 40  # points: of the plot at least, of a crossing, left of both and below them


def draw(case: Case) -> Drawing:
    """Draw the record of sizes.

    Raises:
        NotDrawn: there is none.
        BadRecord: its checklist FAILs at one of its sizes.
    """
    record = case.sizes
    if record is None:
        raise NotDrawn(
            "time against the number of images was not recorded; python -m bench run --sizes 1,10,100,1000,10000"
        )
    for size in record.sizes:
        checklist.must_not_fail(record.at(size), "predict", "l1")
    lines = {name: drawn.points(record.of(name, "predict")) for name in record.kernels("predict")}
    stale = {name for name in lines if replace(case, speed=record).stale(name)}
    labels = {name: f"{style.short(name)}{' (stale)' if name in stale else ''}" for name in lines}
    crossings = crossover.crossings(record)
    shown = _worth_showing(crossings, lines, record.sizes)
    with style.drawing():
        below = style.FOOT + AXIS + (STRIP * len(shown) + 12 if shown else 0)
        high, above = max(HIGH, drawn.APART * len(lines)), style.HEAD + 12
        title = f"Time to label one of so many images of {record.facts.get('dataset', 'unknown digits')}, L1"
        legend = "Line: median. Shade: its interval. Rings: two modes. Dashed: stale, its source has changed since."
        figure = style.card(title, legend, record, above + high + below)
        right = max(style.text_width(label, drawn.SMALL) for label in labels.values()) + 26
        axes = style.area(figure, LEFT, above, right, below, xscale="log", yscale="log")
        for name, points in lines.items():
            drawn.line(axes, name, points, record.sizes, name in stale)
        drawn.scales(axes, record.sizes)
        axes.set_ylabel("time per image (log scale)")
        drawn.names(axes, lines, labels, style.WIDTH - LEFT - right, high)
        if shown:
            axes.tick_params(labelbottom=False)
            strip = style.area(figure, LEFT, above + high + 12, right, style.FOOT + AXIS, sharex=axes)
            _strip(strip, shown)
        figure.axes[-1].set_xlabel("images (log scale)")
    span = f"{record.sizes[0]:,} to {record.sizes[-1]:,}"
    caption = f"Seconds per image that each kernel takes to label {span} images, and where one overtakes another."
    return Drawing(figure, caption, " ".join([*_words(record, lines, stale), *_crossed(crossings)]))


def _worth_showing(
    crossings: Sequence[Crossover], lines: Mapping[str, Sequence[Point]], sizes: Sequence[int]
) -> list[Crossover]:
    """Return the crossings to draw: where the fastest of all changes, and then the others, as far as there is room."""
    at = [
        {name: point.modes[0] for name, points in lines.items() for point in points if point.size == n} for n in sizes
    ]
    fastest = [min(each, key=lambda name: each[name]) for each in at if each]
    changes = set(pairwise(fastest))
    cross = [each for each in crossings if each.crosses]
    chosen = sorted(cross, key=lambda each: (each.base, each.new) not in changes)[:MOST]
    return [each for each in cross if each in chosen]


def _strip(axes: Axes, shown: Sequence[Crossover]) -> None:
    """Under the plot, on its axis: from the last size at which one is slower to the first from which it is faster."""
    axes.set(ylim=(len(shown) - 0.5, -0.5), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=9)
    middle = sum(map(math.log, axes.get_xlim())) / 2
    for y, each in enumerate(shown):
        ends = (each.last_slower or 0, each.first_faster or 0)
        axes.plot(ends, (y, y), "|-", color=style.colour(each.new), linewidth=4, solid_capstyle="butt")
        early = math.log(ends[0] * ends[1]) / 2 < middle
        axes.annotate(
            f"{each.new} overtakes {each.base}", (ends[early], y), (6 if early else -6, 0), va="center_baseline",
            textcoords="offset points", ha="left" if early else "right", size=8,
        )  # fmt: skip


def _words(record: Record, lines: Mapping[str, Sequence[Point]], stale: set[str]) -> list[str]:
    said = [f"Scope predict under L1, {record.label}, time per image at each number of images."]
    for name, points in lines.items():
        at = (f"{' or '.join(map(time, point.modes))} at {point.size:,}" for point in points)
        out = [f"{size:,}" for size in record.sizes if size not in {point.size for point in points}]
        sat = f"; not timed at {', '.join(out)}" if out else ""
        said.append(f"{name}{' (stale)' if name in stale else ''}: {', '.join(at)}{sat}.")
    return said + [f"{each.kernel}: {each.status}, {each.in_short}." for each in record.absent]


def _crossed(crossings: Sequence[Crossover]) -> list[str]:
    """Return a sentence for every crossing, and how many pairs of kernels have none."""
    said = [f"{each}." for each in crossings if each.crosses]
    if always := sum(each.always for each in crossings):
        said.append(f"Pairs of kernels of which one is faster at every size: {always}.")
    if rest := sum(not each.crosses and not each.always for each in crossings):
        said.append(f"Pairs of kernels without a crossing that is resolved: {rest}.")
    return said
