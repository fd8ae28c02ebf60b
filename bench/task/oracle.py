"""The exact answer: integers decide it, without floating point and without any kernel.

An image x (bytes 0..255) is compared with the mean image of class c, the exact rational S_c / n_c, where S_c is the
sum of n_c training images. With P pixels, and full scale 1.0:

    L1 distance:   d_c   = sum |x n_c - S_c|   / (255 P n_c)
    L2 distance:   d_c^2 = sum (x n_c - S_c)^2 / (255^2 P n_c^2)

Over one common denominator, distances are compared as integers of any size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DISTANCES = ("l1", "l2")
TOO_CLOSE = 20  # distances within 2^-20 of full scale are too close to call in float32
BLOCK = 4096  # images at a time, so that temporaries stay small
CACHED = 64  # images at a time, so that temporaries stay in the cache
CLEAR = 2.0**-10  # of full scale: a call with a larger margin is clear


@dataclass(frozen=True, eq=False)
class Answer:
    """The exact answer under one distance, for the validation images in their own order."""

    labels: np.ndarray  # int64 (n,), index of the nearest mean image, ties to the lowest index
    acceptable: np.ndarray  # bool (n, classes), the nearest class and those too close to call against it
    distances: np.ndarray  # float64 (n, classes) in 0..1, for messages and margins: no label depends on them

    @property
    def too_close(self) -> int:
        """How many images have more than one acceptable class."""
        return int((self.acceptable.sum(1) > 1).sum())


def mean_images(train: Sequence[np.ndarray]) -> np.ndarray:
    """Return the exact mean images of uint8 stacks (n, height, width), rounded once to float64, in 0..1."""
    return means_of([len(stack) for stack in train], pixel_sums(train))


def pixel_sums(train: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return per class the sum of its uint8 images (n_c, height, width), int64 (height, width).

    Raises:
        OverflowError: int64 cannot hold what `solve` sums over this many training images.
    """
    pixels, most = train[0][0].size, max(map(len, train))
    if pixels * 255**2 * most >= 2**63:
        raise OverflowError(f"{most:,} training images of {pixels:,} pixels overflow the oracle's int64 sums")
    return tuple(np.asarray(np.sum(stack, axis=0, dtype=np.int64)) for stack in train)


def means_of(counts: Sequence[int], sums: Sequence[np.ndarray]) -> np.ndarray:
    """Return the exact mean images of `counts` images with these pixel sums, as `mean_images` does."""
    return np.stack([pixel_sum / (255 * n) for n, pixel_sum in zip(counts, sums, strict=True)])


def solve(counts: Sequence[int], sums: Sequence[np.ndarray], valid: np.ndarray) -> dict[str, Answer]:
    """Return the exact answer under "l1" and "l2" to images, uint8 (n, height, width).

    Of each class there are `counts` training images, with pixel sums int64 (height, width).
    """
    pixels = valid[0].size
    sums = [pixel_sum.ravel() for pixel_sum in sums]
    blocks = [_numerators(valid[start : start + BLOCK], counts, sums) for start in range(0, len(valid), BLOCK)]
    l1, l2 = (np.concatenate(numerators) for numerators in zip(*blocks, strict=True))
    return {
        "l1": _answer(l1, [255 * pixels * n for n in counts], squared=False),
        "l2": _answer(l2, [255**2 * pixels * n**2 for n in counts], squared=True),
    }


def clear_calls(
    counts: Sequence[int], sums: Sequence[np.ndarray], valid: np.ndarray, distance: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return (labels, clear), each (n,): the nearest class, and whether that is beyond doubt; where not, ask `solve`.

    It takes a tenth of the time of `solve`, in float32, which errs by less than a hundredth of CLEAR.
    """
    images, pixels = valid.reshape(len(valid), -1), valid[0].size
    means = [(pixel_sum.ravel() / n).astype(np.float32) for n, pixel_sum in zip(counts, sums, strict=True)]
    distances = np.empty((len(images), len(means)), np.float32)
    for start in range(0, len(images), CACHED):
        block = images[start : start + CACHED].astype(np.float32)
        for index, mean in enumerate(means):
            difference = block - mean
            np.abs(difference, out=difference) if distance == "l1" else np.square(difference, out=difference)
            distances[start : start + CACHED, index] = difference.sum(1)
    distances = distances / pixels if distance == "l1" else np.sqrt(distances / pixels)
    two = np.partition(distances, 1, axis=1)
    return distances.argmin(1), two[:, 1] - two[:, 0] > 255 * CLEAR


def _numerators(images: np.ndarray, counts: Sequence[int], sums: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return sum |x n - S| and sum (x n - S)^2 per image and class, (n, classes) Python integers each."""
    x = images.reshape(len(images), -1).astype(np.int64)
    xx = (x * x).sum(1).astype(object)
    l1, l2 = [], []
    for n, s in zip(counts, sums, strict=True):
        l1.append(abs(x * n - s).sum(1).astype(object))
        xs, ss = (x @ s).astype(object), sum(int(pixel_sum) ** 2 for pixel_sum in s)
        l2.append(n**2 * xx - 2 * n * xs + ss)
    return np.stack(l1, axis=1), np.stack(l2, axis=1)


def _answer(numerators: np.ndarray, denominators: list[int], *, squared: bool) -> Answer:
    """Compare the (squared) distances numerators[:, c] / denominators[c] exactly; numerators (n, classes)."""
    common = math.lcm(*denominators)
    scale = np.array([common // denominator for denominator in denominators], dtype=object)
    exact = numerators * scale  # (squared) distances in units of 1 / common
    nearest = exact.min(axis=1, keepdims=True)
    if squared:
        # sqrt(a) <= sqrt(b) + e  <=>  a - b - e^2 <= 2 e sqrt(b); both sides times common * 2^40, e = 2^-20
        excess = ((exact - nearest) << 2 * TOO_CLOSE) - common
        acceptable = (excess <= 0) | (excess**2 <= (nearest * common) << (2 * TOO_CLOSE + 2))
    else:
        acceptable = (exact - nearest) << TOO_CLOSE <= common
    distances = (exact / common).astype(np.float64)
    return Answer(exact.argmin(axis=1), acceptable.astype(bool), np.sqrt(distances) if squared else distances)
