"""Rows of bars on one log axis of speedups, words beside each: what the pictures of speedup and ladder share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from bench.analysis.speedup import Ratio
from bench.formatting import ratio
from bench.records.model import Record
from bench.report.charts import style

ROW, SIZE, INDENT = 18, 9, 8  # points: of height for a row, of type, and to the right for each step of depth
ABOVE, BELOW, RIGHT = style.HEAD + 28, style.FOOT + 40, 20  # points around the axes
TICK = 64  # points for each number of the axis
RIM: dict[str, Any] = {"color": style.PAPER, "linewidth": 3, "solid_capstyle": "butt"}  # around a line on a dark bar


@dataclass(frozen=True)
class Row:
    """What a row shows; `label` begins with the kernel's name.

    Attributes:
        start, end: the speedups between which its bar is; None for no bar.
        interval, dots: the speedups between which a line is, and those at which there is a dot.
    """

    label: str
    words: str
    start: float = 1
    end: float | None = None
    interval: Sequence[float] = ()
    dots: Sequence[float] = ()
    depth: int = 0
    stale: bool = False
    timed: bool = True

    @property
    def places(self) -> list[float]:
        """Every speedup at which something is drawn."""
        return [1, self.start, self.end or 1, *self.interval, *self.dots]


def draw(
    title: str, legend: str, record: Record, rows: Sequence[Row], share_of_bound: Ratio | None, xlabel: str
) -> tuple[Figure, Axes]:
    """Return a card with the rows, from the top, and a line at the machine's bandwidth bound."""
    figure = style.card(title, legend, record, ROW * len(rows) + ABOVE + BELOW)
    style.key(figure, [row.label for row in rows if row.timed])
    left = 14 + max(style.text_width(row.label, SIZE) + INDENT * row.depth for row in rows)
    bound = 1 / share_of_bound.value if share_of_bound else None
    width = style.WIDTH - left - RIGHT
    low, high = _ends(rows, bound, width)
    axes = style.area(figure, left, ABOVE, RIGHT, BELOW)
    axes.set(xscale="log", xlim=(low, high), ylim=(len(rows) - 0.4, -0.6), yticks=[], xlabel=xlabel)
    axes.spines["left"].set_visible(False)
    axes.axvline(1, color=style.INK, linewidth=1.2, zorder=0)
    if bound:
        axes.axvline(bound, color=style.FAINT, linewidth=1.2, linestyle="--", zorder=0)
        side = "right" if bound**2 > low * high else "left"
        text, top = f" bandwidth bound, {ratio(bound)} ", axes.get_xaxis_transform()
        axes.text(bound, 1.01, text, transform=top, ha=side, fontsize=8, color=style.FAINT)
    locator = LogLocator(numticks=max(3, int(width / TICK)))
    style.ticks(axes.xaxis, locator, lambda value: f"{value:,.6g}×" if value < 1 else f"{value:,.0f}×")
    for y, row in enumerate(rows):
        _row(axes, y, row, INDENT * row.depth + 8 - left)
    return figure, axes


def _row(axes: Axes, y: int, row: Row, left: float) -> None:
    beside: dict[str, Any] = {"textcoords": "offset points", "va": "center_baseline", "size": SIZE}
    axes.annotate(row.label, (0, y), (left, 0), xycoords=("axes fraction", "data"), annotation_clip=False, **beside)
    ink = style.INK if row.timed else style.FAINT
    axes.annotate(row.words, (max(row.places), y), (7, 0), color=ink, zorder=4, bbox=style.BLANK, **beside)
    if row.end:
        hatch = style.STALE if row.stale else None
        axes.barh(y, row.end - row.start, left=row.start, height=0.6, color=style.colour(row.label), hatch=hatch)
    if row.interval:
        axes.plot(row.interval, [y, y], **RIM)
        axes.plot(row.interval, [y, y], **{**RIM, "color": style.INK, "linewidth": 1.4})
    dots: dict[str, Any] = {"color": style.INK, "markeredgecolor": style.PAPER, "markeredgewidth": 0.5, "markersize": 3}
    axes.plot(row.dots, [y] * len(row.dots), "o", **dots)


def _ends(rows: Sequence[Row], bound: float | None, width: float) -> tuple[float, float]:
    """Return the ends of the axis: wide enough for the words of every row to end within the picture."""
    low = min(place for row in rows for place in row.places) / 1.3
    decades = [math.log10(max(bound or 0, 10) * 1.3 / low)]
    for row in rows:
        free = width - 10 - style.text_width(row.words, SIZE)
        decades.append(math.log10(max(row.places) / low) * width / max(free, 20))
    return low, float(low * 10 ** max(decades))
