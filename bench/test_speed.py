"""Quick timing, indicative and unpaired: `pytest --benchmark-only`. `python -m bench run` measures in pairs.

Every kernel is verified before it is timed, and every answer of a timed call is verified after it.
"""

from time import perf_counter

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.runner.pytest_support import Verified, must_be_possible
from bench.task import oracle, scopes
from bench.task.answers import check_answer
from bench.task.scopes import WrongAnswer
from bench.task.windows import Window

BUDGET_S = 1.0  # per kernel, scope and distance; even the slowest kernel gets FEWEST rounds
FEWEST, MOST = 3, 50


def time(benchmark: BenchmarkFixture, verified: Verified, scope: str, distance: str) -> None:
    """Time one scope, then verify every answer of its timed calls."""
    if not verified.offers(distance):
        pytest.skip(f"{verified.spec.name} does not predict under {distance}")
    windows = verified.inputs(scope, MOST + 1)
    call = scopes.call(verified.prepared, scope, distance)
    started = perf_counter()
    call(windows.pop())
    rounds = min(MOST, max(FEWEST, round(BUDGET_S / (perf_counter() - started))))
    answers = []

    def check_last() -> None:
        if answers:
            check_answer(verified.prepared, scope, distance, windows[len(answers) - 1], *answers[-1])

    def setup() -> tuple[tuple[Window], dict[str, object]]:
        check_last()
        verified.prepared.windows.before_clock()
        return (windows[len(answers)],), {}

    benchmark.group = f"{scope} {distance}"
    benchmark.extra_info.update(verified.extra_info(scope, distance))
    try:
        benchmark.pedantic(lambda window: answers.append(call(window)), setup=setup, rounds=rounds, iterations=1)
        check_last()
        must_be_possible(verified, scope, distance, min(benchmark.stats.stats.data))
    except WrongAnswer:
        benchmark.has_error = True  # or the library would write the wrong answer's time into its JSON
        raise


def test_mean(benchmark: BenchmarkFixture, verified: Verified) -> None:
    time(benchmark, verified, "mean", "-")


@pytest.mark.parametrize("distance", oracle.DISTANCES)
def test_predict(benchmark: BenchmarkFixture, verified: Verified, distance: str) -> None:
    time(benchmark, verified, "predict", distance)


@pytest.mark.parametrize("distance", oracle.DISTANCES)
def test_baseline(benchmark: BenchmarkFixture, verified: Verified, distance: str) -> None:
    time(benchmark, verified, "baseline", distance)


@pytest.mark.parametrize("distance", oracle.DISTANCES)
def test_end_to_end(benchmark: BenchmarkFixture, verified: Verified, distance: str) -> None:
    time(benchmark, verified, "end_to_end", distance)
