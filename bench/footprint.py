"""The untimed pass: what each kernel holds, what one call needs on top, on host and GPU, and what energy calls take."""

import random

from bench import conditions
from bench.checking import Verdict
from bench.console import Progress
from bench.entrant import Entrant
from bench.gathering import left_out, sat_out
from bench.problem import Problem
from bench.recording import FULL, Plan
from bench.records import Absent
from bench.sample import Footprint
from bench.workload import images_read

MEASURED = {*Footprint.__dataclass_fields__} - {"kernel", "scope", "distance", "images"}


def measure(
    plan: Plan, folder: str, problem: Problem, progress: Progress
) -> tuple[list[Footprint], list[Verdict], list[Absent]]:
    """Verify every contestant, then measure one call of every scope, or of `plan.cells` at its one size.

    Who would take too long there sits it out, and is among the absent.
    """
    found: list[Footprint] = []
    verdicts, absent = [], []
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
            sizes, cells = (plan.sizes, plan.cells) if plan.sizes else ((), FULL)
            if contestant.images and plan.sizes:  # too slow for any number of images but its own
                sizes, cells = (), ()
            for size in sizes:
                entrant.resize(size, plan.seed, plan.longest_s)
                entrant.refill()
            absent += [sat_out(entrant.name, *each, plan.longest_s) for each in entrant.skipped.items()]
            for scope, distance in cells:
                if (
                    entrant.offers(distance)
                    and not entrant.skipped
                    and (reply := entrant.ask("memory", scope=scope, distance=distance))
                ):
                    energy = entrant.ask("energy", scope=scope, distance=distance) or {}
                    missing = [each["not_measured"] for each in (reply, energy) if each.get("not_measured")]
                    told = {**reply, **energy, "not_measured": "; ".join(missing)}
                    images = plan.sizes[0] if plan.sizes else images_read(part, scope)
                    taken = {key: told[key] for key in MEASURED if key in told}
                    uses.append(Footprint(contestant.name, scope, distance, images, **taken))
        finally:
            entrant.end()
        found += uses if entrant.verdict.status == "agrees" else []
        verdicts.append(entrant.verdict)
    return found, verdicts, absent + left_out(plan, verdicts)
