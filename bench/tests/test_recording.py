"""Process sets and turns; rows that fail, at whatever moment, cost themselves and nothing else."""

import getpass
import os
import platform
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import checking, gathering, kernel, recording, workload
from bench import problem as problems
from bench.conditions import Condition
from bench.kernel import Contestant
from bench.problem import pose
from bench.recording import Plan
from bench.sample import AGAIN, ALL_CORES, LIMIT, ONE_CORE
from data import Digits

RIGHT = """
import numpy as np
def prepare(images, device): return images / 255
def mean_images(stacks): return np.stack([stack.mean(0) for stack in stacks])
def predict_l1(images, means): return np.argmin([np.abs(images - mean).mean((-1, -2)) for mean in means], axis=0)
"""
SLOW = (
    RIGHT.replace("    return labels", "")
    + """
fast = predict_l1
def predict_l1(images, means):
    import time
    time.sleep(0.11)
    return fast(images, means)
"""
)
WRONG_LATER = (
    RIGHT
    + """
calls = 0
right = predict_l1
def predict_l1(images, means):
    global calls
    calls += 1
    labels = right(images, means)
    return labels if calls < 12 else 1 - labels
"""
)
DIES_LATER = WRONG_LATER.replace("1 - labels", "__import__('os')._exit(7)")
GREEDY = (
    RIGHT
    + """
def predict_l1(images, means):
    hoard = np.ones(2**29)
    return hoard[:len(images)]
"""
)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(3)
    train = tuple(rng.integers(0, 256, (9, 4, 3), dtype=np.uint8) for _ in "37")
    valid = tuple(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8) for _ in "37")
    files = tuple(tuple(f"{i}.png" for i in range(5)) for _ in "37")
    return pose(Digits("small", ("3", "7"), train, valid, files, files))


def record(problem, folder, sources, **options):
    """Record kernels given as name=source; return the recording and the stages that were reported."""
    contestants: list[Contestant] = []
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
        contestants += [each for each in kernel.discover([folder / f"{name}.py"]) if each.kernel == name]
    plan = Plan(tuple(contestants), **{"processes": 1, "seed": 5, "timeout_s": 60, **options})
    stages, sets = [], {}
    with checking.handed_over(problem) as handed:
        problems.tile(problem, Path(handed), plan.sizes, plan.seed)
        for process in range(plan.processes):
            sets[process] = recording.record_set(
                plan, plan.conditions[0], dict(sets), handed, problem, lambda *step: stages.append(step)
            )
    return gathering.gather(plan, plan.conditions[0], problem, sets), stages


def turns(recorded, scope="baseline"):
    """Return the kernels in the order they ran, per (process, round), without the limit."""
    found = {}
    for each in sorted(recorded.samples, key=lambda each: each.position):
        if each.scope == scope and not each.kernel.startswith(LIMIT):
            found.setdefault((each.process, each.round), []).append(each.kernel)
    return found


def test_every_round_times_every_kernel_and_the_null_in_an_order_that_changes(problem, tmp_path):
    recorded, stages = record(problem, tmp_path, {"a": RIGHT, "b": RIGHT, "c": RIGHT}, rounds=4, processes=2)
    assert [verdict.status for verdict in recorded.verdicts] == ["agrees"] * 3
    orders = turns(recorded)
    assert sorted(orders) == [(process, turn) for process in range(2) for turn in range(4)]
    null = {name for order in orders.values() for name in order if name.endswith(AGAIN)}
    assert len(null) == 1
    assert all(sorted(order) == sorted(["a", "b", "c", *null]) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) > 2
    assert any("process set 2 of 2" in stage for stage, *_ in stages)


def test_a_slow_kernel_is_bracketed_by_the_fast_ones(problem, tmp_path):
    recorded, _ = record(problem, tmp_path, {"a": RIGHT, "slow": SLOW}, rounds=2)
    for order in turns(recorded).values():
        assert order[2] == "slow"
        assert sorted(order[:2]) == sorted(order[3:]) == ["a", "a" + AGAIN]


def test_the_machine_s_limit_is_measured_in_every_process_set(problem, tmp_path):
    recorded, _ = record(problem, tmp_path, {"a": RIGHT}, rounds=1, processes=2)
    for name in (ONE_CORE, ALL_CORES):
        measured = [each for each in recorded.samples if each.kernel == name]
        assert [each.process for each in measured] == [0, 1]
        assert all(0 < each.seconds < 1 and each.images == 28 for each in measured)


def test_a_sample_lasts_ten_milliseconds_and_counts_its_calls_and_faults(problem, tmp_path):
    recorded, _ = record(problem, tmp_path, {"a": RIGHT})
    for each in recorded.samples:
        if each.scope == "baseline" and each.kernel == "a":
            assert each.loops > 1
            assert each.images == 28
            assert each.seconds * each.loops >= 1e-2
            assert each.minor_faults >= 0
            assert each.peak_rss_bytes > 10**7 or sys.platform == "win32"
        if each.scope == "first_call":
            assert each.loops == 1
    assert 0 < recorded.facts["overhead_s"] < 1e-4


BAD = {  # a kernel, and what becomes of it
    "wrong_later": (WRONG_LATER, "disagrees", "in a timed call: "),
    "dies_later": (DIES_LATER, "broken", "exited with status 7"),
    "absent": ("import no_such_package\n", "unavailable", "no_such_package is not installed"),
    "imprecise": (RIGHT.replace("/ 255", "/ 254"), "disagrees", "mean images are up to"),
    "typo": (RIGHT.replace("images / 255", "imgs / 255"), "broken", "NameError"),
    "prints": (RIGHT + "print('hello')\n", "broken", "wrote to standard output: 'hello"),
    "crashes": (RIGHT + "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "broken", "SIGSEGV"),
    "greedy": (GREEDY, "broken", "out of memory"),
}
HANGS = RIGHT + "def predict_l1(images, means):\n    while True: pass\n"


def only_a_is_left(recorded, bad):
    """Whether the good kernel has kept its row, and the bad ones left no sample."""
    good, *verdicts = recorded.verdicts
    assert good.status == "agrees"
    kernels = {each.kernel.removesuffix(AGAIN) for each in recorded.samples if not each.kernel.startswith(LIMIT)}
    assert kernels == {"a"}
    assert [each.kernel for each in recorded.absent] == bad
    return dict(zip(bad, verdicts, strict=True))


@pytest.fixture(scope="module")
def among_bad_ones(problem, tmp_path_factory):
    sources = {"a": RIGHT, **{name: source for name, (source, *_) in BAD.items()}}
    recorded, _ = record(problem, tmp_path_factory.mktemp("bad"), sources, memory_limit=2 * 10**9, rounds=2)
    return only_a_is_left(recorded, list(BAD))


@pytest.mark.parametrize("name", BAD)
def test_a_failure_costs_its_own_row_and_leaves_no_sample(among_bad_ones, name):
    if name == "greedy" and sys.platform != "linux":
        pytest.skip("only Linux limits the memory of a process")
    _, status, reason = BAD[name]
    assert among_bad_ones[name].status == status
    assert reason in among_bad_ones[name].reason


def test_a_kernel_that_never_answers_costs_its_own_row(problem, tmp_path):
    recorded, _ = record(problem, tmp_path, {"a": RIGHT, "hangs": HANGS}, timeout_s=3, rounds=1)
    verdict = only_a_is_left(recorded, ["hangs"])["hangs"]
    assert (verdict.status, verdict.reason) == ("broken", "gave no answer within 3 s and was ended")


def test_what_fails_in_one_process_set_is_in_none_of_the_record(problem, tmp_path):
    marker = tmp_path / "seen"
    source = RIGHT + f"import os\nif os.path.exists({str(marker)!r}): raise OSError('second start')\n"
    source += f"open({str(marker)!r}, 'w')\n"
    recorded, _ = record(problem, tmp_path, {"a": RIGHT, "b": source}, processes=3, rounds=1)
    assert [each.status for each in recorded.verdicts] == ["agrees", "broken"]
    assert {each.process for each in recorded.samples if each.kernel == "a"} == {0, 1, 2}
    assert not [each for each in recorded.samples if each.kernel == "b"]


def test_sizes_are_tiled_and_what_breaks_at_one_size_has_held_at_smaller_ones(problem, tmp_path):
    breaks = RIGHT + "right = predict_l1\ndef predict_l1(images, means):\n"
    breaks += "    if len(images) > 15: raise MemoryError\n    return right(images, means)\n"
    cells = (("predict", "l1"),)
    recorded, _ = record(problem, tmp_path, {"a": RIGHT, "b": breaks}, sizes=(1, 7, 23), cells=cells, rounds=2)
    at = {
        name: {each.images for each in recorded.samples if (each.kernel, each.scope) == (name, "predict")}
        for name in "ab"
    }
    assert at == {"a": {1, 7, 23}, "b": {1, 7}}
    assert "out of memory" in recorded.verdicts[1].reason


def test_a_kernel_that_would_take_too_long_sits_the_size_out_and_says_so(problem, tmp_path):
    crawls = RIGHT + "right = predict_l1\ndef predict_l1(images, means):\n    import time\n"
    crawls += "    time.sleep(0.02 * len(images))\n    return right(images, means)\n"
    options = {"sizes": (1, 60), "cells": (("predict", "l1"),), "rounds": 1, "longest_s": 1.0}
    recorded, _ = record(problem, tmp_path, {"a": RIGHT, "b": crawls}, **options)
    assert [(each.kernel, each.status) for each in recorded.absent] == [("b at 60 images", "not measured")]
    assert recorded.absent[0].reason == "one call would take about 1 s, over the 1 s allowed"


@pytest.mark.parametrize("scope", ["mean", "predict", "baseline", "end_to_end"])
def test_no_two_calls_get_the_same_object(problem, tmp_path, scope):
    """Or a kernel could find its last answer again by the identity of the stack, as functools.cache does."""
    (tmp_path / "a.py").write_text(RIGHT)
    right = kernel.load(kernel.discover([tmp_path / "a.py"])[-1])
    work = workload.prepare(right, "cpu", problem)
    views, call = workload.call(work, scope, "-" if scope == "mean" else "l1")
    given = [views() for _ in range(3)]
    assert np.array_equal(call(given[0]), call(given[1]))
    arrays = given if scope == "predict" else [each for stack, stacks in given for each in (stack, *stacks)]
    originals = [work.valid, problem.valid, *work.train, *problem.train]
    assert len({id(each) for each in (*arrays, *originals)}) == len(arrays) + len(originals)


def test_orders_and_environments_are_drawn_from_the_seed(problem, tmp_path):
    kernels = {"a": RIGHT, "b": RIGHT}
    first, again, other = (
        {
            turn: ["null" if name.endswith(AGAIN) else name for name in order]  # which one it is, its speed decides
            for turn, order in turns(record(problem, tmp_path, kernels, rounds=4, seed=seed)[0]).items()
        }
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_facts_name_no_person_and_no_place(problem, tmp_path):
    recorded, _ = record(problem, tmp_path, {"a": RIGHT}, rounds=1)
    text = str({**recorded.facts, **recorded.kernel_facts})
    for secret in (platform.node(), getpass.getuser(), str(kernel.ROOT), str(tmp_path), os.path.expanduser("~")):
        assert f"'{secret}'" not in text
        assert "/" not in secret or secret not in text


def test_threads_and_allocator_are_in_force_and_recorded(problem, tmp_path):
    recorded, _ = record(problem, tmp_path, {"a": RIGHT}, conditions=(Condition("1", "keep"),))
    assert (recorded.facts["threads"], recorded.facts["allocator"]) == ("1", "keep")
    in_force = recorded.kernel_facts["a"]["threads_in_force"]
    assert in_force == "1" or all(part.endswith(" 1") for part in in_force.split(", "))


def test_a_worker_gets_nothing_of_the_environment_but_what_is_named(monkeypatch):
    from bench import conditions

    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    monkeypatch.setenv("SOME_SECRET", "x")
    one, two = (conditions.environment(Condition("1", "keep"), random.Random(seed)) for seed in (1, 2))
    assert one["OMP_NUM_THREADS"] == "1"
    assert one["MALLOC_MMAP_THRESHOLD_"] == "1073741824"
    assert "SOME_SECRET" not in one
    assert one["PYTHONHASHSEED"] != two["PYTHONHASHSEED"]
    assert len(one["BENCH_PADDING"]) != len(two["BENCH_PADDING"])
    assert "MALLOC_MMAP_THRESHOLD_" not in conditions.environment(Condition("all", "default"), random.Random(1))
    with pytest.raises(ValueError, match="there are 1/default"):
        conditions.parse("2/default")


def test_the_harness_imports_no_torch():
    script = "import sys, bench.running, bench.worker, bench.unfinished; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], cwd=kernel.ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


def test_a_single_size_is_sat_out_before_its_images_are_prepared(problem, tmp_path):
    greedy = SLOW.replace(
        "def prepare(images, device):", "def prepare(images, device):\n    assert len(images) < 99\n   "
    )
    absent = "import no_such_package\n" + RIGHT
    recorded, _ = record(
        problem,
        tmp_path,
        {"a": RIGHT, "slow": greedy, "absent": absent},
        cells=recording.PREDICT,
        sizes=(999,),
        longest_s=9,
    )
    assert {each.images for each in recorded.samples if each.kernel == "a" and each.scope == "predict"} == {999}
    (absent,) = [each for each in recorded.absent if each.kernel.startswith("slow")]
    assert (absent.kernel, absent.status) == ("slow at 999 images", "not measured")
    assert "over the 9 s allowed" in absent.reason
