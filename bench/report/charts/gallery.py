"""The digits: pixels as numbers, mean images, the hardest images, the worst mistakes, and where distances disagree."""

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from bench.report.charts import Drawing, NotDrawn, style
from bench.report.page_records import Selection
from bench.task import oracle
from bench.task.digits_metadata import relative_margins
from bench.task.problem import Problem

COLUMNS, MOST = 6, 12  # tiles in a row, images of a kind
TITLE, TILE, CREDIT = 24, (91, 86), 16  # points: of height for a title, of a tile, and of height for the credit
CELL = (34, 17)  # points of a number of the patch
PATCH, MARKED = 6, 4  # pixels of a patch, and where it begins
LONGEST = 26  # characters under a tile
NO_DIGITS = "The recorded digits were not found. Name them with --data SOURCE, or set MNIST_SAMPLE."
Image = np.ndarray[Any, Any]
Tile = tuple[Image, Sequence[str]]  # an image, and the lines under it


def draw(selection: Selection) -> Drawing:
    """Draw the digits of a selection.

    Raises:
        NotDrawn: they are not at hand.
    """
    problem = selection.problem
    if problem is None:
        raise NotDrawn(NO_DIGITS)
    means, kinds = oracle.mean_images(problem.train), _kinds(problem)
    image, window = _patch(problem)
    rows, columns = (f"{part.start}:{part.stop}" for part in window)
    which = "second" if len(problem.train[0]) > 1 else "only"
    patch_title = f"Pixels [{rows}, {columns}] of the {which} training image of class {problem.classes[0]}"
    values = zip(problem.classes, abs(image / 255 - means).mean((1, 2)), strict=True)
    distances = "L1 distances of the whole image: " + ", ".join(f"{value:.4f} to mean {name}" for name, value in values)
    sections = {"The mean images, and some of the training images they are made of": _overview(problem, means), **kinds}
    heights = [TITLE + TILE[1] * -(-len(tiles) // COLUMNS) for tiles in sections.values()]
    y = style.HEAD + TITLE + CELL[1] * PATCH + 6.0
    with style.drawing():
        legend = f"{sum(problem.train_counts):,} training and {sum(problem.valid_counts):,} validation images"
        title = f"The digits of {problem.name}"
        figure = style.card(title, legend, selection.speed, y + sum(heights) + CREDIT + style.FOOT)
        axes = style.sheet(figure)
        axes.text(16, style.HEAD + 14, patch_title, fontsize=9, weight="bold")
        _numbers(axes, style.HEAD + TITLE, image, window)
        axes.text(370, style.HEAD + TITLE + 2, fill(distances, 36), va="top", fontsize=8, linespacing=1.5)
        for (title, tiles), height in zip(sections.items(), heights, strict=True):
            axes.text(16, y + 14, title, fontsize=9, weight="bold")
            for place, (pixels, words) in enumerate(tiles):
                row, column = divmod(place, COLUMNS)
                _tile(axes, 16 + TILE[0] * column, y + TITLE + TILE[1] * row, pixels, words)
            y += height
        owner = style.credit(selection.speed)
        axes.text(style.WIDTH - 16, y + 2, owner, ha="right", fontsize=6, color=style.FAINT)
    numbers = " / ".join(" ".join(map(str, row)) for row in image[window].tolist())
    hard = [f"{title}: {'; '.join(' '.join(words) for _, words in tiles)}." for title, tiles in kinds.items()]
    alt = " ".join([f"{patch_title}: {numbers}; {distances}.", *hard])
    return Drawing(figure, f"The digits of {problem.name}: their mean images, and what is hard about them.", alt)


def _patch(problem: Problem) -> tuple[Image, tuple[slice, slice]]:
    """Return the training image whose pixels are shown, in the documents the second, and their rows and columns.

    They are where the documents have them, or where a small image lets them be.
    """
    image = problem.train[0][1 % len(problem.train[0])]
    starts = (max(0, min(MARKED, size - PATCH)) for size in image.shape)
    top, left = (slice(start, min(start + PATCH, size)) for start, size in zip(starts, image.shape, strict=True))
    return image, (top, left)


def _overview(problem: Problem, means: Image) -> list[Tile]:
    """Return the mean images and, class by class in turn, training images: two or more, to fill the last row."""
    shown: list[Tile] = [(255 * mean, [f"mean {name}"]) for mean, name in zip(means, problem.classes, strict=True)]
    stacks = [
        [(image, [name]) for image in stack[:MOST]] for stack, name in zip(problem.train, problem.classes, strict=True)
    ]
    shown += [tile for tiles in zip_longest(*stacks) for tile in tiles if tile]
    return shown[: COLUMNS * -(-(len(means) + 2) // COLUMNS)]


def _kinds(problem: Problem) -> dict[str, list[Tile]]:
    """Return three kinds of validation images, each with its title; under an image, how near its mean images are."""
    l1, l2 = problem.answers["l1"], problem.answers["l2"]
    margins = [relative_margins(answer.distances) for answer in (l1, l2)]
    files = [file.removeprefix("valid/") for file in problem.files]
    wrong, differ = np.flatnonzero(l1.labels != problem.actual), np.flatnonzero(l1.labels != l2.labels)

    def nearest(i: int) -> Tile:
        near = (f"{problem.classes[c]}: {l1.distances[i][c]:.5f}" for c in np.argsort(l1.distances[i], kind="stable"))
        called = f"{files[i]} called {problem.classes[l1.labels[i]]}"
        return problem.valid[i], (called, "  ".join([*near][:2]), f"margin {100 * margins[0][i]:.2g}%")

    def both(i: int) -> Tile:
        answers = zip(("L1", "L2"), (l1.labels[i], l2.labels[i]), (margins[0][i], margins[1][i]), strict=True)
        called = [f"{name}: {problem.classes[label]}, margin {margin:.1%}" for name, label, margin in answers]
        right = {l2.labels[i]: "L2", l1.labels[i]: "L1"}.get(problem.actual[i], "neither")
        return problem.valid[i], (f"{files[i]}, {right} is right", *called)

    hardest = np.argsort(margins[0], kind="stable")[:MOST]
    worst = wrong[np.argsort(-margins[0][wrong], kind="stable")][:MOST]
    surest = differ[np.argsort(-np.minimum(*margins)[differ], kind="stable")][:MOST]
    alone = [int((answer.labels[differ] == problem.actual[differ]).sum()) for answer in (l1, l2)]
    right_alone = f"only the L1 distance is right on {alone[0]:,}, only L2 on {alone[1]:,}"
    return {
        "The hardest: smallest margin between both L1 distances": [*map(nearest, hardest)],
        f"The worst of {len(wrong):,} mistakes by L1 distance: largest margin": [*map(nearest, worst)],
        f"The labels by L1 and L2 distance differ for {len(differ):,} images: {right_alone}": [*map(both, surest)],
    }


def _image(axes: Axes, x: float, y: float, side: float, pixels: Image) -> float:
    """Draw pixels, ink on white, none of them blurred, and return how many points a pixel is wide."""
    scale = float(side / max(pixels.shape))
    height, width = pixels.shape[0] * scale, pixels.shape[1] * scale
    extent = (x, x + width, y + height, y)
    axes.imshow(pixels, "Greys", vmin=0, vmax=255, aspect="auto", interpolation="none", extent=extent)
    axes.add_patch(Rectangle((x, y), width, height, fill=False, ec="#c9c4b8", lw=0.5))
    return scale


def _tile(axes: Axes, x: float, y: float, pixels: Image, words: Sequence[str]) -> None:
    _image(axes, x, y, 52, pixels)
    text = "\n".join(style.short(line, LONGEST) for line in words)
    axes.text(x, y + 55, text, va="top", fontsize=6.6, linespacing=1.15)


def _numbers(axes: Axes, y: float, image: Image, window: tuple[slice, slice]) -> None:
    """Draw a patch as a table shaded by value, and beside it the image that it was cut out of."""
    width, height = CELL
    for (row, column), value in np.ndenumerate(image[window]):
        x, down = 16 + width * column, y + height * row
        axes.add_patch(Rectangle((x, down), *CELL, fc=str(1 - 0.8 * value / 255), ec="#c9c4b8", lw=0.5))
        colour, place = "white" if value > 140 else style.INK, (x + width / 2, down + height / 2)
        axes.text(*place, str(value), ha="center", va="center_baseline", fontsize=8, color=colour)
    scale = _image(axes, 252, y, CELL[1] * PATCH, image)
    top, left = ((part.start * scale, (part.stop - part.start) * scale) for part in window)
    place, size = (252 + left[0], y + top[0]), (left[1], top[1])
    axes.add_patch(Rectangle(place, *size, fill=False, ec=style.WRONG, lw=1.4))
