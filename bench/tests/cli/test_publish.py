"""Publishing: readable names, the same bytes, one file for each kind, and no record whose checklist FAILs."""

import gzip
from dataclasses import replace

import pytest
from click.testing import CliRunner

from bench import __main__
from bench.cli import publish
from bench.kernel import REFERENCE
from bench.records import model, reader
from bench.records.model import BadRecord
from bench.tests.builders import python
from bench.tests.builders_records import memory, pytest_benchmark, record, samples, small, write


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "LOCAL", tmp_path / "results" / "local")
    return model.LOCAL


def published(local):
    """Return the names of the published files."""
    return sorted(path.name for path in local.parent.glob("*/*") if path.parent != local)


def sizes(local):
    """Write a record of sizes and return its path."""
    by_size = [
        replace(sample, scope="predict", images=size, seconds=sample.seconds * size)
        for size in (1, 10)
        for sample in samples()
        if sample.scope == "baseline" and (sample.kernel, size) != (REFERENCE, 10)
    ]
    return record(local, by_size, kind="sizes").path


def test_the_newest_run_is_published_under_readable_names(local):
    record(local, run="earlier", commit="earlier")
    memory(local, run="earlier")
    path = record(local).path
    small(local, 10)
    done = CliRunner().invoke(__main__.cli, ["publish"])
    assert done.exit_code == 0, done.output
    folder = local.parent / "a-fine-cpu-2-cores"
    assert published(local) == ["10-per-class.json.gz", "ladder.json.gz", "memory.json.gz"]
    assert "10-per-class.json.gz" in done.output
    assert "python -m bench report" in done.output
    assert gzip.decompress((folder / "ladder.json.gz").read_bytes()) == path.read_bytes()  # copied, not moved
    assert {path.name for path in local.parent.iterdir()} == {"local", folder.name}


def test_a_published_record_is_read_like_any_other(local):
    path = write(local)
    [target] = publish.publish([path])
    local_record, published_record = reader.read(path), reader.read(target)
    assert list(published_record.samples) == list(local_record.samples)
    assert published_record.metadata == local_record.metadata
    assert published_record.kernel_metadata == local_record.kernel_metadata
    path.unlink()
    assert reader.newest()[0].path == target  # without a local one
    done = CliRunner().invoke(__main__.cli, ["compare", REFERENCE, "quick"])
    assert target.name in done.output
    assert "100×" in done.output
    shown = python("-m", "pyperf", "show", target)
    assert "baseline/l1/quick" in shown.stdout, shown.stderr


def test_a_newer_record_replaces_the_one_of_its_kind_and_no_other(local):
    first, few = publish.publish([write(local), small(local).path])
    before = few.read_bytes()
    assert publish.publish([write(local, samples(quick=0.005))]) == [first]
    assert reader.read(first).samples_of("quick")[0].seconds == 0.005
    assert few.read_bytes() == before


def test_the_same_record_is_the_same_bytes_wherever_it_is_published_from(local, monkeypatch):
    [target] = publish.publish([write(local)])
    before = target.read_bytes()
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert publish.publish([target])[0].read_bytes() == before


def test_more_than_a_mebibyte_is_refused(local, monkeypatch):
    assert publish.LARGEST == 2**20
    path = write(local)
    size = len(gzip.compress(path.read_bytes(), mtime=0))
    monkeypatch.setattr(publish, "LARGEST", size - 1)
    with pytest.raises(BadRecord, match=rf"{size:,} bytes packed, expected at most {size - 1:,}"):
        publish.publish([path])
    assert published(local) == []
    monkeypatch.setattr(publish, "LARGEST", size)
    publish.publish([path])


IMPOSSIBLE = [  # predict l2 faster than the bound
    replace(sample, seconds=1e-6) if (sample.kernel, sample.scope) == ("quick", "predict") else sample
    for sample in samples(pairs=(("baseline", "l1"), ("predict", "l2")))
]


@pytest.mark.parametrize(
    ("measured", "metadata", "message"),
    [
        (samples(quick=0.0005), {}, "baseline l1: .*quick.* 200%"),
        (samples(python_loops=0), {}, REFERENCE),
        (None, {"kernel_metadata": {"quick": {"correct_l1": "1/40, 1/41"}}}, "score differently"),
        (IMPOSSIBLE, {"kind": "scopes"}, "predict l2"),
    ],
)
def test_a_record_whose_checklist_fails_is_refused_with_all_others(local, measured, metadata, message):
    with pytest.raises(BadRecord, match=message):
        publish.publish([write(local, measured, **metadata), small(local).path])
    assert published(local) == []


def test_unpaired_files_are_refused(local):
    local.mkdir(parents=True)
    with pytest.raises(BadRecord, match="unpaired"):
        publish.publish([pytest_benchmark(local, python_loops=[1.0], quick=[0.1])])


def test_sizes_and_memory_need_times_on_the_same_digits(local):
    with pytest.raises(BadRecord, match="no record of times"):
        publish.publish([sizes(local)])
    publish.publish([write(local), sizes(local), memory(local).path])
    assert published(local) == ["ladder.json.gz", "memory.json.gz", "sizes.json.gz"]
    with pytest.raises(BadRecord, match="dataset_digest"):
        publish.publish([write(local, dataset_digest="cd" * 32)])
    impossible = [replace(sample, scope="predict", images=10) for sample in samples(quick=1e-9)]
    with pytest.raises(BadRecord, match="quick is at 1"):
        publish.publish([record(local, impossible, kind="sizes").path])


def test_two_records_of_one_kind_are_refused(local):
    with pytest.raises(BadRecord, match="publish one of each kind"):
        publish.publish([write(local), write(local)])


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", "intel-xeon-cpu-2-20ghz-2-cores"),
        ("AMD EPYC", "amd-epyc-2-cores"),
        ("../../Ümlaut/x", "mlaut-x-2-cores"),
    ],
)
def test_a_machine_is_named_by_its_processor(local, model, name):
    assert publish.machine(record(local, cpu_model_name=model)) == name
