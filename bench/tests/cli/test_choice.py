"""Which kernels a command takes, and the data set of each: those of the ladder only on request."""

import os
from dataclasses import replace

import pytest
from click.testing import CliRunner

import data
from bench import __main__, kernel
from bench.cli.data_sets import _chosen, data_sets, with_digits
from bench.cli.options import Choice
from bench.kernel import ROOT
from bench.report import page_records
from bench.runner import check_kernels, checkpoint
from bench.runner.check_kernels import CheckResult
from bench.task import digits_metadata
from bench.task.problem import make_problem
from bench.tests.builders import noise, spec, write_kernel
from bench.tests.builders_records import configurations
from data.tests.builders import small_set, write


def invoke(*arguments):
    return CliRunner().invoke(__main__.cli, [str(argument) for argument in arguments])


@pytest.fixture
def on_ladder(tmp_path, monkeypatch):
    """The only kernel of a ladder."""
    folder = tmp_path / "ladder"
    folder.mkdir()
    monkeypatch.setattr(kernel, "LADDER", folder)
    write_kernel(folder / "_helper.py", "1 / 0")
    return write_kernel(folder / "laddered.py")


def chosen(ladder=False, kernels=(), files=()):
    choice = Choice("auto", 0, [], None, list(kernels), tuple(files), (), 0, 1.0, True)
    return sorted({spec.kernel for spec in choice.specs(ladder)})


def test_kernels_of_the_ladder_are_chosen_by_option_name_or_file(on_ladder, tmp_path):
    outside = sorted(path.stem for path in (ROOT / "kernels").glob("[!_]*.py"))
    assert chosen() == outside
    assert chosen(ladder=True) == sorted([*outside, "laddered"])
    assert chosen(kernels=["laddered"]) == chosen(files=[on_ladder]) == ["laddered"]
    assert chosen(ladder=True, kernels=["numpy_broadcast"]) == ["laddered", "numpy_broadcast"]
    mine = write_kernel(tmp_path / "mine.py")
    assert chosen(files=[mine]) == ["mine"]
    assert chosen(files=[mine], ladder=True) == ["laddered", "mine"]
    relative = os.path.relpath(on_ladder)
    for option, listed in (
        (["--ladder"], True),
        (["--kernel", on_ladder], True),
        (["--kernel", relative], True),
        ([], False),
    ):
        lines = invoke("kernels", *option).output.splitlines()
        assert any(line.startswith("laddered ") for line in lines) == listed
        assert any(line.startswith("The ladder has 1 more") for line in lines) == (not listed)


@pytest.mark.usefixtures("on_ladder")
@pytest.mark.parametrize(
    ("command", "includes"),
    [(["check"], True), (["run"], False), (["run", "--ladder"], True), (["run", "--memory", "--ladder"], True)],
)
def test_check_includes_the_ladder_and_run_only_on_request(place, monkeypatch, command, includes):
    names = []

    def note(plan):
        names.extend(spec.name for spec in plan.specs)
        raise InterruptedError

    def note_check(spec, *_, **__):
        names.append(spec.name)
        return CheckResult(spec.name, "agrees")

    monkeypatch.setattr(check_kernels, "check_kernel", note_check)
    monkeypatch.setattr(checkpoint, "begin", lambda tasks, *_: note(tasks[0].plan))
    monkeypatch.setattr("bench.runner.memory_pass.measure", lambda plan, *_: note(plan))
    invoke(*command, "--data", place / "small", "--quiet")
    assert names
    assert ("laddered" in names) == includes


def test_a_record_gets_the_classes_and_images_that_it_names(tmp_path):
    """Its digits may have more classes; another data set is told by its digest."""
    path = write(tmp_path / "set", small_set("0378"))
    chosen = data.load(path, classes=["7", "3"])
    for digits in (chosen, chosen.first_of_each_class(1), data.load(path)):
        metadata = digits_metadata.metadata(make_problem(digits))
        selection = page_records.alone(configurations(tmp_path, "all/default", **metadata))
        [found] = with_digits([selection], str(path), 2**31)
        assert (found.problem.digest, found.problem.classes) == (digits.digest, digits.classes)
        other = write(tmp_path / "other", small_set("38"))
        assert with_digits([selection], str(other), 2**31)[0].problem is None


def test_a_kernel_gets_its_small_data_set_unless_per_class_is_given(tmp_path):
    digits = noise(train=12, valid=40)  # 15 and 41 of the second class
    lines = {"all": "", "few": "IMAGES = 5", "many": "IMAGES = 41", "nearly_all": "IMAGES = 40"}
    specs = [spec(write_kernel(tmp_path / f"{name}.py", line)) for name, line in lines.items()]

    def names(per_class):
        sets = data_sets(specs, digits, per_class)
        return {data_set.problem.per_class: [spec.name for spec in data_set.specs] for data_set in sets}

    assert names(None) == {0: ["all", "many"], 5: ["few"], 40: ["nearly_all"]}  # no class has more than 41
    assert [data_set.problem.name for data_set in data_sets(specs, digits, None)] == [
        "tiny", "tiny[5 per class]", "tiny[40 per class]",
    ]  # fmt: skip
    assert names(7) == {7: list(lines)}
    assert names(41) == {0: list(lines)}
    assert data_sets(specs[1:2], digits, None)[0].problem.train_counts == [5, 5]


def test_the_classes_that_a_record_names_are_chosen_also_with_blanks_in_them():
    digits = replace(noise(classes=3), classes=("a b", "c", "e\n"))
    assert _chosen(digits, "").classes == _chosen(digits, "others").classes == digits.classes
    assert _chosen(digits, r"a␣b e\n").classes == ("a b", "e\n")
