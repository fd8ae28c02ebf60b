"""One row per kernel, one panel per quantity: a number and a bar in every cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.charts import style

ROW, TITLE, AXIS = 23, 16, 20  # points: of a kernel, above the panels, and below them
GAP, SIZE = 14, 8
BLANK = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.5}  # behind words, so that no line crosses them


@dataclass(frozen=True)
class Cell:
    """The content of a cell: its words, the place on the axis that its bar reaches, and that of a mere outline."""

    words: str
    place: float | None = None
    outline: float | None = None


@dataclass(frozen=True)
class Panel:
    """A quantity: its cells by kernel, how `Axes.set` makes its axis, and where on it bars begin (at its left end)."""

    title: str
    cells: Mapping[str, Cell]
    axis: dict[str, Any] = field(default_factory=dict)
    start: float | None = None


def height(rows: int) -> float:
    """Return how many points high the panels of so many kernels are."""
    return TITLE + ROW * rows + AXIS


def draw(figure: Figure, top: float, kernels: Sequence[str], panels: Sequence[Panel], stale: set[str]) -> list[Axes]:
    """Draw panels side by side, `top` points below the upper edge, and return their axes."""
    names = [style.label(name, name in stale) for name in kernels]
    left = max(style.text_width(name, 9) for name in names) + 14
    wide = (style.WIDTH - left - 12 + GAP) / len(panels)
    below = figure.get_size_inches()[1] * 72 - top - height(len(kernels)) + AXIS
    drawn = []
    for place, panel in enumerate(panels):
        x = left + place * wide
        axes = style.area(figure, x, top + TITLE, style.WIDTH - x - wide + GAP, below)
        axes.set(ylim=(len(kernels) - 0.4, -0.6), **panel.axis)
        axes.set_yticks(range(len(kernels)) if not place else [], names if not place else [], size=9)
        axes.set_title(panel.title, size=9, loc="left", pad=4)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=7.5, colors=style.FAINT)
        for y, kernel in enumerate(kernels):
            if kernel in panel.cells:
                _cell(axes, y, kernel, panel, kernel in stale)
        drawn.append(axes)
    return drawn


def _cell(axes: Axes, y: int, kernel: str, panel: Panel, stale: bool) -> None:
    cell, colour, middle = panel.cells[kernel], style.colour(kernel), y + 0.2
    start = axes.get_xlim()[0] if panel.start is None else panel.start
    axes.annotate(cell.words, (start, y), (3, 1), textcoords="offset points", size=SIZE, zorder=2, bbox=BLANK)
    if cell.outline:
        axes.barh(middle, cell.outline - start, left=start, height=0.3, fill=False, edgecolor=style.FAINT, zorder=3)
    if cell.place == start:  # a ring is seen where a bar is not
        axes.plot([start], [middle], "o", color=colour, markerfacecolor=style.PAPER, markersize=5, clip_on=False)
    elif cell.place is not None:
        hatch = style.STALE if stale else None
        axes.barh(middle, cell.place - start, left=start, height=0.3, color=colour, hatch=hatch, zorder=3)
