"""Problems that are hard for kernels with exact labels (ties, near-ties, odd sizes, long sums), and their check."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

Problem = tuple[list[np.ndarray], np.ndarray]  # stacks of training images, and validation images
STEP = 255 * Fraction(1, 2**20)  # L2 distances this far apart are too close to call


def distances(train: list[np.ndarray], valid: np.ndarray, power: int) -> list[list[Fraction]]:
    """Return the sums of |x - mean| ** power, by image and class; 64 bits hold their numerators here."""
    x = valid.reshape(len(valid), -1).astype(np.int64)
    by_class = []
    for stack in train:
        n, total = len(stack), stack.sum(0, dtype=np.int64).ravel()
        by_class.append([Fraction(int(sum_), n**power) for sum_ in (abs(x * n - total) ** power).sum(1)])
    return [list(row) for row in zip(*by_class)]


def nearest(train: list[np.ndarray], valid: np.ndarray) -> list[int]:
    return [row.index(min(row)) for row in distances(train, valid, 1)]


def agrees(kernel: Any, train: list[np.ndarray], valid: np.ndarray, step: Fraction = STEP) -> None:
    """Assert that labels (L2 if offered) and means are right, and that stacks, means and answers do not change."""
    for images in (*train, valid):
        images.setflags(write=False)
    stacks, images = [kernel.prepare(stack, "cpu") for stack in train], kernel.prepare(valid, "cpu")
    means = kernel.mean_images(stacks)
    host = kernel.to_host(means)
    exact = [stack.sum(0, dtype=np.int64) / (255 * len(stack)) for stack in train]
    assert (host.dtype, host.shape) == (np.float64, (len(train), *valid.shape[1:]))
    np.testing.assert_allclose(host, np.array(exact), rtol=0, atol=1e-15)
    labels, due = kernel.predict_l1(images, means), nearest(train, valid)
    assert type(labels) is np.ndarray
    assert labels.tolist() == due
    labels_l2 = kernel.predict_l2(images, means).tolist() if hasattr(kernel, "predict_l2") else []
    for label, row in zip(labels_l2, distances(train, valid, 2)):
        near, far = (float(square / valid[0].size) ** 0.5 for square in (min(row), row[label]))
        assert far - near <= step
    kernel.predict_l1(kernel.prepare(valid[::-1].copy(), "cpu"), kernel.mean_images(stacks[::-1]))
    assert labels.tolist() == due
    np.testing.assert_array_equal(kernel.to_host(means), host)
    assert kernel.predict_l1(images, kernel.mean_images(stacks)).tolist() == due


def slices_agree(kernel: Any) -> None:
    """Assert that slices of a prepared stack are answered as stacks of their own."""
    rng = np.random.default_rng(0)
    for shape in ((28, 28), (5, 7), (1, 1)):
        images = rng.integers(0, 256, (90, *shape), np.uint8)
        stack = kernel.prepare(images, "cpu")
        for part in (slice(None), slice(3, 80), slice(1, None, 2), slice(50, 51), slice(None, None, 16), slice(6)):
            means = kernel.mean_images([stack[part], stack[:1]])
            np.testing.assert_allclose(kernel.to_host(means)[0], images[part].mean(0) / 255, rtol=0, atol=1e-14)
            assert kernel.predict_l1(stack[part], means).tolist() == nearest([images[part], images[:1]], images[part])


def ties() -> Iterator[Problem]:
    train = [np.full((n, 2, 3), level, np.uint8) for n, level in ((3, 10), (2, 20), (5, 10), (1, 20))]
    yield train, np.full((4, 2, 3), 15, np.uint8)
    yield train[::-1], np.full((4, 2, 3), 15, np.uint8)


def close_calls() -> Iterator[Problem]:
    """Means of 100 - 1/n and 100 + 1/(n + 1) are one byte image: only the fractions differ."""
    for n in (2, 500, 6131):
        below, above = np.full((n, 1, 5), 100, np.uint8), np.full((n + 1, 1, 5), 100, np.uint8)
        below[0], above[0] = 99, 101
        for train in ([below, above], [above, below]):
            yield train, np.array([[[100] * 5], [[99] * 5], [[101] * 5]], np.uint8)


def on_the_bound() -> Iterator[Problem]:
    """Byte distances differ by both slacks or one more; where means are off by a half, exact distances may tie."""
    for pixels in (1, 2, 3, 16, 17):
        train = [np.repeat(np.array(levels, np.uint8), pixels).reshape(2, 1, pixels) for levels in ([0, 1], [2, 3])]
        levels = [(v, w, k) for v in range(4) for w in range(4) for k in range(pixels + 1)]
        yield train, np.array([[[v] * k + [w] * (pixels - k)] for v, w, k in levels], np.uint8)
    # Means (1.45, 1.45) and (1.55, 1) of the image (1, 1): 0.9 against 0.55, but 0 against 1 in bytes.
    train = [np.ones((20, 1, 2), np.uint8) for _ in range(2)]
    train[0][:9] = 2
    train[1][:11, 0, 0] = 2
    yield train, np.ones((1, 1, 2), np.uint8)
    same = np.ones((20, 1, 2), np.uint8)  # in both classes, for a multiple of four pixels
    yield [np.concatenate([stack, same], 2) for stack in train], np.ones((1, 1, 4), np.uint8)
    # One class is off by nothing, the other by a half in every pixel, and is nearer than its bytes say.
    train = [np.zeros((2, 1, 16), np.uint8), np.array([[[2] * 16], [[3] * 16]], np.uint8)]
    for order in (train, train[::-1]):
        yield order, np.array([[[2] * k + [1] * (16 - k)] for k in range(17)], np.uint8)


def near_the_middle() -> Iterator[Problem]:
    for seed in range(12):
        yield drawn(seed)


def drawn(seed: int) -> Problem:
    """Draw stacks of few grey levels, and images between two means, so that distances tie or nearly do."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 8), rng.integers(1, 10)
    low = rng.integers(0, 256)
    high = min(255, low + rng.choice([1, 2, 5, 255]))
    train = [rng.integers(low, high + 1, (n, height, width), np.uint8) for n in rng.integers(1, 41, rng.integers(2, 7))]
    if rng.integers(2):
        train.append(train[0][::-1].copy())  # the same mean twice
    between = np.mean([stack.mean(0) for stack in train[:2]], axis=0) + rng.integers(-1, 2, (20, height, width))
    valid = np.concatenate([rng.integers(low, high + 1, (10, height, width)), np.clip(between, 0, 255)])
    return train, valid.astype(np.uint8)


def white() -> Iterator[Problem]:
    """A 16-bit sum holds 257 white pixels."""
    for n in (1, 255, 256, 257, 258, 514, 961, 2047, 2048, 2049):
        train = [np.full((n, 1, 3), 255, np.uint8), np.full((7, 1, 3), 254, np.uint8)]
        yield train, np.array([[[254] * 3], [[255] * 3]], np.uint8)
    train = [np.full((70_000, 1, 1), 255, np.uint8), np.full((65_537, 1, 1), 254, np.uint8)]
    yield train, np.full((1, 1, 1), 254, np.uint8)


def every_image_once() -> Iterator[Problem]:
    rng = np.random.default_rng(0)
    for n in (1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 257, 258, 479, 480, 481, 961, 1031, 4097):
        yield [rng.integers(0, 256, (m, 5, 7), np.uint8) for m in (n, 3)], rng.integers(0, 256, (9, 5, 7), np.uint8)


def hundreds_of_classes() -> Iterator[Problem]:
    rng = np.random.default_rng(1)
    train = [rng.integers(0, 256, (rng.integers(1, 4), 3, 3), np.uint8) for _ in range(300)]
    yield train, np.concatenate([stack[:1] for stack in train[::9]])


def large_images() -> Iterator[Problem]:
    """182 x 182 squares of 255 are more than 31 bits hold."""
    black, white = np.zeros((1, 182, 182), np.uint8), np.full((1, 182, 182), 255, np.uint8)
    nearly = white.copy()
    nearly[0, 0, 0] = 254
    yield [black, white, nearly], np.concatenate([white, nearly, black])
    rng = np.random.default_rng(2)
    yield [rng.integers(0, 256, (3, 64, 65), np.uint8) for _ in range(2)], rng.integers(0, 256, (5, 64, 65), np.uint8)


CASES = {
    case.__name__: case
    for case in (
        ties, close_calls, on_the_bound, near_the_middle, white, every_image_once, hundreds_of_classes, large_images,
    )
}  # fmt: skip
