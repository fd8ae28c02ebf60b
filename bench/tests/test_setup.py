"""`make setup` with a Python that only pretends: what is refused, what is said first, and what is not repeated."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

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


@pytest.fixture
def pretend(tmp_path):
    def make(lie=""):
        wrapper, script = tmp_path / "python", tmp_path / "pretender.py"
        script.write_text(PRETENDER.format(lie=lie, wrapper=str(wrapper)), encoding="utf-8")
        wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n', encoding="utf-8")
        wrapper.chmod(0o755)
        return wrapper

    return make


def setup(checkout, *variables):
    # Nothing but PATH: PYTHON, TORCH or MAKEFLAGS of the make that runs these tests must not reach this one.
    return subprocess.run(
        ["make", "setup", *variables],
        cwd=checkout,
        env={"PATH": os.environ["PATH"]},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


def refusal(checkout, *variables):
    before = sorted(checkout.iterdir())
    done = setup(checkout, *variables)
    assert done.returncode != 0
    assert sorted(checkout.iterdir()) == before, "something was made"
    assert done.stdout == ""
    sentence, closing = done.stderr.splitlines()
    assert closing.startswith("make: ***")  # make's own line
    assert re.fullmatch(r"[^\n]+[^.]\.", sentence)
    return sentence


@needs_make
def test_refuses_an_old_python(checkout, pretend):
    python = pretend("sys.version_info = (3, 10, 13, 'final', 0)")
    assert "is Python 3.10, but this needs 3.11 or newer" in (said := refusal(checkout, f"PYTHON={python}"))
    assert "make setup PYTHON=python3.12" in said


@needs_make
@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_refuses_a_python_without_the_venv_module(checkout, pretend, module):
    python = pretend(f"sys.modules[{module!r}] = None")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"apt install python{version}-venv" in refusal(checkout, f"PYTHON={python}")


@needs_make
def test_refuses_a_missing_python(checkout):
    assert "No Python answers to no-such-python" in refusal(checkout, "PYTHON=no-such-python")


@needs_make
def test_refuses_an_unknown_choice_of_torch(checkout, pretend):
    assert "and not cpu;" in refusal(checkout, f"PYTHON={pretend()}", "TORCH=cpu")


@needs_make
def test_refuses_an_installed_torch_that_is_not_there(checkout, pretend):
    lie = "import importlib.metadata; del importlib.metadata.version"  # as unable to name one
    assert "has no torch" in refusal(checkout, f"PYTHON={pretend(lie)}", "TORCH=installed")


@needs_make
def test_takes_an_installed_torch_of_any_version(checkout, pretend):
    lie = """
import importlib.metadata as metadata, sysconfig, types
metadata.version = lambda name: "2.7.1"
metadata.distribution = lambda name: types.SimpleNamespace(locate_file=lambda _: "/where/torch/is")
sysconfig.get_path = lambda name: ".venv"
"""
    done = setup(checkout, f"PYTHON={pretend(lie)}", "TORCH=installed")
    assert "install -c .venv/constraints.txt -e '.[torch,dev]'" in done.stdout
    pins = (checkout / ".venv" / "constraints.txt").read_text(encoding="utf-8")
    assert "torch==2.7.1\n" in pins
    assert "torch==2.13" not in pins
    assert "numpy==" in pins
    assert "sympy==" not in pins, "the needs of another torch were pinned"
    assert (checkout / ".venv" / "installed_torch.pth").read_text(encoding="utf-8") == "/where/torch/is\n"


@needs_make
def test_the_download_is_announced_before_pip_starts(checkout, pretend):
    done = setup(checkout, f"PYTHON={pretend()}")
    assert done.returncode == 0, done.stderr
    assert "To download" in done.stdout
    announced, called = done.stdout.index(" MB"), done.stdout.index("pip was called: install -c constraints.txt")
    assert announced < called
    assert "for torch" in done.stdout[:called]
    assert all(f"TORCH{choice}" in done.stdout[:called] for choice in ("=none", "=installed", "_INDEX="))


@needs_make
def test_a_set_up_is_repeated_only_if_something_changed(checkout, pretend):
    python = f"PYTHON={pretend()}"
    assert "pip was called" in setup(checkout, python).stdout
    for again in ([python], []):  # the choice of Python is kept
        assert "pip was called" not in setup(checkout, *again).stdout
    without = setup(checkout, "TORCH=none").stdout
    assert "without torch" in without
    assert ".[dev]" in without
    assert "pip was called" not in setup(checkout).stdout, "the choice of torch was forgotten"
    index = setup(checkout, "TORCH_INDEX=https://index.example/cpu").stdout
    assert "--index-url https://index.example/cpu torch" in index
    assert ".[torch,dev]" in setup(checkout, "TORCH=default").stdout
    (checkout / ".venv" / "bin" / "python").unlink()
    assert "pip was called" in setup(checkout).stdout, "an environment without its Python was taken as whole"


@needs_make
def test_an_interrupted_set_up_is_repeated(checkout, pretend):
    (checkout / "pip-fails").touch()
    assert setup(checkout, f"PYTHON={pretend()}", "TORCH=none").returncode != 0
    (checkout / "pip-fails").unlink()
    again = setup(checkout)
    assert again.returncode == 0
    assert ".[dev]" in again.stdout, "the choice of torch was forgotten"
    done = checkout / ".venv" / "done"
    os.utime(done, (1, 1))  # as if pyproject.toml had been changed since
    (checkout / "pip-fails").touch()
    assert setup(checkout).returncode != 0
    assert not done.exists(), "a whole environment that pip left half changed was taken as whole"


def test_every_direct_dependency_is_pinned_within_its_range():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    project = PYPROJECT["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    for wanted in map(Requirement, project["dependencies"] + extras):
        if wanted.name == project["name"]:  # the ladder: the extras above, together
            continue
        pinned = pins.get(canonicalize_name(wanted.name), "")
        assert pinned, f"constraints.txt does not pin {wanted.name}"
        assert pinned in wanted.specifier, f"{wanted.name} {pinned} is outside {wanted.specifier}"
        assert "+" not in pinned, f"{wanted.name} {pinned} is a build that not every index has"


def test_the_makefile_asks_for_the_python_that_the_project_needs():
    major, minor = re.fullmatch(r">=(\d+)\.(\d+)", PYPROJECT["project"]["requires-python"]).groups()
    assert f"sys.version_info < ({major}, {minor})" in (ROOT / "Makefile").read_text(encoding="utf-8")
