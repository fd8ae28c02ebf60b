"""The cross-check as ordinary tests: `pytest`, or `pytest bench/test_accuracy.py --kernel mine.py`."""

import pytest

from bench.runner.pytest_support import Verified
from bench.task.oracle import DISTANCES


@pytest.mark.parametrize("distance", DISTANCES)
def test_accuracy(verified: Verified, distance: str) -> None:
    """The fixture `verified` has compared every image with the exact answer; here the counts are compared."""
    if not verified.offers(distance):
        pytest.skip(f"{verified.spec.name} does not predict under {distance}")
    problem = verified.prepared.problem
    exact = problem.answers[distance]
    expected = problem.correct(exact.labels)
    correct = verified.findings.correct[distance]
    assert sum(abs(a - b) for a, b in zip(correct, expected, strict=True)) <= exact.too_close
