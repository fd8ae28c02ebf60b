"""The checklist: every rule has a record that breaks it, and one that keeps it."""

from dataclasses import replace

import pytest

from bench.analysis import checklist
from bench.analysis.checklist import Item
from bench.kernel import REFERENCE
from bench.records import reader
from bench.records.model import BadRecord, NotTimed
from bench.report import tables
from bench.tests.builders_records import changed, pytest_benchmark, record, samples

TREND = [1.0, 1.1, 1.2]
FIRST_CALL = ("quick", "first_call")


def with_cores(again=1.01, **cores):
    return [replace(sample, **cores) for sample in samples(slower={"quick~again": (again,)})]


def texts(record, level, **pair):
    return [f"{item.text}: {item.remedy}" for item in checklist.review(record, **pair) if item.level == level]


def test_a_good_record_passes_every_rule(tmp_path):
    good = record(tmp_path)
    assert texts(good, "WARN") == texts(good, "FAIL") == []
    passed = "; ".join(texts(good, "PASS"))
    for text in (
        "Every kernel was verified before and every timed answer after, under the L1 distance: 30/40, 31/41",
        "under the L2 distance: 32/40, 33/41",
        f"Every ratio is over {REFERENCE}",
        "No kernel is faster than this machine can read its bytes",
        "6 processes per kernel",
        "The noise floor is ±1.0%",
        "No kernel drifts",
    ):
        assert text in passed
    assert not checklist.failed(checklist.review(good))
    checklist.must_not_fail(good)


# level, text, remedy, and how the record differs from a good one
RULES = {
    "scores": ("FAIL", "Kernels score differently under the L1 distance: python_loops 30/40, 31/41, quick 9/40, 9/41",
               "bench check", {"kernel_metadata": {"quick": {"correct_l1": "9/40, 9/41"}}}),
    "unverified": ("FAIL", "quick was not verified under the L1 distance", "bench check",
                   {"kernel_metadata": {"quick": {"correct_l1": ""}}}),
    "reference": ("FAIL", "The reference python_loops was not timed", "Include it in the next run",
                  {"taken": samples(python_loops=0)}),
    "bound_fail": ("FAIL", "quick is at 130% of its bound", "the kernel omits work, or the bound is wrong",
                   {"taken": samples(quick=0.001 / 1.3)}),
    "bound_warn": ("WARN", "quick is at 120% of its bound", "The bound is too low, or the kernel omits work",
                   {"taken": samples(quick=0.001 / 1.2)}),
    "bound_unmeasured": ("WARN", "The bound was not measured", "Record baseline or predict",
                         {"taken": [sample for sample in samples() if not sample.kernel.startswith("bound@")]}),
    "processes": ("WARN", "The record has 5 processes per kernel, so there is no confidence interval",
                  "Record six or more", {"taken": samples(processes=5)}),
    "control": ("WARN", "There is no A/A control", "Record again", {"taken": samples(**{"quick~again": 0})}),
    "noise_floor": ("WARN", "Differences below ±6.0% are noise", "Close other programs",
                   {"taken": samples(slower={"quick~again": (1, 1, 1, 1, 1, 1.06)})}),
    "one_thread": ("WARN", "quick should use one thread and has openblas 1, torch 2", "Limit its threads",
                   {"threads": "1", "kernel_metadata": {"quick": {"threads_in_force": "openblas 1, torch 2"}}}),
    "all_threads": ("WARN", "quick should use 2 threads and has openblas 1", "Do not limit its threads",
                    {"kernel_metadata": {"quick": {"threads_in_force": "openblas 1"}}}),
    "allocator": ("WARN", "The allocator setting is not applicable here", "Use the default allocator",
                  {"allocator": "keep", "allocator_in_force": "not applicable"}),
    "load": ("WARN", "The load average was 1.1 on 2 cores", "Close", {"load_average": 1.1}),
    "governor": ("WARN", "The frequency governor is powersave", "performance", {"governor": "powersave"}),
    "modified": ("WARN", "uncommitted changes", "Commit them and record again", {"commit": "c0ffee-modified"}),
    "overhead": ("WARN", "The harness adds 2.2 µs", "Close", {"overhead_s": 2.2e-6}),
    "other_programs": ("WARN", "Other programs took 0.31 of a core during the samples", "Close other programs",
                       {"taken": with_cores(other_cores=0.31)}),
    "steal": ("WARN", "The host of this virtual machine took 0.05 of a core", "when it is less busy",
              {"taken": with_cores(steal_cores=0.05)}),
    "noisy_neighbours": ("WARN", "Differences below ±6.0% are noise; other programs and the host took 0.31 of a core",
                         "Close other programs", {"taken": with_cores(other_cores=0.3, steal_cores=0.01, again=1.06)}),
    "groups": ("WARN", "The processes of quick fall into two groups, 4.00 ms (4 processes) and 28.0 ms (2 processes)",
               "--configurations all/keep", {"taken": samples(slower={"quick": (1, 1, 1, 1, 7, 7)})}),
    "drift": ("WARN", "quick drifts from round to round (Spearman -1.00)", "Record again",
              {"taken": changed(samples(), "quick", lambda sample: replace(
                  sample, seconds=sample.seconds * TREND[sample.round]))}),
    "spread": ("WARN", "quick differs by 30.0% between its processes, 2.0% within", "--rigorous",
               {"taken": changed(samples(), "quick", lambda sample: replace(
                   sample, seconds=sample.seconds * [1, 1.02, 1.01][sample.round] * [1, 1, 1.3][sample.process % 3]))}),
    "short": ("WARN", "quick has samples below 1 ms", "Repeat",
              {"taken": changed(samples(), "quick", lambda sample: replace(sample, loops=1, seconds=9e-4))}),
    "first_call": ("WARN", "The first call of quick was not timed", "Record again",
                   {"taken": [sample for sample in samples() if (sample.kernel, sample.scope) != FIRST_CALL]}),
    "throttled": ("WARN", "The GPU was throttled: software power cap", "Let it cool or raise its power limit",
                  {"gpu_throttled": "software power cap"}),
    "throttled_unread": ("WARN", "GPU throttling was not measured: install X", "may be too long",
                         {"gpu_throttled": "not measured: install X"}),
    "not_timed": ("WARN", "gpu@cuda was not timed: it is unavailable", "The page lists the reason",
                  {"not_timed": (NotTimed("gpu@cuda", "unavailable", "no"),), "gpu": "A GPU"}),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_comes_with_its_remedy(rule, tmp_path):
    level, text, remedy, options = RULES[rule]
    broken = record(tmp_path, **options)
    items = checklist.review(broken)
    assert any(text in item.text and remedy in item.remedy for item in items if item.level == level), items
    assert checklist.failed(items) == (level == "FAIL")
    if level == "FAIL":
        with pytest.raises(BadRecord, match="fails its checklist in baseline l1") as refusal:
            checklist.must_not_fail(broken)
        assert str(broken.path) in str(refusal.value)
        assert remedy in str(refusal.value)


def test_kernels_for_a_gpu_that_is_not_there_are_one_line_and_no_warning(tmp_path):
    missing = [NotTimed(f"{name}@cuda", "unavailable", "no driver") for name in "ab"]
    written = record(
        tmp_path, not_timed=(*missing, NotTimed("c@cuda", "broken", "no"), NotTimed("d", "unavailable", ""))
    )
    assert "No GPU was found, so kernels for one were not timed: 2: " in texts(written, "PASS")
    warned = [text for text in texts(written, "WARN") if "was not timed" in text]
    assert [text.split()[0] for text in warned] == ["c@cuda", "d"]


def test_the_whole_interval_above_125_percent_fails_and_its_edge_does_not(tmp_path):
    for share_of_bound, level in ((1.2499, "WARN"), (1.2501, "FAIL")):
        taken = samples(quick=0.001 / 1.4, slower={"quick": (1, 1, 1, 1, 1, 1.4 / share_of_bound)})
        assert any("quick is at 140% of its bound" in text for text in texts(record(tmp_path, taken), level))
    assert not any("of its bound" in text for text in texts(record(tmp_path, samples(quick=0.001)), "WARN"))
    one_process = samples(processes=1, quick=0.001 / 1.3)  # no interval: its one ratio lies above
    assert checklist.failed(checklist.review(record(tmp_path, one_process)))


def test_l2_is_optional_for_a_kernel_except_where_it_is_shown(tmp_path):
    taken = samples(pairs=(("baseline", "l1"), ("predict", "l2")))
    without = record(tmp_path, taken, kernel_metadata={"quick": {"correct_l2": ""}})
    assert texts(without, "FAIL") == []
    shown = texts(without, "FAIL", scope="predict", distance="l2")
    assert "quick was not verified under the L2 distance" in shown[0]


def test_the_reference_of_a_comparison_need_not_be_the_projects(tmp_path):
    checklist.must_not_fail(record(tmp_path, samples(python_loops=0)), reference="quick")


def test_a_size_at_which_the_reference_was_skipped_has_no_ratio_and_does_not_fail(tmp_path):
    taken = [sample for sample in samples(python_loops=0) if sample.scope == "baseline"]
    taken = [replace(sample, scope="predict", images=10) for sample in taken]
    broken_later = {"quick": {"correct_l1": ""}}
    at_10 = record(tmp_path, taken, kind="sizes", kernel_metadata=broken_later).at(10)
    assert texts(at_10, "FAIL", scope="predict") == []
    assert any("python_loops was skipped" in text for text in texts(at_10, "WARN", scope="predict"))


def test_an_unpaired_file_has_a_checklist_too(tmp_path):
    unpaired = reader.read(pytest_benchmark(tmp_path, python_loops=[0.4, 0.4], quick=[0.004]))
    warnings = texts(unpaired, "WARN")
    assert any("The record is unpaired" in text for text in warnings)
    assert not any("allocator" in text for text in warnings)
    assert texts(unpaired, "FAIL") == []


def test_what_passed_is_one_line_and_the_worst_comes_last():
    items = [
        Item("FAIL", "c", "z"),
        Item("PASS", "a"),
        Item("WARN", "b", "y"),
        Item("PASS", "The noise floor is ±1.0%"),
        Item("WARN", "e", "y"),
    ]
    items.append(Item("WARN", "gpu@cuda was not timed: it is unavailable", checklist.LISTED))
    assert list(tables.checklist_lines(items)) == [
        "PASS  2 checks, which the page lists. The noise floor is ±1.0%.", "WARN  b. e. y.", "FAIL  c. z.",
    ]  # fmt: skip
    assert list(tables.checklist_lines(items[:1])) == ["FAIL  c. z."]
