"""`compare`: which record, which ratio, which verdict, and when it must not answer at all."""

import gzip
import json
import os
import shutil
from dataclasses import replace

import pytest
from click.testing import CliRunner

from bench import __main__, comparing, comparison_text, reading, records
from bench.comparing import Side
from bench.kernel import REFERENCE, UnknownKernel
from bench.records import BadRecord
from bench.tests.builders_records import pytest_benchmark, record, samples, write, write_memory

SPLIT = (1.0, 7.0, 1.0, 7.0, 1.0, 7.0)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Folders for local and published records of its own."""
    monkeypatch.setattr(records, "LOCAL", tmp_path / "results" / "local")
    records.LOCAL.mkdir(parents=True)
    return tmp_path / "results"


def invoke(*arguments):
    """Run the verb and return (exit status, what it printed)."""
    runner = CliRunner()
    done = runner.invoke(__main__.cli, ["compare", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def of(found, base, new):
    return comparing.compare(*(Side(name, found, "baseline", "l1") for name in (base, new)), force=False)


def told(found):
    return dict(comparison_text.lines(found))


# What it says of two kernels of one record.


def test_everything_that_must_stand_beside_a_ratio(tmp_path):
    path = write(tmp_path, samples(python_loops=0.16))
    said = told(of(reading.read(path), REFERENCE, "quick"))
    assert said == {
        "verdict": f"quick is faster than {REFERENCE}",
        "ratio": "40.0× as fast",
        "interval": "40.0× to 40.0×, level 96.9%",
        "resolution": "±1.0%",
        REFERENCE: "160 ms median, 160 ms smallest, 0.6% of the limit",
        "quick": "4.00 ms median, 4.00 ms smallest, 25.0% of the limit",
        "processes, rounds": "6, 18",
        "spread between processes": "0.0%",
        "drift (Spearman)": "+0.00",
        "scope, condition": "baseline l1, all/default",
        f"record of {REFERENCE}": path.name,
        "record of quick": path.name,
    }


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.02, "faster"), (1 / 1.02, "slower"), (1.009, "not resolved"), (1 / 1.009, "not resolved")],
)
def test_a_difference_below_the_resolution_is_not_resolved(tmp_path, factor, verdict):
    found = of(record(tmp_path, samples(other=0.004 / factor)), "quick", "other")
    assert found.resolution == pytest.approx(1 / 0.99 - 1)
    assert found.ratio.value == pytest.approx(factor)
    assert found.verdict == verdict
    assert f"{factor:.3f}× as fast" in told(found)["ratio"]  # two digits would make 1.02 and 1.018 the same


def test_an_interval_that_holds_1_is_not_resolved(tmp_path):
    taken = samples(other=0.004, slower={"other": (1.1, 1.1, 1.1, 1.1, 1.1, 0.99)})
    assert of(record(tmp_path, taken), "quick", "other").verdict == "not resolved"


@pytest.mark.parametrize("taken", [samples(processes=5), samples(**{"quick~again": 0})])
def test_without_interval_or_null_nothing_is_resolved(tmp_path, taken):
    found = of(record(tmp_path, taken), REFERENCE, "quick")
    assert found.verdict == "not resolved"
    assert "than" not in told(found)["verdict"]


def test_two_modes_are_two_numbers_in_every_shape(tmp_path):
    found = of(record(tmp_path, samples(slower={"quick": SPLIT})), REFERENCE, "quick")
    assert found.verdict == "faster"  # in either mode
    said = told(found)
    assert said["ratio"] == "100× (3 sets) or 14.3× (3 sets) as fast"
    assert said["quick"].startswith("4.00 ms (3 sets) or 28.0 ms (3 sets) median")
    assert "25.0% (3 sets) or 3.6% (3 sets) of the limit" in said["quick"]
    assert "37.8×" not in comparison_text.markdown(found)
    plain = comparison_text.as_json(found)
    assert plain["ratio"] == [
        {"value": pytest.approx(100), "processes": 3},
        {"value": pytest.approx(100 / 7), "processes": 3},
    ]
    assert [each["value"] for each in plain["new"]["seconds"]] == pytest.approx([0.004, 0.028])
    assert "37.79" not in json.dumps(plain)


def test_a_kernel_against_itself_is_the_null(tmp_path):
    found = of(record(tmp_path), "quick", "quick~again")
    assert (found.ratio.value, found.verdict) == (pytest.approx(1.0, abs=0.003), "not resolved")


# The gate.


def test_fail_slower_is_one_only_where_the_interval_resolves_it(results):
    slow = {"other": (1.10, 1.12, 1.11, 1.12, 1.10, 1.08)}
    path = write(results / "local", samples(other=0.004, slower=slow))
    say = ("compare", "--record", path)
    assert invoke("quick", "other", *say[1:], "--fail-slower", "7.9")[0] == 1
    assert invoke("quick", "other", *say[1:], "--fail-slower", "8.1")[0] == 0  # the median is 10.5 %, its end 8 %
    assert invoke("quick", "other", *say[1:])[0] == 0
    assert invoke("other", "quick", *say[1:], "--fail-slower", "0")[0] == 0  # faster is never slower
    one = write(results / "local", samples(processes=1, other=0.008))
    assert invoke("quick", "other", "--record", one, "--fail-slower", "5")[0] == 0  # no interval


def test_the_gate_never_opens_on_what_is_not_resolved(tmp_path):
    slower = {"other": (1.02,), "quick~again": (1, 1, 1, 1, 1, 1.05)}
    found = of(record(tmp_path, samples(other=0.004, slower=slower)), "quick", "other")
    assert found.ratio.high < 1 / 1.01
    assert not found.slower_by(1)  # 2 % slower, and 5 % is what this machine shows of nothing


# Which record.


def test_by_default_the_newest_default_record_that_holds_both(results):
    machine = results / "a-machine"
    local = results / "local"
    named = {
        "20260101T000000Z.json": {"taken": samples(other=0.001, quick=0.002)},
        "20260103T000000Z.json": {},
        "20260103T000000Z-2.json": {"taken": samples(quick=0.005)},  # written in the same second, later
        "20260104T000000Z.json": {"allocator": "keep", "allocator_in_force": "keep"},
        "20260105T000000Z.json": {"threads": "1"},
        "20260106T000000Z.json": {"kind": "sizes"},
    }
    for name, options in named.items():
        os.replace(write(local, **options), local / name)
    (local / "20260107T000000Z.json").write_text("[]")  # somebody's own file is no hindrance
    machine.mkdir()
    os.replace(write(local, samples(rare=0.002, other=0.004)), machine / "x.json")
    (machine / "2027-01-01-x.json.gz").write_bytes(gzip.compress((machine / "x.json").read_bytes()))

    def name(*kernels):
        return comparing.find(kernels, "baseline", "l1").path.name

    assert name("quick", REFERENCE) == "20260103T000000Z-2.json"
    assert name("quick", "other") == "20260101T000000Z.json"  # a local one, though there is a newer published one
    assert name("quick", "rare") == "2027-01-01-x.json.gz"
    assert comparing.sides("quick", "rare", None, None, "baseline", "l1")[0].record.path.parent == machine
    assert reading.newest().name == "20260105T000000Z.json"  # to plot and publish, under whatever condition
    with pytest.raises(BadRecord, match=r"no record under all/default holds ghost and quick in baseline l1; python -m"):
        name("quick", "ghost")
    with pytest.raises(BadRecord, match="in mean -"):
        comparing.sides("quick", REFERENCE, None, None, "mean", "l1")  # its distance is "-", typed or not


def test_one_kernel_in_two_records(results):
    old = write(results / "local", samples(quick=0.006))
    new = write(results / "local")
    status, said = invoke("quick", "--record", new, "--against", old, "--markdown")
    assert status == 0
    assert f"| verdict | quick of {new.name} is faster than quick of {old.name} |" in said
    assert "| ratio | 1.500× as fast |" in said
    assert f"| quick of {old.name} | 6.00 ms median" in said
    assert "| drift (Spearman) | unknown |" in said  # rounds of two recordings share no time
    assert invoke("quick", "--record", old, "--against", new, "--fail-slower", "5")[0] == 1
    shutil.move(old, results / "old.json")
    assert "1.500×" in invoke("quick", "--against", results / "old.json")[1]  # the other side: the newest


# Refusals.


def test_other_machines_digits_and_conditions_are_refused_and_forced_ones_marked(results):
    one = write(results / "local")
    changes = {
        "cpu_model_name": "Another CPU", "cpu_count": 64, "caches": "L1 32K", "platform": "Darwin arm64",
        "dataset_digest": "cd" * 32, "threads": "1", "allocator": "keep",
    }  # fmt: skip
    for key, value in changes.items():
        in_force = {"allocator_in_force": value} if key == "allocator" else {}
        other = write(results / "local", **{key: value}, **in_force)
        status, said = invoke("quick", "--record", one, "--against", other)
        assert status == 2
        assert f"{key} {value} against " in said.replace("\n", " ")
        status, said = invoke("quick", "--record", one, "--against", other, "--force", "--markdown")
        assert status == 0
        rows = said.strip().splitlines()[2:]
        assert len(rows) >= 10
        assert all(f"[FORCED: {key} {value} against" in row for row in rows)
    forced = invoke("quick", "--record", one, "--against", other, "--force", "--json")[1]
    assert json.loads(forced)["forced"] == ["allocator keep against default"]
    table = invoke("quick", "--record", one, "--against", other, "--force")[1].splitlines()
    assert all("FORCED" in row for row in table if " is " in row or "×" in row or " ms " in row)


def test_a_record_whose_checklist_fails_gives_no_ratio_not_even_by_force(results):
    path = write(results / "local", samples(quick=0.0005))
    for extra in ((), ("--force",), ("--json",), ("--markdown",)):
        status, said = invoke(REFERENCE, "quick", "--record", path, *extra)
        assert status == 2
        assert "its checklist fails in baseline l1: quick is at 200% of the limit" in said.replace("\n", " ")
        assert "×" not in said
    good = write(results / "local")
    assert invoke("quick", "--record", good, "--against", path)[0] == 2


@pytest.mark.parametrize(("kind", "says"), [("sizes", "a record of sizes"), ("memory", "a record of memory")])
def test_other_kinds_of_record_are_refused(results, kind, says):
    path = write_memory(results / "local") if kind == "memory" else write(results / "local", kind=kind)
    status, said = invoke("quick", REFERENCE, "--record", path)
    assert (status, says in said) == (2, True)


def test_unknown_kernels_and_arguments_are_one_message(results):
    absent = (records.Absent("gpu@cuda", "unavailable", "no driver"),)
    path = write(results / "local", absent=absent)
    status, said = invoke("quick", "ghost", "--record", path)
    assert status == 2
    assert f"holds no ghost in baseline l1; its kernels there: {REFERENCE}, quick" in said
    assert "gpu@cuda is unavailable" in invoke("quick", "gpu@cuda", "--record", path)[1]
    assert invoke("quick", "quick", "--record", path, "--scope", "predict")[0] == 2
    for arguments in (("quick",), ("quick", REFERENCE, "--against", path)):
        status, said = invoke(*arguments, "--record", path)
        assert (status, "two kernels, or one kernel and --against" in said) == (2, True)
    with pytest.raises(UnknownKernel):
        comparing.sides("a", None, None, None, "baseline", "l1")


# Files of pytest-benchmark.


def test_a_file_of_pytest_benchmark_is_indicative_and_unpaired(results):
    path = pytest_benchmark(results, python_loops=[0.4, 0.4, 9.0], quick=[0.004, 0.004, 0.005])
    status, said = invoke(REFERENCE, "quick", "--record", path, "--fail-slower", "0", "--markdown")
    assert status == 0
    assert "| ratio | 100× as fast (indicative, unpaired) |" in said
    assert "| interval | none" in said
    assert "| resolution | unknown |" in said
    assert "| verdict | quick is not resolved |" in said
    assert invoke("quick", REFERENCE, "--record", path, "--fail-slower", "0")[0] == 0
    assert json.loads(invoke(REFERENCE, "quick", "--record", path, "--json")[1])["paired"] is False


def test_and_against_a_record_too(results):
    path = pytest_benchmark(results, quick=[0.008, 0.008])  # without the project's reference
    new = write(results / "local")
    status, said = invoke("quick", "--record", new, "--against", path, "--markdown")
    assert status == 0
    assert "| ratio | 2.000× as fast (indicative, unpaired) |" in said
    assert "is not resolved" in said


# The shapes.


def test_json_is_plain_and_complete(results):
    path = write(results / "local")
    plain = json.loads(invoke(REFERENCE, "quick", "--record", path, "--json")[1])
    assert (plain["verdict"], plain["paired"], plain["forced"], plain["processes"]) == ("faster", True, [], 6)
    assert plain["ratio"] == [{"value": pytest.approx(100), "processes": 6}]
    assert (plain["low"], plain["high"], plain["level"]) == (pytest.approx(100), pytest.approx(100), 0.96875)
    assert plain["new"] == {
        "kernel": "quick",
        "record": path.name,
        "condition": "all/default",
        "seconds": [{"value": pytest.approx(0.004), "processes": 6}],
        "smallest": 0.004,
        "share_of_limit": [{"value": pytest.approx(0.25), "processes": 6}],
    }
    assert {"scope", "distance", "rounds", "spread", "drift", "resolution", "base"} <= set(plain)


def test_the_table_holds_what_markdown_holds(results):
    path = write(results / "local")
    table, markdown = (invoke(REFERENCE, "quick", "--record", path, *shape)[1] for shape in ((), ("--markdown",)))
    assert markdown.startswith("|")
    for row in markdown.strip().splitlines()[2:]:
        for cell in row.strip("| ").split(" | "):
            assert cell in table


def test_drift_shows_in_one_record(tmp_path):
    taken = [
        replace(each, seconds=each.seconds * (1 + each.round / 10)) if each.kernel == "quick" else each
        for each in samples()
    ]
    assert told(of(record(tmp_path, taken), REFERENCE, "quick"))["drift (Spearman)"] == "-1.00"


def test_of_two_records_the_worse_resolution_counts_and_an_unknown_one_settles_nothing(tmp_path):
    sharp, blurred = record(tmp_path), record(tmp_path, samples(slower={"quick~again": (1, 1, 1, 1, 1, 1.2)}))
    unknown = record(tmp_path, samples(**{"quick~again": 0}))
    sides = [Side("quick", each, "baseline", "l1") for each in (sharp, blurred, unknown)]
    for one, other in ((0, 1), (1, 0)):
        assert comparing.compare(sides[one], sides[other], False).resolution == pytest.approx(0.2)
    assert comparing.compare(sides[0], sides[2], False).resolution is None
