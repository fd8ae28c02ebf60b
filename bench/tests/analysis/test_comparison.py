"""`compare`: which record, which ratio, which outcome, and when it must refuse."""

import json
import os
from dataclasses import replace

import pytest
from click.testing import CliRunner

from bench import __main__
from bench.analysis import comparison
from bench.analysis.comparison import Side
from bench.kernel import REFERENCE, UnknownKernel
from bench.records import model, reader
from bench.records.model import BadRecord
from bench.report import comparison_text
from bench.tests.builders_records import (
    METADATA,
    configurations,
    memory,
    pytest_benchmark,
    record,
    samples,
    small,
    write,
)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Folders for local and published records of its own."""
    monkeypatch.setattr(model, "LOCAL", tmp_path / "results" / "local")
    model.LOCAL.mkdir(parents=True)
    return tmp_path / "results"


def invoke(*arguments):
    """Run the command and return (exit status, output)."""
    runner = CliRunner()
    done = runner.invoke(__main__.cli, ["compare", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def compared(written, base, new):
    return comparison.compare(*(Side(name, written, "baseline", "l1") for name in (base, new)), force=False)


def texts(*results):
    """Return the rows of both tables: {kernel: the other cells}, {what: value}."""
    table, beside = comparison_text.grids(results)
    return {row[0]: row[1:] for row in table.rows}, dict(beside.rows)


def csv(markdown):
    """Return the rows of Markdown tables as lists of cells."""
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in markdown.splitlines() if "|" in line]


# Two kernels of one record.


def test_everything_that_must_be_beside_a_ratio(tmp_path):
    written = record(
        tmp_path, samples(python_loops=0.16), torch_version="2.13.0+cpu", cpu_count=1, gpu="NVIDIA H100, 555.42",
        not_in_commit="quick.py (not in this repository)",
    )  # fmt: skip
    table, beside = texts(compared(written, REFERENCE, "quick"))
    assert table == {
        REFERENCE: ("160 ms", "160 ms", "1×", "", "6"),
        "quick": ("4.00 ms", "4.00 ms", "40.0×", "40.0× to 40.0×", "6"),
    }
    assert beside == {
        "result": f"quick is faster than {REFERENCE}: 40.0× as fast",
        "noise floor": "±1.0%",
        "spread between processes": "0.0%",
        "drift (Spearman)": "+0.00",
        "% of bound": f"{REFERENCE} 0.6%, quick 25.0%",
        "paired": "round by round within one run, 18 rounds",
        "scope, configuration": "baseline l1, all/default",
        "machine": "A Fine(R) CPU, 1 core, NVIDIA H100",
        "versions": "Python 3.11, NumPy 2.4, PyTorch 2.13",
        "digits": "drawn",
        "speedup": "median of the paired ratios, not ratio of the medians",
        "commit": "c0ffee, without quick.py (not in this repository)",
        "date": written.metadata["date"],
        "record": written.path.name,
    }


def test_several_kernels_are_compared_with_the_first(results):
    path = write(results / "local", samples(other=0.008, third=0.004))
    status, output = invoke("quick", REFERENCE, "other", "third", "--record", path, "--markdown")
    rows = csv(output)
    assert [row[:1] + row[3:] for row in rows[2:6]] == [
        ["quick", "1×", "", "6"],
        [REFERENCE, "0.0100×", "0.0100× to 0.0100×", "6"],
        ["other", "0.500×", "0.500× to 0.500×", "6"],
        ["third", "1.000×", "1.000× to 1.000×", "6"],
    ]
    assert [row[1] for row in rows if row[0] == "result"] == [
        f"{REFERENCE} is slower than quick: 0.0100× as fast",
        "other is slower than quick: 0.500× as fast",
        "the difference between quick and third is not resolved: 1.000× as fast",
    ]
    answer, alone = (
        json.loads(invoke("quick", *names, "--record", path, "--json")[1])
        for names in ((REFERENCE, "other", "third"), ("other",))
    )
    assert answer["new"]["kernel"] == REFERENCE
    assert [other["new"]["kernel"] for other in answer["others"]] == ["other", "third"]
    assert answer["others"][0] | {"others": []} == alone  # the same keys as for two kernels
    unsure = samples(other=0.004, third=0.004, slower={"other": (1, 1, 1, 1, 1, 1.08)})
    for taken, options in ((samples(other=0.008, third=0.004), ()), (unsure, ("--fail-unresolved",))):
        path = write(results / "local", taken)
        for names, status in ((("third", "other"), 1), (("other", "third"), 1), (("third",), 0)):
            code, output = invoke("quick", *names, "--record", path, "--fail-slower", "5", *options)
            assert code == status
            assert ("other: 5 % cannot be resolved here: the conf" in output) == bool(status and options)


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [(1.02, "faster"), (1 / 1.02, "slower"), (1.009, "not resolved"), (1 / 1.009, "not resolved")],
)
def test_a_difference_below_the_noise_floor_is_not_resolved(tmp_path, factor, outcome):
    result = compared(record(tmp_path, samples(other=0.004 / factor)), "quick", "other")
    assert result.noise_floor == pytest.approx(1 / 0.99 - 1)
    assert result.ratio.value == pytest.approx(factor)
    assert result.outcome == outcome
    assert texts(result)[0]["other"][2] == f"{factor:.3f}×"  # two digits would make 1.02 and 1.018 the same


# --fail-slower.


def test_fail_slower_is_one_only_where_the_interval_resolves_it(results):
    path = write(results / "local", samples(other=0.004, slower={"other": (1.10, 1.12, 1.11, 1.12, 1.10, 1.08)}))
    for arguments, status in (
        (("quick", "other", "--fail-slower", "7.9"), 1),
        (("quick", "other", "--fail-slower", "8.1"), 0),  # the median is 10.5 %, its end 8 %
        (("quick", "other"), 0),
        (("other", "quick", "--fail-slower", "0"), 0),  # faster
    ):
        assert invoke(*arguments, "--record", path)[0] == status
    unsure = write(results / "local", samples(processes=1, other=0.008))
    assert invoke("quick", "other", "--record", unsure, "--fail-slower", "5")[0] == 0  # no interval


@pytest.mark.parametrize(
    ("taken", "percent", "why"),
    [
        (samples(other=0.004, slower={"quick~again": (1, 1, 1, 1, 1, 1.217)}), 5, "noise floor ±21.7 %"),
        (samples(other=0.001, slower={"quick~again": (1, 1, 1, 1, 1, 1.217)}), 5, ""),  # it is four times as fast
        (samples(other=0.004, slower={"other": (1, 1, 1, 1, 1, 1.08)}), 5, "confidence interval reaches 8.0 % slower"),
        (samples(other=0.008), 5, ""),  # it is slower, and that is resolved
        (samples(processes=5, other=0.008), 5, "no confidence interval"),
        ([sample for sample in samples(other=0.004) if "~" not in sample.kernel], 5, "noise floor unknown"),
    ],
)
def test_where_a_slowdown_cannot_be_seen_that_is_said_and_may_fail(results, taken, percent, why):
    arguments = ["quick", "other", "--record", write(results / "local", taken), "--fail-slower", percent]
    slower = not why and min(sample.seconds for sample in taken if sample.kernel == "other") == 0.008
    for options, status in (([], slower), (["--fail-unresolved"], slower or why != "")):
        code, output = invoke(*arguments, *options)
        assert code == status
        assert (f"{percent} % cannot be resolved here: " in output) == (why != "")
        assert why in output
    status, output = invoke(*arguments[:4], "--fail-unresolved")
    assert (status, "--fail-unresolved needs --fail-slower" in output) == (2, True)


# Which record.


def test_the_newest_record_with_an_interval_is_preferred_and_named(results):
    local = results / "local"
    sure, unsure = write(local, samples(other=0.001)), write(local, samples(processes=5, other=0.002))
    for path, name in ((sure, "20260101T000000Z"), (unsure, "20260102T000000Z")):
        os.replace(path, local / f"{name}.json")
    _, output = invoke("quick", "other", "--markdown")
    assert "| record | local/20260101T000000Z.json, the newest with a confidence interval |" in output
    (local / "20260101T000000Z.json").unlink()
    _, output = invoke("quick", "other", "--markdown")
    assert "| record | local/20260102T000000Z.json, the newest; none has a confidence interval |" in output


def test_without_a_name_the_newest_record_of_a_whole_data_set(results):
    local = results / "local"
    named = {
        "20260101T000000Z": write(local, samples(other=0.001)),
        "20260103T000000Z": configurations(local, "1/keep", "all/default")[0].path,
        "20260106T000000Z": write(local, kind="sizes"),
        "20260107T000000Z": small(local, taken=samples(other=0.001)).path,
    }
    for name, path in named.items():
        os.replace(path, local / f"{name}.json")
    base, new = comparison.sides(("quick", REFERENCE), None, None, "mean", "l1")
    assert base.record is new.record
    assert base.record.path.name == "20260103T000000Z.json"
    assert (base.record.configuration, base.distance) == ("all/default", "-")  # the scope has no other


def test_a_record_is_read_under_the_configuration_that_is_named(results):
    [kept, _] = configurations(results / "local", "all/keep", "1/keep")
    arguments = (REFERENCE, "quick", "--record", kept.path, "--json")
    assert json.loads(invoke(*arguments)[1])["new"]["configuration"] == "all/keep"  # its first
    answer = json.loads(invoke(*arguments, "--configuration", "1/keep")[1])
    assert answer["new"]["configuration"] == "1/keep"
    status, output = invoke(*arguments, "--configuration", "1/default")
    assert status == 2
    assert "was not recorded under 1/default. Name one of these: all/keep, 1/keep" in output.replace("\n", " ")


def test_one_kernel_in_two_records(results):
    old = write(results / "local", samples(quick=0.006), commit="01d")
    new = write(results / "local")
    status, output = invoke("quick", "--record", new, "--against", old, "--markdown")
    assert status == 0
    assert "| result | quick (new) is faster than quick (old): 1.500× as fast |" in output
    assert "| quick (old) | 6.00 ms | 6.00 ms | 1× |  | 6 |" in output
    assert "| commit | 01d (old), c0ffee (new) |" in output
    assert f"| record | {old.name} (old), {new.name} (new) |" in output
    assert "| machine | A Fine(R) CPU, 2 cores |" in output  # the same, so once
    assert "| paired | process by process in their order, between two runs |" in output
    assert "| drift (Spearman) | unknown |" in output  # rounds of two records share no time
    assert invoke("quick", "--record", old, "--against", new, "--fail-slower", "5")[0] == 1
    assert "1.500×" in invoke("quick", "--against", old)[1]  # the newest record is the other side
    before, after = (
        record(results, samples(python_loops=0, base=0.1 * factor, quick=0.004 * factor), reference="base")
        for factor in (1, 1.5)
    )
    sides = (Side("quick", one, "baseline", "l1") for one in (before, after))
    assert comparison.compare(*sides, force=False).noise_floor == pytest.approx(1 / 3)  # their reference differs, too


def test_of_two_records_the_worse_noise_floor_counts_and_an_unknown_one_resolves_nothing(tmp_path):
    sharp, blurred = record(tmp_path), record(tmp_path, samples(slower={"quick~again": (1, 1, 1, 1, 1, 1.2)}))
    unknown = record(tmp_path, samples(**{"quick~again": 0}))
    sides = [Side("quick", written, "baseline", "l1") for written in (sharp, blurred, unknown)]
    for base, new in (sides[:2], sides[1::-1]):
        assert comparison.compare(base, new, False).noise_floor == pytest.approx(0.2)
    assert comparison.compare(sides[0], sides[2], False).noise_floor is None


def test_between_two_records_their_reference_must_not_differ_either(tmp_path):
    """It is a record's own, or the other's where one lacks it; a kernel is no reference of itself."""
    steady, moved = (samples(other=0.002 * factor, python_loops=0.4 * loops) for factor, loops in ((1, 3), (1.3, 1)))
    old, new = (record(tmp_path, taken, reference="other") for taken in (steady, moved))
    sides = [Side("quick", written, "baseline", "l1") for written in (old, new)]
    assert comparison.compare(*sides, False).noise_floor == pytest.approx(1 - 1 / 1.3)
    without = record(tmp_path)
    other = Side("quick", without, "baseline", "l1")
    assert comparison.compare(sides[0], other, False).noise_floor == pytest.approx(2)  # of the loops
    itself = [Side(REFERENCE, one, "baseline", "l1") for one in (without, record(tmp_path))]
    unknown = comparison.compare(*itself, False)
    assert unknown.noise_floor is None
    assert texts(unknown)[1]["noise floor"] == "unknown, as the records have no reference in common besides the kernel"


# Refusals.


def test_other_machines_digits_and_configurations_are_refused_and_forced_ones_marked(tmp_path):
    base = Side("quick", record(tmp_path), "baseline", "l1")
    changes = {
        "cpu_model_name": "Another CPU", "cpu_count": 64, "caches": "L1 32K", "platform": "Darwin arm64",
        "dataset_digest": "cd" * 32, "threads": "1", "allocator": "keep",
    }  # fmt: skip
    for key, value in changes.items():
        new = replace(base, record=replace(base.record, metadata={**base.record.metadata, key: value}))
        with pytest.raises(BadRecord, match=f"The records are not comparable: {key} {value}"):
            comparison.compare(base, new, force=False)
        forced = comparison.compare(base, new, force=True)
        table, beside = texts(forced)
        assert f"[FORCED: {key} {value}" in beside["result"]
        assert "[FORCED]" in table["quick"][2]
        assert comparison_text.as_json([forced])["forced"] == list(forced.differs)


def test_a_record_whose_checklist_fails_gives_no_ratio_not_even_by_force(results):
    path = write(results / "local", samples(quick=0.0005))
    for extra in ((), ("--force", "--json")):
        status, output = invoke(REFERENCE, "quick", "--record", path, *extra)
        assert status == 2
        assert "fails its checklist in baseline l1: quick is at 200% of its bound" in output.replace("\n", " ")
        assert "×" not in output
    good = write(results / "local")
    assert invoke("quick", "--record", good, "--against", path)[0] == 2


def test_other_kinds_of_record_are_refused(results):
    for path in (write(results / "local", kind="sizes"), memory(results / "local").path):
        status, output = invoke("quick", REFERENCE, "--record", path)
        assert (status, "a record of " in output) == (2, True)


def test_unknown_kernels_and_arguments_are_one_message(results):
    path = write(results / "local", not_timed=(model.NotTimed("gpu@cuda", "unavailable", "no driver"),))
    status, output = invoke("quick", "ghost", "--record", path)
    assert status == 2
    assert f"has no times of ghost in baseline l1. Its kernels there: {REFERENCE}, quick" in output
    misspelt = invoke("quick@cpu", REFERENCE, "--record", path)[1]
    assert "has no times of quick@cpu in baseline l1. Did you mean quick? Name another" in misspelt
    installed = invoke("quick", "numpy_broadcas", "--record", path)[1]
    assert "in baseline l1. numpy_broadcast was not timed there. Name another" in installed
    beside = invoke("quick", "quick@cpu", "--record", path)[1]
    assert f"in baseline l1. Its kernels there: {REFERENCE}, quick. Name another" in beside  # which is the other side
    assert "quick is named twice" in invoke("quick", "quick", "--record", path)[1]
    assert f"{path} is the newest record itself" in invoke("quick", "--against", path)[1].replace("\n", " ")
    assert "--markdown and --json exclude each other" in invoke("quick", REFERENCE, "--json", "--markdown")[1]
    unavailable = "no times of gpu@cuda in baseline l1, because it is unavailable"
    assert unavailable in invoke("quick", "gpu@cuda", "--record", path)[1]
    assert invoke("quick", REFERENCE, "--record", path, "--scope", "predict")[0] == 2
    for b, against in ((None, None), (REFERENCE, path)):
        with pytest.raises(UnknownKernel, match="two kernels or more, or one kernel and --against"):
            comparison.sides(("quick", b) if b else ("quick",), path, against, "baseline", "l1")


# Files of pytest-benchmark.


def test_a_file_of_pytest_benchmark_is_indicative_and_unpaired(results):
    path = pytest_benchmark(results, python_loops=[0.4, 0.4, 9.0], quick=[0.004, 0.004, 0.005])
    status, output = invoke(REFERENCE, "quick", "--record", path, "--fail-slower", "0", "--markdown")
    assert status == 0
    assert "not resolved: 100× as fast (indicative, unpaired); no confidence interval" in output
    assert "| 100× | none | 1 |" in output
    assert "| noise floor | unknown, without an A/A control |" in output
    assert "| paired | no: one kernel after the other |" in output
    assert invoke("quick", REFERENCE, "--record", path, "--fail-slower", "0")[0] == 0
    mixed = Side("quick", record(results), "baseline", "l1")
    result = comparison.compare(Side("quick", reader.read(path), "baseline", "l1"), mixed, force=False)
    assert (result.paired, result.ratio.value, result.outcome) == (False, pytest.approx(1), "not resolved")


# Formats.


def test_json_is_complete(results):
    path = write(results / "local")
    answer = json.loads(invoke(REFERENCE, "quick", "--record", path, "--json")[1])
    assert (answer["outcome"], answer["paired"], answer["forced"], answer["processes"]) == ("faster", True, [], 6)
    assert [answer[key] for key in ("ratio", "low", "high", "level")] == pytest.approx([100, 100, 100, 0.96875])
    metadata = answer["new"].pop("metadata")
    assert metadata.items() <= ({**METADATA, "gpu": None, "not_in_commit": None, "date": metadata["date"]}).items()
    assert {"cpu_model_name", "cpu_count", "numpy_version", "dataset_digest", "commit", "date"} <= metadata.keys()
    assert answer["new"] == {
        "kernel": "quick",
        "source_hash": "0123456789abcdef",
        "record": path.name,
        "configuration": "all/default",
        "seconds": pytest.approx(0.004),
        "groups": [],
        "smallest": 0.004,
        "share_of_bound": pytest.approx(0.25),
    }
    assert {"scope", "distance", "rounds", "spread", "drift", "noise_floor", "base"} <= set(answer)
