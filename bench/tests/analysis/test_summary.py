"""Summaries: every number about speed that is shown or tested comes from here."""

from dataclasses import replace

import pytest
from rich.console import Console

from bench.analysis import checklist, summary
from bench.analysis.speedup import Group
from bench.analysis.summary import summaries
from bench.kernel import REFERENCE
from bench.records import reader
from bench.records.sample import ALL_CORES, BOUND, Sample
from bench.report import tables
from bench.tests.builders_records import pytest_benchmark, record, samples

SPLIT = (1.0, 7.0, 1.0, 7.0, 1.0, 7.0)  # processes that fall into two groups


def row(written, kernel):
    return next(row for row in summaries(written) if row.kernel == kernel)


@pytest.fixture
def printed(tmp_path, capsys):
    """A function that prints the table of a record of these samples."""

    def printed(*taken, **options):
        Console(width=400).print(tables.timed(summaries(record(tmp_path, *taken)), **options))
        return capsys.readouterr().out

    return printed


def test_planted_ratio_share_and_first_call(tmp_path):
    written = record(tmp_path)
    quick = row(written, "quick")
    assert quick.speedup == pytest.approx(100)
    assert (quick.ratio.low, quick.ratio.high) == pytest.approx((100, 100))
    assert (quick.ratio.processes, quick.ratio.rounds, quick.ratio.level) == (6, 18, 0.96875)
    assert quick.share_of_bound.value == pytest.approx(0.25)
    assert quick.share_of_bound.rounds == 18  # the bound, measured once per process, is paired with every round
    assert quick.first_call == pytest.approx(0.104)
    assert quick.groups is None
    assert [row.kernel for row in summaries(written)] == [REFERENCE, "quick"]  # no A/A control, no bound


def test_a_kernel_is_held_to_the_bound_of_its_device_and_threads(tmp_path):
    one_core = record(tmp_path, threads="1")
    assert row(one_core, "quick").share_of_bound.value == pytest.approx(0.5)
    assert row(record(tmp_path, kernel_metadata={"quick": {"device": "cuda"}}), "quick").share_of_bound is None


@pytest.mark.parametrize(("own", "level"), [(0.1, "PASS"), (0.95, "FAIL")])
def test_a_kernel_that_holds_fewer_bytes_has_a_bound_of_its_own_and_may_be_beyond_the_dense_one(tmp_path, own, level):
    dense = next(sample.seconds for sample in samples() if sample.kernel == ALL_CORES)
    taken = samples(quick=dense / 1.4)
    bounds = [replace(one, kernel=f"{BOUND}quick", seconds=own * dense) for one in taken if one.kernel == ALL_CORES]
    written = record(tmp_path, [*taken, *bounds])
    assert row(written, "quick").share == f"140.0% ({140 * own:.1f}% of its own bytes)"
    about = [item for item in checklist.review(written) if item.text.startswith("quick is at")]
    assert {item.level for item in about} == {"PASS", level}
    assert any("140% of the bound of a byte per pixel, as it holds fewer" in item.text for item in about)


def test_the_noise_floor_is_that_of_the_control(tmp_path):
    assert summary.noise_floor(record(tmp_path)) == pytest.approx(1 / 0.99 - 1)
    assert summary.noise_floor(record(tmp_path, samples(**{"quick~again": 0}))) is None
    apart = [sample for sample in samples() if sample.kernel != "quick" or sample.process > 2]
    apart = [sample for sample in apart if sample.kernel != "quick~again" or sample.process < 3]
    assert summary.noise_floor(record(tmp_path, apart)) is None  # no round holds both: no ratio, and no traceback


def test_two_groups_are_marked_beside_a_median_that_is_one_number_in_every_column(tmp_path, printed):
    taken = samples(slower={"quick": SPLIT})
    quick = row(record(tmp_path, taken), "quick")
    assert quick.groups == (Group(pytest.approx(0.004), 3), Group(pytest.approx(0.028), 3))
    assert quick.seconds == pytest.approx(0.016)
    output = printed(taken)
    for text in ("16.0 ms†", "37.8×", "14.3× to 100×", "9.4%"):
        assert text in output
    assert output.count("†") == 1


def test_one_process_has_a_ratio_and_no_interval_and_ratios_can_be_withheld(printed):
    output = printed(samples(processes=1))
    assert ("100×" in output, " to " in output) == (True, False)
    output = printed(ratios=False)
    assert (output.count("withheld"), "4.00 ms" in output, "100×" in output) == (2, True, False)


def test_without_a_reference_or_a_common_round_there_is_no_ratio(tmp_path, printed):
    taken = samples(**{REFERENCE: 0})
    assert row(record(tmp_path, taken), "quick").speedup is None
    assert "no reference" in printed(taken)
    late = Sample("late", "baseline", "l1", 108, 0.1, 1, process=9, round=9, position=0)
    assert row(record(tmp_path, [*samples(), late]), "late").ratio is None


def test_unpaired_samples_have_a_ratio_of_medians_alone(tmp_path):
    written = reader.read(pytest_benchmark(tmp_path, python_loops=[4.0, 4.0, 9.0], quick=[2.0]))
    quick = row(written, "quick")
    assert (quick.ratio, quick.unpaired, quick.speedup, quick.share_of_bound) == (None, 2.0, 2.0, None)


def test_a_record_of_sizes_has_summaries_per_size(tmp_path):
    taken = [
        Sample(kernel, "predict", "l1", size, size * per_image, 1, process, 0, 0)
        for size in (1, 10)
        for kernel, per_image in ((REFERENCE, 0.1), ("quick", 0.001))
        for process in range(6)
        if (kernel, size) != (REFERENCE, 10)
    ]
    written = record(tmp_path, taken, kind="sizes")
    assert written.sizes == [1, 10]
    small, large = (summaries(written.at(size), "predict", "l1") for size in written.sizes)
    assert small[-1].speedup == pytest.approx(100)
    assert [(row.kernel, row.ratio) for row in large] == [("quick", None)]
