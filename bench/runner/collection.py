"""From finished processes to what a record says: samples, verdicts, and the facts that belong to them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench import code_size
from bench.probes import machine, nvml
from bench.records.model import NotTimed, Recording
from bench.records.sample import AGAIN, BOUND, Footprint
from bench.runner import configuration as conditions
from bench.runner.checking import OUT_OF_MEMORY, CheckResult
from bench.runner.configuration import Configuration
from bench.runner.scheduler import Finished, Plan
from bench.task import margins
from bench.task.problem import Problem


@dataclass(frozen=True)
class Collected:
    """What a configuration's processes gave: samples of the kernels that kept agreeing, a verdict on every kernel."""

    recording: Recording
    results: list[CheckResult]


def collect(
    plan: Plan, configuration: Configuration, problem: Problem, processes: dict[int, Finished], run: str
) -> Collected:
    """Put the finished processes of a configuration together. A failure in any of them costs the kernel its row.

    Args:
        run: what the files of one invocation have in common.
    """
    finished = [processes[number] for number in sorted(processes)]
    results = {result.name: result for result in finished[0].results}
    for one in finished:
        results |= {result.name: result for result in one.results if result.status != "agrees"}
    kept = {"agrees", "broken"} if plan.sizes else {"agrees"}  # what breaks at one size has held at smaller ones
    alive = {name for name, result in results.items() if result.status in kept}
    samples = [
        replace(sample, threads=configuration.threads, allocator=configuration.allocator)
        for one in finished
        for sample in one.samples
        if sample.kernel.startswith(BOUND) or sample.kernel.removesuffix(AGAIN) in alive
    ]
    ordered = [results[spec.name] for spec in plan.specs]
    by_kernel = _metadata_by_kernel(plan, problem, ordered)
    for name, known in by_kernel.items():
        in_force = {one.threads[name] for one in finished if name in one.threads}
        known |= {"threads_in_force": " or ".join(sorted(in_force)), **finished[0].broadcast.get(name, {})}
    if control := finished[0].control:
        by_kernel[control + AGAIN] = by_kernel[control]
    shared = {
        **shared_metadata(plan, configuration, problem),
        "run": run,
        "load_average": max(one.load_average for one in finished),
        "overhead_s": max(one.overhead_s for one in finished),
        **nvml.worst(one.gpu for one in finished),
    }
    missing = [not_timed(result) for result in ordered if result.status != "agrees"]
    if failed := next((one.gpu_bound_failed for one in finished if one.gpu_bound_failed), ""):
        missing.append(NotTimed(f"{BOUND}gpu", *failed.split(": ", 1)))
    skipped_at = {
        (name, int(size)): seconds  # a size is text where the process was read back from its file
        for one in finished
        for name, sizes in one.skipped.items()
        for size, seconds in sizes.items()
    }
    missing += [skipped(name, size, seconds, plan.longest_s) for (name, size), seconds in sorted(skipped_at.items())]
    return Collected(Recording(samples, missing, shared, by_kernel), ordered)


def memory_recording(
    plan: Plan,
    problem: Problem,
    footprints: Sequence[Footprint],
    results: Sequence[CheckResult],
    skipped: Sequence[NotTimed],
    run: str,
) -> Recording:
    """Return what a record of memory says: of the footprints that were measured, and of the kernels without one."""
    told = [footprint for footprint in footprints if footprint.peak_bytes is not None]
    failed = [not_timed(result) for result in results if result.status != "agrees"]
    shared = {**shared_metadata(plan, plan.configurations[0], problem), "kind": "memory", "run": run}
    return Recording([], [*skipped, *failed], shared, _metadata_by_kernel(plan, problem, results), told)


def skipped(name: str, size: int, seconds: float | None, longest_s: float) -> NotTimed:
    """Return what a record says of a kernel that was skipped at a size: one call takes too long, or no images."""
    reason = f"{name} needs them in a file, which would fill over half of the disk's free space"
    if seconds is not None:
        reason = f"one call would take about {seconds:.0f} s, over the {longest_s:g} s allowed"
    return NotTimed(f"{name} at {size:,} images", "not measured", reason)


def not_timed(result: CheckResult) -> NotTimed:
    """Return what a record says of a kernel that does not agree; running out of memory is a status of its own."""
    reason = result.reason or ""
    return NotTimed(result.name, OUT_OF_MEMORY if reason.startswith(OUT_OF_MEMORY) else result.status, reason)


def shared_metadata(plan: Plan, configuration: Configuration, problem: Problem) -> dict[str, Any]:
    """Return what all samples of a recording have in common, under the keys that `results/README.md` explains."""
    return {
        **machine.metadata(),
        **digits_metadata(problem),
        "kind": plan.kind,
        "order_seed": plan.seed,
        "threads": configuration.threads,
        "allocator": configuration.allocator,
        "allocator_in_force": conditions.allocator_in_force(configuration),
        "memory_limit_bytes": plan.memory_limit if sys.platform == "linux" else "not applicable",
    }


def digits_metadata(problem: Problem) -> dict[str, Any]:
    """Return what a record says of a data set, under the keys that `bench.records.keys` lists."""
    small = {"per_class": problem.per_class, "dataset_of": problem.dataset_of}
    return {
        "dataset": problem.name,
        "dataset_digest": problem.digest,
        **(small if problem.per_class else {}),
        "classes": " ".join(problem.classes),
        "image_pixels": problem.valid[0].size,
        "train_counts": " ".join(map(str, problem.train_counts)),
        "valid_counts": " ".join(map(str, problem.valid_counts)),
        **{f"too_close_{distance}": answer.too_close for distance, answer in problem.answers.items()},
        **margins.metadata(problem),
    }


def _metadata_by_kernel(plan: Plan, problem: Problem, results: Sequence[CheckResult]) -> dict[str, dict[str, Any]]:
    """Return what the samples of one kernel have in common, by name."""
    by_kernel: dict[str, dict[str, Any]] = {}
    for spec, result in zip(plan.specs, results, strict=True):
        known: dict[str, Any] = {"device": spec.device, "source_hash": code_size.source_hash(spec.path)}
        if code := code_size.code(spec.path):
            known |= {"code_lines": code.lines, "code_tokens": code.tokens}
        if result.mean_error is not None:
            known["mean_error"] = result.mean_error
        scores = {f"correct_{distance}": problem.score(right) for distance, right in result.correct.items()}
        by_kernel[spec.name] = {**known, **scores}
    return by_kernel
