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
from pathlib import Path
from typing import Any

from bench.kernel import KernelSpec
from bench.probes import machine, nvml
from bench.records.sample import AGAIN, ALL_CORES, GPU_LAUNCH, GPU_READ, ONE_CORE, Sample
from bench.runner import configuration as conditions
from bench.runner.checking import CheckResult
from bench.runner.configuration import Configuration
from bench.runner.executor import LONGEST_S, Executor, Setup
from bench.runner.process import MEMORY_LIMIT, Failure, Worker
from bench.task.problem import Problem, in_reach
from bench.task.scopes import images_read

Progress = Callable[[str, str, int, int], None]  # stage, kernel, steps behind, steps in all
BASELINE = (("baseline", "l1"),)
PREDICT = (("predict", "l1"),)
FULL = (("mean", "-"), ("predict", "l1"), ("predict", "l2"), ("baseline", "l1"), ("end_to_end", "l1"))
SETTLE_S = 0.02  # OpenMP threads spin for some milliseconds after a parallel loop and would steal the next one's core


@dataclass(frozen=True)
class Plan:
    """What to record of one data set.

    Attributes:
        contestants: the kernels.
        cells: the (scope, distance) pairs that every round times.
        configurations: each recorded in processes of its own, one configuration after the other.
        processes: how many times the kernels' processes are started afresh, per configuration.
        rounds: of one process; in every round each kernel is called in each cell.
        seed: everything random in the recording is drawn from it.
        timeout_s: the longest that one request to a kernel may take, in seconds.
        memory_limit: of one worker, in bytes of anonymous memory.
        sizes: where there are any, `cells` are timed at each of these numbers of validation images instead.
        longest_s: a kernel whose call would take longer at some size is skipped there; infinity for no limit.
    """

    specs: tuple[KernelSpec, ...]
    cells: tuple[tuple[str, str], ...] = BASELINE
    configurations: tuple[Configuration, ...] = (Configuration(),)
    processes: int = 6
    rounds: int = 3
    seed: int = 0
    timeout_s: float = 120.0
    memory_limit: int = MEMORY_LIMIT
    sizes: tuple[int, ...] = ()
    longest_s: float = LONGEST_S

    @property
    def kind(self) -> str:
        """The kind of record that it makes: "ladder" (the scope baseline), "scopes" or "sizes"."""
        return "sizes" if self.sizes else "scopes" if self.cells == FULL else "ladder"

    @property
    def steps(self) -> int:
        """How many steps of progress the whole recording takes."""
        return self.processes * len(self.configurations) * self.steps_of_a_process

    @property
    def steps_of_a_process(self) -> int:
        """How many of them one process of every kernel takes."""
        return len(self.specs) + 1 + self.rounds * len(self.cells) * max(1, len(self.sizes))


@dataclass(frozen=True)
class Finished:
    """What one process of every kernel gave.

    Attributes:
        null: the kernel that was also measured against itself: that of the fastest first call; None if all failed.
        threads: by kernel, how many each library used.
        skipped: by kernel and size, the seconds that one call would have taken there; None without images for it.
        overhead_s: what the harness adds to a call; load_average: at the start.
        broadcast: by kernel, the findings of `bench.probes.broadcasting`; of the first process alone.
        gpu: whether the GPU was throttled right after a sample, and its lowest clocks there (see `bench.probes.nvml`).
        gpu_limit_failed: why the limit of the GPU is missing, or ""; the kernels lose nothing by it.
    """

    samples: tuple[Sample, ...]
    results: tuple[CheckResult, ...]
    control: str | None
    threads: dict[str, str]
    skipped: dict[str, dict[int, float | None]]
    overhead_s: float
    load_average: float
    broadcast: dict[str, dict[str, Any]] = field(default_factory=dict)
    gpu: dict[str, Any] = field(default_factory=dict)
    gpu_bound_failed: str = ""


def record_process(
    plan: Plan,
    configuration: Configuration,
    earlier: dict[int, Finished],
    folder: str,
    problem: Problem,
    progress: Progress,
) -> Finished:
    """Start every kernel afresh, and one of them a second time as the A/A control, and time them round by round.

    Args:
        earlier: what the processes before this one gave, by number. The first verifies every kernel in full; in all of
            them every timed answer is verified, on validation images in an order that the worker could not know.
            A kernel that failed in an earlier one is left out, but not in a record of sizes.
        folder: where `problem` is handed over.
    """
    process = len(earlier)
    rng = random.Random(f"{plan.seed}/{configuration.name}/{process}")
    setup = Setup(
        problem, folder, conditions.environment(configuration, rng), rng.randrange(2**32), process,
        plan.timeout_s, plan.memory_limit, bool(plan.sizes),
    )  # fmt: skip
    with ExitStack() as stack:
        return _Scheduler(plan, configuration, setup, rng, progress, stack).run(earlier)


@dataclass
class _Scheduler:
    """The worker processes of one `record_process`; `stack` ends them."""

    plan: Plan
    configuration: Configuration
    setup: Setup
    rng: random.Random
    progress: Progress
    stack: ExitStack
    executors: list[Executor] = field(default_factory=list)
    gpu_gauge: Worker | None = None
    gpu_bound_failed: str = ""

    def run(self, earlier: dict[int, Finished]) -> Finished:
        plan, process = self.plan, self.setup.process
        before = process * len(plan.configurations) + plan.configurations.index(self.configuration)
        self.done = before * plan.steps_of_a_process
        failed = {each.name for one in earlier.values() for each in one.results if each.status != "agrees"}
        taking_part = [each for each in plan.specs if plan.sizes or each.name not in failed]
        self.rng.shuffle(taking_part)
        load_average = machine.load_average()
        for spec in taking_part:
            executor = self._start(spec.name, spec)
            if process == 0:
                executor.verify(self.rng.randrange(2**32))
        ours = list(self.executors)
        control = earlier[0].control if earlier else _fastest(ours)
        for spec in [each for each in taking_part if each.name == control]:
            self._start(spec.name + AGAIN, spec)
        self.gauge = self.stack.enter_context(Worker(self.setup.environment, plan.memory_limit))
        overhead_s = self.gauge.ask("overhead", plan.timeout_s, folder=self.setup.folder)["seconds"]
        if any(each.worker and each.spec.device == "cuda" for each in ours):
            self.gpu_gauge = self.stack.enter_context(Worker(self.setup.environment, 0))
        bounds = [sample for size in plan.sizes or (0,) for sample in self._time(size)]
        asked = [each for each in ours if each.broadcasts and each.worker and process == 0 and not plan.sizes]
        return Finished(
            samples=(*bounds, *(sample for executor in self.executors for sample in executor.samples)),
            broadcast={each.name: each.examine() for each in asked},  # last of all, for it would disturb the clock
            results=tuple(each.result for each in ours),
            control=control,
            threads={each.name: each.threads for each in ours if each.threads},
            skipped={each.name: each.skipped for each in ours if each.skipped},
            overhead_s=overhead_s,
            load_average=load_average,
            gpu=nvml.worst(each.gpu for each in self.executors),
            gpu_bound_failed=self.gpu_bound_failed,
        )

    def _say(self, what: str, kernel: str) -> None:
        process = f"{self.configuration.name}, process {self.setup.process + 1} of {self.plan.processes}"
        self.progress(f"{process}: {what}", kernel, self.done, self.plan.steps)

    def _start(self, name: str, spec: KernelSpec) -> Executor:
        self.done += 1
        self._say("start", name)
        executor = Executor(name, spec, self.setup)
        self.stack.callback(executor.end)
        executor.enter(position=len(self.executors))
        self.executors.append(executor)
        return executor

    def _time(self, size: int) -> list[Sample]:
        """Time all cells round by round, with so many validation images (0: all); return the samples of the limit."""
        plan, problem = self.plan, self.setup.problem
        reads = {scope: size or images_read(problem, scope) for scope, _ in plan.cells}
        # Before the kernels fill a GPU's memory.
        bounds = [sample for scope in reads for sample in self._bounds(scope, reads[scope], size or problem.count)]
        for executor in self.executors if size else ():
            executor.resize(size, plan.seed, plan.longest_s, in_reach(problem, Path(self.setup.folder), size))
        for number in range(plan.rounds):
            for scope, distance in plan.cells:
                self.done += 1
                running = [each for each in self.executors if each.offers(distance) and size not in each.skipped]
                for position, executor in enumerate(bracketed(running, scope, distance, self.rng)):
                    of_size = f" of {size:,} images" if size else ""
                    self._say(f"{scope}{of_size}, round {number + 1} of {plan.rounds}", executor.name)
                    if self.configuration.threads != "1":
                        time.sleep(SETTLE_S)
                    executor.time(scope, distance, reads[scope], round=number, position=position)
        return bounds

    def _bounds(self, scope: str, images: int, labels: int) -> list[Sample]:
        """Read as many bytes as the scope must touch, one per pixel, on one core and on all; once per process.

        Where a kernel uses a GPU, read them there too, and launch the least that gives an answer: a byte per label, or
        the mean images. Not in `end_to_end`, whose bytes come from the host. Without that limit the kernels keep their
        rows.
        """
        pixels, timeout_s = self.setup.problem.valid[0].size, self.plan.timeout_s
        size, taken = images * pixels, {}
        for name, threads in ((ONE_CORE, 1), (ALL_CORES, machine.cores())):
            taken[name] = self.gauge.ask("read", timeout_s, size=size, threads=threads)["seconds"]
        if self.gpu_gauge and scope != "end_to_end":
            answer = len(self.setup.problem.classes) * pixels if scope == "mean" else labels
            try:
                reply = self.gpu_gauge.ask("gpu_bound", timeout_s, size=size, answer=answer)
                taken |= {GPU_READ: reply["read"], GPU_LAUNCH: reply["launch"]}
            except Failure as failure:
                self.gpu_gauge, self.gpu_bound_failed = None, f"{failure.status}: {failure.reason}"
        return [
            Sample(name, scope, "-", images, seconds, 1, self.setup.process, 0, position)
            for position, (name, seconds) in enumerate(taken.items())
        ]


def _fastest(executors: Sequence[Executor]) -> str | None:
    """Return the kernel that has not failed whose first call was the fastest; None if all have."""
    seconds = {each.name: each.samples[0].seconds for each in executors if each.worker}
    return min(seconds, key=lambda name: seconds[name], default=None)


def bracketed(executors: Sequence[Executor], scope: str, distance: str, rng: random.Random) -> list[Executor]:
    """Return the order of one round, drawn anew: the fast kernels, and the fast kernels again after each slow one."""
    slow = [each for each in executors if each.slow(scope, distance)]
    fast = [each for each in executors if each not in slow]
    order = rng.sample(fast, len(fast))
    for each in rng.sample(slow, len(slow)):
        order += [each, *rng.sample(fast, len(fast))]
    return order
