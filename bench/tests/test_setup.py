"""`make setup` with a Python that only pretends: refusals, the announced download, no repetition; pinned versions."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.tests.builders import python

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

needs_make = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("make") is None, reason="make is missing; Windows sets up with pip"
)

# Answers questions like a real Python, but makes no environment and installs nothing: the Python of its `.venv` is
# itself, and its pip only says how it was called (and fails while a file `pip-fails` is there).
PRETENDER = """
import os, pathlib, shlex, sys
{lie}
match sys.argv[1:]:
    case ["-c", code]:
        exec(code, {{}})
    case ["-m", "venv", folder]:
        (pathlib.Path(folder) / "bin").mkdir(parents=True)
        os.symlink({wrapper!r}, pathlib.Path(folder) / "bin" / "python")
    case ["-m", "pip", *arguments]:
        print("pip was called:", shlex.join(arguments), flush=True)
        sys.exit(pathlib.Path("pip-fails").exists())
    case other:
        sys.exit("unexpected call: " + shlex.join(other))
"""


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def pretend(checkout, lie=""):
    """Write a Python that pretends; return the argument of make that names it."""
    wrapper, script = checkout.parent / "python", checkout.parent / "pretender.py"
    script.write_text(PRETENDER.format(lie=lie, wrapper=str(wrapper)), encoding="utf-8")
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{script}" "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    return f"PYTHON={wrapper}"


def setup(checkout, *variables):
    # Only PATH: PYTHON, TORCH or MAKEFLAGS of the make that runs these tests must not reach this one.
    options = {"cwd": checkout, "env": {"PATH": os.environ["PATH"]}, "timeout": 60}
    return subprocess.run(["make", "setup", *variables], text=True, capture_output=True, check=False, **options)


@needs_make
@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ("sys.version_info = (3, 10, 13, 'final', 0)", "is Python 3.10, but this needs 3.11 or newer"),
        ("sys.modules['venv'] = None", f"apt install python{VERSION}-venv"),
        ("sys.modules['ensurepip'] = None", f"apt install python{VERSION}-venv"),
        (None, "There is no Python called no-such-python"),
    ],
)
def test_an_unsuitable_python_is_refused_in_one_sentence(checkout, lie, message):
    before = sorted(checkout.iterdir())
    done = setup(checkout, "PYTHON=no-such-python" if lie is None else pretend(checkout, lie))
    assert done.returncode != 0
    assert sorted(checkout.iterdir()) == before, "something was made"
    assert done.stdout == ""
    sentence, closing = done.stderr.splitlines()
    assert message in sentence
    assert re.fullmatch(r".+[^.]\.", sentence)
    assert closing.startswith("make: ***")  # make's own line


@needs_make
def test_the_download_is_announced_before_pip_starts(checkout):
    done = setup(checkout, pretend(checkout))
    assert done.returncode == 0, done.stderr
    announced, called = done.stdout.split("pip was called: ")
    assert re.search(r"130 MB .*for torch 0\.2 GB .*TORCH=none .*TORCH_INDEX=", announced)
    called, last = called.splitlines()
    assert called == "install -c constraints.txt -e '.[torch,dev]'"
    assert last.endswith("activate it: . .venv/bin/activate")


@needs_make
def test_a_set_up_is_repeated_only_if_something_changed(checkout):
    pretender = pretend(checkout)
    assert "pip was called" in setup(checkout, pretender).stdout
    assert "Nothing to be done" in setup(checkout, pretender).stdout
    without = setup(checkout, pretender, "TORCH=none").stdout
    assert "130 MB without torch" in without
    assert "-e '.[dev]'" in without
    for again in ([], ["TORCH=none"]):
        assert "Nothing to be done" in setup(checkout, *again).stdout
    assert "can only be none" in setup(checkout, "TORCH=cpu").stderr
    index = setup(checkout, pretender, "TORCH_INDEX=https://index.example/cpu").stdout
    assert "--no-deps -c constraints.txt --index-url https://index.example/cpu torch\n" in index
    assert "-e '.[torch,dev]'" in index
    (checkout / ".venv" / "bin" / "python").unlink()
    assert "https://index.example/cpu" in setup(checkout, pretender).stdout, "an environment needs its Python"


@needs_make
def test_an_interrupted_set_up_is_repeated_with_the_same_torch(checkout):
    pretender, pip_fails, done = pretend(checkout), checkout / "pip-fails", checkout / ".venv" / "done"
    pip_fails.touch()
    assert setup(checkout, pretender, "TORCH=none").returncode != 0
    pip_fails.unlink()
    assert "-e '.[dev]'" in setup(checkout, pretender).stdout
    os.utime(done, (1, 1))  # as if pyproject.toml had been changed since
    pip_fails.touch()
    assert setup(checkout).returncode != 0
    assert not done.exists(), "an environment that pip left half changed passed as complete"


def test_every_direct_dependency_is_pinned_within_its_range():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    extras = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for requirement in map(Requirement, PROJECT["dependencies"] + extras):
        if requirement.name == PROJECT["name"]:  # an extra that joins others
            continue
        pinned = pins.get(canonicalize_name(requirement.name), "")
        assert pinned, f"constraints.txt does not pin {requirement.name}"
        assert pinned in requirement.specifier, f"{requirement.name} {pinned} is outside {requirement.specifier}"
        assert "+" not in pinned, f"{requirement.name} {pinned} is a build that not every index has"


def test_the_makefile_asks_for_the_python_that_the_project_needs():
    major, minor = re.fullmatch(r">=(\d+)\.(\d+)", PROJECT["requires-python"]).groups()
    assert f"sys.version_info < ({major}, {minor})" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_a_warning_of_the_project_s_own_code_is_an_error_and_of_others_is_not():
    with pytest.raises(UserWarning, match="own"):
        warnings.warn("own", stacklevel=1)
    with warnings.catch_warnings(record=True):
        warnings.warn_explicit("of others", UserWarning, "file.py", 1, module="benchmarks.of.others")


def test_pytest_runs_in_a_read_only_checkout_and_without_assert_statements():
    done = python("-O", "-m", "pytest", "-o", "cache_dir=/dev/null/none", "bench/tests/test_formatting.py")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", [[], ["kernels"]])
def test_help_does_not_need_docstrings(command):
    helps = [python(*option, "-m", "bench", *command, "--help").stdout for option in ([], ["-OO"])]
    assert helps[0] == helps[1] != ""


def test_nothing_is_timed_in_parallel():
    pytest.importorskip("xdist")
    done = python("-m", "pytest", "-n", "2", "--benchmark-only", "bench/test_speed.py")
    assert (done.returncode, "-n and --dist" in done.stderr) == (4, True)
