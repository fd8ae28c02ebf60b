"""The untimed pass: the memory that each kernel holds, and what one call needs on top, on host and GPU."""

import random

from bench.records.model import NotTimed
from bench.records.sample import Footprint
from bench.runner.check_kernels import CheckResult
from bench.runner.collection import skipped_at
from bench.runner.configuration import environment
from bench.runner.executor import Executor, Setup
from bench.runner.plan import FULL, Plan, Progress
from bench.task.problem import Problem
from bench.task.scopes import images_read


def measure(
    plan: Plan, folder: str, problem: Problem, progress: Progress
) -> tuple[list[Footprint], list[CheckResult], list[NotTimed]]:
    """Verify every kernel, then measure one call of every pair in FULL, or of `plan.pairs` at the plan's one size.

    The NotTimed are skipped, as too slow at that size. Ctrl-C skips the kernels that are left, once one is measured.
    """
    footprints, results, not_timed = list[Footprint](), list[CheckResult](), list[NotTimed]()
    rng, size = random.Random(plan.seed), (*plan.sizes, 0)[0]
    for position, spec in enumerate(plan.specs):
        progress("memory", spec.name, position, len(plan.specs))
        setup = Setup(plan, problem, folder, environment(plan.configurations[0], rng), plan.seed)
        executor, measured = Executor(spec.name, spec, setup), []
        try:
            executor.open()
            executor.begin(plain=True)
            executor.first_call(position)
            executor.verify(plan.seed + 1)
            if size:
                executor.resize(size)
                executor.refill()
            not_timed += [skipped_at(n, spec.name, seconds, plan.longest_s) for n, seconds in executor.skipped.items()]
            for scope, distance in plan.pairs if size else FULL:
                if executor.skipped or not executor.offers(distance):
                    continue
                if reply := executor.ask("memory", scope=scope, distance=distance):
                    images = size or images_read(problem, scope)
                    measured.append(Footprint(spec.name, scope, distance, images, **reply))
        except KeyboardInterrupt:
            if not footprints:
                raise
            why = "the run was interrupted before it was measured"
            results += [CheckResult(skipped.name, "not measured", why) for skipped in plan.specs[position:]]
            break
        finally:
            executor.end()
        footprints += measured if executor.result.status == "agrees" else []
        results.append(executor.result)
    return footprints, results, not_timed
