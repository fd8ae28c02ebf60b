"""The check: every kernel against the exact answer, each in a process of its own."""

import random
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import problem as problems
from bench.conditions import Condition, environment
from bench.kernel import Contestant, why_unavailable
from bench.oracle import DISTANCES
from bench.problem import Problem
from bench.process import MEMORY_LIMIT, Failure, Worker

OUT_OF_MEMORY = "out of memory"  # how the reason of such a kernel begins


@dataclass(frozen=True)
class Verdict:
    """What the check found of one contestant.

    Attributes:
        name: of the contestant.
        status: "agrees", "disagrees", "unavailable" or "broken".
        reason: why it does not agree; None where it does.
        correct: per distance, right labels per class; a distance that the kernel does not offer is absent.
        mean_error: largest deviation of its mean images from the exact ones, of full scale; None where unknown.
        images: it was verified on the first so many images of each class; 0 is all.
    """

    name: str
    status: str
    reason: str | None = None
    correct: dict[str, list[int]] = field(default_factory=dict)
    mean_error: float | None = None
    images: int = 0


@contextmanager
def handed_over(problem: Problem) -> Iterator[str]:
    """Yield a temporary folder that holds the problem for worker processes."""
    with tempfile.TemporaryDirectory() as folder:
        problems.write(problem, Path(folder))
        yield folder


def judge(contestant: Contestant, folder: str, seed: int, timeout_s: float) -> Verdict:
    """Verify one contestant, in a process of its own, on the problem handed over in `folder`."""
    if reason := why_unavailable(contestant):
        return Verdict(contestant.name, "unavailable", reason)
    limit = MEMORY_LIMIT if contestant.device == "cpu" else 0  # CUDA reserves addresses by the terabyte
    with Worker(environment(Condition(), random.Random(seed)), limit) as worker:
        try:
            worker.ask("start", timeout_s, contestant=as_json(contestant), folder=folder, order=seed)
            worker.ask("prepare", timeout_s)
            found = worker.ask("verify", timeout_s, seed=seed + 1)
        except Failure as failure:
            return failed(contestant.name, failure)
    return Verdict(contestant.name, "agrees", None, found["correct"], found["mean_error"], contestant.images)


def failed(name: str, failure: Failure) -> Verdict:
    """Return the verdict on a contestant whose worker reported a failure."""
    reply = failure.reply
    return Verdict(name, failure.status, failure.reason, reply.get("correct", {}), reply.get("mean_error"))


def as_json(contestant: Contestant) -> dict[str, Any]:
    """Return a contestant as a worker's `start` takes it."""
    return {**asdict(contestant), "path": str(contestant.path.resolve())}


def report(problem: Problem, verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """Return the check as `--json` writes it."""

    def score(correct: list[int] | None, images: int = 0) -> dict[str, Any] | None:
        return None if correct is None else {"correct": correct, "accuracy": problem.part(images).accuracy(correct)}

    truth = {}
    for distance, answer in problem.answers.items():
        truth[distance] = {**(score(problem.correct(answer.labels)) or {}), "too_close": answer.too_close}
    return {
        "dataset": {
            "name": problem.name,
            "digest": problem.digest,
            "classes": list(problem.classes),
            "train": problem.train_counts,
            "valid": problem.valid_counts,
        },
        "oracle": truth,
        "kernels": [
            {
                "name": verdict.name,
                "status": verdict.status,
                "reason": verdict.reason,
                **({"images_of_class": verdict.images} if verdict.images else {}),
                **{distance: score(verdict.correct.get(distance), verdict.images) for distance in DISTANCES},
            }
            for verdict in verdicts
        ],
    }
