"""An unfinished recording: a folder with its plan and its finished process sets, each whole or absent.

It is what `run --resume` goes on from after a crash, a kill or a power cut: at most the set in flight is lost.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import facts, records, writing
from bench.checking import Verdict, handed_over
from bench.conditions import Condition
from bench.console import Progress
from bench.gathering import Recording, gather
from bench.kernel import Contestant
from bench.problem import Problem
from bench.recording import Plan, ProcessSet, record_set
from bench.records import BadRecord
from bench.sample import Sample

SUFFIX = ".unfinished"


@dataclass(frozen=True)
class Unfinished:
    """A recording under way.

    Attributes:
        source: what `--data` named; it is loaded again on resuming.
        identity: what must be the same on resuming: digits, kernels, versions, machine.
    """

    folder: Path
    plan: Plan
    source: str
    identity: dict[str, Any]


def begin(plan: Plan, source: str, problem: Problem) -> Unfinished:
    """Make the folder of a new recording below results/local/."""
    records.LOCAL.mkdir(parents=True, exist_ok=True)
    folder = writing.unused(records.LOCAL, SUFFIX)
    started = Unfinished(folder, plan, source, identity(plan, problem))
    folder.mkdir()
    content = {"plan": asdict(plan), "source": os.path.abspath(source) if os.path.exists(source) else source}
    _write(folder / "plan.json", {**content, "identity": started.identity})
    return started


def newest() -> Unfinished:
    """Return the newest unfinished recording.

    Raises:
        BadRecord: there is none.
    """
    for folder in sorted(records.LOCAL.glob(f"*{SUFFIX}"), reverse=True):
        if (folder / "plan.json").exists():  # without it, it was cut off before its first set
            content = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
            return Unfinished(folder, _plan(content["plan"]), content["source"], content["identity"])
    raise BadRecord("there is no unfinished recording to resume; python -m bench run starts one")


def must_be_same(unfinished: Unfinished, problem: Problem) -> None:
    """Refuse to go on under other circumstances.

    Raises:
        BadRecord: digits, a kernel, a version or the machine has changed; the message names what.
    """
    now = identity(unfinished.plan, problem)
    changed = [key for key in {**unfinished.identity, **now} if unfinished.identity.get(key) != now.get(key)]
    if changed:
        before, after = (each.get(changed[0], "absent") for each in (unfinished.identity, now))
        raise BadRecord(
            f"{unfinished.folder.name} cannot be resumed: {changed[0]} was {before} and is {after}"
            f"{f' ({len(changed)} differences)' if len(changed) > 1 else ''}; start anew with python -m bench run"
        )


def identity(plan: Plan, problem: Problem) -> dict[str, Any]:
    """Return what a recording must not change half-way."""
    hashes = {f"source of {each.kernel}": facts.source_hash(each.path) for each in plan.contestants}
    return {"dataset_digest": problem.digest, **hashes, **facts.machine()}


def finish(unfinished: Unfinished, problem: Problem, progress: Progress) -> None:
    """Record the process sets that are missing, conditions in turns, and keep each as soon as it is done."""
    plan = unfinished.plan
    with handed_over(problem) as folder:
        for process in range(plan.processes):
            for condition in plan.conditions:
                path = _path(unfinished, condition, process)
                if not path.exists():
                    out = set() if plan.sizes else _failed(_sets(unfinished, condition))
                    _write(path, asdict(record_set(plan, condition, process, folder, problem, out, progress)))


def empty(unfinished: Unfinished) -> bool:
    """Return whether no process set is finished yet, so that there is nothing to resume."""
    return not any(_sets(unfinished, condition) for condition in unfinished.plan.conditions)


def recording(unfinished: Unfinished, condition: Condition, problem: Problem) -> Recording:
    """Return what a condition's finished process sets amount to."""
    return gather(unfinished.plan, condition, problem, _sets(unfinished, condition))


def _failed(sets: dict[int, ProcessSet]) -> set[str]:
    return {verdict.name for each in sets.values() for verdict in each.verdicts if verdict.status != "agrees"}


def _sets(unfinished: Unfinished, condition: Condition) -> dict[int, ProcessSet]:
    found = {}
    for process in range(unfinished.plan.processes):
        path = _path(unfinished, condition, process)
        if path.exists():
            content = json.loads(path.read_text(encoding="utf-8"))
            found[process] = ProcessSet(
                tuple(Sample(**each) for each in content["samples"]),
                tuple(Verdict(**each) for each in content["verdicts"]),
                content["threads"],
                content["skipped"],
                content["overhead_s"],
                content["load_average"],
            )
    return found


def remove(unfinished: Unfinished) -> None:
    """Remove the folder, once its records are written."""
    shutil.rmtree(unfinished.folder)


def _path(unfinished: Unfinished, condition: Condition, process: int) -> Path:
    return unfinished.folder / f"{condition.threads}-{condition.allocator}-{process}.json"


def _write(path: Path, content: Any) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(content, file, default=str)
        file.flush()
        os.fsync(file.fileno())  # a power cut must not leave a name without its content
    os.replace(partial, path)


def _plan(content: dict[str, Any]) -> Plan:
    contestants = (
        Contestant(**{**each, "path": Path(each["path"]), "packages": tuple(each["packages"])})
        for each in content["contestants"]
    )
    return Plan(
        **{
            **content,
            "contestants": tuple(contestants),
            "cells": tuple((scope, distance) for scope, distance in content["cells"]),
            "conditions": tuple(Condition(**each) for each in content["conditions"]),
            "sizes": tuple(content["sizes"]),
        }
    )
