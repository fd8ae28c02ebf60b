"""An unfinished run: a folder with its plans and its finished processes, each whole or absent.

It is what `run --resume` goes on from after a crash, a kill or a power cut: at most the process in flight is lost.
"""

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from bench import code_size, files
from bench.kernel import KernelSpec
from bench.probes import machine
from bench.records import model
from bench.records.model import BadRecord, NotTimed
from bench.records.sample import Sample
from bench.runner.checking import CheckResult
from bench.runner.collection import Collected, collect
from bench.runner.configuration import Configuration
from bench.runner.scheduler import Finished, Plan, Progress, record_process
from bench.task.problem import Problem, tile, write

SUFFIX = ".unfinished"


@dataclass(frozen=True)
class Task:
    """What to record of one data set: the whole one (`per_class` 0), or the first so many images of each class.

    `skipped` are the kernels that its record says are not in it.
    """

    per_class: int
    plan: Plan
    skipped: tuple[NotTimed, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """A run under way.

    Attributes:
        tasks: one after the other.
        source: what `--data` named; it is loaded again on resuming.
        identity: what must be the same on resuming: digits, kernels, versions, machine.
    """

    folder: Path
    tasks: tuple[Task, ...]
    source: str
    identity: dict[str, Any]

    @property
    def run(self) -> str:
        """What the records of all its tasks have in common."""
        return self.folder.name.removesuffix(SUFFIX)


def begin(tasks: Sequence[Task], source: str, problems: Mapping[int, Problem]) -> Checkpoint:
    """Make the folder of a new run below results/local/; `problems` by images per class."""
    model.LOCAL.mkdir(parents=True, exist_ok=True)
    folder = files.unused(model.LOCAL, SUFFIX)
    folder.mkdir()
    _own(folder)
    source = os.path.abspath(source) if os.path.exists(source) else source
    checkpoint = Checkpoint(folder, tuple(tasks), source, identity(tasks, problems))
    content = {"tasks": [asdict(task) for task in tasks], "source": source, "identity": checkpoint.identity}
    _write(folder / "plan.json", content)
    return checkpoint


def newest() -> Checkpoint:
    """Take over the newest unfinished run that no process is working on.

    Raises:
        BadRecord: there is none, or its plan cannot be read.
    """
    for folder in sorted(model.LOCAL.glob(f"*{SUFFIX}"), reverse=True):
        if not (folder / "plan.json").exists() or _at_work(folder):  # cut off before it was begun, or still running
            continue
        try:
            content = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
            tasks = tuple(
                Task(task["per_class"], _plan(task["plan"]), tuple(NotTimed(**each) for each in task["skipped"]))
                for task in content["tasks"]
            )
            checkpoint = Checkpoint(folder, tasks, content["source"], content["identity"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadRecord(
                f"{folder / 'plan.json'}: cannot be read ({error}); remove {folder} and start anew"
            ) from error
        _own(folder)
        return checkpoint
    raise BadRecord("there is no unfinished recording to resume; python -m bench run starts one")


def _own(folder: Path) -> None:
    """Note that this process works on the run."""
    process = psutil.Process()
    _write(folder / "owner.json", [process.pid, process.create_time()])


def _at_work(folder: Path) -> bool:
    try:
        pid, created = json.loads((folder / "owner.json").read_text())
        return bool(psutil.Process(pid).create_time() == created)
    except (OSError, ValueError, TypeError, psutil.NoSuchProcess):
        return False


def must_be_same(checkpoint: Checkpoint, problems: Mapping[int, Problem]) -> None:
    """Refuse to go on under other circumstances.

    Raises:
        BadRecord: digits, a kernel, a version or the machine has changed; the message names what.
    """
    before, now = checkpoint.identity, identity(checkpoint.tasks, problems)
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if changed:
        was, is_now = (each.get(changed[0], "not_timed") for each in (before, now))
        raise BadRecord(
            f"{checkpoint.folder.name} cannot be resumed: {changed[0]} was {was} and is {is_now}"
            f"{f' ({len(changed)} differences)' if len(changed) > 1 else ''}; remove {checkpoint.folder} and start anew"
        )


def identity(tasks: Sequence[Task], problems: Mapping[int, Problem]) -> dict[str, Any]:
    """Return what a run must not change half-way."""
    digests = {f"dataset_digest of {problems[task.per_class].name}": problems[task.per_class].digest for task in tasks}
    specs = (spec for task in tasks for spec in task.plan.specs)
    hashes = {f"source of {each.kernel}": code_size.source_hash(each.path) for each in specs}
    return {**digests, **hashes, **machine.metadata()}


def finish(checkpoint: Checkpoint, problems: Mapping[int, Problem], progress: Progress) -> None:
    """Record the processes that are missing, and keep each as soon as it is done."""
    for number, task in enumerate(checkpoint.tasks):
        _finish(checkpoint, number, problems[task.per_class], progress)


def _finish(checkpoint: Checkpoint, number: int, problem: Problem, progress: Progress) -> None:
    """Record what is missing of one data set: process by process, each under one configuration after the other."""
    steps = [task.plan.steps for task in checkpoint.tasks]
    name = f"{problem.name}, " if len(checkpoint.tasks) > 1 else ""

    def told(stage: str, kernel: str, done: int, _: int) -> None:
        progress(f"{name}{stage}", kernel, sum(steps[:number]) + done, sum(steps))

    task = checkpoint.tasks[number]
    plan, digits = task.plan, checkpoint.folder / f"digits-{task.per_class}"
    digits.mkdir(exist_ok=True)
    write(problem, digits)
    repeats = any(each.device != "cpu" for each in plan.specs)  # by itself, what the disk need not hold
    tile(problem, digits, plan.sizes, plan.seed, shutil.disk_usage(digits).free // 2 if repeats else math.inf)
    for process in range(plan.processes):
        for configuration in plan.configurations:
            earlier = _finished(checkpoint, task, configuration)
            if process not in earlier:
                done = record_process(plan, configuration, earlier, str(digits), problem, told)
                _write(_path(checkpoint, task, configuration, process), asdict(done))


def empty(checkpoint: Checkpoint) -> bool:
    """Return whether no process is finished yet, so that there is nothing to resume."""
    return not any(_finished(checkpoint, task, each) for task in checkpoint.tasks for each in task.plan.configurations)


def recordings(checkpoint: Checkpoint, task: Task, problem: Problem) -> list[Collected]:
    """Return what a task's finished processes gave, under one configuration after the other."""
    collected = [
        collect(task.plan, configuration, problem, _finished(checkpoint, task, configuration), checkpoint.run)
        for configuration in task.plan.configurations
    ]
    return [
        replace(each, recording=replace(each.recording, not_timed=[*each.recording.not_timed, *task.skipped]))
        for each in collected
    ]


def _finished(checkpoint: Checkpoint, task: Task, configuration: Configuration) -> dict[int, Finished]:
    """Return the finished processes from the first on; one that cannot be read ends them, and is recorded again."""
    finished: dict[int, Finished] = {}
    for process in range(task.plan.processes):
        try:
            content = json.loads(_path(checkpoint, task, configuration, process).read_text(encoding="utf-8"))
            content["samples"] = tuple(Sample(**each) for each in content["samples"])
            content["results"] = tuple(CheckResult(**each) for each in content["results"])
            finished[process] = Finished(**content)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            break
    return finished


def remove(checkpoint: Checkpoint) -> None:
    """Remove the folder, once its records are written."""
    shutil.rmtree(checkpoint.folder)


def _path(checkpoint: Checkpoint, task: Task, configuration: Configuration, process: int) -> Path:
    return checkpoint.folder / f"{task.per_class}-{configuration.threads}-{configuration.allocator}-{process}.json"


def _write(path: Path, content: Any) -> None:
    with files.whole(path) as partial:
        partial.write_text(json.dumps(content, default=str), encoding="utf-8")


def _plan(content: dict[str, Any]) -> Plan:
    specs = (
        KernelSpec(**{**each, "path": Path(each["path"]), "packages": tuple(each["packages"])})
        for each in content["specs"]
    )
    return Plan(
        **{
            **content,
            "specs": tuple(specs),
            "cells": tuple((scope, distance) for scope, distance in content["cells"]),
            "configurations": tuple(Configuration(**each) for each in content["configurations"]),
            "sizes": tuple(content["sizes"]),
        }
    )
