"""Records of schema 1 come to the present schema: files split and merged, rows and keys renamed, samples untouched."""

import gzip
import json

import pytest
from click.testing import CliRunner

import data
from bench.cli.convert_records import convert
from bench.records import reader
from bench.records.model import BadRecord
from bench.tests.builders_records import configurations
from data.tests.builders import small_set, write


@pytest.fixture
def digits(tmp_path):
    return write(tmp_path / "digits", small_set(height=3, width=4))


def old(folder, scratch, digest, threads):
    """Write a record as schema 1 had it: one configuration, with the first image of each class among the samples."""
    [new] = configurations(scratch, f"{threads}/default", dataset_digest=digest)
    content = json.loads(new.path.read_text().replace("bound@", "limit@"))
    content["metadata"] |= {"schema": 1, "kind": "speed", "absent": content["metadata"].pop("not_timed")}
    del content["metadata"]["run"]
    for benchmark in list(content["benchmarks"]):
        part = json.loads(json.dumps(benchmark))
        part["metadata"] = {**part.get("metadata", {}), "first": 1}
        content["benchmarks"].append(part)
    (folder / f"2026-11-21-{threads}.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
    return new


def test_a_machines_folder_is_converted_once(tmp_path, digits):
    folder, loaded = tmp_path / "machine", data.load(digits)
    folder.mkdir()
    written = [old(folder, tmp_path / "scratch", loaded.digest, threads) for threads in ("all", "1")]
    done = CliRunner().invoke(convert, [str(folder), "--data", str(digits)])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in folder.iterdir()) == ["1-per-class.json.gz", "ladder.json.gz"]
    for name, per_class in (("ladder", 0), ("1-per-class", 1)):
        records = reader.read_all(folder / f"{name}.json.gz")
        assert [each.configuration for each in records] == ["all/default", "1/default"]
        for converted, before in zip(records, written, strict=True):
            assert sorted(map(str, converted.samples)) == sorted(map(str, _under(before)))
            assert (converted.kind, converted.per_class) == ("ladder", per_class)
    assert records[0].metadata["dataset_of"] == loaded.digest
    assert records[0].metadata["dataset_digest"] == loaded.first_of_each_class(1).digest
    again = CliRunner().invoke(convert, [str(folder), "--data", str(digits)])
    assert again.output == f"{folder}: no record needs converting.\n"


def _under(before):
    """Return a record's samples as they are read: under its own configuration."""
    return reader.read(before.path).samples


def test_other_digits_are_refused_and_the_reader_names_the_command(tmp_path, digits):
    old(tmp_path, tmp_path / "scratch", "ab" * 32, "all")
    done = CliRunner().invoke(convert, [str(tmp_path), "--data", str(digits)])
    assert done.exit_code != 0
    assert "on other digits" in done.output
    with pytest.raises(BadRecord, match=r"schema 1.*python -m bench\.cli\.convert_records"):
        reader.read(next(tmp_path.glob("*.json.gz")))
