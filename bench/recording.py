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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import conditions, facts, nvml
from bench.checking import Verdict
from bench.conditions import Condition
from bench.console import Progress
from bench.entrant import LONGEST_S, Entrant
from bench.kernel import Contestant
from bench.problem import Problem, in_reach
from bench.process import MEMORY_LIMIT, Failure, Worker
from bench.sample import AGAIN, ALL_CORES, GPU_LAUNCH, GPU_READ, ONE_CORE, Sample
from bench.workload import images_read

BASELINE = (("baseline", "l1"),)
PREDICT = (("predict", "l1"),)
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
        longest_s: a kernel whose call would take longer at some size sits that size out.
    """

    contestants: tuple[Contestant, ...]
    cells: tuple[tuple[str, str], ...] = BASELINE
    conditions: tuple[Condition, ...] = (Condition(),)
    processes: int = 6
    rounds: int = 3
    seed: int = 0
    timeout_s: float = 120.0
    memory_limit: int = MEMORY_LIMIT
    sizes: tuple[int, ...] = ()
    longest_s: float = LONGEST_S

    @property
    def stages(self) -> list["Stage"]:
        """What is timed one after the other: sizes; or all images, then the parts that slow kernels are timed on."""
        if self.sizes:
            return [Stage(self.cells, size=size) for size in self.sizes]
        parts = sorted({each.images for each in self.contestants} - {0})
        return [Stage(self.cells), *(Stage(BASELINE, first=n) for n in parts)]

    @property
    def steps(self) -> int:
        """How many steps of progress one process set takes."""
        return len(self.contestants) + 1 + self.rounds * sum(len(stage.cells) for stage in self.stages)


@dataclass(frozen=True)
class Stage:
    """What every kernel has prepared while some cells are timed.

    Attributes:
        size: so many validation images; 0 is as many as there are.
        first: the first so many images of each class alone; 0 is all.
    """

    cells: tuple[tuple[str, str], ...]
    size: int = 0
    first: int = 0

    def __str__(self) -> str:
        """Return what there is to say of it after the name of a scope."""
        return f" of {self.size:,} images" if self.size else f" of the first {self.first}" if self.first else ""


@dataclass(frozen=True)
class ProcessSet:
    """What one set of processes gave.

    Attributes:
        null: the contestant that also ran against itself: the one of the fastest first call; None if all failed.
        threads: by contestant, how many each library used.
        skipped: by contestant and size, the seconds that one call would have taken there; None without images for it.
        broadcast: by contestant, the findings of `bench.broadcast`; of the first set alone.
        overhead_s: what the harness adds to a call; load_average: at the start.
        gpu_limit_failed: why the limit of the GPU is missing, or ""; the kernels lose nothing by it.
        unpinned: by contestant, why page-locked memory was refused.
        gpu: whether the GPU was throttled right after a sample, and its lowest clocks there (see `bench.nvml`).
    """

    samples: tuple[Sample, ...]
    verdicts: tuple[Verdict, ...]
    null: str | None
    threads: dict[str, str]
    skipped: dict[str, dict[int, float | None]]
    overhead_s: float
    load_average: float
    broadcast: dict[str, dict[str, Any]] = field(default_factory=dict)
    gpu: dict[str, Any] = field(default_factory=dict)
    gpu_limit_failed: str = ""
    unpinned: dict[str, str] = field(default_factory=dict)


def record_set(
    plan: Plan, condition: Condition, earlier: dict[int, ProcessSet], folder: str, problem: Problem, progress: Progress
) -> ProcessSet:
    """Start every contestant afresh, and the null, and let them take turns.

    Args:
        earlier: the finished sets of this condition, by number. The first verifies every contestant in full; in all
            of them every timed answer is verified, on validation images in an order that the worker could not know.
            What failed in an earlier one stays out, but in a record of sizes.
        folder: where `problem` is handed over.
    """
    process = len(earlier)
    rng = random.Random(f"{plan.seed}/{condition.name}/{process}")
    environment = conditions.environment(condition, rng)
    order = rng.randrange(2**32)
    out = {each.name for one in earlier.values() for each in one.verdicts if each.status != "agrees"}
    taking_part = [each for each in plan.contestants if plan.sizes or each.name not in out]
    rng.shuffle(taking_part)
    entrants = [Entrant(each.name, each, process, plan.timeout_s, bool(plan.sizes)) for each in taking_part]
    say = _Said(f"{condition.name}, process set {process + 1} of {plan.processes}", plan, condition, process, progress)
    samples: list[Sample] = []
    load_average = facts.load_average()
    with ExitStack() as stack:
        for position, entrant in enumerate(entrants):
            say("start", entrant.name)
            stack.callback(entrant.end)
            entrant.enter(environment, plan.memory_limit, folder, order, position, problem)
            if process == 0:
                entrant.verify(rng.randrange(2**32))
        null = earlier[0].null if earlier else _fastest(entrants)
        for base in [each.contestant for each in entrants if each.name == null]:
            again = Entrant(base.name + AGAIN, base, process, plan.timeout_s, bool(plan.sizes))
            say("start", again.name)
            stack.callback(again.end)
            again.enter(environment, plan.memory_limit, folder, order, len(entrants), problem)
            entrants.append(again)
        gauge = stack.enter_context(Worker(environment, plan.memory_limit))
        overhead_s = gauge.ask("overhead", plan.timeout_s, folder=folder)["seconds"]
        gauges = _Gauges(gauge)
        if any(each.worker and each.contestant.device == "cuda" for each in entrants):
            gauges.gpu = stack.enter_context(Worker(environment, 0))
        for stage in plan.stages:
            samples += _timed(stage, entrants, gauges, plan, condition, problem, folder, process, rng, say)
        found = {}
        if process == 0 and not plan.sizes:  # last of all, for it would disturb the clock
            found = {
                each.name: each.examine() for each in entrants if each.broadcasts and each.worker and not each.again
            }
    samples += [sample for entrant in entrants for sample in entrant.samples]
    contestants = [entrant for entrant in entrants if not entrant.again]
    return ProcessSet(
        samples=tuple(samples),
        verdicts=tuple(each.verdict for each in contestants),
        null=null,
        threads={each.name: each.threads for each in contestants if each.threads},
        skipped={each.name: each.skipped for each in contestants if each.skipped},
        overhead_s=overhead_s,
        load_average=load_average,
        broadcast=found,
        gpu=nvml.worst(each.gpu for each in entrants),
        gpu_limit_failed=gauges.gpu_failed,
        unpinned={each.name: each.unpinned for each in contestants if each.unpinned},
    )


class _Said:
    """Progress of one process set, counted in the steps of the whole recording."""

    def __init__(self, stage: str, plan: Plan, condition: Condition, process: int, progress: Progress) -> None:
        self._stage, self._progress = stage, progress
        sets = process * len(plan.conditions) + plan.conditions.index(condition)
        self._done, self._steps = sets * plan.steps, plan.processes * len(plan.conditions) * plan.steps

    def __call__(self, what: str, kernel: str) -> None:
        if what == "start":
            self.step()
        self._progress(f"{self._stage}: {what}", kernel, self._done, self._steps)

    def step(self) -> None:
        self._done += 1


@dataclass
class _Gauges:
    """The workers that measure limits; that of the GPU is dropped when it fails, and why is recorded."""

    cpu: Worker
    gpu: Worker | None = None
    gpu_failed: str = ""


def _timed(
    stage: Stage,
    entrants: Sequence[Entrant],
    gauges: "_Gauges",
    plan: Plan,
    condition: Condition,
    problem: Problem,
    folder: str,
    process: int,
    rng: random.Random,
    say: "_Said",
) -> list[Sample]:
    """Let the kernels that are meant for a stage take turns in its cells; return the samples of the limit."""
    ready = [each for each in entrants if each.contestant.images in ({0, stage.first} if stage.first else {0})]
    part = problem.part(stage.first)
    reads = {scope: stage.size or images_read(part, scope) for scope, _ in stage.cells}
    # Before the kernels fill a GPU's memory.
    limits = [each for scope in reads for each in _limits(gauges, plan, scope, reads[scope], problem, process, stage)]
    for entrant in ready:
        if stage.size:
            entrant.resize(stage.size, plan.seed, plan.longest_s, in_reach(problem, Path(folder), stage.size))
        elif stage.first:
            entrant.restrict(stage.first)
    for turn in range(plan.rounds):
        for scope, distance in stage.cells:
            say.step()
            running = [each for each in ready if each.offers(distance) and stage.size not in each.skipped]
            for position, entrant in enumerate(bracketed(running, scope, distance, rng)):
                say(f"{scope}{stage}, round {turn + 1} of {plan.rounds}", entrant.name)
                if condition.threads != "1":
                    time.sleep(SETTLE_S)
                entrant.time(scope, distance, reads[scope], round=turn, position=position, first=stage.first)
    return limits


def _fastest(entrants: Sequence[Entrant]) -> str | None:
    """Return the contestant still in, on all images, whose first call was the fastest; None if none is."""
    seconds = {each.name: each.samples[0].seconds for each in entrants if each.worker and not each.contestant.images}
    return min(seconds, key=lambda name: seconds[name], default=None)


def _limits(
    gauges: "_Gauges", plan: Plan, scope: str, images: int, problem: Problem, process: int, stage: Stage
) -> list[Sample]:
    """Read as many bytes as the scope must touch, one per pixel, on one core and on all; once per process set.

    Where there is a gauge for the GPU, on that one too, and launch the least that gives an answer: a byte per label, or
    the mean images. Not `end_to_end`, whose bytes come from the host. Without that limit the kernels keep their rows.
    """
    pixels = problem.valid[0].size
    size, found = images * pixels, {}
    for name, threads in ((ONE_CORE, 1), (ALL_CORES, facts.cores())):
        found[name] = gauges.cpu.ask("read", plan.timeout_s, size=size, threads=threads)["seconds"]
    if gauges.gpu and scope != "end_to_end":
        labels = stage.size or problem.part(stage.first).count
        answer = len(problem.classes) * pixels if scope == "mean" else labels
        try:
            reply = gauges.gpu.ask("gpu_limit", plan.timeout_s, size=size, answer=answer)
            found |= {GPU_READ: reply["read"], GPU_LAUNCH: reply["launch"]}
        except Failure as failure:
            gauges.gpu, gauges.gpu_failed = None, f"{failure.status}: {failure.reason}"
    return [
        Sample(name, scope, "-", images, seconds, 1, process, 0, position, first=stage.first)
        for position, (name, seconds) in enumerate(found.items())
    ]


def bracketed(entrants: Sequence[Entrant], scope: str, distance: str, rng: random.Random) -> list[Entrant]:
    """Return one turn's order: the fast kernels, and again after each slow one; each time in an order drawn anew."""
    slow = [each for each in entrants if each.slow(scope, distance)]
    fast = [each for each in entrants if each not in slow]
    turn = rng.sample(fast, len(fast))
    for each in rng.sample(slow, len(slow)):
        turn += [each, *rng.sample(fast, len(fast))]
    return turn
