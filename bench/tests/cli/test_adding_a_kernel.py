"""Adding a kernel is adding one file: nothing else in a copy of this checkout changes, and every command finds it."""

import json
import shutil
from pathlib import Path

import pytest

from bench.kernel import ROOT
from bench.tests.builders import python, write_kernel


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a checkout needs to check kernels, with one more kernel."""
    checkout = tmp_path_factory.mktemp("checkout")
    for folder in ("bench", "data", "kernels"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)
    write_kernel(checkout / "kernels" / "mine.py")
    return checkout


def test_it_is_listed(checkout: Path) -> None:
    listed = python("-m", "bench", "kernels", root=checkout)
    (row,) = [line for line in listed.stdout.splitlines() if line.split()[:1] == ["mine"]]
    assert row.split(maxsplit=2)[1] == "available"


def test_it_is_checked(checkout: Path, small_data: Path) -> None:
    path = checkout / "results.json"
    done = python("-m", "bench", "check", "--kernels", "mine", "--data", small_data, "--json", path, root=checkout)
    assert done.returncode == 0, done.stderr
    assert [(row["name"], row["status"]) for row in json.loads(path.read_text())["kernels"]] == [("mine", "agrees")]


def test_it_is_verified_and_timed_by_pytest(checkout: Path, small_data: Path) -> None:
    pytest_here = ("-m", "pytest", "-p", "no:cacheprovider", "--data", small_data, "-v", "-k", "mine")
    accuracy = python(*pytest_here, "bench/test_accuracy.py", root=checkout)
    assert accuracy.returncode == 0, accuracy.stdout
    for distance in ("l1", "l2"):
        assert f"test_accuracy[mine-{distance}] PASSED" in accuracy.stdout
    speed = python(*pytest_here, "bench/test_speed.py", "--benchmark-only", "-k", "mine and predict", root=checkout)
    assert speed.returncode == 0, speed.stdout
    assert speed.stdout.count("PASSED") == 2
