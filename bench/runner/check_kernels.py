"""Check every kernel against the exact answer, each in a process of its own."""

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import atomic
from bench.kernel import KernelSpec, why_unavailable
from bench.probes.machine import cores
from bench.runner.configuration import Configuration, environment
from bench.runner.plan import Progress
from bench.runner.worker_handle import MEMORY_LIMIT, Failure, Worker
from bench.task.oracle import DISTANCES
from bench.task.problem import Problem, write

OUT_OF_MEMORY = "out of memory"  # the reason begins so where memory ran out
ENOUGH = 2**31  # bytes of memory for each kernel that is verified beside others
COMPILED = ("torch", "numba", "jax")  # the packages whose kernels take longest, for they compile, longest first


@dataclass(frozen=True)
class CheckResult:
    """The status of one kernel."""

    name: str
    status: str  # "agrees", "disagrees", "unavailable" or "broken"
    reason: str | None = None  # why it is not "agrees"; None where it is
    correct: dict[str, list[int]] = field(default_factory=dict)  # by distance, how many labels of each class are right
    mean_error: float | None = None  # largest deviation of its mean images from the exact ones, of full scale


@contextmanager
def problem_folder(problem: Problem) -> Iterator[str]:
    """Yield a temporary folder with the problem in it, for worker processes."""
    with tempfile.TemporaryDirectory() as folder:
        with atomic.named(folder):
            write(problem, Path(folder))
        yield folder


def check_kernel(
    spec: KernelSpec,
    folder: str,
    seed: int,
    timeout_s: float,
    most_memory: int = MEMORY_LIMIT,  # bytes
    workers: list[Worker] | None = None,
) -> CheckResult:
    """Verify one kernel in a process of its own, which is added to `workers`, on the problem in `folder`."""
    if reason := why_unavailable(spec):
        return CheckResult(spec.name, "unavailable", reason)
    memory_limit = most_memory if spec.device == "cpu" else 0  # CUDA reserves addresses by the terabyte
    with Worker(environment(Configuration(), random.Random(seed)), memory_limit) as worker:
        if workers is not None:
            workers.append(worker)
        try:
            worker.ask("read_problem", timeout_s, folder=folder, order=seed)
            worker.ask("start", timeout_s, spec=as_json(spec))
            worker.ask("prepare", timeout_s)
            reply = worker.ask("verify", timeout_s, seed=seed + 1)
        except Failure as failure:
            return failed_result(spec.name, failure)
    return CheckResult(spec.name, "agrees", None, reply["correct"], reply["mean_error"])


def check_all(
    kernels: Sequence[tuple[KernelSpec, str]], seed: int, timeout_s: float, progress: Progress
) -> list[CheckResult]:
    """Verify kernels side by side, as many as there are cores, each as `check_kernel` does; return their results.

    Together they take no more memory than one alone may. One for which its part is too little is verified again, alone.
    """
    at_once = max(1, min(cores(), MEMORY_LIMIT // ENOUGH))
    results, workers = dict[int, CheckResult](), list[Worker]()
    order = sorted(range(len(kernels)), key=lambda place: _rank(kernels[place][0]))
    part = MEMORY_LIMIT // at_once
    with ThreadPoolExecutor(at_once) as pool:
        futures = {place: pool.submit(check_kernel, *kernels[place], seed, timeout_s, part, workers) for place in order}
        try:
            for place, future in futures.items():
                progress("verify", kernels[place][0].name, len(results), len(kernels))
                results[place] = future.result()
        except BaseException:  # such as Ctrl-C, which no worker process gets
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in futures.values()):
                for worker in workers.copy():
                    worker.kill()
                time.sleep(0.01)  # another may just have been started
            raise
    for place, result in results.items():
        if at_once > 1 and (result.reason or "").startswith(OUT_OF_MEMORY):
            results[place] = check_kernel(*kernels[place], seed, timeout_s)
    return [results[place] for place in range(len(kernels))]


def _rank(spec: KernelSpec) -> int:
    """Return a kernel's place in the order of starting: first what takes longest, so that all cores end together."""
    compiled = (place for place, package in enumerate(COMPILED) if package in spec.packages)
    return next(compiled, len(COMPILED) + ("numpy" in spec.packages))


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

    named = {key: getattr(whole, key) for key in ("name", "digest", "classes")}
    return {
        "dataset": {**named, "train": whole.train_counts, "valid": whole.valid_counts},
        "oracle": {
            distance: {**(score(whole, whole.correct(answer.labels)) or {}), "too_close": answer.too_close}
            for distance, answer in whole.answers.items()
        },
        "kernels": [
            {
                **{key: getattr(result, key) for key in ("name", "status", "reason")},
                **({"images_of_class": problem.per_class} if problem.per_class else {}),
                **{distance: score(problem, result.correct.get(distance)) for distance in DISTANCES},
            }
            for problem, result in results
        ],
    }
