"""Which kernel runs when. The clock itself is in `bench.worker`, one process per kernel.

Kernels take turns: each round times every kernel once, in an order drawn anew, so that a machine that gets slower or
faster in the meantime does so for all of them.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import facts
from bench.checking import Verdict, as_json, failed, handed_over
from bench.console import Progress
from bench.kernel import Contestant, why_unavailable
from bench.problem import Problem
from bench.process import Failure, Reply, Worker
from bench.records import Absent
from bench.sample import Sample
from bench.workload import images_read

SHORTEST_SAMPLE_S = 1e-3  # a faster call is repeated within one sample


@dataclass(frozen=True)
class Plan:
    """What to record.

    Attributes:
        contestants: who takes part.
        cells: the (scope, distance) pairs that every round times, such as ("baseline", "l1").
        rounds: samples of each cell.
        seed: everything random in the recording is drawn from it.
        timeout_s: the longest that one request to a kernel may take, in seconds.
    """

    contestants: Sequence[Contestant]
    cells: Sequence[tuple[str, str]] = (("baseline", "l1"),)
    rounds: int = 7
    seed: int = 0
    timeout_s: float = 120.0


@dataclass(frozen=True)
class Recording:
    """What a plan gave: samples of the kernels that kept agreeing, and a verdict on every contestant, in its order."""

    plan: Plan
    problem: Problem
    samples: list[Sample]
    verdicts: list[Verdict]

    @property
    def absent(self) -> list[Absent]:
        """The contestants without samples, and why."""
        return [Absent(each.name, each.status, each.reason or "") for each in self.verdicts if each.status != "agrees"]

    @property
    def facts(self) -> dict[str, Any]:
        """What all samples have in common, under the keys that `results/README.md` explains."""
        problem = self.problem
        return {
            **facts.machine(),
            "dataset": problem.name,
            "dataset_digest": problem.digest,
            "classes": " ".join(problem.classes),
            "train_counts": " ".join(map(str, problem.train_counts)),
            "valid_counts": " ".join(map(str, problem.valid_counts)),
            "order_seed": self.plan.seed,
            "threads": "all",
            "allocator": "default",
        }

    @property
    def facts_by_kernel(self) -> dict[str, dict[str, Any]]:
        """What the samples of one kernel have in common, by contestant name."""
        found = {}
        for contestant, verdict in zip(self.plan.contestants, self.verdicts, strict=True):
            if verdict.status == "agrees":
                scores = {f"correct_{key}": self.problem.score(value) for key, value in verdict.correct.items()}
                code = {"device": contestant.device, "source_hash": facts.source_hash(contestant.path)}
                found[contestant.name] = {**code, **scores, "mean_error": verdict.mean_error}
        return found


class Entrant:
    """A contestant in a recording: its worker while it is in the running, its samples, and what is known of it."""

    def __init__(self, contestant: Contestant, problem: Problem, timeout_s: float) -> None:
        self.contestant, self.problem, self.timeout_s = contestant, problem, timeout_s
        self.name = contestant.name
        self.samples: list[Sample] = []
        self.loops: dict[tuple[str, str], int] = {}
        reason = why_unavailable(contestant)
        self.worker = None if reason else Worker()
        self.verdict = Verdict(self.name, "unavailable", reason) if reason else Verdict(self.name, "agrees")

    def ask(self, do: str, **arguments: Any) -> Reply | None:
        """Ask its worker; None where it is out, or is out from now on, because the answer was a failure."""
        if self.worker is None:
            return None
        try:
            return self.worker.ask(do, self.timeout_s, **arguments)
        except Failure as failure:
            self.verdict = failed(self.name, failure)
            self.samples.clear()
            self.end()
            return None

    def time(self, scope: str, distance: str, **where: int) -> None:
        """Take one sample of at least a millisecond. The call that finds out how many loops that takes is none."""
        cell = (scope, distance)
        if cell not in self.loops and (reply := self.ask("time", scope=scope, distance=distance, loops=1)):
            self.loops[cell] = max(1, math.ceil(SHORTEST_SAMPLE_S / reply["seconds"]))
        loops = self.loops.get(cell, 1)
        if reply := self.ask("time", scope=scope, distance=distance, loops=loops):
            self.keep(scope, distance, reply["seconds"], loops, **where)

    def keep(self, scope: str, distance: str, seconds: float, loops: int, **where: int) -> None:
        """Add a sample; `where` is its process, round and position."""
        images = images_read(self.problem, scope)
        self.samples.append(Sample(self.name, scope, distance, images, seconds, loops, **where))

    def end(self) -> None:
        """Leave the running."""
        if self.worker:
            self.worker.end()
        self.worker = None


def record(plan: Plan, problem: Problem, progress: Progress) -> Recording:
    """Verify the contestants, then time those that agree. A kernel that fails at any point loses its row, no more.

    Args:
        progress: told what is being done; see `bench.console.progress`.
    """
    entrants = [Entrant(contestant, problem, plan.timeout_s) for contestant in plan.contestants]
    try:
        with handed_over(problem) as folder:
            for position, entrant in enumerate(entrants):
                progress("verify", entrant.name, position, len(entrants))
                _set_up(entrant, folder, plan.seed, position)
            rng = random.Random(plan.seed)
            for turn in range(plan.rounds):
                order = [entrant for entrant in entrants if entrant.worker]
                rng.shuffle(order)
                for position, entrant in enumerate(order):
                    progress(f"round {turn + 1} of {plan.rounds}", entrant.name, turn, plan.rounds)
                    for scope, distance in plan.cells:
                        entrant.time(scope, distance, process=0, round=turn, position=position)
    finally:
        for entrant in entrants:
            entrant.end()
    samples = [sample for entrant in entrants for sample in entrant.samples]
    return Recording(plan, problem, samples, [entrant.verdict for entrant in entrants])


def _set_up(entrant: Entrant, folder: str, seed: int, position: int) -> None:
    """Start a worker, take its first call, and verify it.

    first_call = import the kernel + prepare(one image) + the first baseline; preparing all images is not in it.
    """
    started = entrant.ask("start", contestant=as_json(entrant.contestant), folder=folder, order=seed)
    entrant.ask("prepare")
    first = entrant.ask("time", scope="baseline", distance="l1", loops=1)
    found = entrant.ask("verify", seed=seed + 1)
    if started and first and found:
        entrant.verdict = Verdict(entrant.name, "agrees", None, found["correct"], found["mean_error"])
        seconds = started["start_s"] + first["seconds"]
        entrant.keep("first_call", "l1", seconds, 1, process=0, round=0, position=position)
