"""Which records belong together: of one machine and one data set, one of each kind, and locally those of one run."""

import gzip
import os
from dataclasses import replace

import pytest

from bench import code_size
from bench.kernel import REFERENCE, ROOT
from bench.records import model, reader
from bench.records.model import BadRecord
from bench.report import page_records
from bench.task import problem
from bench.tests import builders
from bench.tests.builders_records import METADATA, configurations, memory, pytest_benchmark, record, samples, small


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "LOCAL", tmp_path / "results" / "local")
    model.LOCAL.mkdir(parents=True)
    return model.LOCAL


def keep(written, name):
    """Give a record the name of a time at which it was recorded."""
    return written.path.rename(written.path.with_name(f"{name}.json"))


def pack(path, target):
    """Publish a record by hand."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return target


def names(chosen):
    records = (chosen.speed, chosen.scopes, chosen.sizes, chosen.memory, *chosen.small)
    return [record and record.path.stem for record in records]


# A selection of given records.


def test_one_record_of_each_kind_makes_a_selection(tmp_path):
    ladder = configurations(tmp_path, "all/default", "1/keep")
    few = configurations(tmp_path, "all/default", "1/keep", per_class=10, dataset_of=METADATA["dataset_digest"])
    scopes, sizes = record(tmp_path, kind="scopes"), record(tmp_path, kind="sizes")
    files = [few, [memory(tmp_path)], [sizes], [scopes], ladder]
    chosen = page_records.from_records(files, tmp_path / "report.html")
    assert (chosen.speed, list(chosen.configurations), list(chosen.small)) == (ladder[0], ladder, few)
    assert (chosen.scopes, chosen.sizes, [chosen.memory], chosen.problem) == (scopes, sizes, files[1], None)
    assert chosen.with_small(ladder[1]) == [ladder[1], few[1]]
    assert page_records.from_records(files[:-1], tmp_path / "report.html").speed is scopes  # which has the baseline too


def test_no_times_of_a_whole_data_set_with_the_reference_and_two_of_one_kind_are_refused(tmp_path):
    for metadata in ({"kind": "sizes"}, {"taken": samples(python_loops=0)}, {"per_class": 9}):
        with pytest.raises(
            BadRecord,
            match=rf"has no record of the times of a whole data set with {REFERENCE}. Make one with python -m bench",
        ):
            page_records.from_records([[record(tmp_path, **metadata)]], tmp_path / "report.html")
    with pytest.raises(BadRecord, match=r"are both of the kind ladder\. Name only one"):
        page_records.from_records([[record(tmp_path)], [record(tmp_path)]], tmp_path / "report.html")


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"cpu_model_name": "B", "cpu_count": 64}, r"cpu_model_name B, expected A Fine\(R\) CPU; cpu_count 64"),
        ({"platform": "Darwin arm64"}, "platform Darwin arm64, expected Linux x86_64"),
        ({"dataset_digest": "cd" * 32}, "dataset_digest cdcd"),
        ({"per_class": 9, "dataset_digest": "9", "dataset_of": "cd" * 32}, "dataset_digest cdcd"),
    ],
)
def test_records_of_two_machines_or_data_sets_are_refused_by_name(tmp_path, metadata, says):
    first, second = record(tmp_path), record(tmp_path, **{"kind": "sizes", **metadata})
    with pytest.raises(BadRecord, match=says) as refusal:
        page_records.from_records([[first], [second]], tmp_path / "report.html")
    for part in (str(second.path), first.path.name, "Move one of them to a folder of its own"):
        assert part in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_one_record_of_any_kind_by_itself(tmp_path):
    speed, sizes, footprints = record(tmp_path), record(tmp_path, kind="sizes"), memory(tmp_path)
    alone = [page_records.alone([part]) for part in (speed, sizes, footprints)]
    assert [chosen.speed for chosen in alone] == [speed, sizes, footprints]
    assert [(chosen.sizes, chosen.memory) for chosen in alone] == [(None, None), (sizes, None), (None, footprints)]
    assert alone[0].page == speed.path.with_suffix(".html")


# Published ones.


def test_every_published_machine_has_a_selection_the_last_recorded_first(local):
    results = local.parent
    (results / "README.md").touch()
    (results / "empty").mkdir()
    keep(record(local), "20270101T000000Z")
    for machine, date in (("a", "2026-11-20"), ("b", "2026-11-21")):
        pack(record(local, date=date).path, results / machine / "ladder.json.gz")
        (results / machine / "speedup.svg").touch()
        (results / machine / "notes.json").write_text("no record")
    published = page_records.published()
    assert [chosen.page for chosen in published] == [results / name / "report.html" for name in "ba"]
    assert all(chosen.published for chosen in published)


# The newest local run.


def test_without_local_times_of_a_whole_data_set_there_is_none(local):
    assert page_records.local() is None
    pack(record(local).path, local.parent / "machine" / "ladder.json.gz")
    keep(record(local, kind="sizes"), "1")
    keep(small(local), "2")
    assert page_records.local() is None


def test_the_records_of_the_newest_run_and_the_newest_sizes_and_memory(local):
    for number in ("01", "02"):
        keep(record(local, kind="sizes", run="another"), f"{number}")
        keep(memory(local, run="another"), f"{number}m")
    keep(small(local, 9, run="another"), "03")
    keep(record(local, run="another"), "04")
    keep(record(local), "05")
    keep(small(local, 10), "06")
    keep(small(local, 20), "07")
    assert names(page_records.local()) == ["05", None, "02", "02m", "06", "07"]
    assert page_records.local().page == local / "05.html"
    assert not page_records.local().published


def test_other_digits_and_machines_and_what_is_no_record_do_not_belong_to_it(local):
    for number, metadata in enumerate(({"dataset_digest": "cd" * 32}, {"cpu_count": 8})):
        keep(record(local, kind="sizes", **metadata), f"2{number}")
        keep(memory(local, **metadata), f"3{number}")
    keep(record(local), "1")
    (local / "2.json").write_text("{")
    (local / "3.json").write_text("{}")
    os.replace(pytest_benchmark(local, python_loops=[1.0]), local / "4.json")
    assert names(page_records.local()) == ["1", None, None, None]


# What a selection knows.


@pytest.fixture
def chosen(tmp_path):
    return page_records.from_records([[record(tmp_path)]], tmp_path / "20261121T000000Z.html")


def test_pictures_lie_beside_the_page(chosen, tmp_path):
    assert chosen.picture("speedup") == tmp_path / "20261121T000000Z"
    assert chosen.picture("memory") == tmp_path / "20261121T000000Z-memory"
    published = replace(chosen, page=tmp_path / "report.html")
    assert (published.picture("speedup"), published.picture("memory")) == (tmp_path / "speedup", tmp_path / "memory")


def test_files_of_kernels_are_in_the_checkout_or_where_they_were_named(chosen, tmp_path):
    assert chosen.file(REFERENCE) == ROOT / "kernels" / "python_loops.py"
    assert chosen.file("torch_broadcast@cuda") == ROOT / "kernels" / "torch_broadcast.py"
    assert chosen.file("quick") is None
    named = replace(chosen, extra=(tmp_path / "quick.py", tmp_path / "other.py"))
    assert (named.file("quick"), named.file("quick@cuda")) == (tmp_path / "quick.py",) * 2


def test_a_kernel_that_has_changed_since_is_stale(chosen, tmp_path):
    path = builders.write_kernel(tmp_path / "quick.py")
    metadata = {REFERENCE: {"source_hash": "0" * 16}, "quick": {"source_hash": code_size.source_hash(path)}}
    known = replace(chosen, speed=replace(chosen.speed, kernel_metadata=metadata), extra=(path,))
    assert (known.stale(REFERENCE), known.stale("quick")) == (True, False)
    path.write_text(path.read_text() + "# a comment\n")
    assert not known.stale("quick")
    path.write_text(path.read_text() + "x = 1\n")
    assert known.stale("quick")
    assert not known.stale("ghost")  # neither here nor recorded
    assert not replace(known, speed=replace(chosen.speed, kernel_metadata={})).stale("quick")


def test_only_the_digits_that_were_recorded_are_taken(chosen):
    digits = problem.make_problem(builders.noise())
    assert chosen.with_problem(digits).problem is None
    assert chosen.with_problem(None).problem is None
    metadata = {**chosen.speed.metadata, "dataset_digest": digits.digest}
    same = replace(chosen, speed=replace(chosen.speed, metadata=metadata))
    assert same.with_problem(digits).problem is digits


def test_the_first_readable_record_of_times_is_the_newest_and_of_published_ones_that_recorded_last(local):
    for slot, kind, date in (("ladder", "ladder", "2026-11-22"), ("scopes", "scopes", "2026-11-21")):
        pack(record(local, kind=kind, date=date).path, local.parent / "machine" / f"{slot}.json.gz")
    assert [file[0].kind for file in reader.speed_files()] == ["ladder", "scopes"]
    keep(record(local), "1")
    keep(record(local), "2")
    keep(small(local), "3")
    (local / "4.json").touch()
    assert reader.newest()[0].path == local / "2.json"
    assert [file[0].path.name for file in reader.speed_files()] == [
        "2.json", "1.json", "ladder.json.gz", "scopes.json.gz", "3.json",
    ]  # fmt: skip


def test_pictures_of_published_records_are_drawn_apart_from_their_page(local):
    published = pack(record(local).path, local.parent / "machine" / "ladder.json.gz")
    alone = page_records.apart(page_records.alone(reader.read_all(published)))
    assert alone.picture("ladder") == local / "machine-ladder-ladder"
    assert page_records.apart(page_records.published()[0]).picture("speedup") == local / "machine"
    mine = page_records.alone([record(local)])
    assert page_records.apart(mine) is mine
