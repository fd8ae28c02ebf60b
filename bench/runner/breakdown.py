"""Where the time of a kernel goes, from one process: a guide for its author, which no record holds."""

import random
from dataclasses import replace
from time import perf_counter

from bench.runner.check_kernels import problem_folder
from bench.runner.configuration import environment
from bench.runner.executor import Executor, Setup
from bench.runner.plan import Plan
from bench.task.problem import Problem

PARTS = ("mean", "predict", "prepare")
SCOPES = (("mean", "-"), ("predict", "l1"), ("baseline", "l1"), ("end_to_end", "l1"))
LEAST, MOST = 2, 8  # samples of each scope, of which the smallest counts: others may have been disturbed
ENOUGH_S = 0.6  # seconds of one kernel, after which no further samples are taken
Parts = dict[str, tuple[float, ...]]  # by kernel, in the order of PARTS


def measure(plan: Plan, problem: Problem) -> Parts:
    """Return by kernel the seconds per call of its PARTS, each of the fastest sample, in the order of `plan.specs`.

    mean, predict = those scopes, under the L1 distance
    prepare       = end_to_end - baseline, 0 at least: an asynchronous device ends no `prepare` by itself

    A kernel that is unavailable, or fails here, is left out.
    """
    rng = random.Random(plan.seed)
    seconds = Parts()
    with problem_folder(problem) as folder:
        chosen = environment(plan.configurations[0], rng)
        setup = Setup(replace(plan, against=()), problem, folder, chosen, rng.randrange(2**32))
        for spec in plan.specs:
            executor = Executor(spec.name, spec, setup)
            try:
                executor.open()
                executor.begin()
                taken, started = list[list[float | None]](), perf_counter()
                while len(taken) < LEAST or (len(taken) < MOST and perf_counter() - started < ENOUGH_S):
                    taken.append([executor.seconds(*pair) for pair in SCOPES])
            finally:
                executor.end()
            if executor.result.status == "agrees":
                mean, predict, baseline, end_to_end = (min(filter(None, column)) for column in zip(*taken, strict=True))
                seconds[spec.name] = (mean, predict, max(0.0, end_to_end - baseline))
    return seconds
