"""A run that can be resumed: a folder with its plans and its finished processes, each file whole or missing.

`run --resume` goes on from it after a crash, a kill or a power cut. Only the process in flight is lost.
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

from bench import atomic, code_size
from bench.kernel import KernelSpec
from bench.probes import machine
from bench.records import model
from bench.records.model import BadRecord, NotTimed
from bench.records.sample import Sample
from bench.runner import collection
from bench.runner.check_kernels import CheckResult
from bench.runner.collection import Collected
from bench.runner.configuration import Configuration
from bench.runner.plan import Plan, Progress
from bench.runner.scheduler import FinishedProcess, measure_process
from bench.task.problem import Problem, write
from bench.task.tiling import tile

SUFFIX = ".unfinished"


@dataclass(frozen=True)
class Task:
    """What to measure on one data set: all of it (`per_class` 0), or the first `per_class` images of each class.

    `skipped` are kernels that are not measured, which its record lists with the reason.
    """

    per_class: int
    plan: Plan
    skipped: tuple[NotTimed, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """An unfinished run.

    Attributes:
        tasks: done one after the other.
        source: the value of `--data`; the digits are loaded again on resuming.
        identity: what must be the same on resuming: digits, kernels, versions, machine.
    """

    folder: Path
    tasks: tuple[Task, ...]
    source: str
    identity: dict[str, Any]


def begin(tasks: Sequence[Task], source: str, problems: Mapping[int, Problem]) -> Checkpoint:
    """Make the folder of a new run in results/local/; `problems` by images per class."""
    model.LOCAL.mkdir(parents=True, exist_ok=True)
    folder = atomic.unused(model.LOCAL, SUFFIX)
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
        path = folder / "plan.json"
        if not path.exists() or _in_progress(folder):  # cut off before it was begun, or still running
            continue
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            tasks = [
                Task(task["per_class"], _plan(task["plan"]), tuple(NotTimed(**fields) for fields in task["skipped"]))
                for task in content["tasks"]
            ]
            checkpoint = Checkpoint(folder, tuple(tasks), content["source"], content["identity"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadRecord(f"{path}: cannot be read ({error}); remove {folder} and start a new run") from error
        _own(folder)
        return checkpoint
    raise BadRecord("there is no unfinished run to resume; start one with python -m bench run")


def _own(folder: Path) -> None:
    """Note that this process works on the run."""
    process = psutil.Process()
    _write(folder / "owner.json", [process.pid, process.create_time()])


def _in_progress(folder: Path) -> bool:
    """Return whether the process that works on the run is alive."""
    try:
        pid, created = json.loads((folder / "owner.json").read_text())
        return bool(psutil.Process(pid).create_time() == created)
    except (OSError, ValueError, TypeError, psutil.NoSuchProcess):
        return False


def must_be_same(checkpoint: Checkpoint, problems: Mapping[int, Problem]) -> None:
    """Refuse to resume a run if something has changed that its records must share.

    Raises:
        BadRecord: digits, a kernel, a version or the machine has changed; the message names the first difference.
    """
    before, now = checkpoint.identity, identity(checkpoint.tasks, problems)
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if changed:
        more = f" ({len(changed)} differences)" if len(changed) > 1 else ""
        raise BadRecord(
            f"{checkpoint.folder.name} cannot be resumed: {changed[0]} was {before.get(changed[0], 'missing')} and is "
            f"{now.get(changed[0], 'missing')}{more}; remove {checkpoint.folder} and start a new run"
        )


def identity(tasks: Sequence[Task], problems: Mapping[int, Problem]) -> dict[str, Any]:
    """Return what must not change while a run is unfinished."""
    digests = {f"dataset_digest of {problems[task.per_class].name}": problems[task.per_class].digest for task in tasks}
    specs = (spec for task in tasks for spec in task.plan.specs)
    hashes = {f"source of {spec.kernel}": code_size.source_hash(spec.path) for spec in specs}
    return {**digests, **hashes, **machine.metadata()}


def finish(checkpoint: Checkpoint, problems: Mapping[int, Problem], progress: Progress) -> None:
    """Measure the processes that are missing, and save each as soon as it is done."""
    steps = [task.plan.steps for task in checkpoint.tasks]
    for number, task in enumerate(checkpoint.tasks):
        problem, before = problems[task.per_class], sum(steps[:number])
        name = f"{problem.name}, " if len(steps) > 1 else ""

        def report(stage: str, kernel: str, done: int, _: int, name: str = name, before: int = before) -> None:
            progress(f"{name}{stage}", kernel, before + done, sum(steps))

        _finish(checkpoint, task, problem, report)


def _finish(checkpoint: Checkpoint, task: Task, problem: Problem, progress: Progress) -> None:
    """Measure what is missing of one data set: process by process, each under one configuration after the other."""
    plan, digits = task.plan, checkpoint.folder / f"digits-{task.per_class}"
    digits.mkdir(exist_ok=True)
    write(problem, digits)
    on_gpu = any(spec.device != "cpu" for spec in plan.specs)  # a GPU repeats images that the disk has no room for
    tile(problem, digits, plan.sizes, plan.seed, shutil.disk_usage(digits).free // 2 if on_gpu else math.inf)
    for process in range(plan.processes):
        for configuration in plan.configurations:
            earlier = _finished(checkpoint, task, configuration)
            if process not in earlier:
                done = measure_process(plan, configuration, earlier, str(digits), problem, progress)
                _write(_path(checkpoint, task, configuration, process), asdict(done))


def empty(checkpoint: Checkpoint) -> bool:
    """Return whether no process is finished yet, so that there is nothing to resume."""
    return not any(
        _finished(checkpoint, task, configuration)
        for task in checkpoint.tasks
        for configuration in task.plan.configurations
    )


def collect(checkpoint: Checkpoint, task: Task, problem: Problem) -> list[Collected]:
    """Return what a task's finished processes gave, one item per configuration."""
    run = checkpoint.folder.name.removesuffix(SUFFIX)
    items = []
    for configuration in task.plan.configurations:
        finished = _finished(checkpoint, task, configuration)
        item = collection.collect(task.plan, configuration, problem, finished, run)
        not_timed = [*item.measurements.not_timed, *task.skipped]
        items.append(replace(item, measurements=replace(item.measurements, not_timed=not_timed)))
    return items


def _finished(checkpoint: Checkpoint, task: Task, configuration: Configuration) -> dict[int, FinishedProcess]:
    """Return the finished processes up to the first that is missing or cannot be read, which is measured again."""
    finished: dict[int, FinishedProcess] = {}
    for process in range(task.plan.processes):
        try:
            content = json.loads(_path(checkpoint, task, configuration, process).read_text(encoding="utf-8"))
            content["samples"] = tuple(Sample(**fields) for fields in content["samples"])
            content["results"] = tuple(CheckResult(**fields) for fields in content["results"])
            finished[process] = FinishedProcess(**content)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            break
    return finished


def remove(checkpoint: Checkpoint) -> None:
    """Remove the folder, once its records are written."""
    shutil.rmtree(checkpoint.folder)


def _path(checkpoint: Checkpoint, task: Task, configuration: Configuration, process: int) -> Path:
    return checkpoint.folder / f"{task.per_class}-{configuration.threads}-{configuration.allocator}-{process}.json"


def _write(path: Path, content: Any) -> None:
    with atomic.whole(path) as partial:
        partial.write_text(json.dumps(content, default=str), encoding="utf-8")


def _plan(content: dict[str, Any]) -> Plan:
    specs = [
        KernelSpec(**{**fields, "path": Path(fields["path"]), "packages": tuple(fields["packages"])})
        for fields in content["specs"]
    ]
    configurations = tuple(Configuration(**fields) for fields in content["configurations"])
    pairs = tuple((scope, distance) for scope, distance in content["pairs"])
    changed = {"specs": tuple(specs), "configurations": configurations, "pairs": pairs}
    return Plan(**{**content, **changed, "sizes": tuple(content["sizes"])})
