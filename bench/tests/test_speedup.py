"""What a ratio is: paired by round, so that a machine that changes its pace changes no ratio."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import speedup
from bench.sample import Sample


def samples(kernel, seconds):
    return [Sample(kernel, "baseline", "l1", 40, each, 1, 0, turn, 0) for turn, each in enumerate(seconds)]


@given(st.lists(st.floats(min_value=1e-3, max_value=1e3), min_size=1, max_size=20))
def test_drift_that_both_share_changes_nothing(pace):
    reference = samples("loops", [0.5 * each for each in pace])
    kernel = samples("quick", [0.01 * each for each in pace])
    assert speedup.speedup(reference, kernel) == pytest.approx(50)


def test_the_median_round_decides_not_the_mean():
    assert speedup.speedup(samples("loops", [1, 1, 1]), samples("quick", [0.1, 0.1, 0.0001])) == pytest.approx(10)


def test_rounds_that_only_one_kernel_saw_are_no_pair():
    reference = samples("loops", [1.0, 1.0])
    assert speedup.speedup(reference, samples("quick", [0.5, 0.5, 100.0])) == pytest.approx(2)
    with pytest.raises(ValueError, match="no round holds both"):
        speedup.speedup(reference, [])


def test_unpaired_divides_medians():
    assert speedup.unpaired(samples("loops", [4, 5, 90]), samples("quick", [1, 1, 2])) == 5
    assert speedup.seconds(samples("quick", [3, 1, 2])) == (2, 1)
