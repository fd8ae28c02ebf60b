"""A worker process: what its kernel does to it costs nobody else, and nothing of it is left behind."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.kernel import ROOT
from bench.runner import checking, configuration
from bench.runner.process import MEMORY_LIMIT, Failure, Worker
from bench.tests.builders import problem, spec, write_kernel


def gone(process: int) -> bool:
    """Wait until a process that has been killed is gone, or has ended and waits to be collected."""
    try:
        for _ in range(200):
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return True
            time.sleep(0.05)
    except psutil.NoSuchProcess:
        return True
    return False


CHILD = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(pathlib.Path(__file__).parent / "child").write_text(str(child.pid))
"""


@pytest.mark.skipif(os.name != "posix", reason="process groups")
@pytest.mark.parametrize(
    ("ending", "timeout_s", "status", "reason"),
    [
        ("time.sleep(600)", 4, "broken", "gave no answer within 4 s and was ended"),
        ("import os; os._exit(3)", 100, "broken", "its process exited with status 3"),
        ("pass", 100, "agrees", None),
    ],
)
def test_a_kernels_children_end_with_it(
    ending: str, timeout_s: float, status: str, reason: str | None, tmp_path: Path
) -> None:
    path = write_kernel(tmp_path / "parent.py", f"{CHILD}\n{ending}")
    with checking.handed_over(problem()) as folder:
        result = checking.check_kernel(spec(path), folder, 0, timeout_s)
    assert (result.status, result.reason) == (status, reason)
    assert gone(int((tmp_path / "child").read_text()))


def test_a_worker_outlives_no_parent(tmp_path: Path) -> None:
    """Its requests end with its parent; it then ends at once, even in the middle of a call."""
    path = write_kernel(tmp_path / "busy.py", "import pathlib; pathlib.Path(__file__).with_name('began').touch()\n")
    path.write_text(f"{path.read_text()}\nwhile True: pass\n")
    command = [sys.executable, "-m", "bench.runner.worker", "0"]  # no memory limit
    with checking.handed_over(problem()) as folder:
        worker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert worker.stdin
        start = {"do": "start", "spec": checking.as_json(spec(path)), "folder": folder, "order": 0}
        worker.stdin.write(json.dumps(start) + "\n")
        worker.stdin.flush()
        while not (tmp_path / "began").exists():
            assert worker.poll() is None
            time.sleep(0.02)
        worker.stdin.close()
        assert worker.wait(timeout=60) == 0


def test_an_answer_is_checked_that_a_timed_call_returned(tmp_path: Path) -> None:
    """Right while it is verified, wrong when the last of the loops is timed."""
    late = """
calls, right = [], predict_l1

def predict_l1(images, means):
    calls.append(1)
    return right(images, means) * (len(calls) < 12)
"""
    path = write_kernel(tmp_path / "late.py", late)
    environment = configuration.environment(configuration.Configuration(), random.Random(0))
    with checking.handed_over(problem()) as folder, Worker(environment, MEMORY_LIMIT) as worker:
        worker.ask("start", 100, spec=checking.as_json(spec(path)), folder=folder, order=0)
        worker.ask("prepare", 100)
        assert set(worker.ask("verify", 100, seed=1)["correct"]) == {"l1", "l2"}
        for scope, distance in (("mean", "-"), ("predict", "l1"), ("baseline", "l1"), ("end_to_end", "l2")):
            assert worker.ask("time", 100, scope=scope, distance=distance, loops=2, warm=False)["seconds"] > 0
        with pytest.raises(Failure, match=r"l1: in a timed call: .* images differ") as caught:
            worker.ask("time", 100, scope="predict", distance="l1", loops=9, warm=False)
    assert caught.value.status == "disagrees"
