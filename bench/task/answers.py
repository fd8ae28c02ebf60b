"""Compare one answer with the exact one. Every check raises WrongAnswer; none returns a bool."""

from typing import Any

import numpy as np

from bench.task import oracle
from bench.task.oracle import Answer
from bench.task.problem import Problem
from bench.task.scopes import PreparedKernel, WrongAnswer, host_copy, host_means
from bench.task.windows import Window

MEAN_TOLERANCE = 2.0**-14  # of full scale: a sixtieth of a grey level
HALF = 2.0**-8  # nearer than this is what float16 makes of a right mean


def check_answer(
    prepared: PreparedKernel, scope: str, distance: str, window: Window, answer: np.ndarray, means: Any
) -> None:
    """Compare what a timed call returned for its window with the exact answer: labels, and the means it used.

    Args:
        answer: mean images in the scope `mean`, else labels.
        means: in the kernel's own form, as `scopes.call` returns them.

    Raises:
        WrongAnswer: as `check_means` or `check_labels`.
    """
    windows = prepared.windows
    slices = window.sampled if scope == "predict" else window.train
    counts, sums = [images.stop - images.start for images in slices], windows.sums(slices)
    host = answer if scope == "mean" else host_means(prepared.kernel, means)
    context = "in a timed call: "
    check_means(host, oracle.means_of(counts, sums), context)
    if scope == "mean":
        return
    labels = as_labels(answer, prepared.problem, f"{distance}: {context}")
    images, which = windows.distinct(window)
    nearest, clear = oracle.clear_calls(counts, sums, images, distance)
    in_doubt = np.flatnonzero(~clear[which] | (labels != nearest[which]))
    if not len(in_doubt):
        return
    asked, place = np.unique(which[in_doubt], return_inverse=True)
    exact = oracle.solve(counts, sums, images[asked])[distance]
    wrong = np.flatnonzero(~exact.acceptable[place, labels[in_doubt]])
    if len(wrong):
        called, image = labels[in_doubt[wrong[0]]], place[wrong[0]]
        file = windows.file(window, int(asked[image]))
        message = _mismatch(len(wrong), len(labels), file, prepared.problem, exact, int(image), int(called))
        raise WrongAnswer(f"{distance}: {context}{message}")


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
            f"{MEAN_TOLERANCE:.2e}: {_advice(host, exact)}"
        )
    return error


def _advice(host: np.ndarray, exact: np.ndarray) -> str:
    """Return what makes mean images right that are too far from the exact ones."""
    if 2 < host.max() <= 255.5:
        return f"the means look like 0..255 (the largest is {host.max():.1f}); divide by 255"
    if np.abs(host - exact).max() < HALF and np.array_equal(host, host.astype(np.float16)):
        return "their values are those of float16; keep the means in float32"
    return "sum in float64 or in blocks, leave all sums to mean_images, and remember none"


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
        image = int(wrong[0]) % len(problem.actual)
        exact, file = problem.answers[distance], problem.files[image]
        message = _mismatch(len(wrong), len(host), file, problem, exact, image, int(host[wrong[0]]))
        raise WrongAnswer(f"{context}{message}")


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


def _mismatch(wrong: int, n: int, file: str, problem: Problem, answer: Answer, image: int, called: int) -> str:
    nearest = answer.labels[image]
    far, near = answer.distances[image, called], answer.distances[image, nearest]
    return (
        f"{wrong} of {n} images differ from the exact answer; {file} was called "
        f"{problem.classes[called]} (exact distance {far:.7f}), expected {problem.classes[nearest]} ({near:.7f}), "
        f"margin {far - near:.2e} of full scale"
    )


def _form(array: np.ndarray) -> str:
    return f"{array.dtype} {array.shape}"
