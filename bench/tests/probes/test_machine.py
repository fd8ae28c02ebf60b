"""What a system does not tell is unknown, and never an error."""

import os
import sys
from pathlib import Path

import pytest

from bench.probes import cpu_time, host_memory, machine


@pytest.fixture(params=["no file", "no such line"])
def silent(request, monkeypatch):
    """A system that lacks the files of /proc and /sys, or a sandbox in which they say something else."""

    def read_text(path, *_, **__):
        if request.param == "no file":
            raise FileNotFoundError(path)
        return "Name: python\n"

    monkeypatch.setattr(Path, "read_text", read_text)


def test_the_machine_is_described_as_far_as_it_is_known(silent, monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: os.listdir("no such folder"))
    metadata = machine.metadata()
    assert metadata["cpu_model_name"]
    assert metadata["cpu_count"] > 0
    if sys.platform == "linux":
        assert metadata["caches"] in ("unknown", "LName: python Name: python")
        assert metadata["governor"] in ("unknown", "Name: python")
    assert machine.load_average() == 0.0


def test_memory_that_the_system_does_not_tell_is_not_measured(silent, monkeypatch):
    monkeypatch.setattr(Path, "write_text", lambda *_: 1)
    called = []
    assert host_memory.peak(lambda: called.append(1)) == host_memory.Peak(None, None)
    assert called == [1]
    if sys.platform == "linux":
        assert cpu_time.resources()[2] == 0
