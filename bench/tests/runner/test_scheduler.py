"""Processes and rounds; kernels that fail, at whatever moment, lose their own row and cost no other kernel anything."""

import getpass
import os
import platform
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import kernel
from bench.records.sample import AGAIN, ALL_CORES, BOUND, ONE_CORE
from bench.runner import checking, collection, configuration, scheduler
from bench.runner.checking import CheckResult
from bench.runner.configuration import Configuration
from bench.runner.scheduler import PREDICT, Plan
from bench.task import problem as problems
from bench.task import scopes
from bench.tests import builders

SLOW = """
right = predict_l1
def predict_l1(images, means):
    import time
    time.sleep({seconds})
    return right(images, means)
"""
WRONG_LATER = """
calls = 0
right = predict_l1
def predict_l1(images, means):
    global calls
    calls += 1
    labels = right(images, means)
    return labels if calls < 12 else 1 - labels
"""


@pytest.fixture(scope="module")
def problem():
    return builders.problem(train=9, valid=5, height=4, width=3)


def record(problem, folder, sources, **options):
    """Record kernels given as name=source under one configuration; return what was gathered and the stages told."""
    paths = [builders.write_kernel(folder / f"{name}.py", source) for name, source in sources.items()]
    specs = tuple(builders.spec(path) for path in paths)
    plan = Plan(specs, **{"processes": 1, "seed": 5, "timeout_s": 60, **options})
    stages, finished = [], {}
    with checking.handed_over(problem) as handed:
        problems.tile(problem, Path(handed), plan.sizes, plan.seed)
        for process in range(plan.processes):
            finished[process] = scheduler.record_process(
                plan, plan.configurations[0], dict(finished), handed, problem, lambda *step: stages.append(step)
            )
    return collection.collect(plan, plan.configurations[0], problem, finished, "a run"), stages


def orders(collected):
    """Return the kernels in the order they ran, per (process, round), without the limit and by which the control is."""
    taken = {}
    for sample in sorted(collected.recording.samples, key=lambda sample: sample.position):
        if sample.scope == "baseline" and not sample.kernel.startswith(BOUND):
            name = "again" if sample.kernel.endswith(AGAIN) else sample.kernel
            taken.setdefault((sample.process, sample.round), []).append(name)
    return taken


DISTANCE = "def distance_l1(a, b):\n    return np.abs(a - b).mean((-1, -2))\n"
FATAL = "def distance_l1(a, b):\n    __import__('os')._exit(7)\n"
KERNELS = {"a": DISTANCE, "b": FATAL, "slow": SLOW.format(seconds=0.11)}


@pytest.fixture(scope="module")
def ordinary(problem, tmp_path_factory):
    configurations = (Configuration("1", "keep"),)
    folder = tmp_path_factory.mktemp("ordinary")
    return record(problem, folder, KERNELS, processes=2, configurations=configurations)


def test_every_round_calls_every_kernel_and_brackets_the_slow_one(ordinary):
    collected, stages = ordinary
    assert [result.status for result in collected.results] == ["agrees"] * 3
    assert sorted(orders(collected)) == [(process, number) for process in range(2) for number in range(3)]
    for order in orders(collected).values():
        assert order[3] == "slow"
        assert sorted(order[:3]) == sorted(order[4:]) == ["a", "again", "b"]
    assert len({tuple(order) for order in orders(collected).values()}) > 2
    assert any("process 2 of 2" in stage for stage, *_ in stages)
    behind, steps = [done for *_, done, _ in stages], {steps for *_, steps in stages}
    assert (behind, steps) == (sorted(behind), {behind[-1]})


def test_orders_are_drawn_from_the_seed(ordinary, problem, tmp_path):
    again, _ = record(problem, tmp_path, KERNELS, configurations=(Configuration("1", "keep"),))
    first, second = ([orders(ordinary[0])[process, number] for number in range(3)] for process in range(2))
    assert first == [orders(again)[0, number] for number in range(3)]
    assert first != second


def test_the_limit_of_the_machine_is_measured_in_every_process(ordinary):
    for name in (ONE_CORE, ALL_CORES):
        measured = [sample for sample in ordinary[0].recording.samples if sample.kernel == name]
        assert [sample.process for sample in measured] == [0, 1]
        assert all(0 < sample.seconds < 1 and sample.images == 32 for sample in measured)


def test_a_sample_lasts_ten_milliseconds_and_counts_its_calls_and_faults(ordinary):
    for sample in ordinary[0].recording.samples:
        if sample.scope == "baseline" and sample.kernel == "a":
            assert sample.loops > 1
            assert sample.images == 32
            assert sample.seconds * sample.loops >= 1e-2
            assert sample.minor_faults >= 0
            assert sample.peak_rss_bytes > 10**7 or sys.platform == "win32"
        if sample.scope == "first_call":
            assert sample.loops == 1


def test_facts_of_a_recording(ordinary):
    told = ordinary[0].recording
    assert (told.metadata["kind"], told.metadata["run"], told.metadata["dataset"]) == ("ladder", "a run", "tiny")
    assert not {"per_class", "dataset_of", "gpu_throttled", "gpu_clock_mhz"} & told.metadata.keys()
    assert 0 < told.metadata["overhead_s"] < 1e-4
    assert (told.metadata["threads"], told.metadata["allocator"]) == ("1", "keep")
    assert {(sample.threads, sample.allocator) for sample in told.samples} == {("1", "keep")}
    in_force = told.kernel_metadata["a"]["threads_in_force"]
    assert in_force == "1" or all(part.endswith(" 1") for part in in_force.split(", "))
    text = str({**told.metadata, **told.kernel_metadata})
    for secret in (platform.node(), getpass.getuser(), str(kernel.ROOT), os.path.expanduser("~")):
        assert f"'{secret}'" not in text
        assert "/" not in secret or secret not in text


def test_what_broadcasting_does_is_told_once_and_a_failure_costs_no_row(ordinary):
    known = ordinary[0].recording.kernel_metadata
    assert (known["a"]["ranks_l1"], known["a"]["expansion_strides"]) == ("11/11", "0, 3, 1")
    assert known["b"]["ranks_l1"].startswith("fails: ")
    assert "ranks_l1" not in known["slow"]
    control = next(name for name in known if name.endswith(AGAIN))
    assert known[control] == known[control.removesuffix(AGAIN)]


def test_a_small_data_set_is_told_with_the_one_it_was_taken_from(problem):
    small = replace(problem, per_class=5, dataset_of="ab")
    told = collection.shared_metadata(Plan((), scheduler.FULL), Configuration(), small)
    assert (told["per_class"], told["dataset_of"], told["kind"]) == (5, "ab", "scopes")


BAD = {  # a kernel, and what becomes of it
    "wrong_later": (WRONG_LATER, "disagrees", "in a timed call: "),
    "dies_later": (WRONG_LATER.replace("1 - labels", "__import__('os')._exit(7)"), "broken", "exited with status 7"),
    "not_timed": ("import no_such_package\n", "unavailable", "no_such_package is not installed"),
    "imprecise": ("def prepare(images, device): return images / 254", "disagrees", "mean images are up to"),
    "typo": ("def prepare(images, device): return imgs / 255", "broken", "NameError"),
    "prints": ("print('hello')\n", "broken", "wrote to standard output: 'hello"),
    "crashes": ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "broken", "SIGSEGV"),
    "greedy": ("def predict_l1(images, means): return np.ones(2**29)[:len(images)]", "broken", "out of memory"),
}


@pytest.fixture(scope="module")
def among_bad_ones(problem, tmp_path_factory):
    sources = {"a": "", **{name: source for name, (source, *_) in BAD.items()}}
    return record(problem, tmp_path_factory.mktemp("bad"), sources, memory_limit=2 * 10**9, rounds=2)[0]


def test_the_good_kernel_keeps_its_row_and_bad_ones_leave_no_sample(among_bad_ones):
    samples, not_timed = among_bad_ones.recording.samples, among_bad_ones.recording.not_timed
    assert among_bad_ones.results[0].status == "agrees"
    assert {each.kernel.removesuffix(AGAIN) for each in samples if not each.kernel.startswith(BOUND)} == {"a"}
    assert [each.kernel for each in not_timed] == list(BAD)


@pytest.mark.parametrize("name", BAD)
def test_a_failure_is_told_for_what_it_is(among_bad_ones, name):
    if name == "greedy" and sys.platform != "linux":
        pytest.skip("only Linux limits the memory of a process")
    _, status, reason = BAD[name]
    result = next(each for each in among_bad_ones.results if each.name == name)
    assert result.status == status
    assert reason in result.reason


def test_what_fails_in_one_process_is_in_none_of_the_record(problem, tmp_path):
    marker = tmp_path / "seen"
    source = f"import os\nif os.path.exists({str(marker)!r}): raise OSError('second start')\n"
    source += f"open({str(marker)!r}, 'w')\n"
    collected, _ = record(problem, tmp_path, {"a": "", "b": source}, processes=2, rounds=1)
    assert [result.status for result in collected.results] == ["agrees", "broken"]
    assert {each.process for each in collected.recording.samples if each.kernel == "a"} == {0, 1}
    assert not [each for each in collected.recording.samples if each.kernel == "b"]


def test_sizes_are_tiled_and_a_kernel_is_left_out_where_it_breaks_or_would_take_too_long(problem, tmp_path):
    """What breaks at one size has held at smaller ones; where it would take too long its images are not prepared."""
    breaks = SLOW.replace("time.sleep({seconds})", "assert len(images) < 16")
    small = "def prepare(images, device):\n    assert len(images) < 50\n    return images / 255\n"
    crawls = small + SLOW.format(seconds="0.02 * len(images)")
    kernels = {"a": DISTANCE, "breaks": breaks, "crawls": crawls, "not_timed": "import no_such_package\n"}
    options = {"sizes": (1, 7, 23, 60), "cells": PREDICT, "rounds": 1, "longest_s": 1.0}
    collected, _ = record(problem, tmp_path, kernels, **options)
    samples, not_timed = collected.recording.samples, collected.recording.not_timed
    at = {name: {each.images for each in samples if (each.kernel, each.scope) == (name, "predict")} for name in kernels}
    assert at == {"a": {1, 7, 23, 60}, "breaks": {1, 7}, "crawls": {1, 7, 23}, "not_timed": set()}
    assert collected.recording.metadata["kind"] == "sizes"
    assert "ranks_l1" not in collected.recording.kernel_metadata["a"]
    assert "AssertionError" in collected.results[1].reason
    reasons = {(each.kernel, each.status): each.reason for each in not_timed}
    assert list(reasons) == [
        ("breaks", "broken"),
        ("not_timed", "unavailable"),
        ("crawls at 60 images", "not measured"),
    ]
    assert reasons["crawls at 60 images", "not measured"] == "one call would take about 1 s, over the 1 s allowed"


def test_running_out_of_memory_is_a_status_of_its_own():
    told = collection.not_timed(CheckResult("a", "broken", "out of memory: std::bad_alloc"))
    assert (told.status, told.reason) == ("out of memory", "out of memory: std::bad_alloc")
    assert collection.not_timed(CheckResult("a", "broken", "Traceback: out of memory")).status == "broken"


@pytest.mark.parametrize("scope", ["mean", "predict", "baseline", "end_to_end"])
def test_no_two_calls_get_the_same_object(problem, tmp_path, scope):
    """Or a kernel could find its last answer again by the identity of the stack, as functools.cache does."""
    right = kernel.load(builders.spec(builders.write_kernel(tmp_path / "a.py")))
    prepared = scopes.prepare(right, "cpu", problem)
    views, call = scopes.call(prepared, scope, "-" if scope == "mean" else "l1")
    given = [views() for _ in range(3)]
    assert np.array_equal(call(given[0]), call(given[1]))
    arrays = given if scope == "predict" else [each for stack, stacks in given for each in (stack, *stacks)]
    originals = [prepared.valid, problem.valid, *prepared.train, *problem.train]
    assert len({id(each) for each in (*arrays, *originals)}) == len(arrays) + len(originals)


def test_a_worker_gets_nothing_of_the_environment_but_what_is_named(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    monkeypatch.setenv("SOME_SECRET", "x")
    one, two = (configuration.environment(Configuration("1", "keep"), random.Random(seed)) for seed in (1, 2))
    assert one["OMP_NUM_THREADS"] == "1"
    assert one["MALLOC_MMAP_THRESHOLD_"] == "1073741824"
    assert "SOME_SECRET" not in one
    assert one["PYTHONHASHSEED"] != two["PYTHONHASHSEED"]
    assert len(one["BENCH_PADDING"]) != len(two["BENCH_PADDING"])
    assert "MALLOC_MMAP_THRESHOLD_" not in configuration.environment(Configuration(), random.Random(1))
    assert configuration.parse("1/keep") == Configuration("1", "keep")
    with pytest.raises(ValueError, match="there are 1/default"):
        configuration.parse("2/default")


def test_the_harness_imports_no_torch():
    script = "import sys, bench.cli.run, bench.runner.worker, bench.runner.checkpoint; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], cwd=kernel.ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
