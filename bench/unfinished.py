"""An unfinished recording: a folder with its plan and its finished process sets, each whole or absent.

It is what `run --resume` goes on from after a crash, a kill or a power cut: at most the set in flight is lost.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from bench import facts, records, source, writing
from bench import problem as problems
from bench.checking import Verdict
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
    _own(folder)
    _write(folder / "plan.json", {**content, "identity": started.identity})
    return started


def newest() -> Unfinished:
    """Take over the newest unfinished recording that nobody is working on.

    Raises:
        BadRecord: there is none, or its plan cannot be read.
    """
    for folder in sorted(records.LOCAL.glob(f"*{SUFFIX}"), reverse=True):
        if not (folder / "plan.json").exists() or _at_work(folder):  # cut off before its first set, or still running
            continue
        try:
            content = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
            found = Unfinished(folder, _plan(content["plan"]), content["source"], content["identity"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadRecord(
                f"{folder / 'plan.json'}: cannot be read ({error}); remove {folder} and start anew"
            ) from error
        _own(folder)
        return found
    raise BadRecord("there is no unfinished recording to resume; python -m bench run starts one")


def _own(folder: Path) -> None:
    """Note that this process works on the recording."""
    process = psutil.Process()
    _write(folder / "owner.json", [process.pid, process.create_time()])


def _at_work(folder: Path) -> bool:
    try:
        pid, created = json.loads((folder / "owner.json").read_text())
        return bool(psutil.Process(pid).create_time() == created)
    except (OSError, ValueError, TypeError, psutil.NoSuchProcess):
        return False


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
            f"{f' ({len(changed)} differences)' if len(changed) > 1 else ''}; remove {unfinished.folder} and start anew"
        )


def identity(plan: Plan, problem: Problem) -> dict[str, Any]:
    """Return what a recording must not change half-way."""
    hashes = {f"source of {each.kernel}": source.source_hash(each.path) for each in plan.contestants}
    return {"dataset_digest": problem.digest, **hashes, **facts.machine()}


def finish(unfinished: Unfinished, problem: Problem, progress: Progress) -> None:
    """Record the process sets that are missing, conditions in turns, and keep each as soon as it is done."""
    plan, digits = unfinished.plan, unfinished.folder / "digits"
    digits.mkdir(exist_ok=True)
    problems.write(problem, digits)
    repeats = any(each.device != "cpu" for each in plan.contestants)  # by itself, what the disk need not hold
    sizes = problems.fitting(problem, digits, plan.sizes) if repeats else plan.sizes
    problems.tile(problem, digits, sizes, plan.seed)
    for process in range(plan.processes):
        for condition in plan.conditions:
            earlier = _sets(unfinished, condition)
            if process not in earlier:
                done = record_set(plan, condition, earlier, str(digits), problem, progress)
                _write(_path(unfinished, condition, process), asdict(done))


def empty(unfinished: Unfinished) -> bool:
    """Return whether no process set is finished yet, so that there is nothing to resume."""
    return not any(_sets(unfinished, condition) for condition in unfinished.plan.conditions)


def recording(unfinished: Unfinished, condition: Condition, problem: Problem) -> Recording:
    """Return what a condition's finished process sets amount to."""
    return gather(unfinished.plan, condition, problem, _sets(unfinished, condition))


def _sets(unfinished: Unfinished, condition: Condition) -> dict[int, ProcessSet]:
    """Return the finished process sets from the first on; one that cannot be read ends them, and is recorded again."""
    found: dict[int, ProcessSet] = {}
    for process in range(unfinished.plan.processes):
        try:
            content = json.loads(_path(unfinished, condition, process).read_text(encoding="utf-8"))
            content["samples"] = tuple(Sample(**each) for each in content["samples"])
            content["verdicts"] = tuple(Verdict(**each) for each in content["verdicts"])
            found[process] = ProcessSet(**content)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            break
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
