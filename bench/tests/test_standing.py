"""Where kernels stand: every number that is shown or judged comes from here."""

import pytest
from rich.console import Console

from bench import reading, standing, tables
from bench.kernel import REFERENCE
from bench.sample import Sample
from bench.speedup import Mode
from bench.standing import standings
from bench.tests.builders_records import pytest_benchmark, record, samples, write

SPLIT = (1.0, 7.0, 1.0, 7.0, 1.0, 7.0)  # process sets that fall into two modes


def row(found, kernel):
    return next(each for each in standings(found) if each.kernel == kernel)


def printed(rows, capsys, **options):
    Console(width=400).print(tables.timed(rows, **options))
    return capsys.readouterr().out


def test_planted_ratio_share_and_first_call(tmp_path):
    quick = row(record(tmp_path), "quick")
    assert quick.times_faster == pytest.approx(100)
    assert (quick.ratio.low, quick.ratio.high) == pytest.approx((100, 100))
    assert (quick.ratio.processes, quick.ratio.rounds, quick.ratio.level) == (6, 18, 0.96875)
    assert quick.share.value == pytest.approx(0.25)
    assert quick.share.rounds == 18  # the limit, measured once per process set, is the partner of all its rounds
    assert quick.first_call == pytest.approx(0.104)
    assert [each.kernel for each in standings(record(tmp_path))] == [REFERENCE, "quick"]  # no null, no limit


@pytest.mark.parametrize(("threads", "share"), [("all", 0.25), ("1", 0.5)])
def test_one_thread_is_held_to_one_cores_limit(tmp_path, threads, share):
    assert row(record(tmp_path, threads=threads), "quick").share.value == pytest.approx(share)


def test_a_device_that_the_limit_is_not_of_has_no_share(tmp_path):
    assert row(record(tmp_path, kernel_facts={"quick": {"device": "cuda"}}), "quick").share is None


def test_the_resolution_is_the_nulls(tmp_path):
    assert standing.resolution(record(tmp_path)) == pytest.approx(1 / 0.99 - 1)
    assert standing.resolution(record(tmp_path, samples(**{"quick~again": 0}))) is None
    without_partner = [each for each in samples() if each.kernel != "quick"]
    assert standing.resolution(record(tmp_path, without_partner)) is None
    apart = [each for each in samples() if each.kernel != "quick" or each.process > 2]
    apart = [each for each in apart if each.kernel != "quick~again" or each.process < 3]
    assert standing.resolution(record(tmp_path, apart)) is None  # no round holds both: no ratio, and no traceback


def test_two_modes_are_two_numbers_in_every_column(tmp_path, capsys):
    found = record(tmp_path, samples(slower={"quick": SPLIT}))
    quick = row(found, "quick")
    assert quick.modes == (Mode(pytest.approx(0.004), 3), Mode(pytest.approx(0.028), 3))
    assert quick.speedups == (Mode(pytest.approx(100), 3), Mode(pytest.approx(100 / 7), 3))
    said = printed(standings(found), capsys)
    for text in (
        "4.00 ms (3 sets) or 28.0 ms (3 sets)",
        "100× (3 sets) or 14.3× (3 sets)",
        "25.0% (3 sets) or 3.6% (3 sets)",
    ):
        assert text in said
    for between in ("16.0 ms", "10.6 ms", "37.8×", "37.79×", "25.0×", "9.4%"):
        assert between not in said


def test_a_reference_of_two_modes_makes_two_ratios_of_a_steady_kernel(tmp_path):
    found = record(tmp_path, samples(slower={REFERENCE: SPLIT}))
    assert row(found, "quick").speedups == (Mode(pytest.approx(700), 3), Mode(pytest.approx(100), 3))
    assert row(found, REFERENCE).speedups == (Mode(pytest.approx(1), 6),)


def test_a_machine_of_two_paces_leaves_one_ratio(tmp_path):
    found = record(tmp_path, samples(slower={REFERENCE: SPLIT, "quick": SPLIT}))
    assert len(row(found, "quick").modes) == 2
    assert row(found, "quick").speedups == (Mode(pytest.approx(100), 6),)


def test_one_process_has_a_ratio_and_no_interval(tmp_path, capsys):
    found = record(tmp_path, samples(processes=1))
    assert row(found, "quick").ratio.low is None
    said = printed(standings(found), capsys)
    assert "100×" in said
    assert " to " not in said


def test_ratios_are_withheld_and_times_are_not(tmp_path, capsys):
    said = printed(standings(record(tmp_path)), capsys, ratios=False)
    assert said.count("withheld") == 2
    assert "4.00 ms" in said
    assert "100×" not in said


def test_without_a_reference_or_a_common_round_there_is_no_ratio(tmp_path, capsys):
    found = record(tmp_path, samples(**{REFERENCE: 0}))
    assert row(found, "quick").speedups == ()
    assert "no reference" in printed(standings(found), capsys)
    late = Sample("late", "baseline", "l1", 108, 0.1, 1, process=9, round=9, position=0)
    assert row(record(tmp_path, [*samples(), late]), "late").ratio is None


def test_unpaired_samples_have_a_ratio_of_medians_alone(tmp_path):
    found = reading.read(pytest_benchmark(tmp_path, python_loops=[4.0, 4.0, 9.0], quick=[2.0]))
    quick = row(found, "quick")
    assert (quick.ratio, quick.unpaired, quick.share) == (None, 2.0, None)
    assert quick.speedups == (Mode(2.0, 1),)


def test_conditions_stand_side_by_side_and_show_both_modes(tmp_path, capsys):
    told = [record(tmp_path), record(tmp_path, samples(slower={"quick": SPLIT}), threads="1", allocator="keep")]
    Console(width=400).print(tables.by_condition(told))
    said = capsys.readouterr().out
    for text in ("all/default", "1/keep", "4.00 ms (3 sets) or 28.0 ms (3 sets)", "400 ms"):
        assert text in said


def test_a_record_of_sizes_has_a_standing_per_size(tmp_path):
    taken = [
        Sample(kernel, "predict", "l1", size, size * each, 1, process, 0, 0)
        for size in (1, 10)
        for kernel, each in ((REFERENCE, 0.1), ("quick", 0.001))
        for process in range(6)
        if (kernel, size) != (REFERENCE, 10)
    ]
    found = reading.read(write(tmp_path, taken, kind="sizes"))
    assert found.sizes == [1, 10]
    small, large = (standings(found.at(size), "predict", "l1") for size in found.sizes)
    assert small[-1].times_faster == pytest.approx(100)
    assert [each.kernel for each in large] == ["quick"]
    assert large[0].ratio is None
