"""Which kernel runs when: processes, rounds and order. The clock itself is in `bench.runner.worker`.

One worker process per kernel; all but one sleep on a pipe. In every round each kernel is called once, in an order drawn
anew, so that a machine that gets slower or faster in the meantime does so for all of them. A slow kernel is bracketed:
the fast kernels run before and after it, F..F S F..F. The processes of all kernels are started afresh several times,
because what one process measures twice is not two measurements (Kalibera and Jones, ISMM 2013).
"""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.kernel import KernelSpec
from bench.probes import machine, nvml
from bench.records.sample import AGAIN, ALL_CORES, BOUND, GPU_LAUNCH, GPU_READ, ONE_CORE, Sample
from bench.runner import refusals
from bench.runner.check_kernels import CheckResult
from bench.runner.configuration import Configuration, environment
from bench.runner.executor import Executor, Others, Setup
from bench.runner.plan import Plan, Progress
from bench.runner.worker_handle import Failure, Reply, Worker
from bench.task.problem import Problem
from bench.task.scopes import answer_bytes, bytes_read, images_read
from bench.task.tiling import in_reach

SETTLE_S = 0.02  # OpenMP threads spin for some milliseconds after a parallel loop and would steal the next one's core
CALM_S = 1.0  # for pools that spin longer; twice as busy is broken


@dataclass(frozen=True)
class FinishedProcess:
    """What one process of every kernel gave.

    Attributes:
        control: the kernel that also ran as the A/A control: the one with the fastest first call; None if all failed.
        threads: by kernel, how many threads each library used.
        skipped: by kernel and size, the seconds that one call would have taken; None where there were no images.
        overhead_s: seconds that the harness adds to a call; None where that was not measured.
        load_average: of the machine, when the process began.
        broadcast: by kernel, what `bench.probes.broadcasting` learnt; only in the first process.
        gpu: whether the GPU was throttled right after a sample, and its lowest clocks then (see `bench.probes.nvml`).
        bounds_failed: by "bound@cpu" and "bound@gpu", the status and the reason why that bound is missing.
        stack_bytes: by kernel, the bytes that its stacks hold per training image and per validation image.
    """

    samples: tuple[Sample, ...]
    results: tuple[CheckResult, ...]
    control: str | None
    threads: dict[str, str]
    skipped: dict[str, dict[int, float | None]]
    overhead_s: float | None
    load_average: float
    broadcast: dict[str, dict[str, Any]] = field(default_factory=dict)
    gpu: dict[str, Any] = field(default_factory=dict)
    bounds_failed: dict[str, str] = field(default_factory=dict)
    stack_bytes: dict[str, list[float]] = field(default_factory=dict)


def measure_process(
    plan: Plan,
    configuration: Configuration,
    earlier: dict[int, FinishedProcess],
    folder: str,
    problem: Problem,
    progress: Progress,
) -> FinishedProcess:
    """Start every kernel afresh, and one of them a second time as the A/A control, and time them round by round.

    Args:
        earlier: the processes before this one, by number. The first process verifies every kernel in full. All of them
            verify every timed answer, on validation images in an order that the worker could not know. A kernel that
            failed in an earlier process is left out, unless sizes are measured.
        folder: where `problem` was written for the workers.
    """
    process = len(earlier)
    rng = random.Random(f"{plan.seed}/{configuration.name}/{process}")
    setup = Setup(plan, problem, folder, environment(configuration, rng), rng.randrange(2**32), process)
    with ExitStack() as stack:
        return _Scheduler(plan, configuration, setup, rng, progress, stack).run(earlier)


@dataclass
class _Scheduler:
    """The worker processes of one `measure_process`; `stack` ends them.

    Attributes:
        executors: of the kernels in the order in which they started, the A/A control last.
        bound_workers: "cpu" reads for the bounds of the host, and measures the harness itself; "cuda" reads and
            launches for those of the GPU. Missing before `run` starts it, where no kernel needs it, and once it failed.
        bounds_failed: as in `FinishedProcess`.
        steps_done: steps of progress of the plan so far; `run` counts them.
    """

    plan: Plan
    configuration: Configuration
    setup: Setup
    rng: random.Random
    progress: Progress
    stack: ExitStack
    executors: list[Executor] = field(default_factory=list)
    bound_workers: dict[str, Worker] = field(default_factory=dict)
    bounds_failed: dict[str, str] = field(default_factory=dict)
    steps_done: int = 0

    def run(self, earlier: dict[int, FinishedProcess]) -> FinishedProcess:
        plan, process = self.plan, self.setup.process
        finished = process * len(plan.configurations) + plan.configurations.index(self.configuration)
        self.steps_done = finished * plan.steps_of_a_process
        results = [result for process_before in earlier.values() for result in process_before.results]
        failed = {result.name for result in results if result.status != "agrees"}
        specs = [spec for spec in plan.specs if plan.sizes or spec.name not in failed]
        self.rng.shuffle(specs)
        load_average = machine.load_average()
        for spec in specs:
            executor = self._start(spec.name, spec)
            if process == 0:
                executor.verify(self.rng.randrange(2**32))
        executors = list(self.executors)  # without the A/A control
        self.bound_workers["cpu"] = self.stack.enter_context(Worker(self.setup.environment, plan.memory_limit))
        overhead_s = self._ask_bound("cpu", "overhead", folder=self.setup.folder).get("seconds")
        if any(executor.worker and executor.spec.device == "cuda" for executor in executors):
            self.bound_workers["cuda"] = self.stack.enter_context(Worker(self.setup.environment, 0))
        sizes = plan.sizes or (0,)
        bounds = self._bounds_at(sizes[0])
        self._must_read_all([] if plan.sizes else bounds)
        control = earlier[0].control if earlier else _fastest(executors)  # none that has failed by now
        for spec in specs:
            if spec.name == control:
                self._start(spec.name + AGAIN, spec)
        for size in sizes:
            bounds += self._bounds_at(size) if size != sizes[0] else []
            self._time(size)
            bounds += self._own_bounds(size)
        if self.configuration.threads == "1":
            self._must_use_one_thread()
        broadcasting = [executor for executor in executors if executor.broadcasts and executor.worker]
        return FinishedProcess(
            samples=(*bounds, *(sample for executor in self.executors for sample in executor.samples)),
            broadcast={  # after all timing, which it would disturb
                executor.name: executor.examine() for executor in broadcasting if process == 0 and not plan.sizes
            },
            results=tuple(executor.result for executor in executors),
            control=control,
            threads={executor.name: executor.threads for executor in executors if executor.threads},
            stack_bytes={executor.name: executor.stack_bytes for executor in executors if executor.stack_bytes},
            skipped={executor.name: executor.skipped for executor in executors if executor.skipped},
            overhead_s=overhead_s,
            load_average=load_average,
            gpu=nvml.worst(executor.gpu for executor in self.executors),
            bounds_failed=self.bounds_failed,
        )

    def _report(self, stage: str, kernel: str) -> None:
        process = f"{self.configuration.name}, process {self.setup.process + 1} of {self.plan.processes}"
        self.progress(f"{process}: {stage}", kernel, self.steps_done, self.plan.steps)

    def _start(self, name: str, spec: KernelSpec) -> Executor:
        self.steps_done += 1
        self._report("start", name)
        executor, position = Executor(name, spec, self.setup), len(self.executors)
        self.stack.callback(executor.end)

        def start() -> dict[str, float]:
            executor.end()  # where its first call was disturbed
            return executor.start(position, self._others(executor))

        self._undisturbed(start)
        self.executors.append(executor)
        return executor

    def _others(self, timed: Executor) -> Others:
        return {one.name: one.processes for one in self.executors if one is not timed and one.worker}

    def _undisturbed(self, measure: Callable[[], dict[str, float]]) -> None:
        """Measure again as long as other kernels do not sleep. One that does not in two attempts is broken, and ends.

        A thread pool may spin for a while after its work, so there is a pause before the second attempt.
        """
        before: dict[str, float] = {}
        while busy := measure():
            for name in busy.keys() & before.keys():
                self._fail(name, refusals.awake(busy[name]))
            if not busy.keys() & before.keys():
                time.sleep(CALM_S)
            before |= busy

    def _fail(self, name: str, reason: str) -> None:
        """End a kernel, and where it is the A/A control the A/A control as well."""
        for executor in self.executors:
            if executor.worker and executor.name.removesuffix(AGAIN) == name.removesuffix(AGAIN):
                executor.fail(Failure("broken", reason))

    def _must_use_one_thread(self) -> None:
        """Fail the kernels that used more than one core under one thread, judged over all their samples."""
        for executor in self.executors:
            reason = refusals.too_many_cores(refusals.cores_of(executor.samples))
            if executor.spec.device == "cpu" and reason:
                self._fail(executor.name, reason)

    def _must_read_all(self, bounds: Sequence[Sample]) -> None:
        """Fail the kernels whose mean images take less time than their device needs to read the images.

        It is one sample of the scope `mean`, which is not kept. Sums that were taken in `prepare` show there.
        """
        dense = bytes_read(self.setup.problem, "mean")
        for device, names in (("cpu", (ONE_CORE, ALL_CORES)), ("cuda", (GPU_READ,))):
            read = [
                dense * one.seconds / bytes_read(self.setup.problem, one.scope) for one in bounds if one.kernel in names
            ]
            for executor in self.executors:
                if executor.spec.device != device or not executor.worker or not (read or device in self.bound_workers):
                    continue
                seconds, size = executor.seconds("mean", "-"), executor.bytes_read("mean")
                if size == dense:
                    read = read or self._read(device, size)
                known = [*read] if size == dense else self._read(device, size)
                if seconds is None or not known or not refusals.too_fast(seconds, size, min(known)):
                    continue
                known += self._read(device, size)  # before a verdict, both once more
                slower = max(seconds, executor.seconds("mean", "-") or seconds)
                if executor.worker and (reason := refusals.too_fast(slower, size, min(known))):
                    self._fail(executor.name, reason)

    def _read(self, device: str, size: int) -> list[float]:
        """Return [seconds in which a device reads so many bytes], the CPU on one core or on all; [] if that fails."""
        if device == "cuda":
            return [reply["read"] for reply in [self._ask_bound(device, "gpu_bound", size=size, answer=1)] if reply]
        replies = [self._ask_bound(device, "read", size=size, threads=threads) for threads in {1, machine.cores()}]
        return [min(reply["seconds"] for reply in replies)] if all(replies) else []

    def _bounds_at(self, size: int) -> list[Sample]:
        """Return the samples of the bounds of all scopes; take them before the kernels fill a GPU's memory."""
        return [sample for scope in dict(self.plan.pairs) for sample in self._bounds(scope, size)]

    def _time(self, size: int) -> None:
        """Time all pairs round by round, with `size` validation images (0: all)."""
        plan, problem = self.plan, self.setup.problem
        reads = {scope: size or images_read(problem, scope) for scope, _ in plan.pairs}
        for executor in self.executors if size else ():
            executor.resize(size, in_reach(problem, Path(self.setup.folder), size))
        of_size = f" of {size:,} images" if size else ""
        for number in range(plan.rounds):
            for scope, distance in plan.pairs:
                self.steps_done += 1
                timed = [one for one in self.executors if one.offers(distance) and size not in one.skipped]
                for position, executor in enumerate(bracketed(timed, scope, distance, self.rng)):
                    self._report(f"{scope}{of_size}, round {number + 1} of {plan.rounds}", executor.name)
                    self._undisturbed(partial(self._sample, executor, scope, distance, reads[scope], number, position))

    def _sample(
        self, executor: Executor, scope: str, distance: str, images: int, number: int, position: int
    ) -> dict[str, float]:
        if self.configuration.threads != "1":
            time.sleep(SETTLE_S)
        return executor.time(scope, distance, images, number, position, self._others(executor))

    def _bounds(self, scope: str, size: int) -> list[Sample]:
        """Read as many bytes as the scope must touch, on one core and on all, and copy an answer; once per process.

        Where a kernel uses a GPU, read them there too, and launch the least that gives an answer. The scope
        `end_to_end` has no such bound: its bytes come from the host.
        """
        problem, seconds = self.setup.problem, dict[str, float]()
        asked = {
            "size": bytes_read(problem, scope, size),
            "answer": answer_bytes(problem, scope, size or problem.count),
        }
        for name, threads in ((ONE_CORE, 1), (ALL_CORES, machine.cores())):
            if reply := self._ask_bound("cpu", "read", threads=threads, **asked):
                seconds[name] = reply["seconds"]
        if scope != "end_to_end" and (reply := self._ask_bound("cuda", "gpu_bound", **asked)):
            seconds |= {GPU_READ: reply["read"], GPU_LAUNCH: reply["launch"]}
        images = size or images_read(problem, scope)
        return [
            Sample(name, scope, "-", images, value, 1, self.setup.process, 0, position)
            for position, (name, value) in enumerate(seconds.items())
        ]

    def _own_bounds(self, size: int) -> list[Sample]:
        """Return the seconds in which the machine reads the bytes of every kernel that holds fewer than one per pixel.

        They are named after the kernel. The scope `end_to_end` has none, as it starts from one byte per pixel.
        """
        samples, problem = list[Sample](), self.setup.problem
        for executor in self.executors:
            for scope in dict(self.plan.pairs):
                own = executor.bytes_read(scope, size)
                dense = scope == "end_to_end" or own >= bytes_read(problem, scope, size)
                if dense or not executor.samples or executor.name.endswith(AGAIN):
                    continue
                answer = answer_bytes(problem, scope, size or problem.count)
                if executor.spec.device == "cpu":
                    threads = 1 if self.configuration.threads == "1" else machine.cores()
                    reply = self._ask_bound("cpu", "read", size=own, threads=threads, answer=answer)
                else:
                    reply = self._ask_bound("cuda", "gpu_bound", size=own, answer=answer)
                    reply = {"seconds": max(reply["read"], reply["launch"])} if reply else {}
                if reply:
                    place = (
                        size or images_read(problem, scope),
                        reply["seconds"],
                        1,
                        self.setup.process,
                        0,
                        len(samples),
                    )
                    samples.append(Sample(BOUND + executor.name, scope, "-", *place))
        return samples

    def _ask_bound(self, device: str, do: str, **arguments: Any) -> Reply:
        """Return a bound worker's reply; {} without a worker, or where it fails: that costs no kernel its samples."""
        if device not in self.bound_workers:
            return {}
        try:
            return self.bound_workers[device].ask(do, self.plan.timeout_s, **arguments)
        except Failure as failure:
            del self.bound_workers[device]  # the stack ends it
            self.bounds_failed[BOUND + {"cpu": "cpu", "cuda": "gpu"}[device]] = f"{failure.status}: {failure.reason}"
            return {}


def _fastest(executors: Sequence[Executor]) -> str | None:
    """Return the kernel that has not failed whose first call was the fastest; None if all have."""
    seconds = {executor.name: executor.samples[0].seconds for executor in executors if executor.worker}
    return min(seconds, key=lambda name: seconds[name], default=None)


def bracketed(executors: Sequence[Executor], scope: str, distance: str, rng: random.Random) -> list[Executor]:
    """Return the order of one round, drawn anew: the fast kernels, and the fast kernels again after each slow one."""
    slow = [executor for executor in executors if executor.slow(scope, distance)]
    fast = [executor for executor in executors if executor not in slow]
    order = rng.sample(fast, len(fast))
    for executor in rng.sample(slow, len(slow)):
        order += [executor, *rng.sample(fast, len(fast))]
    return order
