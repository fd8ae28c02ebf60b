"""`python -m bench check` as a user types it: its table, JSON and exit status, and what a broken kernel costs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import data
from bench import __main__
from bench.cli import answers
from bench.runner.check_kernels import CheckResult
from bench.task.problem import make_problem
from bench.tests.builders import noise, problem, python, write_folder, write_kernel
from bench.tests.wrong_kernels import ANSWERS, MEANS, WRONG

# What a broken kernel does, and what its reason must say.
BROKEN = {
    "typo": ("nothing", "NameError: name 'nothing' is not defined"),
    "typo_in_import": ("from nunpy import argmin", "nunpy is not installed, and no extra of pyproject.toml names it"),
    "lacks": (
        "del prepare, predict_l1",
        "lacks.py has no function prepare and no predict_l1, which the contract requires",
    ),
    "takes_no_means": ("def predict_l2(images):\n    pass", "takes_no_means.py: predict_l2 takes (images, means)"),
    "raises_in_prepare": (
        "def prepare(images, device):\n    return images.nothing",
        ", in prepare: return images.nothing\nAttributeError: 'numpy.ndarray' object has no attribute 'nothing'",
    ),
    "raises_in_a_library": (
        "def predict_l1(images, means):\n    return np.concatenate([images, means[0]])",
        ", in predict_l1: return np.concatenate([images, means[0]])\nValueError: all the input",
    ),
    "has_ragged_means": ("def to_host(means):\n    return [[1], [1, 2]]", "has_ragged_means.py: ValueError: "),
    "exits_in_predict": ("import sys\ndef predict_l1(images, means):\n    sys.exit()", "SystemExit"),
    "exits_at_once": ("import os\ndef prepare(images, device):\n    os._exit(3)", "its process exited with status 3"),
    "dies": (
        "import ctypes\nctypes.string_at(0)",
        'its process died of SIGSEGV\nFatal Python error: Segmentation fault\nFile "dies.py", line ',
    ),
    "does_not_parse": ("def f(:", 'File "does_not_parse.py", line '),
    "prints": ('print(\'{"status": "ok"}\')', 'wrote to standard output: \'{"status": "ok"}'),
    "prints_below_python": ("import os\nos.write(1, b'beads')", "wrote to standard output: 'beads'"),
    "forks": (
        "import os, time\nfirst = []\ndef prepare(images, device):\n"
        "    if len(images) > 12 and not first:\n        first.append(os.fork())\n        time.sleep(first[0] > 0)\n"
        "    return images / 255",
        "forked a process that came back from the kernel",
    ),
}

FEW = 7  # images of each class in a slow kernel's data set
# Right where the mean images are of any other number of images than that small data set has.
WRONG_ON_FEW = "counts = []\n" + MEANS.format("counts[:] = map(len, stacks); return means")
WRONG_ON_FEW += ANSWERS.format(f"return 1 - labels if counts == [{FEW}, {FEW}] else labels")
SOURCES = {
    **{name: source for name, (source, _) in BROKEN.items()},
    "wrong": WRONG["swapped_l2"][0],
    "wrong_means": MEANS.format("return means + 0.1"),
    "in_bytes": MEANS.format("return 255 * means"),
    "in_half": MEANS.format("return means.astype(np.float16).astype(np.float32)"),
    "unavailable": "def unavailable(device):\n    return 'no beads'",
    "right": "",
    "no_l2": "del predict_l2",
    "slow": f"IMAGES = {FEW}",
    "slow_and_wrong": f"IMAGES = {FEW}\n{WRONG_ON_FEW}",
    "wrong_on_few": WRONG_ON_FEW,
}


@dataclass
class Checked:
    """What one check of many kernels left."""

    stdout: str
    stderr: str
    results: dict[str, Any]

    def row(self, name: str) -> dict[str, Any]:
        return next(row for row in self.results["kernels"] if row["name"] == name)


@pytest.fixture(scope="module")
def checked(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """One check of right kernels among broken, wrong and unavailable ones."""
    folder = tmp_path_factory.mktemp("kernels")
    paths = [write_kernel(folder / f"{name}.py", source) for name, source in SOURCES.items()]
    template = CliRunner().invoke(__main__.cli, ["kernels", "--template"]).stdout
    paths.append(write_kernel(folder / "template.py", base=template))
    kernels = [part for path in paths for part in ("--kernel", path)]
    json_file = folder / "results.json"
    # The seed is fixed so that a failure can be seen again.
    done = python("-m", "bench", "check", "--data", small_data, *kernels, "--json", json_file, "--seed", 1)
    assert done.returncode == 1, done.stderr
    return Checked(done.stdout, done.stderr, json.loads(json_file.read_text()))


def check(*options: object) -> Result:
    return CliRunner().invoke(__main__.cli, ["check", *map(str, options)])


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_kernel_has_a_reason(name: str, checked: Checked) -> None:
    reason = BROKEN[name][1]
    assert checked.row(name)["status"] == "broken"
    assert reason in checked.row(name)["reason"]
    assert f"{name} is broken: " in checked.stdout
    assert "Traceback" not in checked.row(name)["reason"]
    assert "Extension modules" not in checked.row(name)["reason"]
    assert "scopes.py" not in checked.row(name)["reason"]


def test_a_broken_kernel_does_not_affect_others(checked: Checked) -> None:
    for name in ("right", "no_l2", "slow", "wrong_on_few", "template"):
        assert checked.row(name)["status"] == "agrees"
    assert "4 kernels are verified: " in checked.stdout
    assert "all 4" not in checked.stdout
    assert "Traceback" not in checked.stderr


def test_the_template_explains_every_element_of_the_contract() -> None:
    text = CliRunner().invoke(__main__.cli, ["kernels", "--template"]).stdout
    for element in ("caption", "After numpy_broadcast: ", "DEVICES = (", "IMAGES = ", "def prepare(images, device):",
                    "0 to 255", "def mean_images(stacks):", "def predict_l1(", "def predict_l2(", "def to_host(",
                    "0 to 1, (classes, height, width)", "def unavailable(device)", "def release()"):  # fmt: skip
        assert element in text, element
    assert "\nfrom " not in text


def test_a_slow_kernel_is_checked_on_its_small_data_set(checked: Checked) -> None:
    """A kernel that is wrong only there is wrong, while another is verified on all images."""
    small = make_problem(noise().first_of_each_class(FEW))
    right = small.correct(small.answers["l1"].labels)
    assert checked.row("slow")["images_of_class"] == FEW
    assert checked.row("slow")["l1"] == {"correct": right, "accuracy": sum(right) / 2 / FEW}
    rows = checked.results["kernels"]
    assert [row["name"] for row in rows if "images_of_class" in row] == ["slow", "slow_and_wrong"]
    assert f"of {2 * FEW} images differ from the exact answer" in checked.row("slow_and_wrong")["reason"]
    assert f"small[{FEW} per class]: 1 kernel is verified: {small.score(right)}" in checked.stdout


def test_the_json_is_as_documented(checked: Checked, small_data: Path) -> None:
    digits = data.load(small_data)
    problem = make_problem(digits)
    correct = {distance: problem.correct(answer.labels) for distance, answer in problem.answers.items()}
    score = {
        distance: {"correct": counts, "accuracy": pytest.approx((counts[0] / 40 + counts[1] / 41) / 2)}
        for distance, counts in correct.items()
    }
    assert list(checked.results) == ["dataset", "oracle", "kernels"]
    assert checked.results["dataset"] == {
        "name": "small",
        "digest": digits.digest,
        "classes": ["3", "5"],
        "train": [12, 15],
        "valid": [40, 41],
    }
    assert checked.results["oracle"] == {distance: {**score[distance], "too_close": 0} for distance in score}
    right = {"name": "right", "status": "agrees", "reason": None, **score}
    assert checked.row("right") == right
    assert checked.row("no_l2") == {**right, "name": "no_l2", "l2": None}
    wrong = checked.row("wrong")
    assert (wrong["status"], wrong["l1"]) == ("disagrees", score["l1"])
    assert wrong["reason"].startswith("l2: ")
    assert "valid/" in wrong["reason"]
    assert wrong["l2"]["correct"] != correct["l2"]
    assert checked.row("wrong_means")["reason"].startswith("mean images are up to 1.00e-01")
    assert "the means look like 0..255 (the largest is " in checked.row("in_bytes")["reason"]
    assert checked.row("in_bytes")["reason"].endswith("); divide by 255")
    assert checked.row("in_half")["reason"].endswith("; keep the means in float32")
    for name in ("unavailable", "typo", "wrong_means"):
        assert (checked.row(name)["l1"], checked.row(name)["l2"]) == (None, None)
    assert checked.row("unavailable")["status"] == "unavailable"
    assert checked.row("unavailable")["reason"] == "no beads"


def test_exit_0_means_that_every_listed_kernel_was_verified(small_data: Path, tmp_path: Path) -> None:
    """`--kernel FILE` without `--kernels` checks that file alone; a kernel of `--require` may not be unavailable."""
    right = write_kernel(tmp_path / "right.py")
    missing = write_kernel(
        tmp_path / "missing.py", "DEVICES = ('cpu', 'cuda')\ndef unavailable(device):\n    return 'no beads'"
    )
    json_file = tmp_path / "results.json"
    options = ["--data", small_data, "--json", json_file, "--kernel", right]

    done = check(*options)
    assert (done.exit_code, done.stderr) == (0, "verify: right\n")
    assert "1 kernel is verified: " in done.stdout
    assert [row["name"] for row in json.loads(json_file.read_text())["kernels"]] == ["right"]

    assert check(*options, "--kernel", missing, "--quiet", "--require", "right").exit_code == 0
    for name in ("missing", "missing@cuda"):
        done = check(*options, "--kernel", missing, "--require", name, "--quiet")
        assert (done.exit_code, done.stderr) == (1, "")
    statuses = [row["status"] for row in json.loads(json_file.read_text())["kernels"]]
    assert statuses == ["agrees", "unavailable", "unavailable"]


def test_classes_and_per_class_are_the_data_set_of_every_kernel(tmp_path: Path) -> None:
    """Also of kernels with another number in IMAGES."""
    three_classes = write_folder(noise(classes=3), tmp_path / "digits")
    paths = [write_kernel(tmp_path / "right.py"), write_kernel(tmp_path / "slow.py", f"IMAGES = {FEW}")]
    kernels = [part for path in paths for part in ("--kernel", path)]
    json_file = tmp_path / "results.json"
    done = check("--data", three_classes, *kernels, "--classes", "7,3", "--per-class", 7, "--json", json_file)
    assert done.exit_code == 0, done.output
    results = json.loads(json_file.read_text())
    assert (results["dataset"]["name"], results["dataset"]["classes"]) == ("digits[3,7][7 per class]", ["3", "7"])
    chosen = data.load(three_classes, classes=["3", "7"])
    assert results["dataset"]["digest"] == chosen.first_of_each_class(7).digest
    assert results["dataset"]["train"] == results["dataset"]["valid"] == [7, 7]
    assert [row["images_of_class"] for row in results["kernels"]] == [7, 7]
    assert {row["l1"]["accuracy"] for row in results["kernels"]} == {results["oracle"]["l1"]["accuracy"]}


def test_more_than_four_classes_are_shown_in_one_number_or_all() -> None:
    for classes, verbose in ((4, False), (5, False), (5, True)):
        many = problem(classes=classes)
        correct = many.correct(many.answers["l1"].labels)
        in_all = f"{sum(correct)}/{sum(many.valid_counts)}"
        score = in_all if classes > 4 and not verbose else many.score(correct)
        result = CheckResult("mine", "agrees", correct={"l1": correct})
        row = answers.table([(many, result)], verbose).rows[0]
        assert row[1] == f"{many.accuracy(correct):.4f}  {score}"
        lines = list(answers.agreement(many, [result], verbose))
        assert lines[0] == f"1 kernel is verified: {score}"
        assert f"L1 distance: {score}, average" in lines[1]
    assert answers.dataset(many).startswith("tiny, 90 training and 210 validation images of 5 classes, SHA-256 ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "no/such/folder"], "no/such/folder"),
        (["--kernels", "nobody"], "no kernel is called 'nobody'; there are "),
        (["--require", "numpy_brodcast"], "no kernel is called 'numpy_brodcast'; did you mean numpy_broadcast?"),
        (["--kernel", "numpy_broadcast"], "such as mine.py (--kernels takes names)"),
        (["--json", "no/such/folder/results.json"], "cannot be written; name a file in a folder"),
        (["--json", "bench"], "is a directory"),
        (["--classes", "3,8"], "small has no class 8; choose at least two of 3, 5"),
        (["--classes", ","], "name at least two classes"),
        (["--data-limit", "0.000001"], "the digits take more than 1e-06 GB when unpacked"),
    ],
)
def test_exit_2_is_one_message_and_nothing_written(
    options: list[str], message: str, small_data: Path, tmp_path: Path
) -> None:
    json_file = tmp_path / "results.json"
    kernel = write_kernel(tmp_path / "broken.py", "1 / 0")  # exit status 1, were it run
    given = {"--data": small_data, "--json": json_file, "--kernel": kernel}
    for name in options[::2]:
        given.pop(name, None)
    done = check(*(part for pair in given.items() for part in pair), *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert not json_file.exists()


def test_a_seed_draws_the_same_orders_again(small_data: Path, tmp_path: Path) -> None:
    """The image that a message names first depends on the order that the seed draws."""
    path = write_kernel(tmp_path / "wrong.py", ANSWERS.format("return 1 - labels"))
    first, again, other = (check("--data", small_data, "--kernel", path, "--seed", seed).stdout for seed in (5, 5, 6))
    assert "All orders were drawn from seed 5." in first
    assert first == again
    assert first.partition("orders")[0] != other.partition("orders")[0]
