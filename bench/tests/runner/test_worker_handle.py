"""A worker process: what its kernel does to it costs no other kernel anything, and nothing of it is left behind."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from bench.kernel import ROOT
from bench.runner import check_kernels
from bench.tests.builders import problem, spec, write_kernel

CHILD = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(pathlib.Path(__file__).parent / "child").write_text(str(child.pid))
"""


def gone(process):
    """Return whether a process that has been killed is gone within ten seconds, or has ended as a zombie."""
    try:
        for _ in range(200):
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return True
            time.sleep(0.05)
    except psutil.NoSuchProcess:
        return True
    return False


@pytest.mark.skipif(os.name != "posix", reason="process groups")
@pytest.mark.parametrize(
    ("ending", "timeout_s", "status", "reason"),
    [
        ("time.sleep(600)", 4, "broken", "gave no answer within 4 s and was ended; it had started processes: start "
         "them in a call, not when it is imported"),
        ("import os; os._exit(3)", 100, "broken", "its process exited with status 3"),
        ("pass", 100, "agrees", None),
    ],
)  # fmt: skip
def test_a_kernels_children_end_with_it(ending, timeout_s, status, reason, tmp_path):
    path = write_kernel(tmp_path / "parent.py", f"{CHILD}\n{ending}")
    with check_kernels.problem_folder(problem()) as folder:
        result = check_kernels.check_kernel(spec(path), folder, 0, timeout_s)
    assert (result.status, result.reason) == (status, reason)
    assert gone(int((tmp_path / "child").read_text()))


def test_a_worker_does_not_outlive_its_parent(tmp_path):
    """Its requests end with its parent; it then ends at once, even in the middle of a call."""
    source = "import pathlib; pathlib.Path(__file__).with_name('began').touch()\nwhile True: pass\n"
    path = write_kernel(tmp_path / "busy.py", source)
    command = [sys.executable, "-m", "bench.runner.worker", "0"]  # no memory limit
    with check_kernels.problem_folder(problem()) as folder:
        worker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        read = {"do": "read_problem", "folder": folder, "order": 0}
        start = {"do": "start", "spec": check_kernels.as_json(spec(path))}
        worker.stdin.write(f"{json.dumps(read)}\n{json.dumps(start)}\n")
        worker.stdin.flush()
        while not (tmp_path / "began").exists():
            assert worker.poll() is None
            time.sleep(0.02)
        worker.stdin.close()
        assert worker.wait(timeout=60) == 0
