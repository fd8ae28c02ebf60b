"""The checklist: every rule has a record that breaks it, and one that keeps it."""

from dataclasses import replace

import pytest

from bench.analysis import checklist
from bench.analysis.checklist import Line
from bench.kernel import REFERENCE
from bench.records import reader
from bench.records.model import BadRecord, NotTimed
from bench.report import tables
from bench.tests.builders_records import pytest_benchmark, record, samples

TREND = [1.0, 1.1, 1.2]


def lines(found, level, **cell):
    return [f"{line.found}: {line.remedy}" for line in checklist.review(found, **cell) if line.level == level]


def changed(kernel, change):
    """Return the samples with those of one kernel changed."""
    return [change(each) if each.kernel == kernel and each.scope == "baseline" else each for each in samples()]


def test_a_good_record_passes_every_rule(tmp_path):
    found = record(tmp_path)
    assert lines(found, "WARN") == lines(found, "FAIL") == []
    said = "; ".join(lines(found, "PASS"))
    for text in (
        "every kernel verified before, every timed answer after, under l1: 30/40, 31/41",
        "under l2: 32/40, 33/41",
        f"every ratio is over {REFERENCE}",
        "no kernel is faster than this machine can read its bytes",
        "6 processes per kernel",
        "resolution ±1.0%",
        "no kernel drifts",
    ):
        assert text in said
    assert not checklist.failed(checklist.review(found))
    checklist.must_not_fail(found)


# (level, what is found, its remedy), and how the record is otherwise
RULES = {
    "scores": ("FAIL", "score differently under l1: python_loops 30/40, 31/41, quick 9/40, 9/41", "bench check",
               {"kernel_metadata": {"quick": {"correct_l1": "9/40, 9/41"}}}),
    "scores_l2": ("FAIL", "score differently under l2", "bench check",
                  {"kernel_metadata": {"quick": {"correct_l2": "9/40, 9/41"}}}),
    "unverified": ("FAIL", "quick was not verified under l1", "bench check",
                   {"kernel_metadata": {"quick": {"correct_l1": ""}}}),
    "reference": ("FAIL", "python_loops is not in it", "record it too", {"taken": samples(python_loops=0)}),
    "limit_fail": ("FAIL", "quick is at 130% of the limit", "work is missing",
                   {"taken": samples(quick=0.001 / 1.3)}),
    "limit_warn": ("WARN", "quick is at 120% of the limit", "the limit is underestimated or work is missing",
                   {"taken": samples(quick=0.001 / 1.2)}),
    "limit_low_end": ("WARN", "quick is at 130% of the limit", "the limit is underestimated or work is missing",
                      {"taken": samples(quick=0.001 / 1.3, slower={"quick": (1, 1, 1, 1, 1, 1.1)})}),
    "limit_unmeasured": ("WARN", "the limit was not measured", "record",
                         {"taken": [each for each in samples() if not each.kernel.startswith("bound@")]}),
    "processes": ("WARN", "indicative: 5 processes per kernel, no confidence interval", "record six or more",
                  {"taken": samples(processes=5)}),
    "control": ("WARN", "no kernel ran against itself", "record anew", {"taken": samples(**{"quick~again": 0})}),
    "resolution": ("WARN", "resolution ±6.0%: smaller differences are noise", "close",
                   {"taken": samples(slower={"quick~again": (1, 1, 1, 1, 1, 1.06)})}),
    "one_thread": ("WARN", "quick was asked for one thread and has openblas 1, torch 2", "limit it",
                   {"threads": "1", "kernel_metadata": {"quick": {"threads_in_force": "openblas 1, torch 2"}}}),
    "all_threads": ("WARN", "quick was asked for 2 threads and has openblas 1", "do not limit it",
                    {"kernel_metadata": {"quick": {"threads_in_force": "openblas 1"}}}),
    "allocator": ("WARN", "the allocator setting is not applicable here", "use the default",
                  {"allocator": "keep", "allocator_in_force": "not applicable"}),
    "load": ("WARN", "load average 1.1 on 2 cores", "close", {"load_average": 1.1}),
    "governor": ("WARN", "frequency governor powersave", "performance", {"governor": "powersave"}),
    "modified": ("WARN", "uncommitted changes", "commit, then record", {"commit": "c0ffee-modified"}),
    "overhead": ("WARN", "the harness itself takes 1.2 µs", "close", {"overhead_s": 1.2e-6}),
    "groups": ("WARN", "quick: its processes fall into two groups, 4.00 ms (4 processes) and 28.0 ms (2 processes)",
               "--configurations all/keep", {"taken": samples(slower={"quick": (1, 1, 1, 1, 7, 7)})}),
    "drift": ("WARN", "quick drifts over the rounds (Spearman -1.00)", "record anew",
              {"taken": changed("quick", lambda each: replace(each, seconds=each.seconds * TREND[each.round]))}),
    "spread": ("WARN", "quick differs by 30.0% between its processes, 2.0% within", "--rigorous",
               {"taken": changed("quick", lambda each: replace(
                   each, seconds=each.seconds * [1, 1.02, 1.01][each.round] * [1, 1, 1.3][each.process % 3]))}),
    "short": ("WARN", "quick has samples below 1 ms", "repeat",
              {"taken": changed("quick", lambda each: replace(each, loops=1, seconds=9e-4))}),
    "first_call": ("WARN", "no first call of quick", "record anew",
                   {"taken": [each for each in samples() if each.scope != "first_call" or each.kernel != "quick"]}),
    "throttled": ("WARN", "the GPU was throttled: software power cap", "let it cool, or raise its power limit",
                  {"gpu_throttled": "software power cap"}),
    "throttled_unread": ("WARN", "whether the GPU was throttled was not measured: install X", "may be too long",
                         {"gpu_throttled": "not measured: install X"}),
    "not_timed": ("WARN", "gpu@cuda is not in it: unavailable", "reason",
               {"not_timed": (NotTimed("gpu@cuda", "unavailable", "no"),)}),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_said_with_its_remedy(rule, tmp_path):
    level, found, remedy, options = RULES[rule]
    broken = record(tmp_path, **options)
    said = checklist.review(broken)
    assert any(found in line.found and remedy in line.remedy for line in said if line.level == level), said
    assert checklist.failed(said) == (level == "FAIL")
    if level == "FAIL":
        with pytest.raises(BadRecord, match="its checklist fails in baseline l1") as refusal:
            checklist.must_not_fail(broken)
        assert str(broken.path) in str(refusal.value)
        assert remedy in str(refusal.value)


def test_a_gpu_that_was_not_throttled_passes_and_without_one_nothing_is_said(tmp_path):
    assert "the GPU was not throttled: " in lines(record(tmp_path, gpu_throttled="no"), "PASS")
    assert not any("throttled" in line.found for line in checklist.review(record(tmp_path)))


def test_the_whole_interval_above_125_percent_fails_and_its_edge_does_not(tmp_path):
    for share_of_bound, level in ((1.2499, "WARN"), (1.2501, "FAIL")):
        taken = samples(quick=0.001 / 1.4, slower={"quick": (1, 1, 1, 1, 1, 1.4 / share_of_bound)})
        assert any("quick is at 140% of the limit" in each for each in lines(record(tmp_path, taken), level))
    assert not any("of the limit" in each for each in lines(record(tmp_path, samples(quick=0.001)), "WARN"))
    one = samples(processes=1, quick=0.001 / 1.3)  # no interval: all there is lies above
    assert checklist.failed(checklist.review(record(tmp_path, one)))


def test_l2_is_optional_for_a_kernel_except_where_it_is_shown(tmp_path):
    cells = (("baseline", "l1"), ("predict", "l2"))
    found = record(tmp_path, samples(cells=cells), kernel_metadata={"quick": {"correct_l2": ""}})
    assert lines(found, "FAIL") == []
    assert "quick was not verified under l2" in lines(found, "FAIL", scope="predict", distance="l2")[0]


def test_the_reference_of_a_comparison_need_not_be_the_projects(tmp_path):
    found = record(tmp_path, samples(python_loops=0))
    checklist.must_not_fail(found, reference="quick")


def test_a_size_at_which_the_reference_was_skipped_has_no_ratio_and_does_not_fail(tmp_path):
    taken = [replace(each, scope="predict", images=10) for each in samples(python_loops=0) if each.scope == "baseline"]
    found = record(
        tmp_path, taken, kind="sizes", kernel_metadata={"quick": {"correct_l1": ""}}
    )  # broke at a later size
    assert lines(found.at(10), "FAIL", scope="predict") == []
    assert any("python_loops was skipped" in each for each in lines(found.at(10), "WARN", scope="predict"))


def test_an_unpaired_file_is_judged_too(tmp_path):
    found = reader.read(pytest_benchmark(tmp_path, python_loops=[0.4, 0.4], quick=[0.004]))
    warned = lines(found, "WARN")
    assert any("indicative, unpaired" in each for each in warned)
    assert not any("allocator" in each for each in warned)
    assert lines(found, "FAIL") == []


def test_what_passed_is_one_line_and_the_worst_comes_last():
    given = [Line("FAIL", "c", "z"), Line("PASS", "a"), Line("WARN", "b", "y"), Line("PASS", "d")]
    assert list(tables.answers_for(given)) == ["PASS  a; d", "WARN  b: y", "FAIL  c: z"]
    assert list(tables.answers_for(given[:1])) == ["FAIL  c: z"]
