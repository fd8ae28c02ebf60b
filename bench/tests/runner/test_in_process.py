"""The two pytest entry points, run as a user runs them: a wrong kernel fails, and none of its times is ever written."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.tests.builders import python, write_kernel
from bench.tests.wrong_kernels import ANSWERS, MEANS, WRONG

SCOPES = {"mean -", "predict l1", "predict l2", "baseline l1", "baseline l2", "end_to_end l1", "end_to_end l2"}
L1 = {group for group in SCOPES if group.endswith("l1")}

SOURCES = {
    "right": "",
    "no_l2": "del predict_l2",
    "wrong_l2": WRONG["swapped_l2"][0],
    "wrong_means": MEANS.format("return means.round(3)"),
    # Right for as many calls as verification makes, and then no more: only the timed calls can show it.
    "late_l1": "calls = []\n" + ANSWERS.format("calls.append(1); return labels if len(calls) < 9 else 1 - labels"),
    "late_means": "calls = []\n" + MEANS.format("calls.append(1); return means + 0.1 * (len(calls) > 9)"),
    "absent": "import nowhere_at_all",
    "slow": "IMAGES = 3",
    "few": "right = prepare\ndef prepare(images, device):\n    return right(images[:10], device)",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("kernels")
    return {name: write_kernel(folder / f"{name}.py", source) for name, source in SOURCES.items()}


def run(*options: object, small_data: Path, files: dict[str, Path]) -> Any:
    """Run pytest with the kernels of SOURCES and no others."""
    kernels = [part for path in files.values() for part in ("--kernel", path)]
    return python(
        *("-m", "pytest", "-p", "no:cacheprovider", "--data", small_data, "--kernels", "right", *kernels, *options)
    )


@pytest.fixture(scope="module")
def timed(small_data: Path, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[Any]]:
    """What `pytest --benchmark-only` printed, and the rows of its JSON."""
    json_file = tmp_path_factory.mktemp("times") / "times.json"
    options = ("bench/test_speed.py", "--benchmark-only", f"--benchmark-json={json_file}")
    done = run(*options, small_data=small_data, files=files)
    assert done.returncode == 1, done.stdout + done.stderr
    return done, json.loads(json_file.read_text())["benchmarks"]


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("right", SCOPES),
        ("no_l2", {group for group in SCOPES if not group.endswith("l2")}),
        ("wrong_l2", set()),
        ("wrong_means", set()),
        ("late_l1", SCOPES - L1),
        ("late_means", {"predict l1", "predict l2"}),
        ("absent", set()),
        ("slow", SCOPES),
        ("few", set()),
    ],
)
def test_only_right_answers_are_timed(name: str, groups: set[str], timed: tuple[Any, list[Any]]) -> None:
    """A kernel that verification refuses is absent from every scope; one that goes wrong later, from where it did."""
    done, rows = timed
    assert {row["group"] for row in rows if row["extra_info"]["kernel"] == name} <= groups
    if not name.startswith("late"):
        assert {row["group"] for row in rows if row["extra_info"]["kernel"] == name} == groups
    assert not [row for row in rows if f"[{name}" in row["name"] and row["extra_info"]["kernel"] != name]
    if name.startswith(("wrong", "late")):
        assert f"[{name}" in done.stdout  # the test's id in the summary of failures


def test_a_late_kernel_fails_in_a_timed_call(timed: tuple[Any, list[Any]]) -> None:
    done, _ = timed
    assert "WrongAnswer: l1: in a timed call: " in done.stdout
    assert "WrongAnswer: in a timed call: mean images are up to 1.00e-01" in done.stdout
    assert "absent is unavailable: nowhere_at_all is not installed" in done.stdout


def test_every_row_says_what_it_is(timed: tuple[Any, list[Any]]) -> None:
    _, rows = timed
    for row in rows:
        said = row["extra_info"]
        assert f"[{said['kernel']}" in row["name"]
        assert row["group"] == f"{said['scope']} {said['distance']}"
        slow = said["kernel"] == "slow"
        assert (said["dataset"], said["device"]) == ("small[3 per class]" if slow else "small", "cpu")
        assert len(said["dataset_digest"]) == 64
        assert (said.get("per_class"), "dataset_of" in said) == ((3, True) if slow else (None, False))
        assert said["correct_l1"].count("/") == 2
        mean, predict = (6, 6) if slow else (27, 81)
        assert said["images"] == {"mean": mean, "predict": predict}.get(said["scope"], mean + predict)
        assert {"threads", "numpy_version", "python_version", "cpu_model_name"} <= set(said)
        assert "correct_l2" in said or said["kernel"] == "no_l2"
        assert 3 <= row["stats"]["rounds"] <= 50


@pytest.mark.parametrize("per_class", [None, 5])
def test_the_cross_check_has_one_test_per_kernel_and_distance(
    per_class: int | None, small_data: Path, files: dict[str, Path]
) -> None:
    """With --per-class on as few images of every class, so that the kernel that takes no more than ten is right."""
    options = ["--per-class", per_class] if per_class else []
    done = run("bench/test_accuracy.py", "-v", *options, small_data=small_data, files=files)
    assert done.returncode == 1
    outcome = {}
    for line in done.stdout.splitlines():
        if line.startswith("bench/test_accuracy.py::") and "[" in line:
            name, _, rest = line.partition("[")[2].partition("]")
            outcome[name] = rest.split()[0]
    expected = {
        "wrong_l2": "ERROR",
        "wrong_means": "ERROR",
        "absent": "SKIPPED",
        "few": "PASSED" if per_class else "ERROR",
    }
    due = {f"{name}-{key}": expected.get(name, "PASSED") for name in SOURCES for key in ("l1", "l2")}
    assert outcome == due | {"no_l2-l2": "SKIPPED"}
    assert "WrongAnswer: l2: " in done.stdout


@pytest.mark.parametrize("options", [["--kernels", "nobody"], ["--data", "no/such"], ["--per-class", "0"]])
def test_bad_input_is_a_usage_error(options: list[str], small_data: Path) -> None:
    command = ("-m", "pytest", "-p", "no:cacheprovider", "bench/test_accuracy.py", "--data", small_data)
    done = python(*command, "--kernels", "numpy_broadcast", *options)
    assert done.returncode in (2, 4)
    assert options[1] in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
