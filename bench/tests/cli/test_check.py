"""`python -m bench check` as a user types it: its table, JSON and exit status, and who pays for a broken kernel."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import data
from bench import __main__
from bench.task.problem import make_problem
from bench.tests.builders import noise, python, write_kernel
from bench.tests.wrong_kernels import ANSWERS, MEANS, WRONG

# What a broken kernel does, and what its reason must say.
BROKEN = {
    "raises": ("1 / 0", "ZeroDivisionError: division by zero"),
    "typo": ("nothing", "NameError: name 'nothing' is not defined"),
    "lacks": ("del predict_l1", "lacks.py has no function predict_l1, which the contract requires"),
    "raises_in_prepare": ("def prepare(images, device):\n    return images.nothing", "in prepare"),
    "raises_in_predict": ("def predict_l2(images, means):\n    raise KeyError('beads')", "KeyError: 'beads'"),
    "exits": ("raise SystemExit(0)", "SystemExit: 0"),
    "exits_in_predict": ("import sys\ndef predict_l1(images, means):\n    sys.exit()", "SystemExit"),
    "exits_at_once": ("import os\ndef prepare(images, device):\n    os._exit(3)", "its process exited with status 3"),
    "exits_as_if_well": (
        "import os\ndef prepare(images, device):\n    os._exit(0)",
        "its process exited with status 0",
    ),
    "dies": ("import ctypes\nctypes.string_at(0)", "its process died of SIGSEGV\nFatal Python error: Segmentation"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "prints": ('print(\'{"status": "ok"}\')', 'wrote to standard output: \'{"status": "ok"}'),
    "prints_below_python": ("import os\nos.write(1, b'beads')", "wrote to standard output: 'beads'"),
    "forks": (
        "import os\nfirst = []\ndef prepare(images, device):\n"
        "    if len(images) == 12 and not first:\n        first.append(os.fork())\n    return images / 255",
        "forked a process that came back from the kernel",
    ),
}


FEW = 4  # images of each class that a slow kernel is checked on
# Right on any other number of images than the validation images of that small data set.
WRONG_ON_FEW = ANSWERS.format(f"return 1 - labels if len(images) == {2 * FEW} else labels")
SOURCES = {
    **{name: source for name, (source, _) in BROKEN.items()},
    "wrong": WRONG["swapped_l2"][0],
    "wrong_means": MEANS.format("return means + 0.1"),
    "absent": "import nowhere_at_all",
    "right": "",
    "no_l2": "del predict_l2",
    "slow": f"IMAGES = {FEW}",
    "slow_and_wrong": f"IMAGES = {FEW}\n{WRONG_ON_FEW}",
    "wrong_on_few": WRONG_ON_FEW,
}


@pytest.fixture(scope="module")
def checked(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Any]]:
    """One check of right kernels among broken, wrong and unavailable ones, and its JSON."""
    folder = tmp_path_factory.mktemp("kernels")
    files = [
        part for name, source in SOURCES.items() for part in ("--kernel", write_kernel(folder / f"{name}.py", source))
    ]
    # The seed is fixed so that a failure can be seen again.
    json_file = folder / "findings.json"
    done = python("-m", "bench", "check", "--data", small_data, *files, "--json", json_file, "--seed", 1)
    assert done.returncode == 1, done.stderr
    return done, json.loads(json_file.read_text())


def check(*options: object) -> Result:
    return CliRunner().invoke(__main__.cli, ["check", *map(str, options)])


def row(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in found["kernels"] if each["name"] == name)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_kernel_says_how_it_broke(name: str, checked: tuple[Any, dict[str, Any]]) -> None:
    done, found = checked
    assert row(found, name)["status"] == "broken"
    assert BROKEN[name][1] in row(found, name)["reason"]
    assert f"{name} is broken: " in done.stdout
    if "Error" in BROKEN[name][1] and "Fatal" not in BROKEN[name][1]:
        assert f"{name}.py" in row(found, name)["reason"]  # the traceback shows the line


def test_it_costs_only_itself(checked: tuple[Any, dict[str, Any]]) -> None:
    done, found = checked
    for name in ("right", "no_l2", "slow", "wrong_on_few"):
        assert row(found, name)["status"] == "agrees"
    assert "3 kernels agree: " in done.stdout
    assert "all 3" not in done.stdout
    assert "Traceback" not in done.stderr


def test_a_slow_kernel_is_checked_on_its_small_data_set(checked: tuple[Any, dict[str, Any]]) -> None:
    """And one that is wrong only there is found out, where another one is right on all images."""
    done, found = checked
    small = make_problem(noise().first_of_each_class(FEW))
    right = small.correct(small.answers["l1"].labels)
    assert row(found, "slow")["images_of_class"] == FEW
    assert row(found, "slow")["l1"] == {"correct": right, "accuracy": sum(right) / 2 / FEW}
    assert [each["name"] for each in found["kernels"] if "images_of_class" in each] == ["slow", "slow_and_wrong"]
    assert f"of {2 * FEW} images differ from the exact answer" in row(found, "slow_and_wrong")["reason"]
    assert f"small[{FEW} per class]: 1 kernel agrees: {small.score(right)}" in done.stdout


def test_the_json_is_as_documented(checked: tuple[Any, dict[str, Any]], small_data: Path) -> None:
    _, found = checked
    digits = data.load(small_data)
    problem = make_problem(digits)
    due = {key: problem.correct(answer.labels) for key, answer in problem.answers.items()}
    accuracy = {key: sum(k / n for k, n in zip(due[key], (40, 41), strict=True)) / 2 for key in due}
    score = {key: {"correct": due[key], "accuracy": pytest.approx(accuracy[key])} for key in due}
    assert list(found) == ["dataset", "oracle", "kernels"]
    assert found["dataset"] == {
        "name": "small",
        "digest": digits.digest,
        "classes": ["3", "5"],
        "train": [12, 15],
        "valid": [40, 41],
    }
    assert found["oracle"] == {key: {**score[key], "too_close": 0} for key in due}
    assert row(found, "right") == {"name": "right", "status": "agrees", "reason": None, **score}
    assert row(found, "no_l2") == {"name": "no_l2", "status": "agrees", "reason": None, "l1": score["l1"], "l2": None}
    wrong = row(found, "wrong")
    assert (wrong["status"], wrong["l1"]) == ("disagrees", score["l1"])
    assert wrong["reason"].startswith("l2: ")
    assert "valid/" in wrong["reason"]
    assert wrong["l2"]["correct"] != due["l2"]
    assert row(found, "wrong_means")["reason"].startswith("mean images are up to 1.00e-01")
    for name in ("absent", "raises", "wrong_means"):
        assert (row(found, name)["l1"], row(found, name)["l2"]) == (None, None)
    assert row(found, "absent")["status"] == "unavailable"
    assert "nowhere_at_all is not installed" in row(found, "absent")["reason"]


def test_the_table_shows_accuracies_with_their_integers(checked: tuple[Any, dict[str, Any]]) -> None:
    done, found = checked
    lines = [line for line in done.stdout.splitlines() if line.strip().startswith(("right ", "no_l2 ", "wrong "))]
    right, no_l2, wrong = (next(line for line in lines if line.split()[0] == n) for n in ("right", "no_l2", "wrong"))
    three, five = found["oracle"]["l1"]["correct"]
    assert f"{found['oracle']['l1']['accuracy']:.4f}  {three}/40, {five}/41" in right
    assert "not offered" in no_l2
    assert wrong.split()[-1] == "disagrees"
    assert found["dataset"]["digest"][:16] in done.stdout
    assert done.stdout.count("too close to call in float32: 0") == 4  # of two data sets


def test_exit_0_means_that_every_listed_row_was_verified(small_data: Path, tmp_path: Path) -> None:
    """`--kernel FILE` without `--kernels` checks that file alone; `--require` names what may not be unavailable."""
    right = write_kernel(tmp_path / "right.py")
    absent = write_kernel(tmp_path / "absent.py", "DEVICES = ('cpu', 'cuda')\nimport nowhere_at_all")
    options = ["--data", small_data, "--json", tmp_path / "found.json", "--kernel", right]

    done = check(*options)
    assert (done.exit_code, done.stderr) == (0, "verify\n")
    assert "1 kernel agrees: " in done.stdout
    assert [each["name"] for each in json.loads((tmp_path / "found.json").read_text())["kernels"]] == ["right"]

    assert check(*options, "--kernel", absent, "--quiet", "--require", "right").exit_code == 0
    for name in ("absent", "absent@cuda"):
        done = check(*options, "--kernel", absent, "--require", name, "--quiet")
        assert (done.exit_code, done.stderr) == (1, "")
    statuses = [each["status"] for each in json.loads((tmp_path / "found.json").read_text())["kernels"]]
    assert statuses == ["agrees", "unavailable", "unavailable"]


def test_per_class_makes_the_data_set_of_every_kernel(small_data: Path, tmp_path: Path) -> None:
    """Also of those that name another number themselves."""
    files = [write_kernel(tmp_path / "right.py"), write_kernel(tmp_path / "slow.py", f"IMAGES = {FEW}")]
    kernels = [part for path in files for part in ("--kernel", path)]
    done = check("--data", small_data, *kernels, "--per-class", 7, "--json", tmp_path / "found.json")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "found.json").read_text())
    digits = noise().first_of_each_class(7)
    assert found["dataset"] == {
        "name": "small[7 per class]", "digest": digits.digest, "classes": ["3", "5"], "train": [7, 7], "valid": [7, 7],
    }  # fmt: skip
    assert [each["images_of_class"] for each in found["kernels"]] == [7, 7]
    assert {each["l1"]["accuracy"] for each in found["kernels"]} == {found["oracle"]["l1"]["accuracy"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "no/such/folder"], "no/such/folder"),
        (["--kernels", "nobody"], "no kernel is called 'nobody'; there are "),
        (["--require", "nobody"], "no kernel is called 'nobody'; there are "),
        (["--kernel", "no_such_file.py"], "no_such_file.py does not exist"),
        (["--json", "no/such/folder/found.json"], "cannot be written; name a file in a folder"),
        (["--json", "bench"], "is a directory"),
        (["--no-such-option"], "No such option"),
        (["--timeout", "0"], "--timeout"),
        (["--per-class", "0"], "--per-class"),
        (["--seed", "-1"], "--seed"),
        (["superfluous"], "unexpected extra argument"),
    ],
)
def test_exit_2_is_one_message_and_nothing_written(
    options: list[str], message: str, small_data: Path, tmp_path: Path
) -> None:
    given = {"--data": str(small_data), "--json": str(tmp_path / "found.json"), "--kernel": None}
    given["--kernel"] = str(write_kernel(tmp_path / "broken.py", "1 / 0"))  # exit status 1, were it run
    for name in options[::2]:
        given.pop(name, None)
    arguments = [*(part for pair in given.items() for part in pair), *options]
    done = check(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert not (tmp_path / "found.json").exists()


def test_orders_can_be_drawn_again(small_data: Path, tmp_path: Path) -> None:
    """The image that a message names first depends on the order that the seed draws."""
    path = write_kernel(tmp_path / "wrong.py", ANSWERS.format("return 1 - labels"))
    said = [check("--data", small_data, "--kernel", path, "--seed", seed).stdout for seed in (5, 5, 6)]
    assert "orders drawn from seed 5" in said[0]
    assert said[0] == said[1]
    assert said[0].partition("orders")[0] != said[2].partition("orders")[0]
