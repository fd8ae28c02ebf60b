"""From finished processes to what a record holds: samples, the status of every kernel, and metadata."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench import code_size
from bench.kernel import REFERENCE, ROOT
from bench.probes import machine, nvml
from bench.records.model import ELSEWHERE, PROTOCOL, Measurements, NotTimed
from bench.records.sample import AGAIN, BOUND, Footprint, Sample
from bench.runner.check_kernels import OUT_OF_MEMORY, CheckResult
from bench.runner.configuration import Configuration, allocator_in_force, changes
from bench.runner.plan import Plan
from bench.task import digits_metadata
from bench.task.problem import Problem


@dataclass(frozen=True)
class FinishedProcess:
    """What one process of every kernel gave."""

    samples: tuple[Sample, ...]
    results: tuple[CheckResult, ...]
    control: str | None  # the kernel that also ran as the A/A control; None if all failed
    threads: dict[str, str]  # by kernel, how many threads each library used
    skipped: dict[str, dict[int, float | None]]  # by kernel and size, the seconds of one call; None without images
    overhead_s: float | None  # that the harness adds to a call; None where that was not measured, as after the first
    load_average: float  # of the machine, when the process began
    broadcast: dict[str, dict[str, Any]] = field(default_factory=dict)  # by kernel (see `bench.probes.broadcasting`)
    gpu: dict[str, Any] = field(default_factory=dict)  # its worst state right after a sample (see `bench.probes.nvml`)
    bounds_failed: dict[str, str] = field(default_factory=dict)  # by "bound@cpu" and "bound@gpu", status and reason
    seconds: float = 0.0  # from the first start to the last end
    stack_bytes: dict[str, list[float]] = field(default_factory=dict)  # by kernel, per training and validation image


@dataclass(frozen=True)
class Collected:
    """What the processes of one configuration gave, and the result of every kernel."""

    measurements: Measurements
    results: list[CheckResult]


def collect(
    plan: Plan,
    configuration: Configuration,
    problem: Problem,
    finished: Sequence[FinishedProcess],
    run: str,
    skipped: Sequence[NotTimed] = (),
) -> Collected:
    """Join the finished processes of one configuration. A kernel that failed in any of them loses all its samples.

    All records of one run share its name, `run`. The kernels of `skipped` were not to be measured.
    """
    by_name = {result.name: result for result in finished[0].results}
    for process in finished:
        by_name |= {result.name: result for result in process.results if result.status != "agrees"}
    kept = {"agrees", "broken"} if plan.sizes else {"agrees"}  # what breaks at one size was verified at smaller ones
    names = {name for name, result in by_name.items() if result.status in kept}
    samples = [
        replace(sample, threads=configuration.threads, allocator=configuration.allocator)
        for process in finished
        for sample in process.samples
        if sample.kernel.startswith(BOUND) or sample.kernel.removesuffix(AGAIN) in names
    ]
    results = [by_name[spec.name] for spec in plan.specs]
    kernel_metadata, missing = _kernel_metadata(plan, problem, results)
    for name, own in kernel_metadata.items():
        threads = {process.threads[name] for process in finished if name in process.threads}
        own |= {"threads_in_force": " or ".join(sorted(threads)), **finished[0].broadcast.get(name, {})}
        held = next((process.stack_bytes[name] for process in finished if name in process.stack_bytes), ())
        own |= dict(zip(("stack_bytes_train", "stack_bytes_valid"), held, strict=False))
    if control := finished[0].control:
        kernel_metadata[control + AGAIN] = kernel_metadata[control]
    overheads = [process.overhead_s for process in finished if process.overhead_s is not None]
    metadata = {
        **shared_metadata(plan, configuration, problem),
        "run": run,
        "load_average": max(process.load_average for process in finished),
        **({"overhead_s": max(overheads)} if overheads else {}),
        **nvml.worst(process.gpu for process in finished),
    }
    missing += [not_timed(result) for result in results if result.status != "agrees"]
    bounds = {bound: why for process in reversed(finished) for bound, why in process.bounds_failed.items()}
    missing += [NotTimed(bound, *why.split(": ", 1)) for bound, why in bounds.items()]
    too_slow = {
        (name, int(size)): seconds  # a size is text where the process was read back from its file
        for process in finished
        for name, sizes in process.skipped.items()
        for size, seconds in sizes.items()
    }
    missing += [skipped_at(size, name, seconds, plan.longest_s) for (name, size), seconds in sorted(too_slow.items())]
    return Collected(Measurements(samples, [*missing, *skipped], metadata, kernel_metadata), results)


def memory_measurements(
    plan: Plan,
    problem: Problem,
    footprints: Sequence[Footprint],
    results: Sequence[CheckResult],
    skipped: Sequence[NotTimed],
    run: str,
) -> Measurements:
    """Return what a record of memory holds: the footprints that were measured, and the kernels without one."""
    measured = [footprint for footprint in footprints if footprint.peak_bytes]  # pyperf takes no 0
    failed = [not_timed(result) for result in results if result.status != "agrees"]
    metadata = {**shared_metadata(plan, plan.configurations[0], problem), "kind": "memory", "run": run}
    kernel_metadata, missing = _kernel_metadata(plan, problem, results)
    return Measurements([], [*skipped, *failed, *missing], metadata, kernel_metadata, measured)


def skipped_at(size: int, name: str, seconds: float | None, longest_s: float) -> NotTimed:
    """Return why a kernel was skipped at a size: one call would take `seconds`, or (None) there were no images."""
    reason = f"{name} needs them in a file, which would fill over half of the disk's free space"
    if seconds is not None:
        reason = f"one call would take about {seconds:.0f} s, over the {longest_s:g} s allowed"
    return NotTimed(f"{name} at {size:,} images", "not measured", reason)


def not_timed(result: CheckResult) -> NotTimed:
    """Return what a record holds of a kernel that failed; running out of memory is a status of its own."""
    reason = result.reason or ""
    return NotTimed(result.name, OUT_OF_MEMORY if reason.startswith(OUT_OF_MEMORY) else result.status, reason)


def shared_metadata(plan: Plan, configuration: Configuration, problem: Problem) -> dict[str, Any]:
    """Return the metadata that all samples share, under the keys that `results/README.md` explains."""
    return {
        **machine.metadata(),
        **digits_metadata.metadata(problem),
        "kind": plan.kind,
        "protocol": PROTOCOL,
        "command": plan.command,
        **({"reference": plan.reference} if plan.reference != REFERENCE else {}),
        "not_in_commit": _not_in_commit(plan),
        "order_seed": plan.seed,
        "threads": configuration.threads,
        "allocator": configuration.allocator,
        "allocator_in_force": allocator_in_force(configuration),
        **changes(configuration),
        "memory_limit_bytes": plan.memory_limit if sys.platform == "linux" else "not applicable",
    }


def _not_in_commit(plan: Plan) -> str:
    """Return the kernels' files that the commit does not have as they are; without git, those from elsewhere alone."""
    committed, missing = machine.kernels_in_commit(), set()
    for path in (spec.path.resolve() for spec in plan.specs):
        if not path.is_relative_to(ROOT / "kernels"):
            missing.add(f"{path.name}{ELSEWHERE}")
        elif committed is not None and path.relative_to(ROOT).as_posix() not in committed:
            missing.add(path.name)
    return ", ".join(sorted(missing))


def _kernel_metadata(
    plan: Plan, problem: Problem, results: Sequence[CheckResult]
) -> tuple[dict[str, dict[str, Any]], list[NotTimed]]:
    """Return the metadata that the samples of one kernel share, by its name, and why some of it is missing."""
    kernel_metadata, missing = dict[str, dict[str, Any]](), list[NotTimed]()
    for spec, result in zip(plan.specs, results, strict=True):
        own = kernel_metadata[spec.name] = {"device": spec.device}
        try:
            own["source_hash"] = code_size.source_hash(spec.path)
            if code := code_size.code(spec.path):
                own |= {"code_lines": code.lines, "code_tokens": code.tokens}
        except Exception as error:  # noqa: BLE001  of a file that nobody foresaw; its times are safe
            missing.append(NotTimed(f"the code of {spec.name}", "not measured", f"{type(error).__name__}: {error}"))
        own |= {} if result.mean_error is None else {"mean_error": result.mean_error}
        own |= {f"correct_{distance}": problem.score(correct) for distance, correct in result.correct.items()}
    return kernel_metadata, missing
