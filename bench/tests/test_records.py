"""Records: written whole, never over another, read by pyperf too; readers refuse what they do not know."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import records
from bench.records import Absent, BadRecord
from bench.sample import Sample

FACTS = {"dataset": "drawn", "dataset_digest": "ab" * 32, "threads": "all", "allocator": "default"}
ABSENT = [Absent("gpu@cuda", "unavailable", "no driver\nat all")]


def sample(kernel="quick", seconds=0.002, turn=0, scope="baseline", distance="l1"):
    return Sample(kernel, scope, distance, 40, seconds, 3, process=0, round=turn, position=1)


def write(samples, folder):
    kernels = {each.kernel: {"device": "cpu"} for each in samples}
    return records.write(samples, ABSENT, FACTS, kernels, folder)


times = st.floats(min_value=1e-9, max_value=1e4)


@given(st.lists(times, min_size=1, max_size=5), st.lists(times, min_size=1, max_size=5))
def test_a_record_reads_back_as_it_was_written(tmp_path_factory, quick, slow):
    samples = [sample("quick", seconds, turn) for turn, seconds in enumerate(quick)]
    samples += [sample("slow", seconds, turn) for turn, seconds in enumerate(slow)]
    samples += [sample("slow", slow[0], scope="mean", distance="-")]
    record = records.read(write(samples, tmp_path_factory.mktemp("r")))
    assert sorted(record.samples, key=str) == sorted(samples, key=str)
    assert record.absent == ABSENT
    assert record.paired
    assert record.facts["dataset"] == "drawn"
    assert record.kernels() == ["quick", "slow"]


def test_pyperf_shows_it(tmp_path):
    path = write([sample(), sample(turn=1), sample("slow", 0.5)], tmp_path)
    shown = subprocess.run(
        [sys.executable, "-m", "pyperf", "show", "--metadata", path], capture_output=True, text=True, check=True
    ).stdout
    assert "baseline/l1/quick" in shown
    assert "dataset_digest" in shown


def test_an_older_record_is_never_overwritten(tmp_path):
    paths = {write([sample(seconds=seconds)], tmp_path) for seconds in (0.1, 0.2, 0.3)}
    assert len(paths) == 3
    assert {records.read(path).samples[0].seconds for path in paths} == {0.1, 0.2, 0.3}


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write([sample()], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[:-40], "not JSON, or cut short"),
        (lambda text: "", "not JSON, or cut short"),
        (lambda text: "[]", "neither a pyperf file nor"),
        (lambda text: '{"version": "1.0"}', "not written by this project"),
        (lambda text: '{"version": "1.0", "metadata": {}}', "has schema None"),
        (lambda text: text.replace('"schema":1', '"schema":99'), "has schema 99, expected 1"),
        (lambda text: text.replace('"loops":3', '"lops":3'), "KeyError 'loops'"),
    ],
)
def test_a_bad_record_is_refused_by_name(tmp_path, change, says):
    path = write([sample()], tmp_path)
    bad = tmp_path / "bad.json"
    bad.write_text(change(path.read_text()))
    with pytest.raises(BadRecord, match=says) as refusal:
        records.read(bad)
    assert "bad.json" in str(refusal.value)


def test_a_missing_record_says_how_to_make_one(tmp_path, monkeypatch):
    with pytest.raises(BadRecord, match="python -m bench run"):
        records.read(tmp_path / "none.json")
    monkeypatch.setattr(records, "LOCAL", tmp_path / "results" / "local")
    with pytest.raises(BadRecord, match="there is no record yet"):
        records.newest()


def test_the_newest_local_record_comes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "LOCAL", tmp_path / "local")
    for name in ("local/20260101T000000Z.json", "local/20260102T000000Z.json", "machine/20270101T000000Z.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert records.newest() == tmp_path / "local" / "20260102T000000Z.json"


def test_pytest_benchmark_files_are_unpaired(tmp_path):
    info = {"kernel": "quick", "scope": "baseline", "distance": "l1", "images": 40, "dataset": "drawn"}
    timed = {"extra_info": info, "stats": {"data": [0.2, 0.1], "iterations": 1}}
    loading = {"extra_info": {}, "stats": {}}
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"machine_info": {}, "datetime": "2026-11-21", "benchmarks": [loading, timed]}))
    record = records.read(file)
    assert not record.paired
    assert record.label == "indicative, unpaired"
    assert [each.seconds for each in record.of("quick")] == [0.2, 0.1]
