"""Verification: what a kernel is asked before it is timed. `answers.py` compares its answers with the exact ones.

It guards against honest mistakes: remembered answers, overwritten buffers, changed inputs, low precision, and, where a
stack can be written, sums taken in `prepare`. It does not guard against malice: running a kernel is running its code.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from operator import getitem
from typing import Any

import numpy as np

from bench.task import in_place, oracle
from bench.task.answers import MEAN_TOLERANCE, as_labels, check_labels, check_means
from bench.task.oracle import Answer
from bench.task.problem import Problem
from bench.task.scopes import PreparedKernel, WrongAnswer, fingerprint, host_means, offered

FEW = 16  # images of a small stack
MIXED = 2**20  # parts of a mixture of two images
BORDER = 2.0**-18  # of full scale: float32 decides what is farther from the border, bytes do not
CHANGED = "{} answered for images that had changed"


@dataclass
class Findings:
    """What verification found out about a kernel, also where it ended in a WrongAnswer."""

    correct: dict[str, list[int]] = field(default_factory=dict)  # by offered distance, the right labels per class
    mean_error: float | None = None  # the largest deviation of a mean image from the exact one, of full scale 1.0


def verify(prepared: PreparedKernel, seed: int, findings: Findings) -> None:
    """Verify a kernel on its prepared digits, and in an order, on slices and on changed images that it has not seen.

    Everything is called twice. Then the order of the images and the slices are drawn from `seed`, and the classes
    rotated; images of the slices are also exchanged in place.

    Raises:
        WrongAnswer: an answer differs from the exact one, or an input or an earlier answer was changed.
        Exception: whatever the kernel itself raises.
    """
    kernel, device, problem = prepared.kernel, prepared.device, prepared.problem
    predicts = offered(kernel)
    _check_untouched(prepared)
    for stack, images in zip((*prepared.train, prepared.valid), prepared.given, strict=True):
        if len(stack) != len(images):
            raise WrongAnswer(f"prepare gave a stack of length {len(stack)}, expected {len(images)}")
    train, valid = prepared.plain()

    exact = oracle.mean_images(problem.train)
    means = kernel.mean_images(train)
    host = host_means(kernel, means)
    findings.mean_error = check_means(host, exact, "")
    check_means(host_means(kernel, kernel.mean_images(train)), exact, "second call on the same stacks: ")

    answers = []
    for distance, predict in predicts.items():
        first = predict(valid, means)
        kept = as_labels(first, problem, f"{distance}: ")
        findings.correct[distance] = problem.correct(kept)
        check_labels(first, problem, distance)
        answers.append((distance, first, kept))
        check_labels(predict(valid, means), problem, distance, "second call on the same stack: ")
    if not np.array_equal(host_means(kernel, means), host):
        raise WrongAnswer("predict changed the means that it was given")

    rng = np.random.default_rng(seed)
    reordered = _reordered(problem, rng)
    stack, rotated_means = kernel.prepare(reordered.valid, device), kernel.mean_images(train[-1:] + train[:-1])
    for distance, predict in predicts.items():
        check_labels(predict(stack, rotated_means), reordered, distance, "images and classes in another order: ")
    for distance, first, kept in answers:  # by now a buffer that is used again holds another answer
        if not np.array_equal(first, kept):
            raise WrongAnswer(f"{distance}: a later call overwrote the answer of an earlier one")
    if not np.array_equal(host_means(kernel, means), host):
        raise WrongAnswer("a later call overwrote the mean images of an earlier one")

    for _ in range(2):  # a remembered mean, or a sum taken in `prepare`, is wrong of at least one
        _check_slices_of_train(prepared, rng)
    for distance in predicts:
        _check_prepared_anew(prepared, means, distance, rng)
        _check_slices_of_valid(prepared, means, distance, rng)
    check_means(host_means(kernel, kernel.mean_images(train)), exact, "after predicting, from the same stacks: ")
    _check_untouched(prepared)


def _check_slices_of_train(prepared: PreparedKernel, rng: np.random.Generator) -> None:
    """Check mean images of slices, and again after images of neighbouring classes were exchanged in these slices."""
    kernel, problem = prepared.kernel, prepared.problem
    lengths = [max(1, n // 3) for n in problem.train_counts]
    starts = [int(rng.integers(n - some + 1)) for n, some in zip(problem.train_counts, lengths, strict=True)]
    windows = [slice(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    stacks = [*map(getitem, prepared.train, windows)]
    pixels = [stack[w].copy() for stack, w in zip(problem.train, windows, strict=True)]
    means = host_means(kernel, kernel.mean_images(stacks))
    check_means(means, oracle.mean_images(pixels), "of a slice of the stacks: ")
    pairs = [pair for c in range(len(pixels) - 1) for pair in _exchanged(pixels, c)]
    with _in_slices(prepared, prepared.train, windows, stacks, pairs, pixels) as changed:
        means = host_means(kernel, kernel.mean_images(changed))
        check_means(means, oracle.mean_images(pixels), f"{CHANGED.format('mean_images')}: ")


Pair = tuple[int, int, int, int]  # image j of stack i, and image l of stack k, as (i, j, k, l)


def _exchanged(pixels: Sequence[np.ndarray], c: int) -> list[Pair]:
    """Exchange images of uint8 stacks c and c + 1 until their mean images have changed measurably; return which."""
    a, b = pixels[c : c + 2]
    pairs, before = list[Pair](), oracle.mean_images([a, b])
    for i, j in zip(range(len(a)), reversed(range(len(b))), strict=False):
        a[i], b[j] = b[j].copy(), a[i].copy()
        pairs.append((c, i, c + 1, j))
        if np.abs(oracle.mean_images([a, b]) - before).max() > 4 * MEAN_TOLERANCE:
            break
    return pairs


@contextmanager
def _in_slices(
    prepared: PreparedKernel,
    whole: Sequence[Any],
    windows: Sequence[slice],
    stacks: Sequence[Any],
    pairs: Sequence[Pair],
    pixels: Sequence[np.ndarray],
) -> Iterator[list[Any]]:
    """Yield slices with images exchanged in place; afterwards they are as before.

    They are exchanged in `stacks`, the `windows` of the prepared stacks `whole`; else in those; and where neither can
    be written, `pixels` are prepared, which have the same change.
    """
    for where, starts in ((stacks, [0] * len(stacks)), (whole, [w.start for w in windows])):
        if not in_place.writable(where, prepared.problem.pixels):
            continue
        places = [(where[i], starts[i] + j, where[k], starts[k] + m, prepared.problem.pixels) for i, j, k, m in pairs]
        for place in places:
            in_place.exchange(*place)
        try:
            yield [*stacks] if where is stacks else [*map(getitem, whole, windows)]
        finally:
            for place in reversed(places):
                in_place.exchange(*place)
        return
    for stack in pixels:
        stack.setflags(write=False)
    yield [prepared.kernel.prepare(stack, prepared.device) for stack in pixels]


def _check_slices_of_valid(prepared: PreparedKernel, means: Any, distance: str, rng: np.random.Generator) -> None:
    """Check labels of slices, where every class is in turn the first and the last, and again with these exchanged."""
    problem, predict = prepared.problem, offered(prepared.kernel)[distance]
    labels = _clear_labels(problem, distance)
    classes = [int(label) for label in np.unique(labels[labels >= 0])]
    longest = max(2, len(labels) // max(3, len(classes)))
    for first, last in zip(classes, classes[1:] + classes[:1], strict=True):
        starts, ends = np.flatnonzero(labels == first), np.flatnonzero(labels == last)
        starts = starts[starts < ends[-1]]
        if first == last or not len(starts):
            continue
        start = int(rng.choice(starts))
        after = ends[ends > start]
        stop = int(after[np.abs(after - (start + longest - 1)).argmin()]) + 1
        stack, part = prepared.valid[start:stop], problem.taken(np.arange(start, stop))
        check_labels(predict(stack, means), part, distance, "of a slice of the stack: ")
        n = stop - start
        changed = part.taken(np.r_[n - 1, 1 : n - 1, 0])
        windows, pairs = [slice(start, stop)], [(0, 0, 0, n - 1)]
        with _in_slices(prepared, [prepared.valid], windows, [stack], pairs, [changed.valid]) as [new]:
            check_labels(predict(new, means), changed, distance, f"{CHANGED.format('predict')}: ")


def _check_prepared_anew(prepared: PreparedKernel, means: Any, distance: str, rng: np.random.Generator) -> None:
    """Check labels of two stacks with the same images in another order, except the first and the last.

    A third stack has mixtures of them, which are almost as far from one mean image as from another.
    """
    problem, predict = prepared.problem, offered(prepared.kernel)[distance]
    by_label = np.argsort(problem.answers[distance].labels, kind="stable")
    ends = np.r_[by_label[:FEW], by_label[FEW:][-FEW:]]
    parts = [problem.taken(order) for order in (ends, np.r_[ends[0], ends[-2:0:-1], ends[-1]])]
    for part in (*parts, _mixed(parts[0], distance, rng)):
        stack = prepared.kernel.prepare(part.valid, prepared.device)
        check_labels(predict(stack, means), part, distance, "of images prepared anew: ")


def _mixed(part: Problem, distance: str, rng: np.random.Generator) -> Problem:
    """Return the problem with each image mixed with the one at the other end, as far as its label stays the same.

    Every pixel rounds at a place of its own, so one byte more or less decides. Images within BORDER are not judged.
    """
    a, towards = part.valid.astype(np.int64), part.valid[::-1].astype(np.int64) - part.valid
    rounding, share = rng.integers(0, MIXED, a.shape), np.zeros((len(a), 1, 1), np.int64)

    def solved(share: np.ndarray) -> tuple[np.ndarray, Answer]:
        mixed = (a + (share * towards + rounding) // MIXED).astype(np.uint8)
        return mixed, oracle.solve(part.train_counts, part.sums, mixed)[distance]

    own, step = solved(share)[1].labels, MIXED
    while step := step // 2:
        kept = solved(share + step)[1].labels == own
        share[kept] += step
    mixed, answer = solved(share)
    mixed.setflags(write=False)
    files = tuple(f"a mixture of {file} and {other}" for file, other in zip(part.files, part.files[::-1], strict=True))
    near = answer.distances <= answer.distances.min(1, keepdims=True) + BORDER
    answers = {distance: replace(answer, acceptable=answer.acceptable | near)}
    return replace(part, valid=mixed, files=files, answers=answers)


def _clear_labels(problem: Problem, distance: str) -> np.ndarray:
    """Return the label of each validation image, int64 (n,); -1 where more than one is acceptable."""
    answer = problem.answers[distance]
    return np.where(answer.acceptable.sum(1) == 1, answer.labels, -1)


def _reordered(problem: Problem, rng: np.random.Generator) -> Problem:
    """Return the problem with images of one label in another order, and with the classes rotated by one.

    So the label at every place is another one than before: one that is never computed is wrong at least once.
    """
    labels, order = _clear_labels(problem, "l1"), np.arange(len(problem.valid))
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        order[places] = rng.permutation(places)
    n, answers = len(problem.classes), dict[str, Answer]()
    for distance, answer in problem.answers.items():
        acceptable, distances = (np.roll(array, 1, axis=1) for array in (answer.acceptable, answer.distances))
        answers[distance] = Answer((answer.labels + 1) % n, acceptable, distances)
    classes, actual = problem.classes[-1:] + problem.classes[:-1], (problem.actual + 1) % n
    return replace(problem, classes=classes, actual=actual, answers=answers).taken(order)


def _check_untouched(prepared: PreparedKernel) -> None:
    if prepared.fingerprint and fingerprint(prepared.given) != prepared.fingerprint:
        raise WrongAnswer("the uint8 images given to prepare were changed")
