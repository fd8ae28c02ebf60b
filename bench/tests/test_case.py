"""Which records belong together: of one machine and one data set, the newest of each kind, and of one run."""

import gzip
import os
from dataclasses import replace

import pytest

from bench import case as cases
from bench import problem as problems
from bench import reading, records, source
from bench.case import Case
from bench.kernel import REFERENCE, ROOT
from bench.records import Absent, BadRecord
from bench.tests import builders
from bench.tests.builders_records import pytest_benchmark, record, samples, write, write_memory


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "LOCAL", tmp_path / "results" / "local")
    records.LOCAL.mkdir(parents=True)
    return records.LOCAL


def keep(folder, name, *arguments, **facts):
    """Write a record of speed, or of the kind named in the facts, under a name that says when it was recorded."""
    path = write_memory(folder, **facts) if facts.get("kind") == "memory" else write(folder, *arguments, **facts)
    target = folder / f"{name}.json"
    os.replace(path, target)
    return target


def pack(path, target, date=None):
    """Publish a record by hand, as if it had been recorded on another day."""
    text = path.read_text()
    was = reading.read(path).facts["date"]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(text.replace(was, date or was).encode()))
    path.unlink()
    return target


def names(case):
    return [
        None if each is None else each.path.name.partition(".")[0] for each in (case.speed, case.sizes, case.memory)
    ]


# A case of given records.


def test_the_newest_of_each_condition_and_kind_the_default_first(tmp_path):
    found = [
        record(tmp_path, **facts)
        for facts in (
            {"kind": "sizes"},
            {"allocator": "keep"},
            {"threads": "1"},
            {},  # all/default, though the newest of speed is another
            {"allocator": "keep"},
            {"kind": "sizes"},
            {},
        )
    ]
    found.insert(4, reading.read(write_memory(tmp_path)))
    case = cases.of(found, tmp_path / "report.html")
    assert case.speed is found[3]
    assert [each.condition for each in case.conditions] == ["all/default", "all/keep", "1/default"]
    assert list(case.conditions) == [found[3], found[1], found[2]]
    assert (case.sizes, case.memory, case.problem) == (found[0], found[4], None)


def test_without_the_default_condition_the_newest_is_judged(tmp_path):
    found = [record(tmp_path, threads="1"), record(tmp_path, allocator="keep")]
    case = cases.of(found, tmp_path / "report.html")
    assert (case.speed, list(case.conditions)) == (found[0], found)


def test_a_newer_record_of_fewer_kernels_does_not_hide_the_older(tmp_path):
    """Such as all scopes of a few after the baseline of all: it gives the scopes, and the older is judged."""
    cells, ladder = (("baseline", "l1"), ("end_to_end", "l1")), samples(numpy_classes=0.1)
    found = [
        record(tmp_path, samples(cells=cells), order_seed=2),
        record(tmp_path, ladder, order_seed=1),
        record(tmp_path, ladder, allocator="keep", order_seed=1),
        record(tmp_path, samples(), order_seed=1),
    ]
    case = cases.of(found, tmp_path / "report.html")
    assert (case.speed, case.scopes, list(case.conditions)) == (found[1], found[0], found[1:3])


@pytest.mark.parametrize(
    ("older", "newer", "absent"),
    [
        pytest.param({"numpy_classes": 0.1}, {"another": 0.1}, (), id="it has what the older lacks"),
        pytest.param({"numpy_classes": 0.1}, {}, ("numpy_classes",), id="it tells why it lacks what the older has"),
        pytest.param({"deleted": 0.1}, {}, (), id="what it lacks is no longer in the checkout"),
        pytest.param({"numpy_classes": 0.1, "processes": 1}, {}, (), id="the older has no interval"),
    ],
)
def test_else_the_newer_record_is_judged(tmp_path, older, newer, absent):
    gone = tuple(Absent(name, "unavailable", "no") for name in absent)
    found = [
        record(tmp_path, samples(**newer), gone, order_seed=2),
        record(tmp_path, samples(**older), order_seed=1),
    ]
    assert cases.of(found, tmp_path / "report.html").speed is found[0]


def test_a_record_without_the_reference_is_passed_over(tmp_path):
    found = [record(tmp_path, samples(python_loops=0)), record(tmp_path)]
    assert cases.of(found, tmp_path / "report.html").speed is found[1]


@pytest.mark.parametrize("only", [{"kind": "sizes"}, {"kind": "memory"}, {}])
def test_nothing_of_speed_with_the_reference_is_refused(tmp_path, only):
    path = write_memory(tmp_path) if only.get("kind") == "memory" else write(tmp_path, samples(python_loops=0), **only)
    with pytest.raises(BadRecord, match=rf"no record of speed with {REFERENCE}; python -m bench run makes one"):
        cases.of([reading.read(path)], tmp_path / "report.html")


@pytest.mark.parametrize(
    ("key", "other", "says"),
    [
        ("cpu_model_name", "Another CPU", r"cpu_model_name Another CPU, expected A Fine\(R\) CPU"),
        ("cpu_count", 64, "cpu_count 64, expected 2"),
        ("platform", "Darwin arm64", "platform Darwin arm64, expected Linux x86_64"),
        ("dataset_digest", "cd" * 32, "dataset_digest cdcd"),
    ],
)
def test_records_of_two_machines_or_data_sets_are_refused_by_name(tmp_path, key, other, says):
    for facts in ({}, {"kind": "sizes"}):
        found = [record(tmp_path), record(tmp_path, **{key: other}, **facts)]
        with pytest.raises(BadRecord, match=says) as refusal:
            cases.of(found, tmp_path / "report.html")
        said = str(refusal.value)
        assert str(found[1].path) in said
        assert found[0].path.name in said
        assert "move one of them to a folder of its own" in said
        assert "\n" not in said


def test_conditions_that_did_not_take_turns_do_not_stand_side_by_side(tmp_path):
    found = [record(tmp_path, order_seed=8, threads="1"), record(tmp_path), record(tmp_path, allocator="keep")]
    assert list(cases.of(found, tmp_path / "report.html").conditions) == found[1:]


@pytest.mark.parametrize("facts", [{"python_version": "3.13.0 (CPython)"}, {"commit": "beef"}, {"memory_bytes": 1}])
def test_what_else_may_change_between_recordings_does(tmp_path, facts):
    found = [record(tmp_path, **facts), record(tmp_path, threads="1")]
    assert len(cases.of(found, tmp_path / "report.html").conditions) == 2


def test_every_difference_is_told_at_once(tmp_path):
    found = [record(tmp_path), record(tmp_path, cpu_count=1, platform="Plan 9")]
    with pytest.raises(BadRecord, match=r"cpu_count 1, expected 2; platform Plan 9, expected Linux x86_64 \(of "):
        cases.of(found, tmp_path / "report.html")


def test_one_record_of_any_kind_by_itself(tmp_path):
    speed, sizes = record(tmp_path), record(tmp_path, kind="sizes")
    memory = reading.read(write_memory(tmp_path))
    assert [cases.alone(each).speed for each in (speed, sizes, memory)] == [speed, sizes, memory]
    assert (cases.alone(speed).sizes, cases.alone(sizes).sizes, cases.alone(memory).memory) == (None, sizes, memory)
    assert cases.alone(speed).page == speed.path.with_suffix(".html")


# Published ones.


def test_the_case_of_every_published_machine_by_name(local):
    results = local.parent
    (results / "README.md").touch()
    (results / "empty").mkdir()
    (results / "pictures").mkdir()
    (results / "pictures" / "x.png").touch()
    keep(local, "20270101T000000Z")
    for machine in ("b", "a"):
        pack(write(local), results / machine / "2026-11-21-full.json.gz")
        (results / machine / "2026-11-21-full.svg").touch()
        (results / machine / "notes.json").write_text("no record")
    found = list(cases.published())
    assert [case.page for case in found] == [results / name / "report.html" for name in "ab"]
    assert all(case.published for case in found)


def test_nothing_is_published_where_there_is_no_such_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "LOCAL", tmp_path / "results" / "local")
    assert list(cases.published()) == []


def test_of_published_records_the_one_recorded_last_counts_whatever_it_is_called(local):
    machine = local.parent / "machine"
    for slug, date in (("z", "T08"), ("full-2", "T12"), ("full", "T11"), ("m", "T10")):
        pack(write(local), machine / f"2026-11-21-{slug}.json.gz", f"2026-11-21{date}:00:00+00:00")
    pack(write(local, kind="sizes"), machine / "2026-11-21-a.json.gz", "2026-11-21T13:00:00+00:00")
    pack(write(local, kind="sizes"), machine / "2026-11-21-s.json.gz", "2026-11-21T07:00:00+00:00")
    assert names(next(iter(cases.published()))) == ["2026-11-21-full-2", "2026-11-21-a", None]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda packed: packed[:-20], "cut short"),
        (lambda packed: b"", "cut short"),
        (lambda packed: gzip.compress(gzip.decompress(packed).replace(b'"schema":1', b'"schema":99')), "has schema 99"),
    ],
)
def test_a_published_record_that_cannot_be_read_is_named(local, spoil, says):
    pack(write(local), local.parent / "machine" / "2026-11-21-good.json.gz")
    bad = pack(write(local), local.parent / "machine" / "2026-11-21-bad.json.gz")
    bad.write_bytes(spoil(bad.read_bytes()))
    with pytest.raises(BadRecord, match=says) as refusal:
        list(cases.published())
    assert "2026-11-21-bad.json.gz" in str(refusal.value)


# The newest local one.


def test_without_a_local_record_of_speed_there_is_none(local):
    assert cases.local() is None
    pack(write(local), local.parent / "machine" / "2026-11-21-full.json.gz")
    keep(local, "1", kind="sizes")
    assert cases.local() is None


def test_what_belongs_to_the_newest_local_record(local):
    keep(local, "01", kind="sizes")
    keep(local, "02", kind="memory")
    keep(local, "03", threads="1", allocator="keep")  # of an earlier run
    keep(local, "04", order_seed=8, allocator="keep")
    keep(local, "05", order_seed=8)
    keep(local, "06", order_seed=8, threads="1")
    case = cases.local()
    assert names(case) == ["05", "01", "02"]
    assert [each.path.name for each in case.conditions] == ["05.json", "04.json", "06.json"]
    assert case.page == local / "06.html"
    assert not case.published


def test_the_conditions_of_a_run_are_found_behind_newer_sizes_and_memory(local):
    for number, facts in enumerate(({}, {"threads": "1"}, {"kind": "sizes"}, {"kind": "memory"}, {"kind": "sizes"})):
        keep(local, f"{number}", **facts)
    case = cases.local()
    assert names(case) == ["0", "4", "3"]
    assert len(case.conditions) == 2


def test_records_of_other_digits_and_machines_do_not_belong_to_it(local):
    for number, facts in enumerate(({"dataset_digest": "cd" * 32}, {"cpu_count": 8})):
        keep(local, f"1{number}", threads="1", **facts)
        keep(local, f"2{number}", kind="sizes", **facts)
        keep(local, f"3{number}", kind="memory", **facts)
    keep(local, "0")
    keep(local, "4")
    assert names(cases.local()) == ["4", None, None]
    assert len(cases.local().conditions) == 1


def test_what_is_no_record_is_no_hindrance(local):
    keep(local, "1", allocator="keep")
    (local / "2.json").write_text("{")
    (local / "3.json").write_text("{}")
    os.replace(pytest_benchmark(local, python_loops=[1.0]), local / "4.json")
    assert names(cases.local()) == ["1", None, None]


def test_no_more_is_read_than_can_belong_to_it(local, monkeypatch):
    for number, facts in enumerate(({}, {}, {"kind": "sizes"}, {"kind": "memory"}, {"order_seed": 8}), 10):
        keep(local, f"{number}", **facts)
    read, seen = reading.read, []
    monkeypatch.setattr(reading, "read", lambda path: seen.append(path.name) or read(path))
    assert names(cases.local()) == ["14", "12", "13"]
    assert "10.json" not in seen


def test_a_run_whose_reference_failed_says_so(local):
    keep(local, "1", samples(python_loops=0))
    with pytest.raises(BadRecord, match=f"no record of speed with {REFERENCE}"):
        cases.local()


# What a case knows.


@pytest.fixture
def case(tmp_path):
    return cases.of([record(tmp_path)], tmp_path / "20261121T000000Z.html")


def test_pictures_lie_beside_the_page(case, tmp_path):
    assert case.picture("speedup") == tmp_path / "20261121T000000Z"
    assert case.picture("memory") == tmp_path / "20261121T000000Z-memory"
    published = replace(case, page=tmp_path / "report.html")
    assert (published.picture("speedup"), published.picture("memory")) == (tmp_path / "speedup", tmp_path / "memory")


def test_files_of_kernels_are_found_here_or_where_they_were_named(case, tmp_path):
    assert case.file(REFERENCE) == ROOT / "kernels" / "python_loops.py"
    assert case.file("torch_broadcast@cuda") == ROOT / "kernels" / "torch_broadcast.py"
    assert case.file("quick") is None
    named = replace(case, extra=(tmp_path / "quick.py", tmp_path / "other.py"))
    assert (named.file("quick"), named.file("quick@cuda")) == (tmp_path / "quick.py",) * 2


def test_a_kernel_that_has_changed_since_is_stale(case, tmp_path):
    path = builders.write_kernel(tmp_path / "quick.py")
    facts = {REFERENCE: {"source_hash": "0" * 16}, "quick": {"source_hash": source.source_hash(path)}}
    known = replace(case, speed=replace(case.speed, kernel_facts=facts), extra=(path,))
    assert (known.stale(REFERENCE), known.stale("quick")) == (True, False)
    path.write_text(path.read_text() + "# a comment\n")
    assert not known.stale("quick")
    path.write_text(path.read_text() + "x = 1\n")
    assert known.stale("quick")
    assert not known.stale("ghost")  # neither here nor recorded
    assert not replace(known, speed=replace(case.speed, kernel_facts={})).stale("quick")


def test_only_the_digits_that_were_recorded_answer(case):
    posed = problems.pose(builders.noise())
    assert case.answering(posed).problem is None
    assert case.answering(None).problem is None
    same = replace(case, speed=replace(case.speed, facts={**case.speed.facts, "dataset_digest": posed.digest}))
    assert same.answering(posed).problem is posed
    assert same.answering(posed).answering(None).problem is None
    assert isinstance(same.answering(posed), Case)
