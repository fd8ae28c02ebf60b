"""Compare one answer with the exact one. Every check raises WrongAnswer; none returns a bool."""

from collections.abc import Sequence
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

    In the scope `mean` the answer is mean images, else labels; `means` are as `scopes.call` returns them.

    Raises:
        WrongAnswer: as `check_means` or `check_labels`.
    """
    windows = prepared.windows
    slices = window.sampled if scope == "predict" else window.train
    counts, sums = [images.stop - images.start for images in slices], windows.sums(slices)
    host = answer if scope == "mean" else host_means(prepared.kernel, means)
    check_means(host, oracle.means_of(counts, sums), "in a timed call: ")
    if scope == "mean":
        return
    context = f"{distance}: in a timed call: "
    labels = as_labels(answer, prepared.problem, context)
    images, which = windows.distinct(window)
    nearest, clear = oracle.clear_calls(counts, sums, images, distance)
    in_doubt = np.flatnonzero(~clear[which] | (labels != nearest[which]))
    if len(in_doubt):
        asked, place = np.unique(which[in_doubt], return_inverse=True)
        exact = oracle.solve(counts, sums, images[asked])[distance]
        files = [windows.file(window, image) for image in asked.tolist()]
        _compare(labels, in_doubt, place, exact, files, prepared.problem.classes, context)


def check_means(host: np.ndarray, exact: np.ndarray, context: str) -> float:
    """Return how far mean images (classes, height, width) are from the exact ones at most, of full scale 1.0.

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
        WrongAnswer: as `as_labels`, or an image got a class that is neither nearest nor too close to call.
    """
    context, host = f"{distance}: {context}", as_labels(labels, problem, f"{distance}: {context}")
    images = np.arange(len(host))
    exact, files = problem.answers[distance], problem.files
    _compare(host, images, images % len(problem.actual), exact, files, problem.classes, context)


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


def _compare(
    labels: np.ndarray,
    places: np.ndarray,
    images: np.ndarray,
    exact: Answer,
    files: Sequence[str],
    classes: Sequence[str],
    context: str,
) -> None:
    """Compare the labels at these places with the exact answer, which has these images there."""
    wrong = np.flatnonzero(~exact.acceptable[images, labels[places]])
    if len(wrong):
        image, called = images[wrong[0]], labels[places[wrong[0]]]
        nearest = exact.labels[image]
        far, near = exact.distances[image, called], exact.distances[image, nearest]
        raise WrongAnswer(
            f"{context}{len(wrong)} of {len(labels)} images differ from the exact answer; {files[image]} was called "
            f"{classes[called]} (exact distance {far:.7f}), expected {classes[nearest]} ({near:.7f}), "
            f"margin {far - near:.2e} of full scale"
        )


def _form(array: np.ndarray) -> str:
    return f"{array.dtype} {array.shape}"
