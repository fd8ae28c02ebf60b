"""Publishing: readable names, the same bytes, one file for each kind, and no record whose checklist FAILs."""

import gzip
import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from bench import __main__
from bench.cli import publish
from bench.kernel import REFERENCE
from bench.records import model, reader
from bench.records.model import BadRecord
from bench.report import page
from bench.tests.builders_records import configurations, memory, pytest_benchmark, record, samples, small, write


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
    folder = local.parent / publish.machine(reader.read(path))
    assert published(local) == ["10-per-class.json.gz", "ladder.json.gz", "memory.json.gz"]
    assert "10-per-class.json.gz" in done.output
    assert "-m bench report --readme" in done.output
    assert gzip.decompress((folder / "ladder.json.gz").read_bytes()) == path.read_bytes()  # copied, not moved
    assert {path.name for path in local.parent.iterdir()} == {"local", folder.name}


def test_the_same_record_is_the_same_bytes_wherever_it_is_published_from(local, monkeypatch):
    path = write(local)
    [target] = publish.publish([path])
    before = target.read_bytes()
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert publish.publish([target])[0].read_bytes() == before
    content = json.loads(path.read_text())
    seal = content["metadata"].pop("checksum")  # without one, it gets one
    path.write_text(json.dumps(content))
    assert reader.read(publish.publish([path])[0]).metadata["checksum"] == seal


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


FEW = samples(processes=5)
FORMER = samples(pairs=(("baseline", "l1"), ("mean", "-")), other=0.01)


@pytest.mark.parametrize(
    ("measured", "metadata", "message"),
    [
        (samples(quick=0.0005), {}, "quick is at 200% of its bound"),
        (IMPOSSIBLE, {"kind": "scopes"}, "quick is at "),
        (FEW, {}, "no confidence interval, with 5 of 6 processes"),
        (None, {"not_in_commit": f"a.py, quick.py{model.ELSEWHERE}"}, "kernels from elsewhere, a.py, quick.py (not"),
        (None, {"kind": "scopes"}, "kernels of the published record are missing, other; "
         "scopes of the published record are missing, mean -"),
    ],
)  # fmt: skip
def test_a_weak_record_is_refused_with_all_others_unless_it_is_forced(local, measured, metadata, message):
    before = publish.publish([write(local), record(local, FORMER, kind="scopes").path])
    contents = [path.read_bytes() for path in before]
    paths = [write(local, measured, **metadata), small(local).path]
    refused = CliRunner().invoke(__main__.cli, ["publish", *map(str, paths)])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"{paths[0]} is not published: " in refused.stderr
    assert message in refused.stderr
    assert f"{paths[1]} is" not in refused.stderr
    assert "--force" in refused.stderr
    assert [path.read_bytes() for path in before] == contents
    assert len(published(local)) == 2
    forced, good = publish.publish(paths, force=True)
    assert message in reader.read(forced).metadata["forced"]
    assert "forced" not in reader.read(good).metadata
    assert good.read_bytes() == gzip.compress(paths[1].read_bytes(), mtime=0)
    assert message in page.subtitle(reader.read(forced))


def test_a_record_of_against_is_refused_unless_it_is_forced(local):
    path = write(local, samples(python_loops=0), reference="quick")
    with pytest.raises(BadRecord, match="it was recorded with --against, without python_loops"):
        publish.publish([path])
    assert [path.name for path in publish.publish([path], force=True)] == ["ladder.json.gz"]


def test_what_could_make_no_page_is_refused_even_by_force(local):
    local.mkdir(parents=True)
    for paths, says in (
        ([write(local, samples(python_loops=0))], f"no record of the times of a whole data set with {REFERENCE}"),
        ([pytest_benchmark(local, python_loops=[1.0], quick=[0.1])], "unpaired"),
        ([write(local), write(local)], "publish one of each kind"),
    ):
        with pytest.raises(BadRecord, match=says):
            publish.publish(paths, force=True)
    assert published(local) == []


def test_fewer_configurations_and_sizes_are_refused(local):
    both = configurations(local, "all/default", "1/default")[0].path
    publish.publish([both, sizes(local)])
    with pytest.raises(BadRecord, match="configurations of the published record are missing, 1/default"):
        publish.publish([write(local)])
    fewer = [replace(sample, scope="predict", images=1) for sample in samples() if sample.scope == "baseline"]
    with pytest.raises(BadRecord, match="sizes of the published record are missing, 10"):
        publish.publish([record(local, fewer, kind="sizes").path])
    publish.publish([both])


def test_sizes_and_memory_need_times_on_the_same_digits(local):
    with pytest.raises(BadRecord, match="no record of the times"):
        publish.publish([sizes(local)])
    publish.publish([write(local), sizes(local), memory(local).path])
    assert published(local) == ["ladder.json.gz", "memory.json.gz", "sizes.json.gz"]
    with pytest.raises(BadRecord, match="dataset_digest"):
        publish.publish([write(local, dataset_digest="cd" * 32)])


@pytest.mark.parametrize(
    ("model", "name"),
    [("Intel(R) Xeon(R) CPU @ 2.20GHz", "intel-xeon-cpu-2-20ghz-2-cores-"), ("../../Ümlaut/x", "mlaut-x-2-cores-")],
)
def test_a_machine_is_named_by_its_processor(local, model, name):
    assert re.fullmatch(f"{name}[0-9a-f]{{8}}", publish.machine(record(local, cpu_model_name=model)))


@pytest.mark.parametrize(("key", "other"), [("caches", "L1 48K"), ("gpu", "Another GPU, 1.0")])
def test_another_machine_of_the_same_brand_has_a_folder_of_its_own(local, key, other):
    ours, theirs = publish.publish([record(local, gpu="A GPU, 1.0").path, record(local, **{key: other}).path])
    assert ours.parent != theirs.parent
    driver = record(local, gpu="A GPU, 2.0")  # only the driver is another
    assert publish.publish([driver.path]) == [ours]
    ours.write_bytes(theirs.read_bytes())  # by hand
    with pytest.raises(BadRecord, match="are not of one machine and one data set"):
        publish.publish([memory(local, gpu="A GPU, 1.0").path], force=True)
