"""What a person sees while a command runs, and how it names itself and its files."""

import io
import os
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import __main__, kernel
from bench.cli import console
from bench.kernel import ROOT


def test_a_command_line_is_as_typed_with_files_by_name_alone():
    typed = ["run", "--kernel", "../a b/mine one.py", "--data=/x/y/set", "--sizes", "1", "--kernel=z/k.py"]
    line = console.command_line(typed)
    assert line == "python -m bench run --kernel 'mine one.py' --data=set --sizes 1 --kernel=k.py"
    assert console.command_line(["run", "--data", "."]) == f"python -m bench run --data {Path.cwd().name}"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("width", [80, 120])
def test_in_a_terminal_progress_says_what_runs_with_the_time_left(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    stage = "process 3 of 6: baseline, round 1 of 3"
    with console.progress(False) as progress:
        progress(stage, "torch_broadcast@cuda", 1, 4)
    lines = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", sys.stderr.getvalue()).splitlines()
    shown = next(line for line in lines if "%" in line)
    assert re.fullmatch(rf"(.* )? ?25% --:-- left  torch_broadcast@cuda, {stage} *", shown)
    assert len(shown) <= width
    assert ("━" in shown) == (width > 80)


def test_in_a_terminal_an_error_breaks_no_word(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "argv", ["bench", "check", "--kernels", "nobody"])
    assert __main__._status() == 2
    lines = sys.stderr.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert {spec.name for spec in kernel.discover()} <= {*" ".join(lines).replace(",", "").replace(".", "").split()}


def test_the_command_that_is_next_works_in_this_shell(monkeypatch, tmp_path):
    """With the environment's Python, whether it is active or not."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    python.with_name("python3").symlink_to(python)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(python))
    assert console.bench() == os.path.join(".venv", "bin", "python") + " -m bench"
    monkeypatch.setenv("PATH", str(python.parent), prepend=os.pathsep)
    assert console.bench() == "python -m bench"
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", "")
    assert console.bench() == f"{python} -m bench"


def test_help_breaks_no_line_inside_a_word():
    for name in ((), *((name,) for name in __main__.COMMANDS)):
        for line in CliRunner().invoke(__main__.cli, [*name, "--help"]).output.splitlines():
            assert len(line) <= 80
            assert line.startswith("Usage: ") or not line.endswith(("-", "..."))
