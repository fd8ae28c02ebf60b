"""From finished processes to what a record says: samples, verdicts, and the facts that belong to them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench import code_size as source
from bench.probes import machine as facts
from bench.probes import nvml
from bench.records.model import Absent, Recording
from bench.records.sample import AGAIN, LIMIT, Footprint
from bench.runner import configuration as conditions
from bench.runner.checking import OUT_OF_MEMORY, Verdict
from bench.runner.configuration import Configuration
from bench.runner.scheduler import Finished, Plan
from bench.task import margins as evidence
from bench.task.problem import Problem


@dataclass(frozen=True)
class Gathered:
    """What a configuration's processes gave: samples of the kernels that kept agreeing, a verdict on every kernel."""

    recording: Recording
    verdicts: list[Verdict]


def gather(
    plan: Plan, configuration: Configuration, problem: Problem, processes: dict[int, Finished], run: str
) -> Gathered:
    """Put the finished processes of a configuration together. A failure in any of them costs the kernel its row.

    Args:
        run: what the files of one invocation have in common.
    """
    finished = [processes[number] for number in sorted(processes)]
    verdicts = {verdict.name: verdict for verdict in finished[0].verdicts}
    for one in finished:
        verdicts |= {verdict.name: verdict for verdict in one.verdicts if verdict.status != "agrees"}
    kept = {"agrees", "broken"} if plan.sizes else {"agrees"}  # what breaks at one size has held at smaller ones
    alive = {name for name, verdict in verdicts.items() if verdict.status in kept}
    samples = [
        replace(sample, threads=configuration.threads, allocator=configuration.allocator)
        for one in finished
        for sample in one.samples
        if sample.kernel.startswith(LIMIT) or sample.kernel.removesuffix(AGAIN) in alive
    ]
    ordered = [verdicts[contestant.name] for contestant in plan.contestants]
    by_kernel = _facts_by_kernel(plan, problem, ordered)
    for name, known in by_kernel.items():
        in_force = {one.threads[name] for one in finished if name in one.threads}
        known |= {"threads_in_force": " or ".join(sorted(in_force)), **finished[0].broadcast.get(name, {})}
    if null := finished[0].null:
        by_kernel[null + AGAIN] = by_kernel[null]
    shared = {
        **shared_facts(plan, configuration, problem),
        "run": run,
        "load_average": max(one.load_average for one in finished),
        "overhead_s": max(one.overhead_s for one in finished),
        **nvml.worst(one.gpu for one in finished),
    }
    missing = [absent(verdict) for verdict in ordered if verdict.status != "agrees"]
    if failed := next((one.gpu_limit_failed for one in finished if one.gpu_limit_failed), ""):
        missing.append(Absent(f"{LIMIT}gpu", *failed.split(": ", 1)))
    skipped_at = {
        (name, int(size)): seconds  # a size is text where the process was read back from its file
        for one in finished
        for name, sizes in one.skipped.items()
        for size, seconds in sizes.items()
    }
    missing += [skipped(name, size, seconds, plan.longest_s) for (name, size), seconds in sorted(skipped_at.items())]
    return Gathered(Recording(samples, missing, shared, by_kernel), ordered)


def memory_recording(
    plan: Plan,
    problem: Problem,
    footprints: Sequence[Footprint],
    verdicts: Sequence[Verdict],
    skipped: Sequence[Absent],
    run: str,
) -> Recording:
    """Return what a record of memory says: of the footprints that were measured, and of the kernels without one."""
    told = [footprint for footprint in footprints if footprint.peak_bytes is not None]
    failed = [absent(verdict) for verdict in verdicts if verdict.status != "agrees"]
    shared = {**shared_facts(plan, plan.configurations[0], problem), "kind": "memory", "run": run}
    return Recording([], [*skipped, *failed], shared, _facts_by_kernel(plan, problem, verdicts), told)


def skipped(name: str, size: int, seconds: float | None, longest_s: float) -> Absent:
    """Return what a record says of a kernel that was skipped at a size: one call takes too long, or no images."""
    reason = f"{name} needs them in a file, which would fill over half of the disk's free space"
    if seconds is not None:
        reason = f"one call would take about {seconds:.0f} s, over the {longest_s:g} s allowed"
    return Absent(f"{name} at {size:,} images", "not measured", reason)


def absent(verdict: Verdict) -> Absent:
    """Return what a record says of a kernel that does not agree; running out of memory is a status of its own."""
    reason = verdict.reason or ""
    return Absent(verdict.name, OUT_OF_MEMORY if reason.startswith(OUT_OF_MEMORY) else verdict.status, reason)


def shared_facts(plan: Plan, configuration: Configuration, problem: Problem) -> dict[str, Any]:
    """Return what all samples of a recording have in common, under the keys that `results/README.md` explains."""
    return {
        **facts.machine(),
        **digits_facts(problem),
        "kind": plan.kind,
        "order_seed": plan.seed,
        "threads": configuration.threads,
        "allocator": configuration.allocator,
        "allocator_in_force": conditions.allocator_in_force(configuration),
        "memory_limit_bytes": plan.memory_limit if sys.platform == "linux" else "not applicable",
    }


def digits_facts(problem: Problem) -> dict[str, Any]:
    """Return what a record says of a data set, under the keys that `bench.records.metadata` lists."""
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
        **evidence.facts(problem),
    }


def _facts_by_kernel(plan: Plan, problem: Problem, verdicts: Sequence[Verdict]) -> dict[str, dict[str, Any]]:
    """Return what the samples of one kernel have in common, by name."""
    by_kernel: dict[str, dict[str, Any]] = {}
    for contestant, verdict in zip(plan.contestants, verdicts, strict=True):
        known: dict[str, Any] = {"device": contestant.device, "source_hash": source.source_hash(contestant.path)}
        if code := source.code(contestant.path):
            known |= {"code_lines": code.lines, "code_tokens": code.tokens}
        if verdict.mean_error is not None:
            known["mean_error"] = verdict.mean_error
        scores = {f"correct_{distance}": problem.score(right) for distance, right in verdict.correct.items()}
        by_kernel[contestant.name] = {**known, **scores}
    return by_kernel
