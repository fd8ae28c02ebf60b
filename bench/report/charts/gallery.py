"""The digits: mean images, pixels as numbers, the hardest images, the worst mistakes, and where distances disagree."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from bench.report.charts import Drawing, NotDrawn, style
from bench.report.page_records import Selection
from bench.task import digits_metadata, oracle
from bench.task.problem import Problem

TENS, SIXES = 10, 6  # tiles in a row: small ones without, and large ones with words
MOST = 12  # images of a kind
TITLE, TILE, WORDS, CREDIT = 24, 56, 30, 16  # points: heights of a section's parts; a tile's height without its words
LONGEST = 26  # characters under a tile
LINES = 7  # classes in a column of distances
PATCH, MARKED = 6, 4  # pixels of a patch, and where it begins
NO_DIGITS = "The recorded digits were not found. Name them with --data SOURCE, or set MNIST_SAMPLE."
Image = np.ndarray[Any, Any]
Tile = tuple[int, Sequence[str]]  # the index of a validation image, and words under it


def draw(selection: Selection) -> Drawing:
    """Draw the digits of a selection.

    Raises:
        NotDrawn: they are not at hand.
    """
    if selection.problem is None:
        raise NotDrawn(NO_DIGITS)
    problem, means = selection.problem, oracle.mean_images(selection.problem.train)
    first, patch_title = _patch(problem)
    kinds = _hardest(problem), _worst(problem), _disagreements(problem)
    rows = [-(-len(tiles) // SIXES) for _, tiles in kinds]
    tens = -(-(len(means) + 8) // TENS)
    height = style.HEAD + style.FOOT + 5 * TITLE + tens * 62 + 112 + sum(rows) * (TILE + WORDS) + CREDIT
    distances = _distances(problem, first, means)
    with style.drawing():
        legend = f"{sum(problem.train_counts):,} training and {sum(problem.valid_counts):,} validation images"
        figure = style.card(f"The digits of {problem.name}", legend, selection.speed, height)
        axes, y = style.sheet(figure), float(style.HEAD)
        _title(axes, y, "The mean images, and some of the training images they are made of")
        _overview(axes, y + TITLE, problem, means, tens)
        y += TITLE + tens * 62
        _title(axes, y, patch_title)
        _numbers(axes, y + TITLE, first, distances)
        y += TITLE + 112
        for (title, tiles), lines in zip(kinds, rows, strict=True):
            _title(axes, y, title)
            _tiles(axes, y + TITLE, problem.valid, tiles)
            y += TITLE + lines * (TILE + WORDS)
        owner = style.credit(selection.speed)
        axes.text(style.WIDTH - 16, y + 2, owner, ha="right", fontsize=6, color=style.FAINT)
    pixels = " / ".join(" ".join(map(str, row)) for row in first[_window(first)].tolist())
    sentences = [f"{title}: {'; '.join(' '.join(lines) for _, lines in tiles)}." for title, tiles in kinds]
    alt = " ".join([f"{patch_title}: {pixels}; {distances}.", *sentences])
    return Drawing(figure, f"The digits of {problem.name}: their mean images, and what is hard about them.", alt)


def _patch(problem: Problem) -> tuple[Image, str]:
    """Return the training image whose pixels are shown as numbers, and what it is: as in the documents, the second."""
    stack = problem.train[0]
    image = stack[1 % len(stack)]
    rows, columns = (f"{part.start}:{part.stop}" for part in _window(image))
    which = "second" if len(stack) > 1 else "only"
    return image, f"Pixels [{rows}, {columns}] of the {which} training image of class {problem.classes[0]}"


def _window(image: Image) -> tuple[slice, slice]:
    """Return the rows and columns of the patch: where the documents have it, or where a small image lets it be."""
    starts = (max(0, min(MARKED, size - PATCH)) for size in image.shape)
    top, left = (slice(start, min(start + PATCH, size)) for start, size in zip(starts, image.shape, strict=True))
    return top, left


def _distances(problem: Problem, image: Image, means: Image) -> str:
    distances = zip(problem.classes, abs(image / 255 - means).mean((1, 2)), strict=True)
    return f"L1 distances of the whole image: {', '.join(f'{value:.4f} to mean {name}' for name, value in distances)}"


def _tile(problem: Problem, index: int) -> Tile:
    """Return a tile that says how near an image is to its two nearest mean images, by L1 distance."""
    label, distances = problem.answers["l1"].labels[index], problem.answers["l1"].distances[index]
    near = [f"{problem.classes[c]}: {distances[c]:.5f}" for c in np.argsort(distances, kind="stable")[:2]]
    margin = digits_metadata.relative_margins(distances[None])[0]
    file = problem.files[index].removeprefix("valid/")
    return index, (f"{file} called {problem.classes[label]}", "  ".join(near), f"margin {100 * margin:.2g}%")


def _hardest(problem: Problem) -> tuple[str, list[Tile]]:
    relative = digits_metadata.relative_margins(problem.answers["l1"].distances)
    chosen = np.argsort(relative, kind="stable")[:MOST]
    return "The hardest: smallest margin between both L1 distances", [_tile(problem, i) for i in chosen]


def _worst(problem: Problem) -> tuple[str, list[Tile]]:
    answer = problem.answers["l1"]
    relative = digits_metadata.relative_margins(answer.distances)
    wrong = np.flatnonzero(answer.labels != problem.actual)
    chosen = wrong[np.argsort(-relative[wrong], kind="stable")][:MOST]
    return f"The worst of {len(wrong):,} mistakes by L1 distance: largest margin", [_tile(problem, i) for i in chosen]


def _disagreements(problem: Problem) -> tuple[str, list[Tile]]:
    """Return images whose labels by L1 and by L2 distance differ, those first that both are surest of."""
    labels = {distance: answer.labels for distance, answer in problem.answers.items()}
    relative = {key: digits_metadata.relative_margins(answer.distances) for key, answer in problem.answers.items()}
    differ = np.flatnonzero(labels["l1"] != labels["l2"])
    chosen = differ[np.argsort(-np.minimum(relative["l1"], relative["l2"])[differ], kind="stable")][:MOST]
    tiles: list[Tile] = []
    for i in chosen:
        called = [f"{key.upper()}: {problem.classes[labels[key][i]]}, margin {relative[key][i]:.1%}" for key in labels]
        right = next((key.upper() for key in labels if labels[key][i] == problem.actual[i]), "neither")
        tiles.append((int(i), (f"{problem.files[i].removeprefix('valid/')}, {right} is right", *called)))
    alone = [int((labels[key][differ] == problem.actual[differ]).sum()) for key in ("l1", "l2")]
    right_alone = f"only the L1 distance is right on {alone[0]:,}, only L2 on {alone[1]:,}"
    return f"The labels by L1 and L2 distance differ for {len(differ):,} images: {right_alone}", tiles


def _title(axes: Axes, y: float, title: str) -> None:
    axes.text(16, y + 14, title, fontsize=9, weight="bold")


def _image(axes: Axes, x: float, y: float, side: float, pixels: Image) -> float:
    """Draw pixels, ink on white, none of them blurred, and return how many points a pixel is wide."""
    scale = float(side / max(pixels.shape))
    height, width = pixels.shape[0] * scale, pixels.shape[1] * scale
    extent = (x, x + width, y + height, y)
    axes.imshow(pixels, "Greys", vmin=0, vmax=255, aspect="auto", interpolation="none", extent=extent)
    axes.add_patch(Rectangle((x, y), width, height, fill=False, ec="#c9c4b8", lw=0.5))
    return scale


def _overview(axes: Axes, y: float, problem: Problem, means: Image, rows: int) -> None:
    shown = [(255 * mean, f"mean {name}") for mean, name in zip(means, problem.classes, strict=True)]
    stacks = [[(image, name) for image in stack] for stack, name in zip(problem.train, problem.classes, strict=True)]
    shown += [tile for tiles in zip_longest(*stacks) for tile in tiles if tile]  # class by class, in turn
    for place, (pixels, label) in enumerate(shown[: TENS * rows]):
        row, column = divmod(place, TENS)
        _image(axes, 16 + 55 * column, y + 62 * row, 48, pixels)
        axes.text(16 + 55 * column, y + 62 * row + 56, label, fontsize=7, color=style.FAINT)


def _numbers(axes: Axes, y: float, image: Image, distances: str) -> None:
    """A patch as a table shaded by value, and beside it the image that it was cut out of."""
    top, left = _window(image)
    for row, values in enumerate(image[top, left].tolist()):
        for column, value in enumerate(values):
            x, down = 16 + 34 * column, y + 17 * row
            axes.add_patch(Rectangle((x, down), 34, 17, fc=str(1 - 0.8 * value / 255), ec="#c9c4b8", lw=0.5))
            colour = "white" if value > 140 else style.INK
            axes.text(x + 17, down + 8.5, str(value), ha="center", va="center_baseline", fontsize=8, color=colour)
    scale = _image(axes, 252, y, 102, image)
    size = (left.stop - left.start) * scale, (top.stop - top.start) * scale
    place = 252 + left.start * scale, y + top.start * scale
    axes.add_patch(Rectangle(place, *size, fill=False, ec=style.WRONG, lw=1.4))
    heading, *words = distances.replace(": ", ":\n").replace(", ", "\n").splitlines()
    for column in range(min(2, -(-len(words) // LINES))):
        lines = [heading if column == 0 else "", *words[LINES * column : LINES * (column + 1)]]
        axes.text(370 + 95 * column, y + 2, "\n".join(lines), va="top", fontsize=8, linespacing=1.5)


def _tiles(axes: Axes, y: float, images: Image, tiles: Iterable[Tile]) -> None:
    for place, (index, lines) in enumerate(tiles):
        row, column = divmod(place, SIXES)
        x, down = 16 + 91 * column, y + (TILE + WORDS) * row
        _image(axes, x, down, TILE - 4, images[index])
        axes.text(x, down + TILE - 1, "\n".join(map(_short, lines)), va="top", fontsize=6.6, linespacing=1.15)


def _short(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
