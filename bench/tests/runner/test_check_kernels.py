"""Kernels are verified side by side: each in a process of its own, and what one costs is not the others' to pay."""

import sys
import time

import pytest

from bench.runner import check_kernels
from bench.tests.builders import problem, spec, write_kernel
from bench.tests.runner.test_worker_handle import gone

# Notes its process, and goes on when as many kernels have done so.
MEET = """
import os, pathlib, time
folder = pathlib.Path(__file__).parent / "processes"
(folder / str(os.getpid())).touch()
while len([*folder.iterdir()]) < {}:
    time.sleep(0.01)
"""


@pytest.fixture
def check_all(tmp_path, monkeypatch):
    """Return a function that verifies kernels, two at once, of which a source has each one's own lines."""
    monkeypatch.setattr(check_kernels, "cores", lambda: 2)
    (tmp_path / "processes").mkdir()

    def check(sources, progress=lambda *_: None):
        with check_kernels.problem_folder(problem()) as folder:
            paths = [write_kernel(tmp_path / f"{name}.py", source) for name, source in sources.items()]
            return check_kernels.check_all([(spec(path), folder) for path in paths], 1, 60, progress)

    return check


def test_kernels_are_verified_side_by_side_and_listed_in_their_order(check_all, tmp_path, monkeypatch):
    """What is begun first is one that compiles, and so it is shown first."""
    shown = []
    sources = {"loops": MEET.format(2), "compiled": f"import PIL\n{MEET.format(2)}"}
    monkeypatch.setattr(check_kernels, "COMPILED", ("PIL",))  # which is always installed
    results = check_all(sources, lambda *told: shown.append(told))
    assert [(result.name, result.status) for result in results] == [("loops", "agrees"), ("compiled", "agrees")]
    assert shown == [("verify", "compiled", 0, 2), ("verify", "loops", 1, 2)]
    assert len([*(tmp_path / "processes").iterdir()]) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
def test_a_kernel_that_needs_the_memory_of_others_is_verified_again_alone(check_all, monkeypatch):
    monkeypatch.setattr(check_kernels, "MEMORY_LIMIT", 2 * check_kernels.ENOUGH)
    large = f"np.empty({check_kernels.ENOUGH}, np.uint8)"
    fails = f"{MEET.format(2)}\nraise MemoryError('always')"
    results = check_all({"large": f"{MEET.format(2)}\n{large}", "fails": fails})
    assert [result.status for result in results] == ["agrees", "broken"]
    assert results[1].reason == "out of memory: always"


def test_an_interruption_ends_every_process(check_all, tmp_path):
    def interrupt(*_):
        while len(begun := [*(tmp_path / "processes").iterdir()]) < 2:
            time.sleep(0.01)
        processes.extend(int(path.name) for path in begun)
        raise KeyboardInterrupt

    processes = []
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        check_all({name: MEET.format(99) for name in ("first", "second", "third")}, interrupt)
    assert len(processes) == len([*(tmp_path / "processes").iterdir()]) == 2  # the third was never begun
    assert all(map(gone, processes))
    assert time.monotonic() - started < 30
