"""What a ratio is: paired by round, of processes, so that a machine that changes its pace changes no ratio."""

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench import stats
from bench.analysis import speedup
from bench.analysis.speedup import Group
from bench.records.sample import Sample

TIMES = st.floats(min_value=1e-7, max_value=1e3)
TURNS = st.tuples(*[st.lists(TIMES, min_size=1, max_size=4)] * 2)  # the reference's in one round, and the kernel's
RECORDINGS = st.dictionaries(st.tuples(st.integers(0, 7), st.integers(0, 3)), TURNS, min_size=1)  # (process, round)


def samples(*processes):
    """Return one kernel's samples from lists of rounds; a list in place of a time is several samples of a round."""
    return [
        Sample("kernel", "baseline", "l1", 40, each, 1, process, turn, 0)
        for process, rounds in enumerate(processes)
        for turn, times in enumerate(rounds)
        for each in (times if isinstance(times, list) else [times])
    ]


def both(recording):
    """Return the reference's samples and the kernel's."""
    return tuple(
        [
            Sample(f"kernel {side}", "baseline", "l1", 40, each, 1, process, turn, 0)
            for (process, turn), sides in recording.items()
            for each in sides[side]
        ]
        for side in (0, 1)
    )


def of(ratios):
    """Return the Ratio of as many processes of one round as there are ratios."""
    return speedup.ratio(samples(*[[each] for each in ratios]), samples(*[[1.0]] * len(ratios)))


def close(one, other):
    for got, wanted in zip((one.value, one.low, one.high), other, strict=True):
        assert got is wanted is None or got == pytest.approx(wanted, rel=1e-9)


# The pairing rule.


def test_six_processes_by_hand():
    # ratios 2, 3, 3 | 4, 4, 1 | 5 | 6, 8 (median of logs: geometric) | 7 | 8
    got = speedup.ratio(
        samples([2, 3, 3], [4, 4, 1], [5], [6, 8], [7], [8]), samples([1, 1, 1], [1, 1, 1], [1], [1, 1], [1], [1])
    )
    assert got.per_process == pytest.approx((3, 4, 5, math.sqrt(48), 7, 8))
    assert got.value == pytest.approx(math.sqrt(5 * math.sqrt(48)))
    assert (got.low, got.high) == pytest.approx((3, 8))
    assert (got.level, got.processes, got.rounds) == (0.96875, 6, 11)
    assert got.spread == pytest.approx(8 / 3)
    assert got.spread_within == pytest.approx(math.sqrt(8 / 6))  # the middle of 1, 1, 1, 8 / 6, 1.5, 4


def test_several_samples_of_a_round_count_as_their_median():
    quick = samples([[1.0, 2.0, 4.0, 100.0], [3.0, 3.0]])  # geometric middle of 2 and 4: the middle of logs
    got = speedup.ratio(samples([math.sqrt(8) * 10, 3 * 20]), quick)
    assert (got.value, got.rounds) == (pytest.approx(math.sqrt(200)), 2)


def test_pairs_not_medians_of_either_side():
    # every round but one says 2, though the machine changes its pace; medians of the sides say 8
    loops, quick = samples([2, 2, 200, 8, 8]), samples([1, 1, 100, 1, 1])
    assert speedup.ratio(loops, quick).value == pytest.approx(2)
    assert speedup.unpaired(loops, quick) == 8


def test_rounds_and_processes_that_only_one_kernel_saw_are_no_pair():
    reference = samples([1.0, 1.0])
    got = speedup.ratio(reference, samples([0.5, 0.5, 100.0], [100.0]))
    assert (got.value, got.processes, got.rounds) == (pytest.approx(2), 1, 2)
    for one, other in [(reference, []), ([], reference), (reference, samples([], [1.0]))]:
        with pytest.raises(ValueError, match="no round holds both"):
            speedup.ratio(one, other)


def test_below_six_processes_there_is_no_interval():
    got = of([1, 2, 3, 4, 5])
    assert (got.value, got.low, got.high, got.level) == (pytest.approx(3), None, None, None)
    assert speedup.ratio(samples([2] * 60), samples([1] * 60)).low is None  # rounds are no processes


# Properties.


@given(RECORDINGS)
def test_swapping_the_sides_inverts_the_answer(recording):
    ours, theirs = both(recording)
    there, back = speedup.ratio(ours, theirs), speedup.ratio(theirs, ours)
    close(back, (1 / there.value, there.high and 1 / there.high, there.low and 1 / there.low))
    assert back.per_process == pytest.approx([1 / each for each in there.per_process], rel=1e-9)
    assert back.spread == pytest.approx(there.spread, rel=1e-9)
    assert (back.level, back.processes, back.rounds) == (there.level, there.processes, there.rounds)


@given(RECORDINGS, st.floats(1e-3, 1e3))
def test_a_reference_that_takes_longer_scales_the_answer(recording, factor):
    ours, theirs = both(recording)
    got = speedup.ratio(ours, theirs)
    slower = speedup.ratio([replace(each, seconds=factor * each.seconds) for each in ours], theirs)
    close(slower, (factor * got.value, got.low and factor * got.low, got.high and factor * got.high))
    assert slower.spread == pytest.approx(got.spread, rel=1e-9)


@given(RECORDINGS, st.randoms())
def test_the_order_of_the_samples_is_irrelevant(recording, random):
    sides = both(recording)
    got = speedup.ratio(*sides)
    for side in sides:
        random.shuffle(side)
    assert speedup.ratio(*map(iter, sides)) == got


@given(RECORDINGS, st.data())
def test_a_pace_that_both_share_changes_nothing(recording, data):
    pace = {turn: data.draw(st.floats(1e-3, 1e3)) for turn in recording}
    moved = {turn: tuple([pace[turn] * each for each in side] for side in recording[turn]) for turn in recording}
    got = speedup.ratio(*both(recording))
    close(speedup.ratio(*both(moved)), (got.value, got.low, got.high))


@given(RECORDINGS)
def test_the_value_lies_in_its_interval_and_among_its_processes(recording):
    got = speedup.ratio(*both(recording))
    assert min(got.per_process) <= got.value * (1 + 1e-12)
    assert got.value <= max(got.per_process) * (1 + 1e-12)
    assert (got.low is None) == (got.processes < 6)
    assert got.low is None or got.low <= got.value <= got.high
    assert got.drift is None or abs(got.drift) <= 1 + 1e-12


# The interval.


RANKS = [
    (6, 1, 0.96875),
    (8, 1, 0.9921875),
    (9, 2, 0.9609375),
    (15, 4, 1 - 2 * 576 / 32768),
    (100, 40, 0.9647997997823),
]


@pytest.mark.parametrize(("count", "rank", "level"), RANKS)  # those that statistics books print for the sign test
def test_ranks_and_achieved_levels(count, rank, level):
    values = [float(each) for each in range(count, 0, -1)]
    assert stats.interval(values) == (rank, count + 1 - rank, pytest.approx(level, abs=1e-12))


def test_other_levels():
    assert stats.interval(range(5), 0.9) == (0, 4, 0.9375)
    assert stats.interval(range(5), 0.9375) == (0, 4, 0.9375)  # exactly reached is reached
    assert stats.interval(range(3), 1e-9) == (0, 2, 0.75)
    assert [stats.interval(range(count)) for count in range(6)] == [None] * 6
    assert stats.interval(range(7), 0.99) is None
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match="between 0 and 1"):
            stats.interval(range(9), level)


# Drift.


def drift(*processes):
    return speedup.ratio(samples(*processes), samples(*[[1.0] * len(each) for each in processes])).drift


def test_drift_is_a_rank_correlation_with_the_round():
    assert drift([1, 2, 3, 4, 50]) == pytest.approx(1)
    assert drift([5, 4, 3, 2, 1]) == pytest.approx(-1)
    assert drift([1, 2, 3, 5, 4]) == pytest.approx(0.9)  # 1 - 6 * sum of squared rank differences / (n^3 - n)
    assert drift([1, 2, 2, 4, 5]) == pytest.approx(9.5 / math.sqrt(10 * 9.5))  # ties share their rank
    assert drift([7, 7, 7, 7, 7]) == 0


def test_drift_is_within_processes_and_blind_to_what_they_differ_in():
    assert drift([1, 2, 3], [100, 200, 300]) == pytest.approx(1)
    assert drift([300, 200, 100], [3, 2, 1]) == pytest.approx(-1)
    assert drift([1, 1, 1], [2, 2, 2], [3, 3, 3]) == drift([1, 2, 3], [3, 2, 1]) == 0


def test_drift_needs_pairs_and_rounds():
    assert drift([1, 2, 3, 4]) is None
    assert drift(*[[each] for each in range(1, 10)]) is None
    pace = [1.1**each for each in range(9)]
    assert speedup.ratio(samples([3 * each for each in pace]), samples(pace)).drift == 0


# Two groups.


def groups(*processes):
    return [(group.seconds, group.processes) for group in speedup.two_groups(samples(*processes)) or ()]


def test_processes_that_fall_apart_are_two_groups():
    # the allocator's: 1.15 ms in one process, 7.9 ms in the next; rounds within a process make no group
    times = [[1.1e-3, 1.2e-3, 9e-3], [7.9e-3] * 3, [1.15e-3] * 3, [8e-3] * 3, [7e-3, 7e-3, 1e-3], [1.18e-3] * 3]
    assert speedup.two_groups(samples(*times)) == (Group(pytest.approx(1.18e-3), 3), Group(pytest.approx(7.9e-3), 3))


def test_one_slow_process_is_no_group_and_hides_none():
    assert groups([1], [1], [1], [1], [1], [5]) == groups([0.1], [1], [1], [1], [1], [1]) == []
    assert groups([1], [1], [1], [2], [2], [99]) == [(1, 3), (2, 3)]


def test_groups_are_more_than_one_and_a_half_apart_and_two_processes_strong():
    assert groups([1], [1], [1.49], [1.49]) == groups([1], [1], [9]) == groups([4]) == groups() == []
    assert groups([1], [1], [1.51], [1.51]) == [(1, 2), (1.51, 2)]


@given(st.lists(TIMES, min_size=1, max_size=12))
def test_groups_hold_every_process_once(times):
    held = groups(*[[each] for each in times])
    if held:
        (fast, few), (slow, more) = held
        assert fast < slow
        assert few + more == len(times)
        assert min(few, more) > 1


# Resolution and verdict.


def test_the_resolution_is_the_worst_end_as_a_fraction():
    assert speedup.noise_floor(of([0.99, 1, 1, 1, 1, 1.013])) == pytest.approx(0.013)
    assert speedup.noise_floor(of([1 / 1.02, 1, 1, 1, 1, 1.013])) == pytest.approx(0.02)
    assert speedup.noise_floor(of([1, 1, 0.5])) == pytest.approx(1)  # no interval: the worst process
    assert speedup.noise_floor(of([9, *[1] * 14])) == pytest.approx(0)  # 15: one process is not the interval


def test_verdicts():
    assert speedup.outcome(of([1.1, 1.2, 1.2, 1.2, 1.2, 1.3]), 0.05) == "faster"
    assert speedup.outcome(of([1 / 1.1, *[1 / 1.2] * 4, 1 / 1.3]), 0.05) == "slower"
    assert speedup.outcome(of([1.1, *[1.2] * 4, 1.3]), 0.25) == "not resolved"  # the machine shows as much of nothing
    assert speedup.outcome(of([1 / 1.1, *[1 / 1.2] * 4, 1 / 1.3]), 0.19) == "slower"  # 1 / 1.2 is 20 %, not 17 %
    assert speedup.outcome(of([0.9, *[1.2] * 4, 1.3]), 0.05) == "not resolved"  # the interval holds 1
    assert speedup.outcome(of([1.1, *[1 / 1.2] * 4, 1 / 1.3]), 0.05) == "not resolved"
    assert speedup.outcome(of([100] * 5), 0.01) == "not resolved"  # no interval, no verdict


@given(st.fixed_dictionaries({(process, 0): TURNS for process in range(6)}), st.floats(0, 2))
def test_the_verdict_on_swapped_sides_is_the_other_one(recording, noise_floor):
    ours, theirs = both(recording)
    got = speedup.ratio(ours, theirs)
    near = [got.low, got.high, got.value / (1 + noise_floor), got.value * (1 + noise_floor)]
    assume(all(abs(math.log(each)) > 1e-9 for each in near))
    other = {"faster": "slower", "slower": "faster", "not resolved": "not resolved"}
    assert speedup.outcome(speedup.ratio(theirs, ours), noise_floor) == other[speedup.outcome(got, noise_floor)]


def test_unpaired_divides_medians():
    assert speedup.unpaired(samples([4, 5, 90]), samples([1, 1, 2])) == 5
    assert speedup.seconds(samples([3, 1, 2])) == (2, 1)
