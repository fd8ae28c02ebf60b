"""The cross-check as ordinary tests: `pytest`, or `pytest bench/test_accuracy.py --kernel mine.py`."""

import pytest

from bench.runner.in_process import Verified
from bench.task.oracle import DISTANCES


@pytest.mark.parametrize("distance", DISTANCES)
def test_accuracy(verified: Verified, distance: str) -> None:
    """The kernel answered every image as the oracle does: `verified` has proven that before it gets here."""
    if not verified.offers(distance):
        pytest.skip(f"{verified.spec.name} offers no {distance}")
    problem = verified.prepared.problem
    exact = problem.answers[distance]
    due = problem.correct(exact.labels)
    got = verified.findings.correct[distance]
    assert sum(abs(a - b) for a, b in zip(got, due, strict=True)) <= exact.too_close
