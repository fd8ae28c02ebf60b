"""Processes and rounds; a kernel that fails, at whatever moment, loses its own samples and costs no other anything."""

import getpass
import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import kernel
from bench.analysis import checklist
from bench.records import writer
from bench.records.sample import AGAIN, ALL_CORES, BOUND, ONE_CORE, Sample
from bench.runner import check_kernels, collection, scheduler
from bench.runner.bounds import Bounds
from bench.runner.check_kernels import CheckResult
from bench.runner.collection import FinishedProcess
from bench.runner.configuration import Configuration
from bench.runner.executor import Setup
from bench.runner.plan import FULL, PREDICT, Plan
from bench.runner.worker_handle import Failure
from bench.task.tiling import tile
from bench.tests import builders
from bench.tests.wrong_kernels import MEANS

SLOW = """
right = predict_l1
def predict_l1(images, means):
    import time
    time.sleep({seconds})
    return right(images, means)
"""
SPINS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
"""
WRONG_LATER = """
calls = 0
right = predict_l1
def predict_l1(images, means):
    global calls
    calls += 1
    labels = right(images, means)
    return labels if calls < 24 else 1 - labels
"""


@pytest.fixture(scope="module")
def problem():
    return builders.problem(train=9, valid=5, height=4, width=3)


def run(problem, folder, sources, **options):
    """Measure kernels given as name=source under one configuration; return what was collected, and every step."""
    paths = [builders.write_kernel(folder / f"{name}.py", source) for name, source in sources.items()]
    plan = Plan(tuple(map(builders.spec, paths)), **{"processes": 1, "seed": 5, "timeout_s": 60, **options})
    steps, finished = [], []
    with check_kernels.problem_folder(problem) as digits:
        tile(problem, Path(digits), plan.sizes, plan.seed)
        for _ in range(plan.count([])):
            process = scheduler.measure_process(
                plan, plan.configurations[0], finished, digits, problem, lambda *step: steps.append(step)
            )
            finished.append(process)
    return collection.collect(plan, plan.configurations[0], problem, finished, "a run"), steps


def orders(collected):
    """Return the kernels in the order they ran, per (process, round); "again" is the A/A control."""
    names = {}
    for sample in sorted(collected.measurements.samples, key=lambda sample: sample.position):
        if sample.scope == "baseline" and not sample.kernel.startswith(BOUND):
            name = "again" if sample.kernel.endswith(AGAIN) else sample.kernel
            names.setdefault((sample.process, sample.round), []).append(name)
    return names


DISTANCE = "def distance_l1(a, b):\n    return np.abs(a - b).mean((-1, -2))\n"
FATAL = "def distance_l1(a, b):\n    __import__('os')._exit(7)\n"
KERNELS = {"a": DISTANCE, "b": FATAL, "slow": SLOW.format(seconds=0.11)}


@pytest.fixture(scope="module")
def ordinary(problem, tmp_path_factory):
    configurations = (Configuration("1", "keep"),)
    return run(problem, tmp_path_factory.mktemp("ordinary"), KERNELS, processes=2, configurations=configurations)


def test_every_round_calls_every_kernel_but_only_every_fourth_the_slow_one_which_is_bracketed(ordinary):
    collected, steps = ordinary
    assert [result.status for result in collected.results] == ["agrees"] * 3
    assert sorted(orders(collected)) == [(process, number) for process in range(2) for number in range(5)]
    for (_, number), order in orders(collected).items():
        assert order[3:4] == ([] if number % 4 else ["slow"])  # it is in every fourth round
        assert sorted(order[:3]) == ["a", "again", "b"]
        assert sorted(order[4:]) == ([] if number % 4 else ["a", "again", "b"])
    assert len({tuple(order) for order in orders(collected).values()}) > 2
    assert any("process 2 of 2" in stage for stage, *_ in steps)
    done, in_all = [done for *_, done, _ in steps], {in_all for *_, in_all in steps}
    assert (done, in_all) == (sorted(done), {done[-1]})


def test_orders_are_drawn_from_the_seed(ordinary, problem, tmp_path):
    repeated, _ = run(problem, tmp_path, KERNELS, configurations=(Configuration("1", "keep"),))
    first, second = ([orders(ordinary[0])[process, number] for number in range(5)] for process in range(2))
    assert first == [orders(repeated)[0, number] for number in range(5)]
    assert first != second


def test_samples_have_their_calls_faults_and_images_and_bounds_are_measured_in_every_process(ordinary):
    samples = ordinary[0].measurements.samples
    for sample in samples:
        if sample.scope == "baseline" and sample.kernel == "a":
            assert sample.images == 32
            assert sample.seconds * sample.loops >= 1e-2
            assert sample.peak_rss_bytes > 10**7 or sys.platform == "win32"
        assert sample.loops == 1 or sample.scope != "first_call"
    for name in (ONE_CORE, ALL_CORES):
        bounds = [sample for sample in samples if sample.kernel == name]
        assert [sample.process for sample in bounds] == [0, 1]
        assert all(0 < sample.seconds < 1 and sample.images == 32 for sample in bounds)


def test_metadata(ordinary, problem):
    measurements = ordinary[0].measurements
    metadata, kernel_metadata = measurements.metadata, measurements.kernel_metadata
    assert (metadata["kind"], metadata["run"], metadata["dataset"]) == ("ladder", "a run", "tiny")
    assert not {"per_class", "dataset_of", "gpu_throttled", "gpu_clock_mhz"} & metadata.keys()
    assert 0 < metadata["overhead_s"] < 1e-4
    assert (metadata["threads"], metadata["allocator"]) == ("1", "keep")
    assert {(sample.threads, sample.allocator) for sample in measurements.samples} == {("1", "keep")}
    in_force = kernel_metadata["a"]["threads_in_force"]
    assert in_force == "1" or all(part.endswith(" 1") for part in in_force.split(", "))
    text = str({**metadata, **kernel_metadata})
    for secret in (platform.node(), getpass.getuser(), str(kernel.ROOT), os.path.expanduser("~")):
        assert f"'{secret}'" not in text
        assert "/" not in secret or secret not in text
    small = collection.shared_metadata(Plan((), FULL), Configuration(), replace(problem, per_class=5, dataset_of="ab"))
    assert (small["per_class"], small["dataset_of"], small["kind"]) == (5, "ab", "scopes")


def test_broadcasting_is_examined_once_and_its_failure_costs_no_samples(ordinary):
    metadata = ordinary[0].measurements.kernel_metadata
    assert (metadata["a"]["ranks_l1"], metadata["a"]["expansion_strides"]) == ("11/11", "0, 3, 1")
    assert metadata["b"]["ranks_l1"].startswith("fails: ")
    control = next(name for name in metadata if name.endswith(AGAIN))
    assert metadata[control] == metadata[control.removesuffix(AGAIN)]


BACKWARDS = """
import itertools, sys
clock = itertools.count(0, -1)
sys.modules["__main__"].perf_counter = lambda: float(next(clock))
"""
BAD = {  # source, status and reason of kernels that fail
    "wrong_later": (WRONG_LATER, "disagrees", "in a timed call: "),
    "dies_later": (WRONG_LATER.replace("1 - labels", "__import__('os')._exit(7)"), "broken", "exited with status 7"),
    "unavailable": ("def unavailable(device): return 'no beads'", "unavailable", "no beads"),
    "prints": ("print('hello')\n", "broken", "wrote to standard output: 'hello"),
    "spins": (SPINS, "broken", "of a core while another kernel was timed, twice"),
    "crashes": ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "broken", "SIGSEGV"),
    "backwards": (BACKWARDS, "broken", "its clock gave -"),
    "greedy": ("def predict_l1(images, means): return np.ones(2**29)[:len(images)]", "broken", "out of memory"),
}


@pytest.fixture(scope="module")
def among_bad_ones(problem, tmp_path_factory):
    sources = {"a": "", **{name: source for name, (source, *_) in BAD.items()}}
    return run(problem, tmp_path_factory.mktemp("bad"), sources, memory_limit=2 * 10**9, rounds=2)[0]


def test_the_good_kernel_keeps_its_samples_and_bad_ones_leave_none(among_bad_ones):
    samples, not_timed = among_bad_ones.measurements.samples, among_bad_ones.measurements.not_timed
    assert among_bad_ones.results[0].status == "agrees"
    names = {sample.kernel.removesuffix(AGAIN) for sample in samples if not sample.kernel.startswith(BOUND)}
    assert names == {"a"}
    assert [entry.kernel for entry in not_timed] == list(BAD)
    assert not_timed[-1].status == "out of memory" or sys.platform != "linux"


@pytest.mark.parametrize("name", BAD)
def test_a_failure_has_its_status_and_reason(among_bad_ones, name):
    if name == "greedy" and sys.platform != "linux":
        pytest.skip("only Linux limits the memory of a process")
    _, status, reason = BAD[name]
    result = next(result for result in among_bad_ones.results if result.name == name)
    assert result.status == status
    assert reason in result.reason


def test_a_bound_that_cannot_be_measured_costs_no_samples(problem, tmp_path, monkeypatch):
    failing = SimpleNamespace(ask=lambda *_, **__: (_ for _ in ()).throw(Failure("broken", "its process died: why")))
    plan = Plan((builders.spec(builders.write_kernel(tmp_path / "mine.py")),))
    setup = Setup(plan, problem, "", {}, 0)
    bounds = Bounds(setup)
    bounds.workers["cpu"] = failing
    assert bounds.ask("cpu", "overhead") == {}
    assert bounds.samples("baseline", 0) == []
    assert bounds.failed == {"bound@cpu": "broken: its process died: why"}
    monkeypatch.setattr(collection.code_size, "code", lambda path: 1 / 0)
    sample = Sample("mine", "baseline", "l1", 14, 0.1, 1, 0, 0, 0)
    result = CheckResult("mine", "agrees", None, {"l1": [1, 1]})
    done = FinishedProcess((sample,), (result,), None, {}, {}, None, 0.0, bounds_failed=bounds.failed)
    collected = collection.collect(plan, Configuration(), problem, [done], "a run").measurements
    assert collected.samples == [sample]
    reasons = {entry.kernel: (entry.status, entry.reason) for entry in collected.not_timed}
    assert reasons["bound@cpu"] == ("broken", "its process died: why")
    assert reasons["the code of mine"] == ("not measured", "ZeroDivisionError: division by zero")
    levels = {item.text: item.level for item in checklist.review(writer.write([collected], tmp_path)[0])}
    assert levels["The bound was not measured"] == "WARN"


def test_a_kernel_that_fails_in_one_process_has_no_samples_at_all(problem, tmp_path):
    marker = tmp_path / "seen"
    source = f"import os\nif os.path.exists({str(marker)!r}): raise OSError('second start')\n"
    source += f"open({str(marker)!r}, 'w')\n"
    collected, _ = run(problem, tmp_path, {"a": "", "b": source}, processes=2, rounds=1)
    assert [result.status for result in collected.results] == ["agrees", "broken"]
    samples = collected.measurements.samples
    assert {sample.process for sample in samples if sample.kernel == "a"} == {0, 1}
    assert not [sample for sample in samples if sample.kernel == "b"]


def test_images_are_tiled_and_a_kernel_is_skipped_at_sizes_where_it_breaks_or_is_too_slow(problem, tmp_path):
    """What breaks at one size was verified at smaller ones; where it is too slow its images are not prepared."""
    breaks = SLOW.replace("time.sleep({seconds})", "assert len(images) < 16")
    small = "def prepare(images, device):\n    assert len(images) < 114\n    return images / 255\n"
    crawls = small + MEANS.format("__import__('time').sleep(0.02); return means")
    crawls += SLOW.format(seconds="0.02 * len(images)")
    kernels = {"a": DISTANCE, "breaks": breaks, "crawls": crawls, "unavailable": BAD["unavailable"][0]}
    collected, _ = run(problem, tmp_path, kernels, sizes=(1, 7, 23, 60), pairs=PREDICT, rounds=1, longest_s=1.0)
    measurements = collected.measurements
    sizes = {name: set() for name in kernels}
    for sample in measurements.samples:
        if sample.scope == "predict" and sample.kernel in kernels:
            sizes[sample.kernel].add(sample.images)
    assert sizes == {"a": {1, 7, 23, 60}, "breaks": {1, 7}, "crawls": {1, 7, 23}, "unavailable": set()}
    assert measurements.metadata["kind"] == "sizes"
    assert "ranks_l1" not in measurements.kernel_metadata["a"]
    assert "AssertionError" in collected.results[1].reason
    assert [(entry.kernel, entry.status) for entry in measurements.not_timed] == [
        ("breaks", "broken"),
        ("unavailable", "unavailable"),
        ("crawls at 60 images", "not measured"),
    ]
    assert measurements.not_timed[-1].reason == "one call would take about 1 s, over the 1 s allowed"


def test_kernels_that_start_fast_have_more_processes_and_a_budget_has_as_many_as_fit(problem, tmp_path):
    slow = "import time\ntime.sleep(0.3)\n"
    collected, steps = run(problem, tmp_path, {"a": "", "b": slow}, processes=2, most_processes=4, rounds=1)
    numbers = {}
    for sample in collected.measurements.samples:
        numbers.setdefault((sample.kernel, sample.scope), set()).add(sample.process)
    every, first = {0, 1, 2, 3}, {0, 1}
    assert numbers["a", "baseline"] == numbers["a~again", "baseline"] == every
    assert numbers["b", "baseline"] == numbers[ONE_CORE, "baseline"] == first
    assert numbers["a", "first_call"] == {*range(scheduler.FIRST_CALLS)}
    done, in_all = [done for *_, done, _ in steps], {in_all for *_, in_all in steps}
    assert (done, in_all) == (sorted(done), {done[-1]})
    record = writer.write([collected.measurements], tmp_path)[0]
    assert (record.processes, record.processes_in_words) == (2, "2 to 4 processes per kernel")


def test_the_harness_imports_no_torch():
    script = "import sys, bench.cli.run, bench.runner.worker, bench.runner.checkpoint; print('torch' in sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", script], cwd=kernel.ROOT, text=True)
    assert printed == "False\n"
