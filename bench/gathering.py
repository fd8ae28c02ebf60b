"""From finished process sets to what a record says: samples, verdicts, and the facts that belong to them."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench import conditions, evidence, facts, nvml, source
from bench.checking import OUT_OF_MEMORY, Verdict
from bench.conditions import Condition
from bench.kernel import Contestant
from bench.oracle import DISTANCES
from bench.problem import Problem
from bench.recording import Plan, ProcessSet
from bench.records import Absent
from bench.sample import AGAIN, LIMIT, PINNED, Sample

OF_PINNED = ("device", "source_hash", "threads_in_force", "correct_l1", "correct_l2")  # what holds of it as well


@dataclass(frozen=True)
class Recording:
    """What a condition's process sets amount to: samples of the kernels that kept agreeing, a verdict on every one."""

    samples: list[Sample]
    verdicts: list[Verdict]
    absent: list[Absent]
    facts: dict[str, Any]
    kernel_facts: dict[str, dict[str, Any]]


def gather(plan: Plan, condition: Condition, problem: Problem, sets: dict[int, ProcessSet]) -> Recording:
    """Put the finished process sets of a condition together. One failure in any of them costs the kernel its row."""
    verdicts = {verdict.name: verdict for verdict in sets[0].verdicts}
    for finished in sets.values():
        verdicts |= {verdict.name: verdict for verdict in finished.verdicts if verdict.status != "agrees"}
    kept = {"agrees", "broken"} if plan.sizes else {"agrees"}  # what breaks at one size has held at smaller ones
    alive = {name for name, verdict in verdicts.items() if verdict.status in kept}
    taken = [each for number in sorted(sets) for each in sets[number].samples]
    samples = [each for each in taken if each.kernel.startswith(LIMIT) or each.kernel.partition("~")[0] in alive]
    in_force = {
        contestant.name: " or ".join(sorted({each.threads.get(contestant.name, "") for each in sets.values()} - {""}))
        for contestant in plan.contestants
    }
    ordered = [verdicts[contestant.name] for contestant in plan.contestants]
    found = facts_by_kernel(plan, problem, ordered)
    for name, threads in in_force.items():
        found[name]["threads_in_force"] = threads
    for name, findings in sets[0].broadcast.items():
        found[name] |= findings
    for name in {each.kernel for each in samples if each.kernel.endswith(PINNED)}:
        known = found[name.removesuffix(PINNED)]
        found[name] = {key: known[key] for key in OF_PINNED if key in known}
    if null := sets[0].null:
        found[null + AGAIN] = found[null]
    shared = {
        **shared_facts(plan, condition, problem),
        "load_average": max(finished.load_average for finished in sets.values()),
        "overhead_s": max(finished.overhead_s for finished in sets.values()),
        **nvml.worst(finished.gpu for finished in sets.values()),
    }
    missing = [absent(each) for each in ordered if each.status != "agrees"]
    if failed := next((each.gpu_limit_failed for each in sets.values() if each.gpu_limit_failed), ""):
        missing.append(Absent(f"{LIMIT}gpu", *failed.split(": ", 1)))
    refused = {name: why for each in sets.values() for name, why in each.unpinned.items()}
    missing += [Absent(name + PINNED, "not measured", why) for name, why in sorted(refused.items())]
    skipped = {
        (name, int(size)): seconds  # a size is text where the set was read back from its file
        for each in sets.values()
        for name, sizes in each.skipped.items()
        for size, seconds in sizes.items()
    }
    for (name, size), seconds in sorted(skipped.items()):
        missing.append(sat_out(name, size, seconds, plan.longest_s))
    missing += left_out(plan, ordered)
    return Recording(samples, ordered, missing, shared, found)


def left_out(plan: Plan, verdicts: Iterable[Verdict]) -> list[Absent]:
    """Return what a record of numbers of images says of right kernels that are too slow for any but their own."""
    return [
        Absent(each.name, "not measured", f"it is called on the first {each.images} images of each class alone")
        for each in verdicts
        if each.status == "agrees" and each.images and plan.sizes
    ]


def sat_out(name: str, size: int, seconds: float | None, longest_s: float) -> Absent:
    """Return what a record says of a kernel that sat a number of images out: one call takes too long, or no images."""
    reason = f"{name} needs them in a file, which would fill over half of the disk's free space"
    if seconds is not None:
        reason = f"one call would take about {seconds:.0f} s, over the {longest_s:g} s allowed"
    return Absent(f"{name} at {size:,} images", "not measured", reason)


def absent(verdict: Verdict) -> Absent:
    """Return what a record says of a kernel that does not agree; running out of memory is a status of its own."""
    reason = verdict.reason or ""
    return Absent(verdict.name, OUT_OF_MEMORY if reason.startswith(OUT_OF_MEMORY) else verdict.status, reason)


def shared_facts(plan: Plan, condition: Condition, problem: Problem) -> dict[str, Any]:
    """Return what all samples of a recording have in common, under the keys that `results/README.md` explains."""
    parts = sorted({contestant.images for contestant in plan.contestants} - {0})
    return {
        **facts.machine(),
        "kind": "sizes" if plan.sizes else "speed",
        "dataset": problem.name,
        "dataset_digest": problem.digest,
        "classes": " ".join(problem.classes),
        "image_pixels": problem.valid[0].size,
        "train_counts": " ".join(map(str, problem.train_counts)),
        "valid_counts": " ".join(map(str, problem.valid_counts)),
        **{f"too_close_{distance}": answer.too_close for distance, answer in problem.answers.items()},
        **evidence.facts(problem),
        **{
            f"exact_{distance}_first_{n}": evidence.exact(problem.part(n), distance)
            for n in parts
            for distance in DISTANCES
        },
        "order_seed": plan.seed,
        "threads": condition.threads,
        "allocator": condition.allocator,
        "allocator_in_force": conditions.allocator_in_force(condition),
        "memory_limit_bytes": plan.memory_limit if sys.platform == "linux" else "not applicable",
    }


def facts_by_kernel(plan: Plan, problem: Problem, verdicts: Sequence[Verdict]) -> dict[str, dict[str, Any]]:
    """Return what the samples of one kernel have in common, by contestant name."""
    parts = {contestant.images: problem.part(contestant.images) for contestant in plan.contestants}
    return {
        contestant.name: {
            "device": contestant.device,
            **({"images_of_class": contestant.images} if contestant.images else {}),
            "source_hash": source.source_hash(contestant.path),
            **_code(contestant),
            **({} if verdict.mean_error is None else {"mean_error": verdict.mean_error}),
            **{f"correct_{key}": parts[contestant.images].score(right) for key, right in verdict.correct.items()},
        }
        for contestant, verdict in zip(plan.contestants, verdicts, strict=True)
    }


def _code(contestant: Contestant) -> dict[str, int]:
    code = source.code(contestant.path)
    return {"code_lines": code.lines, "code_tokens": code.tokens} if code else {}
