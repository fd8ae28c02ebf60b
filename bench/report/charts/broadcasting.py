"""How broadcasting lines shapes up, from right to left: the documents' own examples, computed here by NumPy."""

from itertools import zip_longest
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from bench.report.charts import Drawing, style
from bench.report.page_records import Selection

Shape = tuple[int, ...]
FOODS, NUTRIENTS = ("apples", "beef", "eggs", "potatoes"), ("carbs", "proteins", "fats")
CALORIES = np.array([[56.0, 0.0, 4.4, 68.0], [1.2, 104.0, 52.0, 8.0], [1.8, 135.0, 99.0, 0.0]])
SUMS = CALORIES.sum(0, keepdims=True)
PERCENT = 100 * CALORIES / SUMS
STACK = (2038, 28, 28)  # the documents' validation images
PAIRS = {
    "table ÷ its sums": (CALORIES.shape, SUMS.shape),
    "image − mean image": (STACK[1:], STACK[1:]),
    "all images − mean image": (STACK, STACK[1:]),
    "this one fails": (STACK, STACK[:1]),
}
HEIGHT, SPAN, CELL = 400, 144, (36, 18)  # points: of the picture, of a pair of shapes, and of a table's cell
SHEETS = 4  # as many of a stack are drawn


def draw(selection: Selection) -> Drawing:
    """Draw four pairs of shapes, one of which does not fit."""
    with style.drawing():
        title = "Broadcasting: line the shapes up at their right ends"
        legend = "Equal sizes match. A 1, or a missing size, is stretched (dashed: read again). Anything else fails."
        figure = style.card(title, legend, selection.speed, HEIGHT)
        axes = style.sheet(figure)
        for row, name in enumerate(NUTRIENTS):
            axes.text(58, 86 + CELL[1] * row, name, ha="right", va="center", fontsize=8)
        _table(axes, 64, "", CALORIES)
        _table(axes, 236, "÷", SUMS)
        _table(axes, 408, "=", PERCENT)
        axes.text(544, 145, "in %", fontsize=8, ha="right", color=style.FAINT)
        for place, (name, shapes) in enumerate(PAIRS.items()):
            _aligned(axes, 16 + SPAN * place, name, *shapes)
        for place, depths in ((1, (1, 1)), (2, (SHEETS, 1)), (3, (SHEETS, 0))):
            _stacks(axes, 16 + SPAN * place, *depths)
    results = []
    for a, b in PAIRS.values():
        shape, failure = _result(a, b)
        results.append(f"{a} with {b} {f'fails: {failure}' if failure else f'gives {shape}'}")
    rows = [", ".join(f"{value:.1f}" for value in row) for row in PERCENT]
    table = "; ".join(f"{name} {row}" for name, row in zip(NUTRIENTS, rows, strict=True))
    caption = "How shapes are lined up, in the documents' examples."
    return Drawing(figure, caption, f"{'; '.join(results)}. Percentages: {table}.")


def _result(a: Shape, b: Shape) -> tuple[str, str]:
    """Return the shape of a difference of two arrays, or what NumPy says where there is none."""
    try:
        return str((np.broadcast_to(np.uint8(0), a) - np.broadcast_to(np.uint8(0), b)).shape), ""
    except ValueError as error:
        return "", str(error).strip()


def _table(axes: Axes, x: float, sign: str, values: np.ndarray[Any, Any]) -> None:
    """Draw a table of numbers; a single row is shown as often as it is read, its repetitions dashed."""
    width, height = CELL
    axes.text(x - 14, 77 + 1.5 * height, sign, ha="center", va="center", fontsize=14, weight="bold")
    axes.text(x + 2 * width, 145, str(values.shape), ha="center", fontsize=8.5, family=style.MONO, weight="bold")
    for column, food in enumerate(FOODS):
        axes.text(x + width * (column + 0.5), 72, food, ha="center", fontsize=7, color=style.FAINT)
        for row in range(len(NUTRIENTS)):
            value = values[min(row, len(values) - 1), column]
            _box(axes, x + width * column, 77 + height * row, CELL, f"{value:.1f}", row >= len(values))


def _box(
    axes: Axes, x: float, y: float, size: tuple[float, float], text: str, again: bool = False, bad: bool = False
) -> None:
    """Draw a number in a box; dashed where there is none in memory, and it is read again."""
    colour = style.WRONG if bad else style.FAINT if again else style.INK
    dash, paper, width = "--" if again else "-", "#dceae6" if again else "white", 1.6 if bad else 0.7
    axes.add_patch(Rectangle((x, y), *size, linestyle=dash, facecolor=paper, edgecolor=colour, linewidth=width))
    place = (x + size[0] / 2, y + size[1] / 2)
    axes.text(*place, text, ha="center", va="center_baseline", fontsize=8, color=colour)


def _stacks(axes: Axes, x: float, first: int, second: int) -> None:
    """Draw two stacks of so many images, the second as often as it is read; one number per image where it has none."""
    for depth in reversed(range(SHEETS)):
        if depth < first:
            _box(axes, x + 4 * depth, 198 - 4 * depth, (34, 34), "")
        if second and depth < first:
            _box(axes, x + 62 + 4 * depth, 198 - 4 * depth, (34, 34), "", again=depth >= second)
        if not second:
            _box(axes, x + 62 + 10 * depth, 210, (10, 10), "")
    axes.text(x + 54, 212, "−", fontsize=11, weight="bold", ha="center", va="center")


def _aligned(axes: Axes, x: float, title: str, above: Shape, below: Shape) -> None:
    """Draw two shapes, lined up at their right ends, and their result, or why there is none."""
    shape, failure = _result(above, below)
    axes.text(x, 178, title, fontsize=8.5, weight="bold", color=style.WRONG if failure else style.INK)
    for place, (a, b) in enumerate(zip_longest(reversed(above), reversed(below), fillvalue=1)):
        left, bad = x + 37 * (2 - place), a != b and min(a, b) > 1
        for row, (size, other) in enumerate(((a, b), (b, a))):
            _box(axes, left, 246 + 24 * row, (33, CELL[1]), f"{size}", size < other and not bad, bad)
        sign = "≠" if bad else "=" if a == b else f"×{max(a, b)}"
        axes.text(left + 16.5, 299, sign, ha="center", fontsize=9, color=style.WRONG if bad else style.FAINT)
    if failure:
        error = fill(f"ValueError: {failure}", 27)
        axes.text(x, 313, error, va="top", fontsize=7.2, color=style.WRONG, linespacing=1.3)
    else:
        axes.text(x, 318, f"→ {shape}", fontsize=9, family=style.MONO, weight="bold")
