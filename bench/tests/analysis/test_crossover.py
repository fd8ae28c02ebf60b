"""Crossovers on planted true ratios: at each size a kernel is faster, slower, or either from process to process."""

from dataclasses import replace

import pytest

from bench.analysis import crossover
from bench.records.model import Record
from bench.records.sample import AGAIN, Sample
from bench.tests.builders_records import METADATA

FACTORS = {"faster": (2.0,), "slower": (0.5,), "either": (0.5, 2.0), "same": (1.0,)}  # base seconds / new seconds
SIZES = (1, 10, 100, 1000, 10_000, 100_000)


def record(planted, processes=6, **more):
    """Return a record of sizes of `base`, `new` and kernels in `more`, with planted outcomes against base."""
    samples = []
    for size, *outcomes in zip(SIZES, planted, *more.values(), strict=False):
        for process in range(processes):
            for name, outcome in zip(("new", *more), outcomes, strict=True):
                if outcome:
                    seconds = 1e-3 * size / FACTORS[outcome][process % len(FACTORS[outcome])]
                    samples += [
                        Sample(name, "predict", "l1", size, seconds, 1, process, number, 0) for number in range(3)
                    ]
            samples += [
                Sample("base", "predict", "l1", size, 1e-3 * size, 1, process, number, 0) for number in range(3)
            ]
    return Record(samples, [], {**METADATA, "kind": "sizes"}, {}, path=None)


@pytest.mark.parametrize(
    ("planted", "text"),
    [
        (["slower", "slower", "faster", "faster"], "new overtakes base between 10 and 100 images"),
        (["slower", "either", "same", "faster"], "new overtakes base between 1 and 1,000 images"),
        (
            ["faster", "slower", "faster", "either", "faster"],
            "new overtakes base between 10 and 100 images; not resolved at 1,000 images",
        ),
        (["slower", None, "faster"], "new overtakes base between 1 and 100 images"),
        (["faster", "faster", "faster", "faster"], "new is faster at every size: 1, 10, 100, 1,000 images"),
        (["either", "faster"], "new is faster at 10 images, and slower at none; not resolved at 1 image"),
        (["faster", "slower"], "new never overtakes base: 1, 10 images"),
        ([], "undetermined: no number of images was timed with both"),
    ],
)
def test_a_crossover_is_an_interval_of_sizes_or_a_sentence(planted, text):
    assert str(crossover.crossover(record(planted), "base", "new")) == text


def test_below_six_processes_nothing_is_determined():
    forward = crossover.crossover(record(["slower", "faster"], processes=5), "base", "new")
    assert str(forward) == "undetermined: fewer than six processes per kernel, so no confidence interval"
    assert (forward.crosses, forward.last_slower, forward.first_faster) == (False, 0, 0)


def test_every_pair_is_given_in_the_direction_of_the_kernel_that_leads():
    planted = record(["faster", "slower"], late=["slower", "faster"], equal=["same", "same"])
    assert [str(crossing) for crossing in crossover.crossings(planted)] == [
        "base overtakes new between 1 and 10 images",
        "equal overtakes new between 1 and 10 images",
        "late overtakes base between 1 and 10 images",
        "late overtakes equal between 1 and 10 images",
        "late overtakes new between 1 and 10 images",
        "equal never overtakes base: 1, 10 images",
    ]


def test_the_control_and_the_bound_are_no_kernels():
    planted = record(["slower", "faster"])
    extra = [Sample(name, "predict", "l1", 1, 1.0, 1, 0, 0, 0) for name in (f"new{AGAIN}", "bound@one_core")]
    crossings = crossover.crossings(replace(planted, samples=[*planted.samples, *extra]))
    assert [(crossing.base, crossing.new) for crossing in crossings] == [("base", "new")]
