"""Rows on one log axis of speedups, with words beside what is drawn in each: what the speedup and the ladder share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from bench.formatting import ratio
from bench.report.charts import style

ABOVE, BELOW, RIGHT = style.HEAD + 28, style.FOOT + 40, 20  # points around the axes
TICK = 64  # points for each number of the axis


@dataclass(frozen=True)
class Row:
    """The content of a row: every speedup at which something is drawn, and the words beside it."""

    places: Sequence[float]
    words: str
    faint: bool = False


def axes(figure: Figure, left: float, rows: Sequence[Row], bound: float | None, size: float) -> Axes:
    """Return axes with the words of the rows, from the top, and a line at the machine's bandwidth bound.

    Args:
        left: points that the names of the rows take.
        bound: how many times as fast as the reference the bandwidth bound is.
        size: of the words.
    """
    width = style.WIDTH - left - RIGHT
    low, high = _ends(rows, bound, width, size)
    plot = style.area(figure, left, ABOVE, RIGHT, BELOW)
    plot.set(xscale="log", xlim=(low, high), ylim=(len(rows) - 0.4, -0.6))
    plot.axvline(1, color=style.INK, linewidth=1.2, zorder=0)
    for y, row in enumerate(rows):
        plot.annotate(
            row.words, (max([1.0, *row.places]), y), (7, 0), textcoords="offset points", va="center_baseline",
            size=size, color=style.FAINT if row.faint else style.INK, zorder=4,
            bbox=style.BLANK,
        )  # fmt: skip
    if bound:
        plot.axvline(bound, color=style.FAINT, linewidth=1.2, linestyle="--", zorder=0)
        side = "right" if bound**2 > low * high else "left"
        text, top = f" bandwidth bound, {ratio(bound)} ", plot.get_xaxis_transform()
        plot.text(bound, 1.01, text, transform=top, ha=side, fontsize=8, color=style.FAINT)
    locator = LogLocator(numticks=max(3, int(width / TICK)))
    style.ticks(plot.xaxis, locator, lambda value: f"{value:,.6g}×" if value < 1 else f"{value:,.0f}×")
    return plot


def _ends(rows: Sequence[Row], bound: float | None, width: float, size: float) -> tuple[float, float]:
    """Return the ends of the axis: wide enough for the words of every row to end within the picture."""
    low = min(1.0, *(place for row in rows for place in row.places)) / 1.3
    decades = [math.log10(max(bound or 0, 10) * 1.3 / low)]
    for row in rows:
        free = width - 10 - style.text_width(row.words, size)
        decades.append(math.log10(max([1.0, *row.places]) / low) * width / max(free, 20))
    return low, float(low * 10 ** max(decades))
