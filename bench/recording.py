"""Which kernel runs when: process sets, rounds and order. The clock itself is in `bench.worker`.

One worker process per kernel; all but one sleep on a pipe. Kernels take turns round by round in an order drawn anew, so
that a machine that gets slower or faster in the meantime does so for all of them. A slow kernel is bracketed: the fast
ones run before and after it, F..F S F..F. The whole set of processes is started afresh several times, because what one
process measures twice is not two measurements (Kalibera and Jones, ISMM 2013).
"""

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench import conditions, facts
from bench.checking import Verdict
from bench.conditions import Condition
from bench.console import Progress
from bench.entrant import Entrant
from bench.kernel import REFERENCE, Contestant, why_unavailable
from bench.problem import Problem
from bench.process import Worker
from bench.sample import AGAIN, ALL_CORES, ONE_CORE, Sample
from bench.workload import images_read

BASELINE = (("baseline", "l1"),)
FULL = (("mean", "-"), ("predict", "l1"), ("predict", "l2"), ("baseline", "l1"), ("end_to_end", "l1"))
SETTLE_S = 0.02  # OpenMP threads spin for some milliseconds after a parallel loop and would steal the next one's core


@dataclass(frozen=True)
class Plan:
    """What to record.

    Attributes:
        contestants: who takes part.
        cells: the (scope, distance) pairs that every round times.
        conditions: each recorded by process sets of its own, in turns.
        processes: how many times the set of processes is started afresh, per condition.
        rounds: turns of each cell in one process set.
        seed: everything random in the recording is drawn from it.
        timeout_s: the longest that one request to a kernel may take, in seconds.
        memory_limit: of one worker, in bytes of anonymous memory.
        sizes: where there are any, `cells` are timed at each of these numbers of validation images instead.
    """

    contestants: tuple[Contestant, ...]
    cells: tuple[tuple[str, str], ...] = BASELINE
    conditions: tuple[Condition, ...] = (Condition(),)
    processes: int = 6
    rounds: int = 3
    seed: int = 0
    timeout_s: float = 120.0
    memory_limit: int = 2**33
    sizes: tuple[int, ...] = ()

    @property
    def null(self) -> Contestant:
        """The contestant that also runs against itself: the first that can run here and is not the reference."""
        others = [each for each in self.contestants if each.name != REFERENCE and not why_unavailable(each)]
        return (others or list(self.contestants))[0]


@dataclass(frozen=True)
class ProcessSet:
    """What one set of processes gave.

    Attributes:
        threads: by contestant, how many each library used.
        skipped: by contestant and size, the seconds that one call would have taken there.
        overhead_s: what the harness adds to a call; load_average: at the start.
    """

    samples: tuple[Sample, ...]
    verdicts: tuple[Verdict, ...]
    threads: dict[str, str]
    skipped: dict[str, dict[int, float]]
    overhead_s: float
    load_average: float


def record_set(
    plan: Plan, condition: Condition, process: int, folder: str, problem: Problem, out: set[str], progress: Progress
) -> ProcessSet:
    """Start every contestant afresh, and the null, and let them take turns.

    Args:
        process: number of the set, from 0. The first also verifies every contestant in full; in all of them every
            timed answer is verified, on validation images in an order that the worker could not know.
        folder: where `problem` is handed over.
        out: contestants that failed in an earlier set, and so stay out.
    """
    rng = random.Random(f"{plan.seed}/{condition.name}/{process}")
    environment = conditions.environment(condition, rng)
    order = rng.randrange(2**32)
    stage = f"{condition.name}, process set {process + 1} of {plan.processes}"
    taking_part = [(each.name, each) for each in plan.contestants if each.name not in out]
    if plan.null.name not in out:
        taking_part.append((plan.null.name + AGAIN, plan.null))
    rng.shuffle(taking_part)
    entrants = [Entrant(name, each, process, plan.timeout_s, bool(plan.sizes)) for name, each in taking_part]
    samples: list[Sample] = []
    load_average = facts.load_average()
    with ExitStack() as stack:
        for position, entrant in enumerate(entrants):
            progress(f"{stage}: start", entrant.name, position, len(entrants))
            stack.callback(entrant.end)
            entrant.enter(environment, plan.memory_limit, folder, order, position, images_read(problem, "first_call"))
            if process == 0 and not entrant.again:
                entrant.verify(rng.randrange(2**32))
        gauge = stack.enter_context(Worker(environment, plan.memory_limit))
        overhead_s = gauge.ask("overhead", plan.timeout_s, folder=folder)["seconds"]
        for size in plan.sizes or (None,):
            if size:
                for entrant in entrants:
                    entrant.resize(size)
            for scope in dict(plan.cells):
                samples += _limits(gauge, plan.timeout_s, scope, size or images_read(problem, scope), problem, process)
            for turn in range(plan.rounds):
                for scope, distance in plan.cells:
                    images = size or images_read(problem, scope)
                    turn_order = bracketed(
                        [each for each in entrants if each.offers(distance) and size not in each.skipped],
                        scope,
                        distance,
                        rng,
                    )
                    for position, entrant in enumerate(turn_order):
                        progress(f"{stage}: {scope}", entrant.name, turn, plan.rounds)
                        if condition.threads != "1":
                            time.sleep(SETTLE_S)
                        entrant.time(scope, distance, images, round=turn, position=position)
    samples += [sample for entrant in entrants for sample in entrant.samples]
    return ProcessSet(
        tuple(samples),
        tuple(entrant.verdict for entrant in entrants if not entrant.again),
        {entrant.name: entrant.threads for entrant in entrants if entrant.threads},
        {entrant.name: entrant.skipped for entrant in entrants if entrant.skipped and not entrant.again},
        overhead_s,
        load_average,
    )


def _limits(gauge: Worker, timeout_s: float, scope: str, images: int, problem: Problem, process: int) -> list[Sample]:
    """Read as many bytes as the scope must touch, one per pixel, on one core and on all; once per process set."""
    size = images * problem.valid[0].size
    taken = []
    for position, (name, threads) in enumerate(((ONE_CORE, 1), (ALL_CORES, facts.cores()))):
        seconds = gauge.ask("read", timeout_s, size=size, threads=threads)["seconds"]
        taken.append(Sample(name, scope, "-", images, seconds, 1, process, 0, position))
    return taken


def bracketed(entrants: Sequence[Entrant], scope: str, distance: str, rng: random.Random) -> list[Entrant]:
    """Return one turn's order: the fast kernels, and again after each slow one; each time in an order drawn anew."""
    slow = [each for each in entrants if each.slow(scope, distance)]
    fast = [each for each in entrants if each not in slow]
    turn = rng.sample(fast, len(fast))
    for each in rng.sample(slow, len(slow)):
        turn += [each, *rng.sample(fast, len(fast))]
    return turn
