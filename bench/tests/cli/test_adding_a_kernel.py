"""Adding a kernel is adding one file: nothing else in a copy of this checkout is touched, and every verb finds it."""

import json
import shutil
from pathlib import Path

import pytest

from bench.kernel import ROOT
from bench.tests.builders import python, write_kernel

PARTS = ("bench", "data", "kernels", "conftest.py", "pyproject.toml")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a checkout needs to check kernels, with one file more."""
    copy = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, copy / part)
    write_kernel(copy / "kernels" / "mine.py")
    return copy


def test_it_is_listed(copy: Path) -> None:
    listed = python("-m", "bench", "kernels", root=copy)
    (row,) = [line for line in listed.stdout.splitlines() if line.split()[:1] == ["mine"]]
    assert row.split(maxsplit=3)[1:3] == ["cpu", "available"]


def test_it_is_checked(copy: Path, small_data: Path) -> None:
    json_file = copy / "found.json"
    done = python("-m", "bench", "check", "--kernels", "mine", "--data", small_data, "--json", json_file, root=copy)
    assert done.returncode == 0, done.stderr
    assert [(each["name"], each["status"]) for each in json.loads(json_file.read_text())["kernels"]] == [
        ("mine", "agrees")
    ]


def test_it_is_cross_checked_and_timed_by_pytest(copy: Path, small_data: Path) -> None:
    pytest_here = ("-m", "pytest", "-p", "no:cacheprovider", "--data", small_data, "-v", "-k", "mine")
    accuracy = python(*pytest_here, "bench/test_accuracy.py", root=copy)
    assert accuracy.returncode == 0, accuracy.stdout
    for distance in ("l1", "l2"):
        assert f"test_accuracy[mine-{distance}] PASSED" in accuracy.stdout
    speed = python(*pytest_here, "bench/test_speed.py", "--benchmark-only", "-k", "mine and predict", root=copy)
    assert speed.returncode == 0, speed.stdout
    assert speed.stdout.count("PASSED") == 2
