"""Which kernel runs when: processes, rounds and order. The clock itself is in `bench.runner.worker`.

One worker process per kernel; all but one sleep on a pipe. In every round each kernel is called, in an order drawn
anew, so that a machine that gets slower or faster in the meantime does so for all of them. A slow kernel is bracketed,
F..F S F..F, and is not in every round. The processes of all kernels are started afresh several times, because what one
process measures twice is not two measurements (Kalibera and Jones, ISMM 2013); many short ones resolve more than few
long ones, so what does not vary between processes is measured in the first of them alone.
"""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.kernel import KernelSpec
from bench.probes import machine, nvml
from bench.records.sample import AGAIN, Sample
from bench.runner import refusals
from bench.runner.bounds import Bounds
from bench.runner.collection import FinishedProcess
from bench.runner.configuration import Configuration, environment
from bench.runner.executor import Busy, Executor, Others, Setup
from bench.runner.plan import Plan, Progress
from bench.runner.worker_handle import Failure
from bench.task.problem import Problem
from bench.task.tiling import in_reach

SLOW_EVERY = 4  # rounds: a slow kernel is called in the first of so many
SETTLE_S = 0.02  # OpenMP threads spin for some milliseconds after a parallel loop and would steal the next one's core
FIRST_CALLS = 3  # processes whose first calls are timed, one kernel after the other; in others they start side by side
CALM_S = 1.0  # for pools that spin longer; twice as busy is broken
FAST_START_S = 0.25  # a kernel whose first call in the first process took less is in all of `Plan.most_processes`


def measure_process(
    plan: Plan,
    configuration: Configuration,
    earlier: Sequence[FinishedProcess],
    folder: str,
    problem: Problem,
    progress: Progress,
) -> FinishedProcess:
    """Start every kernel afresh, and one of them a second time as the A/A control, and time them round by round.

    The first process, which has no `earlier` ones, verifies every kernel in full. All of them verify every timed
    answer, on validation images in an order that the worker could not know. `problem` was written into `folder`.
    """
    process, started = len(earlier), time.monotonic()
    rng = random.Random(f"{plan.seed}/{configuration.name}/{process}")
    setup = Setup(plan, problem, folder, environment(configuration, rng), rng.randrange(2**32), process, calls(earlier))
    with _Scheduler(plan, configuration, setup, rng, progress) as scheduler:
        done = scheduler.run(earlier)
    return replace(done, seconds=time.monotonic() - started)


class _Scheduler(ExitStack):
    """The worker processes of one `measure_process`, which end with this context."""

    def __init__(
        self, plan: Plan, configuration: Configuration, setup: Setup, rng: random.Random, progress: Progress
    ) -> None:
        super().__init__()
        self.plan, self.configuration, self.setup, self.rng, self.progress = plan, configuration, setup, rng, progress
        self.bounds = Bounds(setup)
        self.executors: list[Executor] = []  # of kernels and A/A control, in the order of their starts
        self.steps_done = 0  # of the plan
        self.count = 0  # how many processes there are to be, as far as that is known
        self.spins = True  # whether threads may spin for a moment, as the kernel before used several

    def run(self, earlier: Sequence[FinishedProcess]) -> FinishedProcess:
        plan, process, control = self.plan, self.setup.process, None
        one_thread = self.configuration.threads == "1"
        self.count = plan.count([one.seconds for one in earlier])
        before = process * len(plan.configurations) + plan.configurations.index(self.configuration)
        self.steps_done = before * plan.steps_of_a_process
        load_average = machine.load_average()
        if process < (plan.processes if plan.budget_s is None else FIRST_CALLS):
            self.enter_context(self.bounds).start()
        specs = {spec.name: spec for spec in chosen(plan, earlier)}
        if process == 0:
            self._start(specs, first_calls=True)
            self._side_by_side(lambda executor: executor.verify(self.setup.order + 1))
            exact = [executor for executor in self.executors if executor.worker]
            control = min(exact, key=lambda executor: executor.samples[0].seconds).name if exact else None
            self._start({control + AGAIN: specs[control]} if control else {}, first_calls=True)
        else:
            control = earlier[0].control
            specs |= {control + AGAIN: specs[control]} if control in specs else {}
            self._start(specs, first_calls=process < FIRST_CALLS)
        self.steps_done = before * plan.steps_of_a_process + len(plan.specs) + 1
        sizes, bounds, overhead_s = plan.sizes or (0,), self._bounds_at((*plan.sizes, 0)[0]), None
        if process == 0:
            overhead_s = self.bounds.ask("cpu", "overhead", folder=self.setup.folder).get("seconds")
            for name, reason in self.bounds.faster_than_reading(self.executors, [] if plan.sizes else bounds):
                self._fail(name, reason)
        for size in sizes:
            bounds += self._bounds_at(size) if size != sizes[0] else []
            self._time(size)
            bounds += self.bounds.of_own_bytes(self.executors, size, 1 if one_thread else machine.cores())
        if one_thread:
            self._must_use_one_thread()
        executors = {executor.name: executor for executor in self.executors if not executor.name.endswith(AGAIN)}
        examined = process == 0 and not plan.sizes
        return FinishedProcess(
            samples=(*bounds, *(sample for executor in self.executors for sample in executor.samples)),
            broadcast={  # after all timing, which it would disturb
                name: one.examine() for name, one in executors.items() if examined and one.broadcasts and one.worker
            },
            results=tuple(executor.result for executor in executors.values()),
            control=control,
            threads={name: executor.threads for name, executor in executors.items() if executor.threads},
            stack_bytes={name: executor.stack_bytes for name, executor in executors.items() if executor.stack_bytes},
            skipped={name: executor.skipped for name, executor in executors.items() if executor.skipped},
            overhead_s=overhead_s,
            load_average=load_average,
            gpu=nvml.worst(executor.gpu for executor in self.executors),
            bounds_failed=self.bounds.failed,
        )

    def _report(self, stage: str, kernel: str) -> None:
        which = f"{self.configuration.name}, " if len(self.plan.configurations) > 1 else ""
        process = f"{which}process {self.setup.process + 1} of {self.count}"
        steps = self.count * len(self.plan.configurations) * self.plan.steps_of_a_process
        self.progress(f"{process}: {stage}", kernel, self.steps_done, steps)

    def _start(self, specs: dict[str, KernelSpec], *, first_calls: bool) -> None:
        """Start kernels in an order drawn anew, side by side but for first calls that are timed while others sleep."""
        started, names = list[Executor](), self.rng.sample(sorted(specs), len(specs))
        for name in sorted(names, key=self.plan.against.__contains__) if self.setup.process == 0 else names:
            started.append(Executor(name, specs[name], self.setup))
            self.callback(started[-1].end)
            started[-1].open()
        self.executors += started
        if not first_calls:
            self.steps_done += len(started)
            self._report("start", ", ".join(dict.fromkeys(spec.name for spec in specs.values())))
            self._side_by_side(Executor.warm_up if not self.plan.sizes else Executor.begin, started)
            return
        self._side_by_side(Executor.read, started)
        for executor in started:
            self.steps_done += 1
            self._report("start", executor.kernel)
            executor.start()
        self._side_by_side(Executor.prepare, started)
        for executor in started:
            self._undisturbed(partial(self._first_call, executor))

    def _first_call(self, executor: Executor) -> Busy:
        busy = executor.first_call(self.executors.index(executor), self._others(executor))
        if busy:  # the next one is the first of another process
            executor.end()
            executor.open()
            executor.begin()
        return busy

    def _side_by_side(self, do: Callable[[Executor], None], executors: Sequence[Executor] | None = None) -> None:
        """Do this with every executor, as many at once as there are cores; an interruption ends their workers."""
        with ThreadPoolExecutor(machine.cores()) as pool:
            done = [pool.submit(do, executor) for executor in (self.executors if executors is None else executors)]
            try:
                for one in as_completed(done):
                    one.result()
            except BaseException:  # the pool waits for its threads, and these for their workers
                pool.shutdown(wait=False, cancel_futures=True)
                for executor in self.executors:
                    executor.end()
                raise

    def _others(self, timed: Executor) -> Others:
        return {one.name: one.processes for one in self.executors if one is not timed and one.worker}

    def _undisturbed(self, measure: Callable[[], Busy]) -> None:
        """Measure again as long as other kernels do not sleep. One that does not in two attempts is broken."""
        before: Busy = {}
        while busy := measure():
            for name in busy.keys() & before.keys():
                self._fail(name, refusals.awake(busy[name]))
            if not busy.keys() & before.keys():
                time.sleep(CALM_S)  # a thread pool may spin for a while after its work
            before |= busy

    def _fail(self, name: str, reason: str) -> None:
        """End a kernel, and its A/A control as well."""
        for executor in self.executors:
            if executor.worker and executor.name.removesuffix(AGAIN) == name.removesuffix(AGAIN):
                executor.fail(Failure("broken", reason))

    def _must_use_one_thread(self) -> None:
        """Fail the kernels that used more than one core under one thread, judged over all their samples."""
        for executor in self.executors:
            reason = refusals.too_many_cores(refusals.cores_of(executor.samples))
            if executor.spec.device == "cpu" and reason:
                self._fail(executor.name, reason)

    def _bounds_at(self, size: int) -> list[Sample]:
        """Return the samples of the bounds of all scopes; take them before the kernels fill a GPU's memory."""
        return [sample for scope in dict(self.plan.pairs) for sample in self.bounds.samples(scope, size)]

    def _time(self, size: int) -> None:
        """Time all pairs round by round, with `size` validation images (0: all)."""
        plan = self.plan
        for executor in self.executors if size else ():
            executor.resize(size, in_reach(self.setup.problem, Path(self.setup.folder), size))
        of_size = f" of {size:,} images" if size else ""
        for number in range(plan.rounds):
            for scope, distance in plan.pairs:
                self.steps_done += 1
                timed = [one for one in self.executors if one.offers(distance) and size not in one.skipped]
                if number % SLOW_EVERY:
                    timed = [one for one in timed if not one.slow(scope, distance)]
                for position, executor in enumerate(bracketed(timed, scope, distance, self.rng)):
                    self._report(f"{scope}{of_size}, round {number + 1} of {plan.rounds}", executor.kernel)
                    self._undisturbed(partial(self._sample, executor, scope, distance, number, position))

    def _sample(self, executor: Executor, scope: str, distance: str, number: int, position: int) -> Busy:
        if self.spins:
            time.sleep(SETTLE_S)
        busy = executor.time(scope, distance, number, position, self._others(executor))
        self.spins = refusals.cores_of(executor.samples[-1:]) > refusals.MOST_CORES
        return busy


def bracketed(executors: Sequence[Executor], scope: str, distance: str, rng: random.Random) -> list[Executor]:
    """Return the order of one round, drawn anew: the fast kernels, and the fast kernels again after each slow one."""
    slow = [executor for executor in executors if executor.slow(scope, distance)]
    fast = [executor for executor in executors if executor not in slow]
    order = rng.sample(fast, len(fast))
    for executor in rng.sample(slow, len(slow)):
        order += [executor, *rng.sample(fast, len(fast))]
    return order


def chosen(plan: Plan, earlier: Sequence[FinishedProcess]) -> list[KernelSpec]:
    """Return the kernels of the next process: those that have not failed, and that are fast in further processes."""
    results = [result for process in earlier for result in process.results]
    left_out = {result.name for result in results if result.status != "agrees" and not plan.sizes}
    if plan.budget_s is None and len(earlier) >= plan.processes:
        first_calls = [sample for sample in earlier[0].samples if sample.scope == "first_call"]
        left_out |= {sample.kernel for sample in first_calls if sample.seconds > FAST_START_S}
    return [spec for spec in plan.specs if spec.name not in left_out]


def calls(earlier: Sequence[FinishedProcess]) -> dict[str, float]:
    """Return `Setup.calls`, from what the first process measured."""
    samples = earlier[0].samples if earlier else ()
    first = {one.kernel: one.seconds for one in samples if one.scope == "first_call"}
    calls = [one for one in samples if (one.scope, one.distance) == ("baseline", "l1")]
    fastest = {one.kernel: one.seconds for one in sorted(calls, key=lambda one: -one.seconds)}
    return {name: fastest[name] for name in first.keys() & fastest.keys() if first[name] < 2 * fastest[name]}
