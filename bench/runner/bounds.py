"""The bounds of one process of all kernels, read by workers of their own: see `bench.probes.read_bandwidth`."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from typing import Any

from bench.kernel import why_unavailable
from bench.probes import machine
from bench.records.sample import AGAIN, ALL_CORES, BOUND, GPU_LAUNCH, GPU_READ, ONE_CORE, Sample
from bench.runner import refusals
from bench.runner.executor import Executor, Setup
from bench.runner.worker_handle import Failure, Reply, Worker
from bench.task.scopes import answer_bytes, bytes_read, images_read


class Bounds(ExitStack):
    """Use it as a context manager, which ends the workers."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup, self.plan, self.problem = setup, setup.plan, setup.problem
        self.workers: dict[str, Worker] = {}  # that read, by device; the one of the CPU also measures the harness
        self.failed: dict[str, str] = {}  # by "bound@cpu" and "bound@gpu", the status and the reason why it is missing

    def start(self) -> None:
        """Start the workers. Without them there are no bounds."""
        self.workers["cpu"] = self.enter_context(Worker(self.setup.environment, self.plan.memory_limit))
        if any(spec.device == "cuda" and not why_unavailable(spec) for spec in self.plan.specs):
            self.workers["cuda"] = self.enter_context(Worker(self.setup.environment, 0))

    def samples(self, scope: str, size: int) -> list[Sample]:
        """Read as many bytes as the scope must touch, on one core and on all, and copy an answer; once per process.

        Where a kernel uses a GPU, read them there too, and launch the least that gives an answer. The scope
        `end_to_end` has no such bound: its bytes come from the host.
        """
        asked, seconds = self._asked(scope, size), dict[str, float]()
        for name, threads in ((ONE_CORE, 1), (ALL_CORES, machine.cores())):
            if reply := self.ask("cpu", "read", threads=threads, **asked):
                seconds[name] = reply["seconds"]
        if scope != "end_to_end" and (reply := self.ask("cuda", "gpu_bound", **asked)):
            seconds |= {GPU_READ: reply["read"], GPU_LAUNCH: reply["launch"]}
        return [self._sample(name, scope, size, value, place) for place, (name, value) in enumerate(seconds.items())]

    def of_own_bytes(self, executors: Sequence[Executor], size: int, threads: int) -> list[Sample]:
        """Return the seconds in which the machine reads the bytes of every kernel that holds fewer than one per pixel.

        They are named after the kernel. The scope `end_to_end` has none, as it starts from one byte per pixel.
        """
        samples = list[Sample]()
        measured = [one for one in executors if one.samples and not one.name.endswith(AGAIN)]
        for executor, scope in product(measured, dict(self.plan.pairs)):
            own = executor.bytes_read(scope, size)
            if scope == "end_to_end" or own >= bytes_read(self.problem, scope, size):
                continue
            asked = {**self._asked(scope, size), "size": own}
            if executor.spec.device == "cpu":
                seconds = self.ask("cpu", "read", threads=threads, **asked).get("seconds")
            else:
                reply = self.ask("cuda", "gpu_bound", **asked)
                seconds = max(reply["read"], reply["launch"]) if reply else None
            if seconds:
                samples.append(self._sample(BOUND + executor.name, scope, size, seconds, len(samples)))
        return samples

    def _asked(self, scope: str, size: int) -> dict[str, int]:
        answer = answer_bytes(self.problem, scope, size or self.problem.count)
        return {"size": bytes_read(self.problem, scope, size), "answer": answer}

    def _sample(self, name: str, scope: str, size: int, seconds: float, position: int) -> Sample:
        images = size or images_read(self.problem, scope)
        return Sample(name, scope, "-", images, seconds, 1, self.setup.process, 0, position)

    def ask(self, device: str, do: str, **arguments: Any) -> Reply:
        """Return a worker's reply; {} without one, or where it fails: that costs no kernel its samples."""
        if device not in self.workers:
            return {}
        try:
            return self.workers[device].ask(do, self.plan.timeout_s, **arguments)
        except Failure as failure:
            del self.workers[device]  # the stack ends it
            self.failed[BOUND + {"cpu": "cpu", "cuda": "gpu"}[device]] = f"{failure.status}: {failure.reason}"
            return {}

    def read(self, device: str, size: int) -> list[float]:
        """Return [seconds in which a device reads so many bytes], the CPU on one core or on all; [] if that fails."""
        if device == "cuda":
            return [reply["read"] for reply in [self.ask(device, "gpu_bound", size=size, answer=1)] if reply]
        replies = [self.ask(device, "read", size=size, threads=threads) for threads in {1, machine.cores()}]
        return [min(reply["seconds"] for reply in replies)] if all(replies) else []

    def faster_than_reading(self, executors: Sequence[Executor], bounds: Sequence[Sample]) -> Iterator[tuple[str, str]]:
        """Yield the kernels whose mean images take less time than their device needs to read the images, and why.

        It is one sample of the scope `mean`, which is not kept. Sums that were taken in `prepare` show there.
        """
        dense = bytes_read(self.problem, "mean")
        for device, names in (("cpu", (ONE_CORE, ALL_CORES)), ("cuda", (GPU_READ,))):
            of_device = [one for one in bounds if one.kernel in names]
            read = [dense * one.seconds / bytes_read(self.problem, one.scope) for one in of_device]
            for executor in executors:
                if executor.spec.device != device or not executor.worker or not (read or device in self.workers):
                    continue
                seconds, size = executor.seconds("mean", "-"), executor.bytes_read("mean")
                if size == dense:
                    read = read or self.read(device, size)
                known = [*read] if size == dense else self.read(device, size)
                if seconds is None or not known or not refusals.too_fast(seconds, size, min(known)):
                    continue
                known += self.read(device, size)  # both are measured once more before the kernel is refused
                slower = max(seconds, executor.seconds("mean", "-") or seconds)
                if executor.worker and (reason := refusals.too_fast(slower, size, min(known))):
                    yield executor.name, reason
