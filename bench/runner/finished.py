"""What one process of every kernel gave, and what the next ones take from it."""

from dataclasses import dataclass, field
from typing import Any

from bench.kernel import KernelSpec
from bench.records.sample import Sample
from bench.runner.check_kernels import CheckResult
from bench.runner.plan import Plan

FAST_START_S = 0.25  # a kernel whose first call in the first process took less is in all of `Plan.most_processes`


@dataclass(frozen=True)
class FinishedProcess:
    """What one process of every kernel gave.

    Attributes:
        control: the kernel that also ran as the A/A control: the one with the fastest first call; None if all failed.
        threads: by kernel, how many threads each library used.
        skipped: by kernel and size, the seconds that one call would have taken; None where there were no images.
        overhead_s: seconds that the harness adds to a call; None where that was not measured, as after the first.
        load_average: of the machine, when the process began.
        broadcast: by kernel, what `bench.probes.broadcasting` learnt; only in the first process.
        gpu: whether the GPU was throttled right after a sample, and its lowest clocks then (see `bench.probes.nvml`).
        bounds_failed: by "bound@cpu" and "bound@gpu", the status and the reason why that bound is missing.
        seconds: how long it took, from the first start to the last end.
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
    seconds: float = 0.0
    stack_bytes: dict[str, list[float]] = field(default_factory=dict)


def chosen(plan: Plan, earlier: dict[int, FinishedProcess]) -> list[KernelSpec]:
    """Return the kernels of the next process: those that have not failed, and that are fast in further processes."""
    results = [result for process in earlier.values() for result in process.results]
    left_out = {result.name for result in results if result.status != "agrees" and not plan.sizes}
    if plan.budget_s is None and len(earlier) >= plan.processes:
        first_calls = [sample for sample in earlier[0].samples if sample.scope == "first_call"]
        left_out |= {sample.kernel for sample in first_calls if sample.seconds > FAST_START_S}
    return [spec for spec in plan.specs if spec.name not in left_out]


def calls(earlier: dict[int, FinishedProcess]) -> dict[str, float]:
    """Return `Setup.calls`, from what the first process measured."""
    samples = earlier[0].samples if earlier else ()
    calls = [sample for sample in samples if (sample.scope, sample.distance) == ("baseline", "l1")]
    seconds = {sample.kernel: sample.seconds for sample in sorted(calls, key=lambda one: -one.seconds)}
    first = {sample.kernel: sample.seconds for sample in samples if sample.scope == "first_call"}
    return {name: seconds[name] for name in first.keys() & seconds.keys() if first[name] < 2 * seconds[name]}
