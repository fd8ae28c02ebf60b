"""CPU time of this process, of its children, of others and of the machine."""

import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from bench.probes import cpu_time
from bench.probes.cpu_time import Usage


@pytest.fixture
def spinning():
    """A child process that does nothing but use CPU time."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield process.pid
        process.kill()


@pytest.mark.parametrize("platform", [sys.platform, "elsewhere"])
def test_a_process_that_works_has_used_cpu_time_and_one_that_is_gone_none(spinning, platform, monkeypatch):
    monkeypatch.setattr(cpu_time.sys, "platform", platform)
    before = cpu_time.read([], {"busy": [spinning], "gone": [2**22 + 1]})
    while cpu_time.seconds_of([spinning]) < before.others["busy"] + 0.05:
        time.sleep(0.01)
    used = cpu_time.between(before, cpu_time.read([], {"busy": [spinning], "gone": [2**22 + 1]}), 2.0)
    assert used.others["busy"] >= 0.02
    assert used.others["gone"] == 0
    assert cpu_time.descendants() == [spinning]


def test_children_count_as_the_process_itself_also_when_they_have_ended(spinning):
    alone, both = cpu_time.read([], {}).own, cpu_time.read([spinning], {}).own
    assert both >= alone
    while cpu_time.seconds_of([spinning]) < 0.05:
        time.sleep(0.01)
    before = cpu_time.read([spinning], {}).own
    psutil.Process(spinning).kill()
    psutil.Process(spinning).wait()
    assert cpu_time.read([spinning], {}).own >= before - 0.02 or sys.platform == "win32"


def test_usage_is_per_second_and_what_a_system_does_not_tell_is_none(monkeypatch):
    before, after = Usage(1, {"a": 2.0, "ended": 3.0}, 10.0, None), Usage(2, {"a": 2.5, "ended": 0.0}, 9.99, 3.0)
    assert cpu_time.between(before, after, 0.5) == Usage(2.0, {"a": 1.0, "ended": 0.0}, pytest.approx(-0.02), None)
    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(user=1.0, system=2.0, idle=3.0))
    assert cpu_time.read([], {}).steal is None
