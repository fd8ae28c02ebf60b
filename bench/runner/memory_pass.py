"""The untimed pass: the memory that each kernel holds, and what one call needs on top, on host and GPU."""

import random

from bench.records.model import Absent
from bench.records.sample import Footprint
from bench.runner import configuration as conditions
from bench.runner.checking import Verdict
from bench.runner.collection import skipped
from bench.runner.executor import Entrant, Setup
from bench.runner.scheduler import FULL, Plan, Progress
from bench.task.problem import Problem
from bench.task.scopes import images_read


def measure(
    plan: Plan, folder: str, problem: Problem, progress: Progress
) -> tuple[list[Footprint], list[Verdict], list[Absent]]:
    """Verify every kernel, then measure one call of every scope, or of `plan.cells` at its one size.

    A kernel that would take too long there is skipped, and is among the absent.
    """
    footprints: list[Footprint] = []
    verdicts, absent = [], []
    rng = random.Random(plan.seed)
    size = plan.sizes[0] if plan.sizes else 0
    for position, contestant in enumerate(plan.contestants):
        progress("memory", contestant.name, position, len(plan.contestants))
        environment = conditions.environment(plan.configurations[0], rng)
        setup = Setup(problem, folder, environment, plan.seed, 0, plan.timeout_s, plan.memory_limit)
        entrant = Entrant(contestant.name, contestant, setup)
        taken = []
        try:
            entrant.enter(position)
            entrant.verify(plan.seed + 1)
            if size:
                entrant.resize(size, plan.seed, plan.longest_s)
                entrant.refill()
            absent += [skipped(entrant.name, *each, plan.longest_s) for each in entrant.skipped.items()]
            for scope, distance in plan.cells if size else FULL:
                if (
                    entrant.offers(distance)
                    and not entrant.skipped
                    and (reply := entrant.ask("memory", scope=scope, distance=distance))
                ):
                    told = {key: value for key, value in reply.items() if key != "status"}
                    images = size or images_read(problem, scope)
                    taken.append(Footprint(contestant.name, scope, distance, images, **told))
        finally:
            entrant.end()
        footprints += taken if entrant.verdict.status == "agrees" else []
        verdicts.append(entrant.verdict)
    return footprints, verdicts, absent
