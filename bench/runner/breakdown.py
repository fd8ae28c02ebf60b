"""Where the time of a kernel goes, from one process: a guide for its author, which no record holds."""

import random
from dataclasses import replace
from statistics import median

from bench.runner.check_kernels import problem_folder
from bench.runner.configuration import environment
from bench.runner.executor import Executor, Setup
from bench.runner.plan import Plan
from bench.task.problem import Problem

PARTS = ("mean", "predict", "prepare")
SCOPES = (("mean", "-"), ("predict", "l1"), ("baseline", "l1"), ("end_to_end", "l1"))
SAMPLES = 3  # of each scope


def measure(plan: Plan, problem: Problem) -> dict[str, tuple[float, ...]]:
    """Return by kernel the seconds per call of its PARTS, medians of SAMPLES, in the order of `plan.specs`.

    mean, predict = those scopes, under the L1 distance
    prepare       = end_to_end - baseline, 0 at least: an asynchronous device ends no `prepare` by itself

    A kernel that is unavailable, or fails here, is left out.
    """
    rng = random.Random(plan.seed)
    seconds: dict[str, tuple[float, ...]] = {}
    with problem_folder(problem) as folder:
        setup = Setup(
            replace(plan, against=()), problem, folder, environment(plan.configurations[0], rng), rng.randrange(2**32)
        )
        for spec in plan.specs:
            executor = Executor(spec.name, spec, setup)
            try:
                executor.start(0)
                taken = [[executor.seconds(*pair) for pair in SCOPES] for _ in range(SAMPLES)]
            finally:
                executor.end()
            if executor.result.status == "agrees":
                mean, predict, baseline, end_to_end = (
                    median(filter(None, column)) for column in zip(*taken, strict=True)
                )
                seconds[spec.name] = (mean, predict, max(0.0, end_to_end - baseline))
    return seconds
