"""After a kill, at any moment, no worker is left and `run --resume` makes the records whole."""

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
from click.testing import CliRunner

from bench import __main__
from bench.kernel import ROOT
from bench.records import model, reader
from bench.records.model import BadRecord
from bench.runner import checkpoint
from bench.runner.checkpoint import Task
from bench.runner.configuration import Configuration
from bench.runner.scheduler import PREDICT, Plan
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


# In this process.


@pytest.fixture
def problems():
    """Digits, and a small data set of them."""
    return {n: make_problem(noise().first_of_each_class(n) if n else noise()) for n in (0, 5)}


@pytest.fixture
def saved(tmp_path, monkeypatch, problems):
    """A run of two data sets that no process works on."""
    monkeypatch.setattr(model, "LOCAL", tmp_path / "local")
    monkeypatch.setattr(checkpoint, "_at_work", lambda folder: False)
    plan = Plan((spec(write_kernel(tmp_path / "mine.py")),), processes=2, rounds=1, seed=3)
    both = (Configuration(), Configuration("1", "keep"))
    tasks = Task(0, replace(plan, configurations=both)), Task(5, replace(plan, processes=1, longest_s=math.inf))
    return checkpoint.begin(tasks, "drawn", problems)


def test_two_data_sets_are_recorded_one_after_the_other_and_taken_up_where_it_stopped(saved, problems):
    told = []

    def stop(stage, kernel, done, steps):
        told.append((stage, done, steps))
        if "tiny[5 per class], all/default, process 1 of 1: start" in stage:
            raise KeyboardInterrupt

    assert checkpoint.empty(saved)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.finish(saved, problems, stop)
    again = checkpoint.newest()
    assert again == saved
    assert not checkpoint.empty(again)
    checkpoint.must_be_same(again, problems)
    checkpoint.finish(again, problems, lambda *step: told.append((step[0], *step[2:])))
    assert {name for stage, *_ in told for name in [stage.partition(", ")[0]]} == {"tiny", "tiny[5 per class]"}
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert {steps for *_, steps in told} == {told[-1][1]}  # no process was recorded twice, and all of them are done
    (first, second), (small,) = (checkpoint.recordings(again, task, problems[task.per_class]) for task in again.tasks)
    assert [each.results[0].status for each in (first, second, small)] == ["agrees"] * 3
    metadata = [each.recording.metadata for each in (first, second, small)]
    assert {each["run"] for each in metadata} == {saved.folder.name.removesuffix(".unfinished")}
    assert [each["threads"] for each in metadata] == ["all", "1", "all"]
    assert metadata[2]["per_class"] == 5
    assert metadata[2]["dataset_of"] == metadata[0]["dataset_digest"] != metadata[2]["dataset_digest"]
    images = [{sample.images for sample in each.recording.samples} for each in (first, small)]
    assert images == [{12 + 15 + 40 + 41}, {4 * 5}]
    names = sorted(path.name for path in saved.folder.glob("*-*-*-*.json"))
    assert names == [*(f"0-{each}-{process}.json" for each in ("1-keep", "all-default") for process in "01"),
                     "5-all-default-0.json"]  # fmt: skip
    checkpoint.remove(saved)
    with pytest.raises(BadRecord, match="no unfinished recording"):
        checkpoint.newest()


def test_under_other_circumstances_it_is_refused_by_name(saved, problems, tmp_path):
    checkpoint.must_be_same(saved, problems)
    other = {**problems, 5: replace(problems[5], digest="another")}
    with pytest.raises(BadRecord, match=r"dataset_digest of tiny\[5 per class\] was .* and is another; .* start anew"):
        checkpoint.must_be_same(saved, other)
    write_kernel(tmp_path / "mine.py", "ANOTHER = 1")
    with pytest.raises(BadRecord, match="source of mine was "):
        checkpoint.must_be_same(saved, problems)
    (saved.folder / "plan.json").write_text("{}")
    with pytest.raises(BadRecord, match=r"plan\.json: cannot be read"):
        checkpoint.newest()


def test_of_a_run_of_sizes_the_tiles_are_made_again_and_what_cannot_be_read_is_recorded_again(saved, problems):
    plan = replace(saved.tasks[0].plan, cells=PREDICT, sizes=(2, 99), configurations=(Configuration(),))
    saved = checkpoint.begin([Task(0, plan)], "drawn", problems)
    checkpoint.finish(saved, problems, lambda *_: None)
    (saved.folder / "0-all-default-1.json").write_text("[]")
    for tile in saved.folder.rglob("valid-*.npy"):
        tile.unlink()  # the crash came while it was written, say
    checkpoint.finish(saved, problems, lambda *_: None)
    (collected,) = checkpoint.recordings(saved, saved.tasks[0], problems[0])
    assert collected.results[0].status == "agrees"
    samples = [each for each in collected.recording.samples if (each.kernel, each.scope) == ("mine", "predict")]
    assert {(each.images, each.process) for each in samples} == {(2, 0), (99, 0), (2, 1), (99, 1)}


@pytest.mark.parametrize(
    ("arguments", "says"), [((), "no unfinished recording to resume"), (("--full",), "takes no other option")]
)
def test_what_cannot_be_resumed(arguments, says, tmp_path, monkeypatch):
    monkeypatch.setattr(model, "LOCAL", tmp_path)
    done = CliRunner().invoke(__main__.cli, ["run", "--resume", *arguments])
    assert (done.exit_code, says in done.output) == (2, True)


# As a user meets it.


@pytest.fixture
def place(tmp_path):
    """A folder with small digits and a kernel that is quick to start."""
    write(tmp_path / "small", small_set())
    write_kernel(tmp_path / "mine.py")
    return tmp_path


def start(place, *arguments):
    command = [sys.executable, "-c", BENCH, str(place / "local"), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def begin(place):
    """Start a run of which no picture and no page is made."""
    digits, kernel = ("--data", place / "small"), ("--kernel", place / "mine.py")
    return start(place, "run", "--sizes", 5, "--processes", 3, "--quiet", *digits, *kernel)


def finished(place):
    return len(list((place / "local").glob("*.unfinished/0-all-default-*.json")))


def wait(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def killed(run, delay_s):
    """Kill the parent after a while, and every trace of its workers must be gone soon."""
    time.sleep(delay_s)
    workers = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
    return len(workers)


@posix
def test_killed_at_any_moment_and_resumed_to_a_whole_record(place):
    rng = random.Random(7)
    run, kills = begin(place), 0
    wait(lambda: finished(place))
    killed(run, rng.uniform(0, 2))
    while not list((place / "local").glob("*.json")):
        before = finished(place)
        run = start(place, "run", "--resume", "--quiet")
        if kills < 2:
            killed(run, rng.uniform(0.4, 2.5))
            assert finished(place) >= before
            kills += 1
        else:
            said, errors = run.communicate(timeout=120)
            assert run.returncode == 0, said + errors
    record = reader.read(next((place / "local").glob("*.json")))
    assert Counter(each.process for each in record.of("mine", "predict")) == {0: 3, 1: 3, 2: 3}
    assert not list((place / "local").glob("*.unfinished"))


@posix
def test_a_worker_that_hangs_in_c_does_not_outlive_its_parent(place):
    if sys.platform != "linux":
        pytest.skip("only Linux ends a process with its parent")
    (place / "mine.py").write_text("import ctypes\nctypes.PyDLL(None).pause()\n")  # holds the GIL for ever
    run = begin(place)
    wait(psutil.Process(run.pid).children)
    assert killed(run, 1.5) >= 1


@posix
def test_ctrl_c_after_a_finished_process_says_how_to_go_on_and_what_has_changed_is_named_then(place):
    run = begin(place)
    wait(lambda: finished(place))
    os.kill(run.pid, signal.SIGINT)
    said, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "--resume" in said
    assert "Traceback" not in errors
    write_kernel(place / "mine.py", "ANOTHER = 1")
    resumed = start(place, "run", "--resume")
    _, errors = resumed.communicate(timeout=60)
    assert resumed.returncode == 2
    assert "source of mine was " in errors
    assert "Traceback" not in errors
