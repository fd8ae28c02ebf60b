"""The digest of published records is replaced where it is the old one of the same digits, and nothing else changes."""

import gzip
import json

import pytest
from click.testing import CliRunner

import data
from bench.cli import convert_records
from bench.records import reader
from bench.tests.builders_records import configurations
from data.tests.builders import small_set, write


@pytest.fixture
def digits(tmp_path):
    return write(tmp_path / "digits", small_set(height=3, width=4))


def published(folder, scratch, digits, n=0):
    """Publish a record with the old digests, of the whole data set or of the first n images of each class."""
    old = convert_records._old_digest
    keys = {"dataset_digest": old(digits.first_of_each_class(n) if n else digits)}
    keys |= {"per_class": n, "dataset_of": old(digits)} if n else {}
    [record] = configurations(scratch, "all/default", **keys)
    folder.mkdir(exist_ok=True)
    path = folder / f"{n}.json.gz"
    path.write_bytes(gzip.compress(record.path.read_bytes()))
    return path


def convert(folder, digits):
    return CliRunner().invoke(convert_records.convert, [str(folder), "--data", str(digits)])


def metadata(path):
    return json.loads(gzip.decompress(path.read_bytes()))["metadata"]


def test_a_machines_folder_is_converted_once(tmp_path, digits):
    loaded = data.load(digits)
    paths = [published(tmp_path / "machine", tmp_path / "scratch", loaded, n) for n in (0, 1)]
    before = [(metadata(path), reader.read_all(path)[0].samples) for path in paths]
    done = convert(tmp_path / "machine", digits)
    assert (done.exit_code, done.output.split()) == (0, [str(path) for path in paths])
    of_one = {"dataset_digest": loaded.first_of_each_class(1).digest, "dataset_of": loaded.digest}
    digests = {"dataset_digest": loaded.digest}, of_one
    for path, (keys, samples), new in zip(paths, before, digests, strict=True):
        converted = metadata(path)
        assert converted.pop("checksum") != keys.pop("checksum")
        assert converted == {**keys, **new} != keys
        assert reader.read_all(path)[0].samples == samples
    again = convert(tmp_path / "machine", digits)
    assert (again.exit_code, again.output) == (0, f"{tmp_path / 'machine'}: no record needs converting.\n")


def test_other_digits_are_refused_and_nothing_is_written(tmp_path, digits):
    path = published(tmp_path / "machine", tmp_path / "scratch", data.load(digits))
    content = path.read_bytes()
    published(tmp_path / "machine", tmp_path / "scratch", data.load(write(tmp_path / "other", small_set())), 1)
    done = convert(tmp_path / "machine", digits)
    assert done.exit_code == 2
    assert "1.json.gz was recorded on other digits than digits. Name them with --data." in done.output
    assert path.read_bytes() == content
