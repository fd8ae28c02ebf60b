"""How broadcasting lines shapes up, from right to left: the documents' own examples, computed here by NumPy."""

import math
from collections.abc import Sequence
from itertools import zip_longest
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from bench.report.charts import Drawing, style
from bench.report.page_records import Selection
from bench.task import oracle

Shape = tuple[int, ...]
Pixels = Any  # an array of images, or as many times None
FOODS, NUTRIENTS = ("apples", "beef", "eggs", "potatoes"), ("carbs", "proteins", "fats")
CALORIES = np.array([[56.0, 0.0, 4.4, 68.0], [1.2, 104.0, 52.0, 8.0], [1.8, 135.0, 99.0, 0.0]])
HEIGHT, CELL = 400, (36, 18)  # points: of the picture, and of a table's cell
PLACES = (16, 160, 304, 448)  # where the four columns of shapes begin
AXIS = 37  # points between the sizes of a shape
CREDIT: dict[str, Any] = {"ha": "right", "fontsize": 6.5, "color": style.FAINT}
STRETCHED = "#dceae6"


def draw(selection: Selection) -> Drawing:
    """Draw four pairs of shapes, one of which does not fit."""
    stack = _stack(selection)
    image = stack[1:]
    misfit, message = _misfit(stack)
    sums = CALORIES.sum(0, keepdims=True)
    percent = 100 * CALORIES / sums
    with style.drawing():
        title = "Broadcasting: line the shapes up at their right ends"
        legend = "Equal sizes match. A 1, or a missing size, is stretched (dashed: read again). Anything else fails."
        figure = style.card(title, legend, selection.speed, HEIGHT)
        axes = style.sheet(figure)
        for row, name in enumerate(NUTRIENTS):
            axes.text(58, 86 + CELL[1] * row, name, ha="right", va="center", fontsize=8)
        for x, sign, values, shape in (
            (64, "", CALORIES, CALORIES.shape), (236, "÷", sums, sums.shape), (408, "=", percent, percent.shape),
        ):  # fmt: skip
            _table(axes, x, sign, values, np.broadcast_shapes(CALORIES.shape, sums.shape)[0])
            axes.text(x + 2 * CELL[0], 145, _spelt(shape), ha="center", fontsize=8.5, family=style.MONO, weight="bold")
        axes.text(544, 145, "in %", fontsize=8, ha="right", color=style.FAINT)
        pairs = (
            ("table ÷ its sums", CALORIES.shape, sums.shape, ""),
            ("image − mean image", image, image, ""),
            ("all images − mean image", stack, image, ""),
            ("this one fails", misfit[0], misfit[1], message),
        )
        for x, pair in zip(PLACES, pairs, strict=True):
            _aligned(axes, x, *pair)
        _digits(axes, selection)
        axes.text(style.WIDTH - 16, 365, style.credit(selection.speed) if selection.problem else "", **CREDIT)
    results = [f"{_spelt(a)} with {_spelt(b)} gives {_result(a, b)}" for _, a, b, failure in pairs if not failure]
    fails = f"{_spelt(misfit[0])} with {_spelt(misfit[1])} fails: {message}"
    rows = [", ".join(f"{value:.1f}" for value in row) for row in percent]
    table = "; ".join(f"{name} {row}" for name, row in zip(NUTRIENTS, rows, strict=True))
    alt = f"{'; '.join(results)}; {fails}. Percentages: {table}."
    caption = f"How shapes are lined up, in the documents' examples and for {selection.speed.metadata['dataset']}."
    return Drawing(figure, caption, " ".join(alt.split()))


def _stack(selection: Selection) -> Shape:
    """Return the shape of the validation images; the documents' 28 by 28 where only the number of pixels is known."""
    if selection.problem:
        return selection.problem.valid.shape
    n = sum(map(int, str(selection.speed.metadata.get("valid_counts", 2038)).split()))
    pixels = int(selection.speed.metadata.get("image_pixels", 784))
    side = math.isqrt(pixels)
    return (n, side, side) if side**2 == pixels else (n, 1, pixels)


def _misfit(stack: Shape) -> tuple[tuple[Shape, Shape], str]:
    """Return shapes that do not fit, one number per image if that fails here, and what NumPy says about them."""
    for a, b in ((stack, stack[:1]), ((2038, 28, 28), (2038,))):
        try:
            np.broadcast_to(np.uint8(0), a) - np.broadcast_to(np.uint8(0), b)
        except ValueError as error:
            return (a, b), str(error).strip()
    raise AssertionError(stack)


def _result(a: Shape, b: Shape) -> str:
    return _spelt(np.broadcast_shapes(a, b))


def _spelt(shape: Sequence[int]) -> str:
    return str(tuple(map(int, shape)))


def _table(axes: Axes, x: float, sign: str, values: np.ndarray[Any, Any], rows: int) -> None:
    """Draw a table of numbers; a single row is shown as often as it is read, its repetitions dashed."""
    width, height = CELL
    axes.text(x - 14, 86 + height * (rows - 1) / 2, sign, ha="center", va="center", fontsize=14, weight="bold")
    for column, food in enumerate(FOODS):
        axes.text(x + width * (column + 0.5), 72, food, ha="center", fontsize=7, color=style.FAINT)
        for row in range(rows):
            ghost, value = row >= len(values), values[min(row, len(values) - 1), column]
            _cell(axes, x + width * column, 77 + height * row, width, height, f"{value:.1f}", ghost)


def _cell(
    axes: Axes, x: float, y: float, width: float, height: float, text: str, ghost: bool, bad: bool = False
) -> None:
    """Draw a number in a box; dashed where there is none in memory, and it is read again."""
    colour = style.WRONG if bad else style.FAINT if ghost else style.INK
    look: dict[str, Any] = {"fc": STRETCHED if ghost else "white", "ec": colour, "lw": 1.6 if bad else 0.7}
    axes.add_patch(Rectangle((x, y), width, height, linestyle="--" if ghost else "-", **look))
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center_baseline", fontsize=8, color=colour)


def _aligned(axes: Axes, x: float, title: str, above: Shape, below: Shape, failure: str) -> None:
    """Draw two shapes, lined up at their right ends, and their result, or why there is none."""
    axes.text(x, 178, title, fontsize=8.5, weight="bold", color=style.WRONG if failure else style.INK)
    for place, (a, b) in enumerate(zip_longest(reversed(above), reversed(below), fillvalue=0)):
        left, bad = x + AXIS * (2 - place), a != b and min(a, b) > 1
        for row, (size, partner) in enumerate(((a, b), (b, a))):
            ghost = size < max(partner, 1) or size == 0
            _cell(axes, left, 246 + 24 * row, AXIS - 4, CELL[1], f"{size or 1}", ghost and not bad, bad)
        sign = "≠" if bad else "=" if a == b else f"×{max(a, b)}"
        axes.text(left + AXIS / 2 - 2, 299, sign, ha="center", fontsize=9, color=style.WRONG if bad else style.FAINT)
    if failure:
        error = fill(f"ValueError: {failure}", 27)
        axes.text(x, 313, error, va="top", fontsize=7.2, color=style.WRONG, linespacing=1.3)
    else:
        axes.text(x, 318, f"→ {_result(above, below)}", fontsize=9, family=style.MONO, weight="bold")


def _digits(axes: Axes, selection: Selection) -> None:
    """Draw what has these shapes: a table, an image, a stack; dashed what is read again. With digits if at hand."""
    images: Pixels = [None] * 4
    mean = None
    _, height, width = _stack(selection)
    size = 34 * width / max(height, width), 34 * height / max(height, width)
    if selection.problem:
        images = selection.problem.valid[np.arange(4) % len(selection.problem.valid)] / 255
        mean = oracle.mean_images(selection.problem.train[:1])[0]
    for row in range(3):
        for column in range(4):
            for x, ghost in ((PLACES[0], False), (PLACES[0] + 58, row > 0)):
                _sheet(axes, x + 10 * column, 193 + 10 * row, (10, 10), ghost)
    for x, first, second in ((PLACES[1], 1, 1), (PLACES[2], 4, 4), (PLACES[3], 4, 0)):
        for depth in reversed(range(4)):
            place = 4 * depth, 198 - 4 * depth
            if depth < first:
                _sheet(axes, x + place[0], place[1], size, False, images[depth])
            if depth < second:
                _sheet(axes, x + 62 + place[0], place[1], size, depth > 0, mean)
            if not second:
                _sheet(axes, x + 62 + 10 * depth, 210, (10, 10), False)
    for x, sign in zip(PLACES, "÷−−−", strict=True):
        axes.text(x + 50 + (4 if sign == "−" else -1), 212, sign, fontsize=11, weight="bold", ha="center", va="center")


def _sheet(
    axes: Axes, x: float, y: float, size: tuple[float, float], ghost: bool, pixels: np.ndarray[Any, Any] | None = None
) -> None:
    look: dict[str, Any] = {"fc": STRETCHED if ghost else "white", "ec": style.FAINT if ghost else style.INK, "lw": 0.6}
    axes.add_patch(Rectangle((x, y), *size, linestyle="--" if ghost else "-", zorder=2, **look))
    if pixels is not None and not ghost:
        extent = (x, x + size[0], y + size[1], y)
        axes.imshow(pixels, "Greys", aspect="auto", interpolation="none", vmin=0, vmax=1, extent=extent, zorder=2)
