"""Lines over the number of images: with gaps where a kernel sat out, forks, intervals, and names at their ends."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench import speedup
from bench.charts import style
from bench.sample import Sample
from bench.units import time

MARKS = "osD^vPX"
APART, SMALL = 11.5, 8.5  # points between the names of two lines, and of their letters
LABELS = 12  # on the x axis, at most


@dataclass(frozen=True)
class Point:
    """A kernel at one size: seconds per image, one or those of two modes, and the ends of its interval, if any."""

    size: int
    modes: tuple[float, ...]
    ends: tuple[float, float] | None


def points(samples: Sequence[Sample]) -> list[Point]:
    """Return a kernel's points, by size; the interval is that of the median over process sets."""
    found = []
    for size in sorted({each.images for each in samples}):
        here = [each for each in samples if each.images == size]
        logs = [
            median(math.log(each.seconds / size) for each in here if each.process == process)
            for process in {each.process for each in here}
        ]
        interval = speedup.interval(logs)
        ends = (math.exp(interval[0]), math.exp(interval[1])) if interval else None
        found.append(Point(size, tuple(mode.value / size for mode in speedup.modes(here)), ends))
    return found


def line(axes: Axes, name: str, points: Sequence[Point], sizes: Sequence[int], stale: bool) -> None:
    """Draw a kernel between neighbours of the sizes measured: where it sat one out, there is a gap."""
    colour, mark = style.colour(name), MARKS[sum(name.encode()) % len(MARKS)]
    by_size = {point.size: point for point in points}
    for one, other in pairwise(by_size.get(size) for size in sizes):
        if one is None or other is None:
            continue
        for mode in range(max(len(one.modes), len(other.modes))):  # a line forks where processes fall apart
            ends = [each.modes[min(mode, len(each.modes) - 1)] for each in (one, other)]
            axes.plot(
                (one.size, other.size), ends, color=colour, linewidth=1.6, linestyle="--" if stale else "-", label=name
            )
        if one.ends and other.ends:
            low, high = zip(one.ends, other.ends, strict=True)
            axes.fill_between((one.size, other.size), low, high, color=colour, alpha=0.18, linewidth=0)
    for point in points:
        fill = style.PAPER if len(point.modes) > 1 else colour
        places = [point.size] * len(point.modes)
        axes.plot(places, point.modes, mark, color=colour, markerfacecolor=fill, markersize=4.5)
        if point.ends:
            axes.plot([point.size] * 2, point.ends, color=colour, linewidth=1)


def scales(axes: Axes, sizes: Sequence[int]) -> None:
    """Mark the sizes on the x axis, as many as have room, and times on the y axis."""
    labelled = [sizes[0]]
    for size in sizes[1:]:
        if math.log(size / labelled[-1]) >= math.log(sizes[-1] / sizes[0]) / LABELS:
            labelled.append(size)
    axes.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)
    axes.xaxis.set_major_locator(FixedLocator(labelled))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: time(value).replace(".00", "").replace(".0 ", " ")))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=9)
    axes.grid(axis="y", color=style.FAINT, alpha=0.2, linewidth=0.6)


def names(
    axes: Axes, lines: Mapping[str, Sequence[Point]], labels: Mapping[str, str], wide: float, high: float
) -> None:
    """Name every line at its end, in a column beside the plot of so many points where no two names overlap."""
    low, top = axes.get_ylim()
    ends = {name: (points[-1].size, points[-1].modes[0]) for name, points in lines.items()}
    rising = sorted(ends, key=lambda name: ends[name][1])
    wanted = [high * math.log(ends[name][1] / low) / math.log(top / low) for name in rising]
    for name, y in zip(rising, spread(wanted, APART, high), strict=True):
        colour = style.colour(name)
        arrow = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "linestyle": ":", "relpos": (0, 0.5)}
        place = (1 + 14 / wide, y / high)
        axes.annotate(
            labels[name], ends[name], place, textcoords="axes fraction", va="center_baseline", size=SMALL,
            color=style.INK, arrowprops=arrow,
        )  # fmt: skip


def spread(wanted: Sequence[float], apart: float, high: float) -> list[float]:
    """Return places as near to those wanted, which rise, as keeps them `apart` and, from above, within `high`."""
    places: list[float] = []
    for each in wanted:
        places.append(max(each, places[-1] + apart if places else 0.0))
    for i in reversed(range(len(places))):
        places[i] = min(places[i], places[i + 1] - apart if i + 1 < len(places) else high)
    return places
