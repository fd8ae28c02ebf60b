"""After a kill, at any moment, no worker is left, and `run --resume` makes the records whole."""

import math
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import psutil
import pytest

from bench.kernel import ROOT
from bench.records import model, reader
from bench.records.model import BadRecord
from bench.runner import checkpoint
from bench.runner.checkpoint import DataSetPlan
from bench.runner.configuration import Configuration
from bench.runner.plan import PREDICT, Plan
from bench.task.problem import make_problem
from bench.tests.builders import noise, spec, write_kernel
from data.tests.builders import small_set, write

BENCH = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background it is ignored
from pathlib import Path
from bench import __main__
from bench.records import model
model.LOCAL = Path(sys.argv.pop(1))
__main__.main()
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and process groups are POSIX")


@pytest.fixture
def problems():
    """Digits, and a small data set of them."""
    return {n: make_problem(noise().first_of_each_class(n) if n else noise()) for n in (0, 5)}


@pytest.fixture
def saved(tmp_path, monkeypatch, problems):
    """A run of two data sets that no process works on."""
    monkeypatch.setattr(model, "LOCAL", tmp_path / "local")
    monkeypatch.setattr(checkpoint, "_in_progress", lambda folder: False)
    over = {"against": ("mine",), "reference": "mine"}
    plan = Plan((spec(write_kernel(tmp_path / "mine.py")),), processes=2, rounds=1, seed=3, **over)
    both = (Configuration(), Configuration("1", "keep"))
    small = DataSetPlan(5, replace(plan, processes=1, longest_s=math.inf))
    return checkpoint.begin([DataSetPlan(0, replace(plan, configurations=both)), small], {"source": "drawn"}, problems)


def test_two_data_sets_are_measured_one_after_the_other_and_resumed_where_they_stopped(saved, problems):
    progress = []

    def stop(stage, kernel, done, steps):
        progress.append((stage, done, steps))
        if "tiny[5 per class], process 1 of 1: start" in stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoint.finish(saved, problems, stop)
    resumed = checkpoint.newest()
    assert resumed == saved
    assert not checkpoint.complete(resumed)
    assert [len(checkpoint.collect(resumed, data_set, problems[0])) for data_set in resumed.data_sets] == [2, 0]
    checkpoint.must_be_same(resumed, problems)
    checkpoint.finish(resumed, problems, lambda *step: progress.append((step[0], *step[2:])))
    assert {stage.partition(", ")[0] for stage, *_ in progress} == {"tiny", "tiny[5 per class]"}
    assert [done for _, done, _ in progress] == sorted(done for _, done, _ in progress)
    assert {steps for *_, steps in progress} == {progress[-1][1]}  # each process was measured once, and all of them are
    assert checkpoint.complete(resumed)
    both = [checkpoint.collect(resumed, data_set, problems[data_set.per_class]) for data_set in resumed.data_sets]
    collected = [item for items in both for item in items]
    assert [item.results[0].status for item in collected] == ["agrees"] * 3
    metadata = [item.measurements.metadata for item in collected]
    assert {one["run"] for one in metadata} == {saved.folder.name.removesuffix(".unfinished")}
    assert [one["threads"] for one in metadata] == ["all", "1", "all"]
    assert metadata[2]["per_class"] == 5
    assert metadata[2]["dataset_of"] == metadata[0]["dataset_digest"] != metadata[2]["dataset_digest"]
    images = [{sample.images for sample in item.measurements.samples} for item in collected]
    assert images == [{12 + 15 + 40 + 41}, {12 + 15 + 40 + 41}, {4 * 5}]
    checkpoint.remove(saved)
    with pytest.raises(BadRecord, match="no unfinished run"):
        checkpoint.newest()


def test_a_run_is_not_resumed_if_anything_has_changed(saved, problems, tmp_path):
    checkpoint.must_be_same(saved, problems)
    changed = {**problems, 5: replace(problems[5], digest="another")}
    with pytest.raises(BadRecord, match=r"dataset_digest of tiny\[5 per class\] was .* and is another; .* a new run"):
        checkpoint.must_be_same(saved, changed)
    memory = saved.identity["memory_bytes"]
    # As a virtual machine reports it.
    checkpoint.must_be_same(replace(saved, identity={**saved.identity, "memory_bytes": memory * 1.04}), problems)
    for other in (memory * 0.9, None):
        with pytest.raises(BadRecord, match="memory_bytes was "):
            checkpoint.must_be_same(replace(saved, identity={**saved.identity, "memory_bytes": other}), problems)
    write_kernel(tmp_path / "mine.py", "ANOTHER = 1")
    with pytest.raises(BadRecord, match="source of mine was "):
        checkpoint.must_be_same(saved, problems)
    (saved.folder / "plan.json").write_text("{}")
    with pytest.raises(BadRecord, match=r"plan\.json: cannot be read"):
        checkpoint.newest()


def test_resuming_a_run_of_sizes_repairs_tiles_and_processes_that_cannot_be_read(saved, problems):
    plan = replace(saved.data_sets[0].plan, pairs=PREDICT, sizes=(2, 99), configurations=(Configuration(),))
    checkpoint.remove(saved)
    saved = checkpoint.begin([DataSetPlan(0, plan)], {"source": "drawn"}, problems)
    checkpoint.finish(saved, problems, lambda *_: None)
    (saved.folder / "0-all-default-1.json").write_text("[]")
    for tile in saved.folder.rglob("valid-*.npy"):
        tile.unlink()  # as if the crash came while it was written
    saved = checkpoint.newest()
    checkpoint.finish(saved, problems, lambda *_: None)
    (collected,) = checkpoint.collect(saved, saved.data_sets[0], problems[0])
    assert collected.results[0].status == "agrees"
    samples = [one for one in collected.measurements.samples if (one.kernel, one.scope) == ("mine", "predict")]
    assert {(sample.images, sample.process) for sample in samples} == {(2, 0), (99, 0), (2, 1), (99, 1)}


@pytest.fixture
def place(tmp_path):
    """A folder with small digits and a kernel that is quick to start."""
    write(tmp_path / "small", small_set("378"))
    write_kernel(tmp_path / "mine.py")
    return tmp_path


def start(place, *arguments):
    command = [sys.executable, "-c", BENCH, str(place / "local"), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def begin(place):
    """Start a run that makes no picture and no page, of two of the classes."""
    digits, kernel = ("--data", place / "small", "--classes", "7,3"), ("--kernel", place / "mine.py")
    return start(place, "run", "--sizes", 5, "--processes", 3, "--quiet", *digits, *kernel)


def finished(place):
    return len(list((place / "local").glob("*.unfinished/0-all-default-*.json")))


def wait(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def kill(run, delay_s):
    """Kill the parent after a while, check that its workers are soon gone, and return how many there were."""
    time.sleep(delay_s)
    workers = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    return len(workers)


@posix
def test_killed_at_any_moment_and_resumed_to_a_whole_record(place):
    rng = random.Random(7)
    run, kills = begin(place), 0
    wait(lambda: finished(place))
    kill(run, rng.uniform(0, 2))
    while not list((place / "local").glob("*.json")):
        before = finished(place)
        run = start(place, "run", "--resume", "--quiet")
        if kills < 2:
            kill(run, rng.uniform(0.4, 2.5))
            assert finished(place) >= before
            kills += 1
        else:
            output, errors = run.communicate(timeout=120)
            assert run.returncode == 0, output + errors
    record = reader.read(next((place / "local").glob("*.json")))
    assert (record.metadata["dataset"], record.metadata["classes"]) == ("small[3,7]", "3 7")
    assert Counter(sample.process for sample in record.samples_of("mine", "predict")) == {0: 5, 1: 5, 2: 5}
    assert not list((place / "local").glob("*.unfinished"))


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_worker_that_hangs_in_c_does_not_outlive_its_parent(place):
    (place / "mine.py").write_text("import ctypes\nctypes.PyDLL(None).pause()\n")  # holds the GIL for ever
    run = begin(place)
    wait(psutil.Process(run.pid).children)
    assert kill(run, 1.5) >= 1


@posix
def test_sigterm_prints_how_to_go_on_finishing_writes_what_there_is_and_resuming_names_what_has_changed(place):
    run = begin(place)
    wait(lambda: finished(place))
    os.kill(run.pid, signal.SIGTERM)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 143
    assert "--resume" in errors
    assert "--finish" in errors
    assert "Traceback" not in errors
    done = start(place, "run", "--finish")
    output, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    assert "The run is unfinished." in output
    record = reader.read(next((place / "local").glob("*.json")))
    assert record.processes == finished(place) < 3
    assert record.label.startswith(f"indicative: {record.processes} process")
    write_kernel(place / "mine.py", "ANOTHER = 1")
    resumed = start(place, "run", "--resume")
    _, errors = resumed.communicate(timeout=60)
    assert resumed.returncode == 2
    assert "source of mine was " in errors
    assert "Traceback" not in errors
