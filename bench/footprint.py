"""The memory pass: what each kernel holds and what one call needs on top. Nothing is timed in it."""

import random

from bench import conditions
from bench.checking import Verdict
from bench.console import Progress
from bench.entrant import Entrant
from bench.problem import Problem
from bench.recording import FULL, Plan
from bench.sample import Footprint
from bench.workload import images_read


def measure(plan: Plan, folder: str, problem: Problem, progress: Progress) -> tuple[list[Footprint], list[Verdict]]:
    """Verify every contestant, then measure one call of every scope, or of `plan.cells` at its one size."""
    found: list[Footprint] = []
    verdicts = []
    rng = random.Random(plan.seed)
    for position, contestant in enumerate(plan.contestants):
        progress("memory", contestant.name, position, len(plan.contestants))
        entrant = Entrant(contestant.name, contestant, 0, plan.timeout_s)
        part = problem.part(contestant.images)
        environment = conditions.environment(plan.conditions[0], rng)
        try:
            entrant.enter(environment, plan.memory_limit, folder, plan.seed, position, problem)
            entrant.verify(plan.seed + 1)
            uses = []
            for size in plan.sizes:
                entrant.resize(size, plan.seed, plan.longest_s)
            for scope, distance in plan.cells if plan.sizes else FULL:
                if entrant.offers(distance) and (reply := entrant.ask("memory", scope=scope, distance=distance)):
                    sizes = {key: reply[key] for key in ("anonymous_before_bytes", "temporaries_bytes")}
                    images = plan.sizes[0] if plan.sizes else images_read(part, scope)
                    uses.append(Footprint(contestant.name, scope, distance, images, **sizes))
        finally:
            entrant.end()
        found += uses if entrant.verdict.status == "agrees" else []
        verdicts.append(entrant.verdict)
    return found, verdicts
