"""Verification of a kernel's answers. Every check raises WrongAnswer; none returns a bool.

It guards against honest mistakes: remembered answers, overwritten buffers, changed inputs, low precision, sums taken in
`prepare`. It does not guard against malice: running someone's kernel is running their code.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench.task import oracle
from bench.task.oracle import Answer
from bench.task.problem import Problem
from bench.task.scopes import PreparedKernel, WrongAnswer, host_copy, host_means, offered

MEAN_TOLERANCE = 2.0**-14  # of full scale: a sixtieth of a grey level


@dataclass
class Findings:
    """What verification found out about a kernel, also where it ended in a WrongAnswer.

    Attributes:
        correct: per offered distance the right labels per class, from the first answer that could be scored.
        mean_error: the largest deviation of a mean image from the exact one, where full scale is 1.0.
    """

    correct: dict[str, list[int]] = field(default_factory=dict)
    mean_error: float | None = None


def verify(prepared: PreparedKernel, seed: int, findings: Findings) -> None:
    """Verify a kernel on its prepared digits, and in an order and on slices that it has not seen.

    Everything is called twice on the same stacks. Then the validation images come in an order drawn from `seed`, with
    the classes reversed. Then the kernel computes mean images of slices drawn from `seed`.

    Raises:
        WrongAnswer: an answer differs from the exact one, or an input or an earlier answer was changed.
        Exception: whatever the kernel itself raises.
    """
    kernel, device, problem = prepared.kernel, prepared.device, prepared.problem
    _check_untouched(prepared)
    for stack, images in zip((*prepared.train, prepared.valid), (*problem.train, problem.valid), strict=True):
        if len(stack) != len(images):
            raise WrongAnswer(f"prepare gave a stack of length {len(stack)}, expected {len(images)}")

    exact = oracle.mean_images(problem.train)
    means = kernel.mean_images(prepared.train)
    host = host_means(kernel, means)
    findings.mean_error = check_means(host, exact, "")
    check_means(host_means(kernel, kernel.mean_images(prepared.train)), exact, "second call on the same stacks: ")

    answers = []
    for distance in offered(kernel):
        predict = getattr(kernel, f"predict_{distance}")
        first = predict(prepared.valid, means)
        kept = as_labels(first, problem, f"{distance}: ")
        findings.correct[distance] = problem.correct(kept)
        check_labels(first, problem, distance)
        answers.append((distance, first, kept))
        check_labels(predict(prepared.valid, means), problem, distance, "second call on the same stack: ")
    if not np.array_equal(host_means(kernel, means), host):
        raise WrongAnswer("predict changed the means that it was given")

    reordered = _classes_reversed(problem.shuffled(seed))
    stack, reversed_means = kernel.prepare(reordered.valid, device), kernel.mean_images(prepared.train[::-1])
    for distance in offered(kernel):
        labels = getattr(kernel, f"predict_{distance}")(stack, reversed_means)
        check_labels(labels, reordered, distance, "images and classes in another order: ")
    for distance, first, kept in answers:  # by now a buffer that is used again holds another answer
        if not np.array_equal(first, kept):
            raise WrongAnswer(f"{distance}: a later call overwrote the answer of an earlier one")
    if not np.array_equal(host_means(kernel, means), host):
        raise WrongAnswer("a later call overwrote the mean images of an earlier one")

    _check_slices(prepared, np.random.default_rng(seed))
    means = kernel.mean_images(prepared.train)
    check_means(host_means(kernel, means), exact, "after predicting, from the same stacks: ")
    _check_untouched(prepared)


def check_answer(prepared: PreparedKernel, scope: str, distance: str, answer: np.ndarray) -> None:
    """Compare what a timed call of a scope returned with the exact answer.

    Raises:
        WrongAnswer: as `check_means` or `check_labels`.
    """
    if scope == "mean":
        check_means(answer, oracle.mean_images(prepared.problem.train), "in a timed call: ")
    else:
        check_labels(answer, prepared.problem, distance, "in a timed call: ")


def check_means(host: np.ndarray, exact: np.ndarray, context: str) -> float:
    """Compare mean images (classes, height, width) on the host with the exact ones.

    Returns:
        The largest absolute deviation, where full scale is 1.0.

    Raises:
        WrongAnswer: the shape or dtype is wrong, a value is NaN, or the deviation is over 2^-14.
    """
    if host.dtype.kind != "f" or host.shape != exact.shape:
        raise WrongAnswer(f"{context}mean images are {_form(host)}, expected float {exact.shape}")
    error = float(np.max(np.abs(host.astype(np.float64) - exact)))
    if np.isnan(error):
        raise WrongAnswer(f"{context}mean images hold {int(np.isnan(host).sum())} NaN, expected none")
    if not error <= MEAN_TOLERANCE:
        raise WrongAnswer(
            f"{context}mean images are up to {error:.2e} of full scale from the exact ones, expected at most 2^-14 = "
            f"{MEAN_TOLERANCE:.2e}: sum in float64 or in blocks, and leave every sum to mean_images"
        )
    return error


def check_labels(labels: Any, problem: Problem, distance: str, context: str = "") -> None:
    """Compare labels with the exact answer, image by image.

    Raises:
        WrongAnswer: the labels are not a list or numpy.ndarray of n integers or bools, or an image got a class that
            is neither nearest nor too close to call.
    """
    context = f"{distance}: {context}"
    host = as_labels(labels, problem, context)
    wrong = np.flatnonzero(~problem.answers[distance].acceptable[np.arange(len(host)) % len(problem.actual), host])
    if len(wrong):
        raise WrongAnswer(f"{context}{_mismatch(host, wrong, problem, distance)}")


def as_labels(labels: Any, problem: Problem, context: str) -> np.ndarray:
    """Return labels as int64 (n,); raise WrongAnswer unless they are n integers or bools on the host, in range."""
    try:
        host = host_copy(labels)
    except WrongAnswer as error:
        raise WrongAnswer(f"{context}{error}") from None
    except ValueError as error:  # how NumPy reports a ragged list
        raise WrongAnswer(f"{context}labels are no flat list of integers ({error})") from None
    n, classes = problem.count, len(problem.classes)
    if isinstance(labels, list) and not all(isinstance(label, (int, np.integer, np.bool_)) for label in labels):
        kinds = sorted({type(label).__name__ for label in labels})
        raise WrongAnswer(f"{context}labels are a list of {', '.join(kinds)}, expected integers or bools")
    if host.dtype.kind not in "biu" or host.shape != (n,):
        raise WrongAnswer(f"{context}labels are {_form(host)}, expected integers or bools ({n},)")
    host = host.astype(np.int64)
    if not ((host >= 0) & (host < classes)).all():
        raise WrongAnswer(f"{context}labels go from {host.min()} to {host.max()}, expected 0 to {classes - 1}")
    return host


def _mismatch(labels: np.ndarray, wrong: np.ndarray, problem: Problem, distance: str) -> str:
    answer = problem.answers[distance]
    image = wrong[0] % len(problem.actual)
    called, nearest = labels[wrong[0]], answer.labels[image]
    far, near = answer.distances[image, called], answer.distances[image, nearest]
    return (
        f"{len(wrong)} of {len(labels)} images differ from the exact answer; {problem.files[image]} was called "
        f"{problem.classes[called]} (exact distance {far:.7f}), expected {problem.classes[nearest]} ({near:.7f}), "
        f"margin {far - near:.2e} of full scale"
    )


def _check_slices(prepared: PreparedKernel, rng: np.random.Generator) -> None:
    """Check two slices of one length: a remembered mean, or a sum taken in `prepare`, is wrong on at least one."""
    for _ in range(2):
        windows = []
        for stack in prepared.problem.train:
            length = max(1, len(stack) // 3)
            start = int(rng.integers(0, len(stack) - length + 1))
            windows.append(slice(start, start + length))
        exact = oracle.mean_images([stack[w] for stack, w in zip(prepared.problem.train, windows, strict=True)])
        means = prepared.kernel.mean_images([stack[w] for stack, w in zip(prepared.train, windows, strict=True)])
        check_means(host_means(prepared.kernel, means), exact, "of a slice of the stacks: ")


def _classes_reversed(problem: Problem) -> Problem:
    last = len(problem.classes) - 1
    answers = {
        distance: Answer(last - answer.labels, answer.acceptable[:, ::-1], answer.distances[:, ::-1])
        for distance, answer in problem.answers.items()
    }
    return replace(problem, classes=problem.classes[::-1], actual=last - problem.actual, answers=answers)


def _check_untouched(prepared: PreparedKernel) -> None:
    if prepared.problem.fingerprint() != prepared.fingerprint:
        raise WrongAnswer("the uint8 images given to prepare were changed")


def _form(array: np.ndarray) -> str:
    return f"{array.dtype} {array.shape}"
