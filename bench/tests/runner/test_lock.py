"""One timing run at a time: the second waits and names the first, which the system forgets when it dies."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bench.kernel import ROOT
from bench.runner import lock

HOLD = """
from pathlib import Path
from bench.runner import lock
lock.FILE = Path({file!r})
with lock.only_timing_run():
    print("taken", flush=True)
    input()
"""


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A user of its own, with the lock turned on."""
    monkeypatch.delenv(lock.VARIABLE, raising=False)
    monkeypatch.setattr(lock, "FILE", tmp_path / "timing")
    script = HOLD.format(file=str(lock.FILE))
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout.readline() == "taken\n"
        yield first
        first.kill()


def test_the_second_names_the_first_and_goes_on_when_that_is_killed(alone, monkeypatch, capsys):
    waits = []
    monkeypatch.setattr(time, "sleep", lambda seconds: waits.append(seconds) or os.kill(alone.pid, signal.SIGKILL))
    with lock.only_timing_run():
        assert waits
    assert capsys.readouterr().err.count(f"Waiting for process {alone.pid} in {ROOT}, started ") == 1
    with lock.only_timing_run():  # released before
        pass


def test_a_variable_turns_it_off(alone, monkeypatch):
    monkeypatch.setenv(lock.VARIABLE, "1")
    with lock.only_timing_run():
        assert alone.poll() is None


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="the system follows every link")
def test_what_a_link_points_to_is_not_emptied(tmp_path, monkeypatch):
    monkeypatch.delenv(lock.VARIABLE, raising=False)
    monkeypatch.setattr(lock, "FILE", tmp_path / "timing")
    (tmp_path / "mine").write_text("kept")
    lock.FILE.symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match="timing"), lock.only_timing_run():
        pass
    assert (tmp_path / "mine").read_text() == "kept"
