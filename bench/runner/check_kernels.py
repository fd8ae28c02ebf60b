"""Check every kernel against the exact answer, each in a process of its own."""

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import atomic
from bench.kernel import KernelSpec, why_unavailable
from bench.runner.configuration import Configuration, environment
from bench.runner.worker_handle import MEMORY_LIMIT, Failure, Worker
from bench.task.oracle import DISTANCES
from bench.task.problem import Problem, write

OUT_OF_MEMORY = "out of memory"  # the reason begins so where memory ran out


@dataclass(frozen=True)
class CheckResult:
    """The status of one kernel.

    Attributes:
        name: the kernel's name.
        status: "agrees", "disagrees", "unavailable" or "broken".
        reason: why the status is not "agrees"; None where it is.
        correct: per distance that the kernel offers, how many labels of each class are right.
        mean_error: largest deviation of its mean images from the exact ones, of full scale; None where unknown.
    """

    name: str
    status: str
    reason: str | None = None
    correct: dict[str, list[int]] = field(default_factory=dict)
    mean_error: float | None = None


@contextmanager
def problem_folder(problem: Problem) -> Iterator[str]:
    """Yield a temporary folder with the problem in it, for worker processes."""
    with tempfile.TemporaryDirectory() as folder:
        with atomic.named(folder):
            write(problem, Path(folder))
        yield folder


def check_kernel(spec: KernelSpec, folder: str, seed: int, timeout_s: float) -> CheckResult:
    """Verify one kernel in a process of its own, on the problem in `folder` (see `problem_folder`)."""
    if reason := why_unavailable(spec):
        return CheckResult(spec.name, "unavailable", reason)
    memory_limit = MEMORY_LIMIT if spec.device == "cpu" else 0  # CUDA reserves addresses by the terabyte
    with Worker(environment(Configuration(), random.Random(seed)), memory_limit) as worker:
        try:
            worker.ask("read_problem", timeout_s, folder=folder, order=seed)
            worker.ask("start", timeout_s, spec=as_json(spec))
            worker.ask("prepare", timeout_s)
            reply = worker.ask("verify", timeout_s, seed=seed + 1)
        except Failure as failure:
            return failed_result(spec.name, failure)
    return CheckResult(spec.name, "agrees", None, reply["correct"], reply["mean_error"])


def failed_result(name: str, failure: Failure) -> CheckResult:
    """Return the result of a kernel whose worker reported a failure."""
    reply = failure.reply
    return CheckResult(name, failure.status, failure.reason, reply.get("correct", {}), reply.get("mean_error"))


def as_json(spec: KernelSpec) -> dict[str, Any]:
    """Return a kernel's spec as a worker's `start` takes it."""
    return {**asdict(spec), "path": str(spec.path.resolve())}


def check_as_json(whole: Problem, results: Sequence[tuple[Problem, CheckResult]]) -> dict[str, Any]:
    """Return what `check --json` writes: the whole data set, and each result with the problem it is about."""

    def score(problem: Problem, correct: list[int] | None) -> dict[str, Any] | None:
        return None if correct is None else {"correct": correct, "accuracy": problem.accuracy(correct)}

    return {
        "dataset": {
            "name": whole.name,
            "digest": whole.digest,
            "classes": list(whole.classes),
            "train": whole.train_counts,
            "valid": whole.valid_counts,
        },
        "oracle": {
            distance: {**(score(whole, whole.correct(answer.labels)) or {}), "too_close": answer.too_close}
            for distance, answer in whole.answers.items()
        },
        "kernels": [
            {
                "name": result.name,
                "status": result.status,
                "reason": result.reason,
                **({"images_of_class": problem.per_class} if problem.per_class else {}),
                **{distance: score(problem, result.correct.get(distance)) for distance in DISTANCES},
            }
            for problem, result in results
        ],
    }
