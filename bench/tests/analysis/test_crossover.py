"""Crossovers on planted truth: at each size a kernel is made faster, slower, or now the one and now the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import crossover
from bench.records.model import Record
from bench.records.sample import AGAIN, Sample
from bench.tests.builders_records import METADATA

FACTORS = {"faster": (2.0,), "slower": (0.5,), "either": (0.5, 2.0), "same": (1.0,)}  # base seconds / new seconds
SIZES = (1, 10, 100, 1000, 10_000, 100_000)


def record(sides, processes=6, **more):
    """Return a record of sizes of `base`, `new` and kernels in `more`, whose `sides` against base are as planted."""
    samples = []
    for size, *told in zip(SIZES, sides, *more.values(), strict=False):
        for process in range(processes):
            for name, side in zip(("new", *more), told, strict=True):
                if side:
                    seconds = 1e-3 * size / FACTORS[side][process % len(FACTORS[side])]
                    samples += [Sample(name, "predict", "l1", size, seconds, 1, process, turn, 0) for turn in range(3)]
            samples += [Sample("base", "predict", "l1", size, 1e-3 * size, 1, process, turn, 0) for turn in range(3)]
    return Record(None, {**METADATA, "kind": "sizes"}, {}, samples, [], paired=True)


@pytest.mark.parametrize(
    ("sides", "says"),
    [
        (["slower", "slower", "faster", "faster"], "new overtakes base between 10 and 100 images"),
        (["slower", "either", "same", "faster"], "new overtakes base between 1 and 1,000 images"),
        (
            ["faster", "slower", "faster", "either", "faster"],
            "new overtakes base between 10 and 100 images; not resolved at 1,000 images",
        ),
        (["slower", None, "faster"], "new overtakes base between 1 and 100 images"),
        (["faster", "faster", "faster", "faster"], "new is faster at every size: 1, 10, 100, 1,000 images"),
        (["faster"], "new is faster at every size: 1 image"),
        (["either", "faster"], "new is faster at 10 images, and slower at none; not resolved at 1 image"),
        (["faster", "slower"], "new never overtakes base: 1, 10 images"),
        (["either", "same"], "new never overtakes base: 1, 10 images"),
        ([], "undetermined: no number of images was timed with both"),
    ],
)
def test_a_crossover_is_an_interval_of_sizes_or_a_sentence(sides, says):
    assert str(crossover.crossover(record(sides), "base", "new")) == says


def test_below_six_processes_nothing_is_determined():
    found = crossover.crossover(record(["slower", "faster"], processes=5), "base", "new")
    assert str(found) == "undetermined: fewer than six processes per kernel, so no confidence interval"
    assert (found.crosses, found.last_slower, found.first_faster) == (False, None, None)


@given(st.lists(st.sampled_from([*FACTORS, None]), max_size=len(SIZES)))
def test_whatever_is_planted_is_found(sides):
    found = crossover.crossover(record(sides), "base", "new")
    told = {size: side for size, side in zip(SIZES, sides, strict=False) if side}
    slower = [size for size, side in told.items() if side == "slower"]
    faster = [
        size
        for size in told
        if told[size] == "faster" and not any(other > size for other in slower)  # faster at every larger resolved one
    ]
    assert [*found.sides] == [*told]
    assert found.last_slower == max(slower, default=None)
    assert found.first_faster == min(faster, default=None)
    assert found.always == (bool(told) and set(told.values()) == {"faster"})
    assert not found.crosses or found.last_slower < found.first_faster
    back = crossover.crossover(record(sides), "new", "base")
    assert not (found.crosses and back.crosses)  # at most one of them leads in the end
    assert (found.first_faster is None) or (back.first_faster is None)


def test_all_pairs_are_told_in_the_direction_of_the_one_that_leads():
    planted = record(["faster", "slower"], late=["slower", "faster"], equal=["same", "same"])
    told = [str(each) for each in crossover.crossings(planted)]
    assert told == [
        "base overtakes new between 1 and 10 images",
        "equal overtakes new between 1 and 10 images",
        "late overtakes base between 1 and 10 images",
        "late overtakes equal between 1 and 10 images",
        "late overtakes new between 1 and 10 images",
        "equal never overtakes base: 1, 10 images",
    ]


def test_the_null_and_the_limit_are_no_kernels():
    planted = record(["slower", "faster"])
    extra = [Sample(name, "predict", "l1", 1, 1.0, 1, 0, 0, 0) for name in (f"new{AGAIN}", "bound@one_core")]
    crossings = crossover.crossings(Record(None, planted.metadata, {}, [*planted.samples, *extra], [], paired=True))
    assert [(each.base, each.new) for each in crossings] == [("base", "new")]
