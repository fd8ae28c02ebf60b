"""Kernels too slow for all images: checked and timed on the first n of each class, and compared on just these."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from bench import (
    __main__,
    case,
    checklist,
    kernel,
    oracle,
    reading,
    records,
    standing,
    tables,
    verify,
    workload,
    writing,
)
from bench.charts import memory
from bench.checking import Verdict
from bench.kernel import REFERENCE, BrokenKernel
from bench.records import Absent
from bench.sample import AGAIN, ALL_CORES, LIMIT
from bench.tests.builders import RIGHT, contestant, noise, problem, write_folder, write_kernel
from bench.tests.builders_records import record, samples, write
from bench.tests.test_recording import record as recorded_from
from bench.workload import WrongAnswer

FEW = 4
SLOW = f"IMAGES = {FEW}\n"
# Right on any other number of images than the validation images of a part of two classes.
WRONG_ON_PART = f"""
right = predict_l1
def predict_l1(images, means):
    labels = right(images, means)
    return 1 - labels if len(images) == {2 * FEW} else labels
"""


@pytest.fixture(scope="module")
def posed():
    return problem()


def exact(n):
    """Return what a record says of the exact answer on a part."""
    return {f"exact_{distance}_first_{n}": f"1/{n}, 2/{n}" for distance in ("l1", "l2")}


# The contract.


@pytest.mark.parametrize(("line", "images"), [("", 0), ("IMAGES = 20", 20), ("IMAGES: int = 1", 1)])
def test_the_number_of_images_is_read_without_importing(tmp_path, line, images):
    path = write_kernel(tmp_path / "mine.py", f"DEVICES = ('cpu', 'cuda')\n{line}")
    assert [each.images for each in kernel.discover([path]) if each.path == path] == [images, images]
    kernel.load(contestant(path))


@pytest.mark.parametrize(
    "line",
    [
        "IMAGES = 10 + 10", "IMAGES = -1", "IMAGES = 0", "IMAGES = True", "IMAGES = False", "N = 3\nIMAGES = N",
        "IMAGES = '20'", "IMAGES = 2.0",
    ],
)  # fmt: skip
def test_a_number_that_cannot_be_read_is_refused(tmp_path, line):
    """Or the kernel would be timed on all images without a word."""
    with pytest.raises(BrokenKernel, match=r"mine\.py: IMAGES must be a literal number from 1, such as 20"):
        kernel.load(contestant(write_kernel(tmp_path / "mine.py", line)))


# The problem of a part.


def test_a_part_is_the_first_of_each_class_solved_anew():
    whole = problem(classes=3, train=5, valid=6)
    part = whole.part(2)
    assert part.train_counts == part.valid_counts == [2, 2, 2]
    for stack, all_of_it in zip(part.train, whole.train, strict=True):
        assert np.array_equal(stack, all_of_it[:2])
    for number, digit in enumerate(whole.classes):
        assert np.array_equal(part.valid[part.actual == number], whole.valid[whole.actual == number][:2])
        assert [name for name in part.files if name.startswith(f"valid/{digit}/")] == [
            f"valid/{digit}/0000.png", f"valid/{digit}/0001.png",
        ]  # fmt: skip
    anew = oracle.solve(part.train, part.valid)
    for distance, answer in part.answers.items():
        assert np.array_equal(answer.distances, anew[distance].distances)
    assert not np.array_equal(part.answers["l1"].distances, whole.answers["l1"].distances[:6])  # by other means
    assert not part.valid.flags.writeable


def test_a_part_of_nothing_or_of_more_than_there_is_is_all():
    whole = problem(train=3, valid=4)
    assert whole.part(0) is whole
    everything = whole.part(99)
    assert (everything.train_counts, everything.valid_counts) == (whole.train_counts, whole.valid_counts)
    assert np.array_equal(everything.answers["l1"].labels, whole.answers["l1"].labels)


# Checking.


def test_check_proves_a_part_and_says_so(tmp_path):
    """And a kernel that is wrong on the part alone is found out."""
    write_folder(noise(), tmp_path / "small")
    files = [
        write_kernel(tmp_path / f"{name}.py", text)
        for name, text in {"slow": SLOW, "all": "", "wrong": SLOW + WRONG_ON_PART, "whole": WRONG_ON_PART}.items()
    ]
    options = [option for path in files for option in ("--kernel", str(path))]
    command = ["check", "--data", str(tmp_path / "small"), *options, "--json", str(tmp_path / "found.json"), "--quiet"]
    done = CliRunner().invoke(__main__.cli, command)
    assert done.exit_code == 1, done.output
    found = {each["name"]: each for each in json.loads((tmp_path / "found.json").read_text())["kernels"]}
    assert {name: each["status"] for name, each in found.items()} == {
        "slow": "agrees", "all": "agrees", "wrong": "disagrees", "whole": "agrees",
    }  # fmt: skip
    assert [name for name, each in found.items() if "images_of_class" in each] == ["slow"]
    part = problem().part(FEW)
    right = part.correct(part.answers["l1"].labels)
    assert found["slow"]["images_of_class"] == FEW
    assert found["slow"]["l1"] == {"correct": right, "accuracy": sum(right) / 2 / FEW}
    assert f"of {2 * FEW} images differ from the exact answer" in found["wrong"]["reason"]
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert f"{sum(right) / 2 / FEW:.4f}  {part.score(right)} (first {FEW} of each class)" in rows["slow"]
    assert "(first" not in rows["all"]


# Recording.


@pytest.fixture(scope="module")
def recorded(posed, tmp_path_factory):
    sources = {"a": RIGHT, "slow": RIGHT + SLOW}
    folder = tmp_path_factory.mktemp("parts")
    found, _ = recorded_from(posed, folder, sources, processes=1, rounds=2)
    return found, reading.read(
        writing.write(found.samples, found.absent, found.facts, found.kernel_facts, folder / "records")
    )


def test_a_slow_kernel_is_timed_on_the_part_alone_and_the_others_there_too(recorded):
    found, _ = recorded
    assert [each.status for each in found.verdicts] == ["agrees", "agrees"]
    assert [each.images for each in found.verdicts] == [0, FEW]
    timed = {(each.kernel, each.first, each.images) for each in found.samples if each.scope == "baseline"}
    kernels = {each for each in timed if not each[0].startswith(LIMIT)}
    whole, few = 12 + 15 + 40 + 41, 4 * FEW
    assert kernels == {
        ("a", 0, whole), (f"a{AGAIN}", 0, whole), ("a", FEW, few), (f"a{AGAIN}", FEW, few), ("slow", FEW, few),
    }  # fmt: skip
    assert {each for each in timed if each[0] == ALL_CORES} == {(ALL_CORES, 0, whole), (ALL_CORES, FEW, few)}
    first = {each.kernel: (each.first, each.images) for each in found.samples if each.scope == "first_call"}
    assert (first["a"], first["slow"]) == ((0, whole), (FEW, few))


def test_the_record_keeps_the_part_apart_with_its_exact_score(recorded, posed):
    found, kept = recorded
    part = posed.part(FEW)
    exact = part.score(part.correct(part.answers["l1"].labels))
    assert found.facts[f"exact_l1_first_{FEW}"] == exact
    assert kept.kernel_facts["slow"]["images_of_class"] == FEW
    assert "images_of_class" not in kept.kernel_facts["a"]
    assert list(kept.parts) == [FEW]
    assert {each.first for each in kept.samples} == {0}
    assert {each.first for each in kept.parts[FEW]} == {FEW}
    assert kept.kernels() == ["a"]
    assert kept.cells == [("baseline", "l1")]
    (where, whole), (of_part, shown) = kept.views
    assert (where, whole) == ("", kept)
    assert of_part == f" on the first {FEW} images of each class"
    assert shown.kernels() == ["a", "slow"]
    assert (shown.parts, len(shown.samples)) == ({}, len(kept.parts[FEW]))
    assert shown.kernel_facts["a"]["correct_l1"] == shown.kernel_facts["slow"]["correct_l1"] == exact
    assert kept.kernel_facts["a"]["correct_l1"] != exact


def test_the_checklist_of_a_part_tells_what_is_its_own(recorded):
    """First calls of kernels that are called on all images, and who is absent, are told by the whole."""

    def said(record):
        return [line.found for line in checklist.judge(record, reference="a") if "no first call" in line.found]

    _, kept = recorded
    kept = replace(kept, absent=[Absent("gpu@cuda", "unavailable", "no")])
    without = replace(kept, parts={FEW: [each for each in kept.parts[FEW] if each.scope != "first_call"]})
    assert not said(kept.part(FEW))
    assert said(without.part(FEW)) == ["slow has no first call"]
    assert not any("gpu@cuda" in line.found for line in checklist.judge(kept.part(FEW), reference="a"))
    assert any("gpu@cuda" in line.found for line in checklist.judge(kept, reference="a"))


def test_a_ratio_is_of_as_many_images_on_both_sides(tmp_path):
    """Planted: slow takes 8 s on the part, where the reference takes 0.1 s; on all images that takes 0.4 s."""
    part = [
        replace(each, first=20, images=80, seconds=each.seconds / 4)
        for each in samples(python_slow=32.0)
        if each.scope == "baseline"
    ]
    found = record(tmp_path, [*samples(), *part], **exact(20))
    assert [each.kernel for each in standing.standings(found)] == [REFERENCE, "quick"]
    below = {each.kernel: each for each in standing.standings(found.part(20))}
    assert {each.images for each in below.values()} == {80}
    assert below["python_slow"].times_faster == pytest.approx(0.1 / 8)
    assert below["quick"].times_faster == pytest.approx(100)
    assert tables.timed(list(below.values())).rows[0][:2] == ("python_slow", "8.00 s")


def test_a_kernel_that_is_wrong_only_on_the_part_is_caught_there(posed, tmp_path):
    """It was verified on all images, and is right there: the answers that are timed on the part give it away."""
    found, _ = recorded_from(
        posed, tmp_path, {"a": RIGHT, "slow": RIGHT + SLOW, "wrong": RIGHT + WRONG_ON_PART}, processes=1, rounds=1
    )
    status = {each.name: each for each in found.verdicts}
    assert status["wrong"].status == "disagrees"
    assert status["wrong"].reason.startswith("l1: in a timed call: ")
    assert {each.kernel.removesuffix(AGAIN) for each in found.samples if not each.kernel.startswith(LIMIT)} == {
        "a",
        "slow",
    }


def test_wrong_on_the_part_is_right_on_all(posed, tmp_path):
    """What the test above takes for granted."""
    one = kernel.load(contestant(write_kernel(tmp_path / "wrong.py", WRONG_ON_PART)))
    verify.verify(workload.prepare(one, "cpu", posed), 1, verify.Findings())
    with pytest.raises(WrongAnswer):
        verify.verify(workload.prepare(one, "cpu", posed.part(FEW)), 1, verify.Findings())


def test_a_record_of_parts_is_written_and_read_beside_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "LOCAL", tmp_path)
    part = [replace(each, first=n, seconds=n / 10) for n in (3, 20) for each in samples() if each.scope == "baseline"]
    path = write(tmp_path, [*samples(), *part], **exact(3), **exact(20))
    found = case.local().speed
    assert found.path == path
    assert sorted(found.parts) == [3, 20]
    assert [where for where, _ in found.views] == [
        "", " on the first 3 images of each class", " on the first 20 images of each class",
    ]  # fmt: skip
    assert {each.seconds for each in found.part(3).samples} == {0.3}
    assert found.part(3).kernel_facts["quick"]["correct_l1"] == "1/3, 2/3"
    assert found.part(20).kernel_facts["quick"]["correct_l1"] == "1/20, 2/20"
    names = [each["metadata"]["name"] for each in json.loads(path.read_text())["benchmarks"]]
    assert "baseline/l1/quick/first-3" in names
    assert "baseline/l1/quick/first-20" in names
    assert "baseline/l1/quick" in names


# Where a part has no place, and where it must be told apart.


@pytest.mark.parametrize(
    "option", [["--quick", "--images", 100], ["--quick", "--sizes", "1,50"], ["--memory", "--images", 100]]
)
def test_numbers_of_images_leave_it_out_and_say_so(place, option):
    """It is too slow for any number of images but its own; without a word it would seem to have been forgotten."""
    slow = write_kernel(place / "slow.py", SLOW)
    command = ["run", "--quiet", "--data", place / "small", "--kernels", "numpy_broadcast,slow"]
    done = CliRunner().invoke(__main__.cli, [str(each) for each in [*command, "--kernel", slow, *option]])
    assert done.exit_code == 0, done.output
    why = f"it is called on the first {FEW} images of each class alone"
    assert f"slow: not measured, {why}" in done.output.replace("slow is not measured: ", "slow: not measured, ")
    (path,) = (place / "local").glob("*.json")
    found = reading.read(path)
    assert [(each.kernel, each.status, each.reason) for each in found.absent] == [("slow", "not measured", why)]
    assert {each.kernel for each in (*found.samples, *found.footprints)} >= {"numpy_broadcast"}
    assert "slow" not in {each.kernel for each in (*found.samples, *found.footprints)}


def test_memory_on_a_part_is_marked_in_the_table_and_in_the_picture(place):
    slow = write_kernel(place / "slow.py", "IMAGES = 1")
    command = ["run", "--memory", "--quiet", "--data", place / "small", "--kernels", "numpy_broadcast,slow"]
    done = CliRunner().invoke(__main__.cli, [str(each) for each in [*command, "--kernel", slow]])
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.output.splitlines() if " baseline l1 " in line]
    images = {row[0]: row[3] for row in rows}
    assert images["slow"] != images["numpy_broadcast"] == images["python_loops"]
    (path,) = (place / "local").glob("*.json")
    drawn = memory.draw(case.alone(reading.read(path)))
    labels = [label.get_text() for axes in drawn.figure.axes for label in axes.get_yticklabels()]
    assert "slow, first 1" in labels
    assert "numpy_broadcast" in labels
    assert "slow, first 1 images of each class: " in drawn.alt


@pytest.mark.parametrize("images", [(FEW,), (FEW, 0)])
def test_a_score_of_all_images_is_told_where_a_kernel_had_them_all(images):
    posed = problem()
    verdicts = [Verdict(f"on_{n}", "agrees", None, {}, 0.0, n) for n in images]
    said = next(iter(tables.agreement(posed, verdicts)))
    score = posed.score(posed.correct(posed.answers["l1"].labels))
    assert (score in said) == (0 in images)
    assert ("on the first images of each class" in said) == (0 not in images)
