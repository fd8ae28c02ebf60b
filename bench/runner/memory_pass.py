"""The untimed pass: the memory that each kernel holds, and what one call needs on top, on host and GPU."""

import random

from bench.records.model import NotTimed
from bench.records.sample import Footprint
from bench.runner import configuration
from bench.runner.checking import CheckResult
from bench.runner.collection import skipped
from bench.runner.executor import Executor, Setup
from bench.runner.scheduler import FULL, Plan, Progress
from bench.task.problem import Problem
from bench.task.scopes import images_read


def measure(
    plan: Plan, folder: str, problem: Problem, progress: Progress
) -> tuple[list[Footprint], list[CheckResult], list[NotTimed]]:
    """Verify every kernel, then measure one call of every scope, or of `plan.cells` at its one size.

    A kernel that would take too long there is skipped, and is among the absent.
    """
    footprints: list[Footprint] = []
    results, not_timed = [], []
    rng = random.Random(plan.seed)
    size = plan.sizes[0] if plan.sizes else 0
    for position, spec in enumerate(plan.specs):
        progress("memory", spec.name, position, len(plan.specs))
        environment = configuration.environment(plan.configurations[0], rng)
        setup = Setup(problem, folder, environment, plan.seed, 0, plan.timeout_s, plan.memory_limit)
        executor = Executor(spec.name, spec, setup)
        taken = []
        try:
            executor.enter(position)
            executor.verify(plan.seed + 1)
            if size:
                executor.resize(size, plan.seed, plan.longest_s)
                executor.refill()
            not_timed += [skipped(executor.name, *each, plan.longest_s) for each in executor.skipped.items()]
            for scope, distance in plan.cells if size else FULL:
                if (
                    executor.offers(distance)
                    and not executor.skipped
                    and (reply := executor.ask("memory", scope=scope, distance=distance))
                ):
                    told = {key: value for key, value in reply.items() if key != "status"}
                    images = size or images_read(problem, scope)
                    taken.append(Footprint(spec.name, scope, distance, images, **told))
        finally:
            executor.end()
        footprints += taken if executor.result.status == "agrees" else []
        results.append(executor.result)
    return footprints, results, not_timed
