"""After a kill, at any moment, no worker is left and `run --resume` makes the record whole."""

import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

from bench import reading
from bench.kernel import ROOT
from data.tests.builders import small_set, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and process groups are POSIX")

BENCH = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background it is ignored
from pathlib import Path
from bench import __main__, records, recording
records.LOCAL = Path(sys.argv.pop(1))
__main__.main()
"""
RIGHT = (ROOT / "kernels" / "numpy_broadcast.py").read_text()


@pytest.fixture
def place(tmp_path):
    """A folder with small digits and a kernel that is quick to start."""
    write(tmp_path / "small", small_set())
    (tmp_path / "mine.py").write_text(RIGHT)
    return tmp_path


def start(place, *arguments):
    command = [sys.executable, "-c", BENCH, str(place / "local"), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def begin(place):
    return start(place, "run", "--data", place / "small", "--kernel", place / "mine.py", "--quiet")


def finished_sets(place):
    return len(list((place / "local").glob("*.unfinished/all-default-*.json")))


def killed(place, run, delay_s):
    """Kill the parent after a while, and every trace of its workers must be gone soon."""
    time.sleep(delay_s)
    workers = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
    return len(workers)


def test_killed_at_any_moment_and_resumed_to_a_whole_record(place):
    rng = random.Random(7)
    run, kills = begin(place), 0
    killed(place, run, 2.5)
    while not list((place / "local").glob("*.json")):
        before = finished_sets(place)
        run = start(place, "run", "--resume", "--quiet")
        if kills < 2:
            killed(place, run, rng.uniform(0.4, 2.5))
            assert finished_sets(place) >= before
            kills += 1
        else:
            said, errors = run.communicate(timeout=120)
            assert run.returncode == 0, said + errors
    record = reading.read(next((place / "local").glob("*.json")))
    assert record.processes == 6
    counts = {process: len([each for each in record.of("mine") if each.process == process]) for process in range(6)}
    assert len(set(counts.values())) == 1
    assert not list((place / "local").glob("*.unfinished"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda place: (place / "mine.py").write_text(RIGHT.replace("/ 255", "* (1 / 255)")), "source of mine was "),
        (lambda place: write(place / "small", {"valid/3/99.png": small_set()["valid/3/9.png"]}), "dataset_digest was "),
    ],
)
def test_resuming_under_other_circumstances_is_refused_by_name(place, change, says):
    run = begin(place)
    deadline = time.monotonic() + 60
    while not finished_sets(place):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    killed(place, run, 0)
    change(place)
    resumed = start(place, "run", "--resume")
    _, errors = resumed.communicate(timeout=60)
    assert resumed.returncode == 2
    assert says in errors
    assert "start anew" in errors
    assert "Traceback" not in errors


def test_there_is_nothing_to_resume_and_no_other_option_beside_it(place):
    for arguments, says in (
        (["--resume"], "no unfinished recording"),
        (["--resume", "--full"], "takes no other option"),
    ):
        run = start(place, "run", *arguments)
        _, errors = run.communicate(timeout=60)
        assert run.returncode == 2
        assert says in errors


def test_a_worker_that_hangs_in_c_does_not_outlive_its_parent(place):
    if sys.platform != "linux":
        pytest.skip("only Linux ends a process with its parent")
    (place / "mine.py").write_text("import ctypes\nctypes.PyDLL(None).pause()\n")  # holds the GIL for ever
    run = begin(place)
    deadline = time.monotonic() + 60
    while len(psutil.Process(run.pid).children()) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert killed(place, run, 1.5) >= 1


def test_ctrl_c_after_a_finished_set_says_how_to_go_on(place):
    run = begin(place)
    deadline = time.monotonic() + 60
    while not finished_sets(place):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGINT)
    said, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "--resume" in said
    assert "Traceback" not in errors
