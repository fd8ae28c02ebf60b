"""One row per kernel, one panel per quantity: a number and a bar in every cell, on one axis for all panels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.charts import style

ROW, TITLE, AXIS = 23, 16, 20  # points: of a kernel, above the panels, and below them
GAP, SIZE = 14, 8
Column = Mapping[str, "Cell"]  # by kernel


@dataclass(frozen=True)
class Cell:
    """What stands in a cell: its words, the places on the axis of one value or of two modes, and of a mere outline."""

    text: str
    places: Sequence[float] = ()
    outline: float | None = None


def height(rows: int) -> float:
    """Return how many points high the panels of so many kernels are."""
    return TITLE + ROW * rows + AXIS


def draw(
    figure: Figure,
    top: float,
    kernels: Sequence[str],
    columns: Mapping[str, Column],
    stale: set[str],
    images: Mapping[str, int] | None = None,
    **axis: Any,
) -> None:
    """Draw panels side by side, `top` points below the upper edge.

    Args:
        images: of kernels that are called on the first so many images of each class alone.
        axis: how `Axes.set` makes the x axis.
    """
    first = {name: f", first {n}" for name, n in (images or {}).items() if n}
    names = [f"{style.short(name)}{first.get(name, '')}{' (stale)' if name in stale else ''}" for name in kernels]
    left = max(style.text_width(name, 9) for name in names) + 14
    wide = (style.WIDTH - left - 12 + GAP) / len(columns)
    below = figure.get_size_inches()[1] * 72 - top - height(len(kernels)) + AXIS
    for place, (title, cells) in enumerate(columns.items()):
        x = left + place * wide
        axes = style.area(figure, x, top + TITLE, style.WIDTH - x - wide + GAP, below)
        axes.set(ylim=(len(kernels) - 0.4, -0.6), **axis)
        axes.set_yticks(range(len(kernels)) if not place else [], names if not place else [], size=9)
        axes.set_title(title, size=9, loc="left", pad=4)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=7.5, colors=style.FAINT)
        for y, kernel in enumerate(kernels):
            if kernel in cells:
                _cell(axes, y, kernel, cells[kernel], kernel in stale)


def _cell(axes: Axes, y: int, kernel: str, cell: Cell, stale: bool) -> None:
    colour, place, start = style.colour(kernel), y + 0.2, axes.get_xlim()[0]
    axes.annotate(cell.text, (0, y), (3, 1), axes.get_yaxis_transform(), textcoords="offset points", size=SIZE)
    if cell.outline:
        axes.barh(place, cell.outline - start, left=start, height=0.3, fill=False, edgecolor=style.FAINT)
    if len(cell.places) == 1 and cell.places[0] > start:
        hatch = style.STALE if stale else None
        axes.barh(place, cell.places[0] - start, left=start, height=0.3, color=colour, hatch=hatch)
    elif cell.places:  # two modes, or nothing at all: a ring is seen where a bar is not
        places = [place] * len(cell.places)
        axes.plot(cell.places, places, "o:", color=colour, markerfacecolor=style.PAPER, markersize=5, clip_on=False)
