"""The metadata of the digits: what they are, and what they say about the documents' claims, exactly.

No kernel runs, and nothing is timed.
"""

from fractions import Fraction
from typing import Any

import numpy as np

from bench.atomic import printable
from bench.stats import interval
from bench.task.problem import Problem


def in_one_word(name: str) -> str:
    """Return a class name as metadata have it: control characters are escaped, and a space is `␣`."""
    return printable(name, keep="").replace(" ", "␣")


def metadata(problem: Problem) -> dict[str, Any]:
    """Return what a record keeps of the digits, under the keys that `results/README.md` explains."""
    small = {"per_class": problem.per_class, "dataset_of": problem.dataset_of}
    right_l1, right_l2 = (problem.answers[distance].labels == problem.actual for distance in ("l1", "l2"))
    margins_l1, margins_l2 = (relative_margins(problem.answers[distance].distances) for distance in ("l1", "l2"))
    changes = margins_l2 - margins_l1
    by_class = [np.median(changes[problem.actual == index]) for index in range(len(problem.classes))]
    ends, end_keys = interval(changes.tolist()), ("margin_change_low", "margin_change_high", "margin_change_level")
    return {
        "dataset": problem.name,
        "dataset_digest": problem.digest,
        **(small if problem.per_class else {}),
        "classes": " ".join(map(in_one_word, problem.classes)),
        "image_pixels": problem.pixels,
        "train_counts": " ".join(map(str, problem.train_counts)),
        "valid_counts": " ".join(map(str, problem.valid_counts)),
        **{f"too_close_{distance}": answer.too_close for distance, answer in problem.answers.items()},
        "exact_l1": exact(problem, "l1"),
        "exact_l2": exact(problem, "l2"),
        "exact_signed": problem.score(problem.correct(signed_labels(problem))),
        "only_l1_right": int((right_l1 & ~right_l2).sum()),
        "only_l2_right": int((right_l2 & ~right_l1).sum()),
        "margin_l1": float(np.median(margins_l1)),
        "margin_l2": float(np.median(margins_l2)),
        "margin_change": float(np.median(changes)),
        "margin_change_by_class": " ".join(f"{change:+.4f}" for change in by_class),
        **(dict(zip(end_keys, ends, strict=True)) if ends else {}),
    }


def exact(problem: Problem, distance: str) -> str:
    """Return the exact answer's score, such as "926/1010, 1013/1028"."""
    return problem.score(problem.correct(problem.answers[distance].labels))


def signed_labels(problem: Problem) -> np.ndarray:
    """Return int64 (n,): the class of the smallest absolute *signed* mean difference, ties to the lowest index.

    Without `abs` or a square all that is left of an image is its sum: |sum(x) - sum(S) / n|, compared as fractions.
    """
    sums = problem.valid.sum((1, 2), dtype=np.int64).tolist()
    means = [Fraction(int(stack.sum(dtype=np.int64)), len(stack)) for stack in problem.train]
    nearest = {total: min(range(len(means)), key=lambda c: abs(total - means[c])) for total in set(sums)}
    return np.array([nearest[total] for total in sums])


def relative_margins(distances: np.ndarray) -> np.ndarray:
    """Return float64 (n,): (second nearest - nearest) / (their sum) of distances (n, classes); 0 where both are 0."""
    nearest, second = np.sort(distances, axis=1)[:, :2].T
    sums = nearest + second
    margins: np.ndarray = np.divide(second - nearest, sums, out=np.zeros(len(sums)), where=sums > 0)
    return margins
