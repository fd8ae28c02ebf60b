"""What a ratio is: paired by round, median over processes, so that a machine that changes its pace changes no ratio."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import stats
from bench.analysis import speedup
from bench.records.sample import Sample

TIMES = st.floats(min_value=1e-7, max_value=1e3)
ROUND = st.tuples(*[st.lists(TIMES, min_size=1, max_size=4)] * 2)  # times of the reference and of the kernel
RECORDS = st.dictionaries(st.tuples(st.integers(0, 7), st.integers(0, 3)), ROUND, min_size=1)  # (process, round)


def samples(*processes):
    """Return one kernel's samples from lists of rounds; a list in place of a time is several samples of a round."""
    return [
        Sample("kernel", "baseline", "l1", 40, seconds, 1, process, number, 0)
        for process, rounds in enumerate(processes)
        for number, times in enumerate(rounds)
        for seconds in (times if isinstance(times, list) else [times])
    ]


def both(record):
    """Return the reference's samples and the kernel's."""
    return tuple(
        [
            Sample(f"kernel {side}", "baseline", "l1", 40, seconds, 1, process, number, 0)
            for (process, number), sides in record.items()
            for seconds in sides[side]
        ]
        for side in (0, 1)
    )


def ratio_of(ratios):
    """Return the Ratio of as many processes of one round as there are ratios."""
    return speedup.ratio(samples(*[[ratio] for ratio in ratios]), samples(*[[1.0]] * len(ratios)))


def close(ratio, expected):
    for value, wanted in zip((ratio.value, ratio.low, ratio.high), expected, strict=True):
        assert value is wanted is None or value == pytest.approx(wanted, rel=1e-9)


# The pairing rule.


def test_six_processes_by_hand():
    # ratios 2, 3, 3 | 4, 4, 1 | 5 | 6, 8 (median of logs: geometric) | 7 | 8
    ratio = speedup.ratio(
        samples([2, 3, 3], [4, 4, 1], [5], [6, 8], [7], [8]), samples([1, 1, 1], [1, 1, 1], [1], [1, 1], [1], [1])
    )
    assert ratio.per_process == pytest.approx((3, 4, 5, math.sqrt(48), 7, 8))
    assert ratio.value == pytest.approx(math.sqrt(5 * math.sqrt(48)))
    assert (ratio.low, ratio.high) == pytest.approx((3, 8))
    assert (ratio.level, ratio.processes, ratio.rounds) == (0.96875, 6, 11)
    assert ratio.spread == pytest.approx(8 / 3)
    assert ratio.spread_within == pytest.approx(math.sqrt(8 / 6))  # the middle of 1, 1, 1, 8 / 6, 1.5, 4


def test_pairs_not_medians_of_either_side():
    # every round but one says 2, though the machine changes its pace; medians of the sides say 8
    loops, quick = samples([2, 2, 200, 8, 8]), samples([1, 1, 100, 1, 1])
    assert speedup.ratio(loops, quick).value == pytest.approx(2)
    assert speedup.unpaired(loops, quick) == 8
    assert speedup.median_and_smallest(samples([3, 1, 2])) == (2, 1)


def test_rounds_and_processes_of_one_kernel_alone_are_no_pair():
    reference = samples([1.0, 1.0])
    ratio = speedup.ratio(reference, samples([0.5, 0.5, 100.0], [100.0]))
    assert (ratio.value, ratio.processes, ratio.rounds) == (pytest.approx(2), 1, 2)
    for sides in [(reference, []), ([], reference), (reference, samples([], [1.0]))]:
        with pytest.raises(ValueError, match="no round holds both"):
            speedup.ratio(*sides)


# Properties.


@given(RECORDS)
def test_swapping_the_sides_inverts_the_answer(record):
    reference, kernel = both(record)
    there, back = speedup.ratio(reference, kernel), speedup.ratio(kernel, reference)
    close(back, (1 / there.value, there.high and 1 / there.high, there.low and 1 / there.low))
    assert back.per_process == pytest.approx([1 / ratio for ratio in there.per_process], rel=1e-9)
    assert back.spread == pytest.approx(there.spread, rel=1e-9)
    assert (back.level, back.processes, back.rounds) == (there.level, there.processes, there.rounds)


@given(RECORDS, st.data())
def test_a_pace_that_both_share_changes_nothing(record, data):
    pace = {number: data.draw(st.floats(1e-3, 1e3)) for number in record}
    moved = {
        number: tuple([pace[number] * seconds for seconds in side] for side in record[number]) for number in record
    }
    ratio = speedup.ratio(*both(record))
    close(speedup.ratio(*both(moved)), (ratio.value, ratio.low, ratio.high))


@given(RECORDS)
def test_the_value_lies_in_its_interval_and_among_its_processes(record):
    ratio = speedup.ratio(*both(record))
    assert min(ratio.per_process) <= ratio.value * (1 + 1e-12)
    assert ratio.value <= max(ratio.per_process) * (1 + 1e-12)
    assert (ratio.low is None) == (ratio.processes < 6)
    assert ratio.low is None or ratio.low <= ratio.value <= ratio.high
    assert ratio.drift is None or abs(ratio.drift) <= 1 + 1e-12


# The interval.


def test_ranks_and_achieved_levels():
    for count, rank, level in (  # those that statistics books print for the sign test
        (6, 1, 0.96875), (8, 1, 0.9921875), (9, 2, 0.9609375), (15, 4, 1 - 2 * 576 / 32768), (100, 40, 0.9647997997823),
    ):  # fmt: skip
        ends = stats.interval(float(number) for number in range(count, 0, -1))
        assert ends == (rank, count + 1 - rank, pytest.approx(level, abs=1e-12))
    assert [stats.interval(range(count)) for count in range(6)] == [None] * 6


# Drift.


def drift(*processes):
    return speedup.ratio(samples(*processes), samples(*[[1.0] * len(rounds) for rounds in processes])).drift


def test_drift_is_a_rank_correlation_with_the_round_within_processes():
    assert drift([1, 2, 3, 4, 50]) == pytest.approx(1)
    assert drift([1, 2, 3, 5, 4]) == pytest.approx(0.9)  # 1 - 6 * sum of squared rank differences / (n^3 - n)
    assert drift([1, 2, 2, 4, 5]) == pytest.approx(9.5 / math.sqrt(10 * 9.5))  # ties share their rank
    assert drift([7, 7, 7, 7, 7]) == 0
    assert drift([300, 200, 100], [3, 2, 1]) == pytest.approx(-1)
    assert drift([1, 1, 1], [2, 2, 2], [3, 3, 3]) == drift([1, 2, 3], [3, 2, 1]) == 0
    assert drift([1, 2, 3, 4]) is drift(*[[number] for number in range(1, 10)]) is None  # too few pairs or rounds
    pace = [1.1**seconds for seconds in range(9)]
    assert speedup.ratio(samples([3 * seconds for seconds in pace]), samples(pace)).drift == 0


# Two groups.


def groups(*processes):
    return [(group.seconds, group.processes) for group in speedup.two_groups(samples(*processes)) or ()]


def test_groups_are_more_than_one_and_a_half_apart_and_two_processes_strong():
    assert groups([1], [1], [1.49], [1.49]) == groups([1], [1], [9]) == groups([4]) == groups() == []
    assert groups([1], [1], [1.51], [1.51]) == [(1, 2), (1.51, 2)]
    assert groups([1], [1], [1], [1], [1], [5]) == groups([0.1], [1], [1], [1], [1], [1]) == []
    assert groups([1], [1], [1], [2], [2], [99]) == [(1, 3), (2, 3)]  # one slow process hides none


@given(st.lists(TIMES, min_size=1, max_size=12))
def test_groups_hold_every_process_once(times):
    held = groups(*[[seconds] for seconds in times])
    if held:
        (fast, few), (slow, more) = held
        assert fast < slow
        assert few + more == len(times)
        assert min(few, more) > 1


# Noise floor and outcome.


def test_nothing_is_resolved_where_the_noise_floor_is_unknown():
    assert speedup.outcome(ratio_of([2] * 6), 0.01) == "faster"
    assert speedup.outcome(ratio_of([2] * 6), None) == "not resolved"


def test_the_noise_floor_is_the_worst_end_as_a_fraction():
    assert speedup.noise_floor(ratio_of([0.99, 1, 1, 1, 1, 1.013])) == pytest.approx(0.013)
    assert speedup.noise_floor(ratio_of([1 / 1.02, 1, 1, 1, 1, 1.013])) == pytest.approx(0.02)
    assert speedup.noise_floor(ratio_of([1, 1, 0.5])) == pytest.approx(1)  # no interval: the worst process
    assert speedup.noise_floor(ratio_of([9, *[1] * 14])) == pytest.approx(0)  # 15: one process is not the interval


def test_outcomes():
    assert speedup.outcome(ratio_of([1.1, 1.2, 1.2, 1.2, 1.2, 1.3]), 0.05) == "faster"
    assert speedup.outcome(ratio_of([1 / 1.1, *[1 / 1.2] * 4, 1 / 1.3]), 0.05) == "slower"
    assert speedup.outcome(ratio_of([1.1, *[1.2] * 4, 1.3]), 0.25) == "not resolved"  # below the noise floor
    assert speedup.outcome(ratio_of([1 / 1.1, *[1 / 1.2] * 4, 1 / 1.3]), 0.19) == "slower"  # 1 / 1.2 is 20 %, not 17 %
    assert speedup.outcome(ratio_of([0.9, *[1.2] * 4, 1.3]), 0.05) == "not resolved"  # the interval holds 1
    assert speedup.outcome(ratio_of([1.1, *[1 / 1.2] * 4, 1 / 1.3]), 0.05) == "not resolved"
    assert speedup.outcome(ratio_of([100] * 5), 0.01) == "not resolved"  # no interval
