"""Threes and sevens that the project draws itself, for machines without a network.

Their counts are those of MNIST_SAMPLE, so times are comparable. Accuracies are not, so results are labelled `drawn`.
"""

import io
import random
from collections.abc import Callable

from PIL import Image, ImageDraw

from data.layout import Tree

COUNTS = {"train": {"3": 6131, "7": 6265}, "valid": {"3": 1010, "7": 1028}}
SIZE = 28  # pixels, height and width
FINE = 4  # drawn this many times larger, then averaged down, for grey edges

# Strokes as points in a unit square, x to the right and y down.
STROKES = {
    "3": [
        [(0.18, 0.15), (0.36, 0.04), (0.62, 0.04), (0.80, 0.17), (0.76, 0.35), (0.44, 0.47)],
        [(0.44, 0.47), (0.78, 0.56), (0.84, 0.76), (0.66, 0.94), (0.36, 0.96), (0.14, 0.84)],
    ],
    "7": [[(0.12, 0.10), (0.86, 0.07), (0.64, 0.42), (0.40, 0.97)]],
}
CROSSBAR = [(0.34, 0.52), (0.74, 0.50)]  # as many Europeans write a seven


def draw(seed: int = 1998) -> Tree:
    """Return the drawn digits as PNG files in memory: split -> class -> file name -> bytes.

    The same seed gives the same pixels with the same Pillow: `random()` and plain arithmetic are alike everywhere.
    """
    rand = random.Random(seed).random
    return {
        split: {digit: {f"{n}.png": _png(digit, rand) for n in range(count)} for digit, count in counts.items()}
        for split, counts in COUNTS.items()
    }


def _png(digit: str, rand: Callable[[], float]) -> bytes:
    slant = 0.7 * rand() - 0.25
    tilt = 0.2 * rand() - 0.1
    width, height = 10 + 6 * rand(), 17 + 4 * rand()
    left = (SIZE - width) / 2 + 3 * rand() - 1.5
    top = (SIZE - height) / 2 + 2.4 * rand() - 1.2
    thickness = round(FINE * (1.4 + 2.2 * rand()))
    strokes = STROKES[digit] if digit == "3" or rand() < 0.8 else [*STROKES[digit], CROSSBAR]

    canvas = Image.new("L", (FINE * SIZE, FINE * SIZE))
    pen = ImageDraw.Draw(canvas)
    for stroke in strokes:
        points = []
        for x, y in stroke:
            right = x + 0.12 * rand() - 0.06 + slant * (0.5 - y)
            down = y + 0.10 * rand() - 0.05 + tilt * (right - 0.5)
            points.append((round(FINE * (left + right * width)), round(FINE * (top + down * height))))
        pen.line(points, fill=255, width=thickness, joint="curve")
    file = io.BytesIO()
    canvas.reduce(FINE).save(file, "PNG", compress_level=1)
    return file.getvalue()
