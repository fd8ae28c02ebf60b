"""Publishing: a readable name, the same bytes, one file for each kind, and nothing that the checklist FAILs."""

import gzip
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from bench import __main__
from bench.cli import publish
from bench.kernel import REFERENCE
from bench.records import model as records
from bench.records import reader
from bench.records.model import BadRecord
from bench.tests.builders_records import METADATA, memory, pytest_benchmark, record, samples, small, write


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "LOCAL", tmp_path / "results" / "local")
    return records.LOCAL


def left(folder):
    return sorted(path.name for path in folder.parent.glob("*/*") if path.parent != folder)


def by_size(local, **options):
    taken = [
        replace(sample, scope="predict", images=size, seconds=sample.seconds * size)
        for size in (1, 10)
        for sample in samples()
        if sample.scope == "baseline" and (sample.kernel, size) != (REFERENCE, 10)
    ]
    return record(local, options.get("taken", taken), kind="sizes").path


def test_all_of_the_newest_run_is_published_under_readable_names(local):
    record(local, run="earlier", commit="earlier")
    memory(local, run="earlier")
    path = record(local).path
    small(local, 10)
    done = CliRunner().invoke(__main__.cli, ["publish"])
    assert done.exit_code == 0, done.output
    folder = local.parent / "a-fine-cpu-2-cores"
    assert left(local) == ["10-per-class.json.gz", "ladder.json.gz", "memory.json.gz"]
    assert "10-per-class.json.gz" in done.output
    assert "python -m bench report" in done.output  # which draws it
    assert gzip.decompress((folder / "ladder.json.gz").read_bytes()) == path.read_bytes()  # copied, not moved
    assert {each.name for each in local.parent.iterdir()} == {"local", folder.name}


def test_a_published_record_is_read_like_any_other(local):
    path = write(local)
    [published] = publish.publish([path])
    one, other = reader.read(path), reader.read(published)
    assert (list(one.samples), one.metadata, one.kernel_metadata) == (
        list(other.samples),
        other.metadata,
        other.kernel_metadata,
    )
    path.unlink()
    assert reader.newest()[0].path == published  # where there is no local one
    done = CliRunner().invoke(__main__.cli, ["compare", REFERENCE, "quick"])
    assert published.name in done.output
    assert "100×" in done.output
    command = [sys.executable, "-m", "pyperf", "show", published]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert "baseline/l1/quick" in shown


def test_a_newer_record_takes_the_place_of_its_kind_alone(local):
    first, few = publish.publish([write(local), small(local).path])
    before = few.read_bytes()
    assert publish.publish([write(local, samples(quick=0.005))]) == [first]
    assert reader.read(first).of("quick")[0].seconds == 0.005
    assert few.read_bytes() == before


def test_the_same_record_is_the_same_bytes_wherever_it_is_published_from(local, monkeypatch):
    [published] = publish.publish([write(local)])
    before = published.read_bytes()
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert publish.publish([published])[0].read_bytes() == before


def test_more_than_a_mebibyte_is_refused(local, monkeypatch):
    assert publish.LARGEST == 2**20
    path = write(local)
    size = len(gzip.compress(path.read_bytes(), mtime=0))
    monkeypatch.setattr(publish, "LARGEST", size - 1)
    with pytest.raises(BadRecord, match=rf"{size:,} bytes packed, expected at most {size - 1:,}"):
        publish.publish([path])
    assert left(local) == []
    monkeypatch.setattr(publish, "LARGEST", size)
    publish.publish([path])


SPOILT = [
    replace(sample, seconds=1e-6) if (sample.kernel, sample.scope) == ("quick", "predict") else sample
    for sample in samples(cells=(("baseline", "l1"), ("predict", "l2")))
]


@pytest.mark.parametrize(
    ("taken", "metadata", "says"),
    [
        (samples(quick=0.0005), {}, "baseline l1: .*quick.* 200%"),
        (samples(python_loops=0), {}, REFERENCE),
        (None, {"kernel_metadata": {"quick": {"correct_l1": "1/40, 1/41"}}}, "score differently"),
        (SPOILT, {"kind": "scopes"}, "predict l2"),
    ],
)
def test_what_the_checklist_fails_is_refused_with_all_that_came_with_it(local, taken, metadata, says):
    with pytest.raises(BadRecord, match=says):
        publish.publish([write(local, taken, **metadata), small(local).path])
    assert left(local) == []


def test_unpaired_files_are_refused(local):
    local.mkdir(parents=True)
    with pytest.raises(BadRecord, match="unpaired"):
        publish.publish([pytest_benchmark(local, python_loops=[1.0], quick=[0.1])])


def test_sizes_and_memory_take_times_of_the_same_digits_beside_them(local):
    with pytest.raises(BadRecord, match="no record of times"):
        publish.publish([by_size(local)])
    publish.publish([write(local), by_size(local), memory(local).path])
    assert left(local) == ["ladder.json.gz", "memory.json.gz", "sizes.json.gz"]
    with pytest.raises(BadRecord, match="dataset_digest"):
        publish.publish([write(local, dataset_digest="cd" * 32)])
    wrong = [replace(sample, scope="predict", images=10) for sample in samples(quick=1e-9)]
    with pytest.raises(BadRecord, match="faster"):
        publish.publish([by_size(local, taken=wrong)])


def test_two_records_of_one_kind_are_refused(local):
    with pytest.raises(BadRecord, match="publish one of each kind"):
        publish.publish([write(local), write(local)])


def test_names_of_machines():
    def machine(model):
        return publish.machine(type("", (), {"metadata": {**METADATA, "cpu_model_name": model}}))

    assert machine("Intel(R) Xeon(R) CPU @ 2.20GHz") == "intel-xeon-cpu-2-20ghz-2-cores"
    assert machine("AMD EPYC") == "amd-epyc-2-cores"
    assert machine("../../Ümlaut/x") == "mlaut-x-2-cores"
