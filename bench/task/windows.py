"""Windows: the images that each timed call gets, and their exact answer. No call gets what an earlier one has seen.

A kernel that remembers answers must never be asked the same question twice. So it prepares more images than one call
takes, and every call gets another window of them:

    stack            the n images of the problem, then k altered copies of some of them
    window at o      stack[o : o + n], of every stack; o is a multiple of 64 bytes, in an order that is drawn

Where no window is left, the stacks are prepared anew with other copies. A GPU's graphs depend on addresses, so there
the window is always the same, and images of it are exchanged in place (`Fixed`). A kernel that remembers sums of what
neighbouring windows share is not found.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from bench.task import in_place, oracle
from bench.task.problem import Problem

COUNT = 64  # windows of one preparation, unless a sample needs more
SAMPLED = 256  # images of each class whose mean images the scope `predict` is given
FARTHEST = 4096  # a window moves by at least one in so many images, or no mean image would change measurably
NEAREST = 512  # and, aligned or not, by at most one in so many images, or the copies would take too long to prepare
SPARE = 4096  # windows that a file of repeated images has room for


@dataclass(frozen=True)
class Window:
    """The images of one call: slices of the prepared validation stack and of each class's."""

    valid: slice
    train: tuple[slice, ...]
    sampled: tuple[slice, ...]  # the training images that `means` are of, in the scope `predict`
    means: Any = None  # in the kernel's own form, computed before the clock starts; None in other scopes


def step(problem: Problem) -> int:
    """Return by how many images windows are apart: whole lines of 64 bytes where the images are many enough."""
    most, line = max(problem.train_counts), 64 // math.gcd(64, problem.pixels)
    while line > max(1, most // NEAREST):
        line //= 2
    return line * math.ceil(most / (FARTHEST * line))


def _at(problem: Problem, offset: int, within: bool = False) -> Window:
    """Return the window at an offset; `within` samples the problem's own training images alone."""
    counts = problem.train_counts
    train = tuple(slice(offset, offset + n) for n in counts)
    starts = [offset % (max(n, SAMPLED) - SAMPLED + 1) if within else offset for n in counts]
    sampled = tuple(slice(start, start + min(n, SAMPLED)) for start, n in zip(starts, counts, strict=True))
    return Window(slice(offset, offset + problem.count), train, sampled)


class Windows:
    """The windows of one preparation.

    Attributes:
        train, valid: uint8 (n + k, height, width), per class and of the validation images, to be prepared.
        repeats: where a device repeats the validation images, which image of `valid` each of its stack is; else None.
    """

    def __init__(
        self,
        problem: Problem,
        count: int,  # of windows besides the problem's own images, which verification sees; 0 prepares just these
        rng: np.random.Generator,  # draws the copies and the order of the windows
        renewed: int = 0,  # how often the stacks were prepared before
        tiled: np.ndarray | None = None,  # validation images, repeated, then altered copies (see `bench.task.tiling`)
        predict_only: bool = False,  # prepare no further training images, which only the other scopes need
    ) -> None:
        self.problem, self.count, self._predict_only, apart = problem, count, predict_only, step(problem)
        k, n = count * apart, problem.count
        self.train = [with_copies(images, 0 if predict_only else k, rng) for images in problem.train]
        self._start, self.repeats = 0, None
        if tiled is None:
            self.valid = with_copies(problem.valid, k, rng)
            self._copies = self.valid[len(problem.valid) :]
            if problem.repeated:
                self.repeats = np.r_[np.arange(n) % len(problem.valid), len(problem.valid) + np.arange(k)]
        else:
            blocks = (len(tiled) - n) // max(1, k)  # of which every preparation takes the next
            self._start = renewed % max(1, blocks) * k
            self.valid = tiled[self._start : self._start + n + k]
            self._copies = tiled[n : self._start + n + k]
        self._offsets = [int(number) * apart for number in rng.permutation(count) + 1]

    @property
    def left(self) -> float:
        """How many windows no call has had yet."""
        return len(self._offsets) if self.count else math.inf

    def take(self, n: int) -> list[Window]:
        """Return n windows that no call has had; where only memory is measured there is one, again and again."""
        offsets = [self._offsets.pop() if self.count else 0 for _ in range(n)]
        return [_at(self.problem, offset, self._predict_only) for offset in offsets]

    def before_clock(self) -> None:
        """Do nothing: the windows are new."""

    def sums(self, slices: Sequence[slice]) -> list[np.ndarray]:
        """Return the exact pixel sums of each class's training images in these slices, int64 (height, width)."""
        sums = list[np.ndarray]()
        for stack, own, n, window in zip(self.train, self.problem.sums, self.problem.train_counts, slices, strict=True):
            if window.stop - window.start < n or self._predict_only:
                sums += oracle.pixel_sums([stack[window]])
            else:  # what a window has more, and less, than the problem's own images
                more, less = (part.sum(0, dtype=np.int64) for part in (stack[n : window.stop], stack[: window.start]))
                sums.append(own + more - less)
        return sums

    def distinct(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return the different validation images of a window, and which of them each of its images is."""
        images = np.arange(self.problem.count)
        if not self.problem.repeated:
            return self.valid[window.valid], images
        images += self._start + window.valid.start
        own, n = self.problem.valid, self.problem.count
        return np.concatenate([own, self._copies]), np.where(images < n, images % len(own), len(own) + images - n)

    def file(self, window: Window, image: int) -> str:
        """Return the name of an image of `distinct`, for messages."""
        place = image if self.problem.repeated else window.valid.start + image
        return self.problem.files[place] if place < len(self.problem.files) else "an altered copy"


class Fixed:
    """One window for all calls, whose images are exchanged in place, in writable stacks, before each sample."""

    left = math.inf

    def __init__(self, problem: Problem, train: list[Any], valid: Any, rng: np.random.Generator) -> None:
        self.problem, self._rng, self._samples = problem, rng, 0
        self._stacks, self._stack = train, valid
        self.train, self.valid = [np.array(stack) for stack in problem.train], np.array(problem.valid)
        self._window = _at(problem, 0)
        self._which = np.arange(problem.count) % len(problem.actual)  # image is at each place now

    def take(self, n: int) -> list[Window]:
        """Return the window n times, with other training images than the calls before had.

        As many images of neighbouring classes are exchanged as change their mean images measurably; none before the
        first sample, whose images are new anyway.
        """
        self._samples += 1
        for c, (a, b) in enumerate(pairwise(self.train) if self._samples > 1 else ()):
            counts = len(a), len(b)
            for _ in range(math.ceil(min(counts) / FARTHEST)):
                i, j = (int(self._rng.integers(min(count, SAMPLED))) for count in counts)
                in_place.exchange(self._stacks[c], i, self._stacks[c + 1], j, self.problem.pixels)
                a[i], b[j] = b[j].copy(), a[i].copy()
        return [self._window] * n

    def before_clock(self) -> None:
        """Exchange two validation images with different labels, after calls that could have been remembered."""
        if self._samples < 2:
            return
        labels = self.problem.answers["l1"].labels[self._which[: len(self.valid)]]
        i = int(self._rng.integers(len(labels)))
        others = np.flatnonzero(labels != labels[i])
        j = int(self._rng.choice(others)) if len(others) else i
        in_place.exchange(self._stack, i, self._stack, j, self.problem.pixels)
        for images in (self._which, self.valid):
            images[[i, j]] = images[[j, i]]

    def sums(self, slices: Sequence[slice]) -> list[np.ndarray]:
        """As of `Windows`."""
        return [*oracle.pixel_sums([stack[window] for stack, window in zip(self.train, slices, strict=True)])]

    def distinct(self, _: Window) -> tuple[np.ndarray, np.ndarray]:
        """As of `Windows`."""
        return self.problem.valid, self._which

    def file(self, _: Window, image: int) -> str:
        """As of `Windows`."""
        return self.problem.files[image]


def with_copies(stack: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return a read-only stack followed by k altered copies of its images.

    The bytes of a copy go round the circle 1, 2, .. 255 by a number of their own, and 0 stays 0, as some kernels leave
    zeros out.
    """
    if not k:
        return stack
    copies = stack[rng.integers(0, len(stack), k)].astype(np.uint16)
    shifts = rng.permutation(np.arange(k) % 254 + 1).astype(np.uint16)
    moved = (copies - 1 + shifts[:, None, None]) % 255 + 1
    whole = np.concatenate([stack, np.where(copies, moved, 0).astype(np.uint8)])
    whole.setflags(write=False)
    return whole
