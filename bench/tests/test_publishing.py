"""Publishing: a readable name, the same bytes, and nothing that the checklist FAILs or that is there already."""

import gzip
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from bench import __main__, publishing, reading, records
from bench.kernel import REFERENCE
from bench.records import BadRecord
from bench.tests.builders_records import FACTS, pytest_benchmark, samples, write


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "LOCAL", tmp_path / "results" / "local")
    return records.LOCAL


def left(folder):
    return sorted(path.name for path in folder.parent.glob("*/*") if path.parent != folder)


def test_folder_and_file_are_named_for_a_person(local):
    path = write(local)
    done = CliRunner().invoke(__main__.cli, ["publish", str(path), "--slug", "first-light"])
    assert done.exit_code == 0, done.output
    folder = local.parent / "a-fine-cpu-2-cores"
    date = reading.read(path).facts["date"][:10]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", date)
    assert left(local) == [f"{date}-first-light.json.gz"]
    assert f"{date}-first-light.json.gz" in done.output
    assert "python -m bench report" in done.output  # which draws it
    assert path.exists()  # copied, not moved
    assert {each.name for each in local.parent.iterdir()} == {"local", folder.name}


def test_a_published_record_is_read_like_any_other(local):
    path = write(local)
    published = publishing.publish(path, "x")
    one, other = reading.read(path), reading.read(published)
    assert (list(one.samples), one.facts, one.kernel_facts) == (list(other.samples), other.facts, other.kernel_facts)
    path.unlink()
    assert reading.newest() == published  # where there is no local one
    done = CliRunner().invoke(__main__.cli, ["compare", REFERENCE, "quick"])
    assert published.name in done.output
    assert "100×" in done.output
    for verb in ("show", "stats"):
        command = [sys.executable, "-m", "pyperf", verb, published]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
        assert "baseline/l1/quick" in shown


def test_the_same_record_is_the_same_bytes_wherever_it_is_published_from(local, tmp_path, monkeypatch):
    path = write(local)
    first = publishing.publish(path, "x")
    monkeypatch.setattr("time.time", lambda: 1.0)
    again = publishing.publish(first, "y")
    assert first.read_bytes() == again.read_bytes()
    assert gzip.decompress(first.read_bytes()) == path.read_bytes()


def test_a_record_is_never_overwritten(local):
    path = write(local)
    published = publishing.publish(path, "x")
    before = published.read_bytes()
    with pytest.raises(BadRecord, match=r"never overwritten; choose another --slug"):
        publishing.publish(write(local, samples(quick=0.005)), "x")
    assert published.read_bytes() == before


def test_more_than_a_mebibyte_is_refused(local, monkeypatch):
    assert publishing.LARGEST == 2**20
    path = write(local)
    size = len(gzip.compress(path.read_bytes(), mtime=0))
    monkeypatch.setattr(publishing, "LARGEST", size - 1)
    with pytest.raises(BadRecord, match=rf"{size:,} bytes packed, expected at most {size - 1:,}"):
        publishing.publish(path, "x")
    assert left(local) == []
    monkeypatch.setattr(publishing, "LARGEST", size)
    publishing.publish(path, "x")


@pytest.mark.parametrize(
    ("taken", "facts", "says"),
    [
        (samples(quick=0.0005), {}, "baseline l1: quick is at 200% of the limit"),
        (samples(python_loops=0), {}, f"{REFERENCE} is not in it"),
        (None, {"kernel_facts": {"quick": {"correct_l1": "1/40, 1/41"}}}, "score differently"),
    ],
)
def test_what_the_checklist_fails_is_refused(local, taken, facts, says):
    with pytest.raises(BadRecord, match=says):
        publishing.publish(write(local, taken, **facts), "x")
    assert left(local) == []


def test_a_failure_in_any_cell_counts(local):
    taken = [
        replace(each, seconds=1e-6) if (each.kernel, each.scope) == ("quick", "predict") else each
        for each in samples(cells=(("baseline", "l1"), ("predict", "l2")))
    ]
    with pytest.raises(BadRecord, match="predict l2"):
        publishing.publish(write(local, taken), "x")


def test_unpaired_files_are_refused(local):
    local.mkdir(parents=True)
    with pytest.raises(BadRecord, match="unpaired"):
        publishing.publish(pytest_benchmark(local, python_loops=[1.0], quick=[0.1]), "x")


def test_sizes_and_memory_are_published_too(local):
    taken = [
        replace(each, scope="predict", images=size, seconds=each.seconds * size)
        for size in (1, 10)
        for each in samples()
        if each.scope == "baseline" and (each.kernel, size) != (REFERENCE, 10)
    ]
    with pytest.raises(BadRecord, match="no record of speed"):
        publishing.publish(write(local, taken, kind="sizes"), "sizes")
    publishing.publish(write(local), "speed-sizes")
    assert publishing.publish(write(local, taken, kind="sizes"), "sizes").name.endswith("-sizes.json.gz")
    with pytest.raises(BadRecord, match="dataset_digest"):
        publishing.publish(write(local, dataset_digest="cd" * 32), "others")
    failing = [replace(each, seconds=1e-9) if (each.kernel, each.images) == ("quick", 10) else each for each in taken]
    with pytest.raises(BadRecord, match="of the limit"):
        publishing.publish(write(local, failing, kind="sizes"), "wrong")
    assert [name for name in left(local) if not name.endswith("-sizes.json.gz")] == []


@pytest.mark.parametrize("slug", ["../up", "A", "", "a b", "a.b"])
def test_a_slug_is_a_plain_word(local, slug):
    done = CliRunner().invoke(__main__.cli, ["publish", str(write(local)), "--slug", slug])
    assert done.exit_code == 2
    assert left(local) == []


def test_names_of_machines():
    def machine(model):
        return publishing.machine(type("", (), {"facts": {**FACTS, "cpu_model_name": model}}))

    assert machine("Intel(R) Xeon(R) CPU @ 2.20GHz") == "intel-xeon-cpu-2-20ghz-2-cores"
    assert machine("AMD EPYC") == "amd-epyc-2-cores"
    assert machine("../../Ümlaut/x") == "mlaut-x-2-cores"
