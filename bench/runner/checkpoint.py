"""A run that can be resumed: a folder with its plans and its finished processes, each file whole or missing.

`run --resume` goes on from it after a crash, a kill or a power cut; only the process in flight is lost. `run --finish`
writes the records of what is finished, and leaves the run as it is.
"""

import json
import math
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import psutil

from bench import atomic, code_size
from bench.kernel import KernelSpec
from bench.probes import machine
from bench.records import model
from bench.records.model import BadRecord, NotTimed
from bench.records.sample import Sample
from bench.runner import collection
from bench.runner.check_kernels import CheckResult
from bench.runner.collection import Collected, FinishedProcess
from bench.runner.configuration import Configuration
from bench.runner.plan import Plan, Progress
from bench.runner.scheduler import measure_process
from bench.task.problem import Problem, write
from bench.task.tiling import tile

SUFFIX = ".unfinished"
ABOUT = {"memory_bytes": 0.05}  # metadata that may differ by so much: virtual machines report it as they please
Content = TypeVar("Content")


@dataclass(frozen=True)
class DataSetPlan:
    """What to measure on one data set: all of it (`per_class` 0), or the first `per_class` images of each class."""

    per_class: int
    plan: Plan
    skipped: tuple[NotTimed, ...] = ()  # kernels that are not measured, which its record lists with the reason


@dataclass(frozen=True)
class Checkpoint:
    """An unfinished run."""

    folder: Path
    data_sets: tuple[DataSetPlan, ...]  # measured one after the other
    digits: dict[str, Any]  # the arguments of `data.load`; the digits are loaded again on resuming
    identity: dict[str, Any]  # what must be the same on resuming: digits, kernels, versions, machine
    require: tuple[str, ...] = ()  # the values of `--require`
    # By images per class and configuration. Each process is in a file as well, which only `newest` reads.
    finished: dict[tuple[int, Configuration], list[FinishedProcess]] = field(
        default_factory=lambda: defaultdict(list), compare=False
    )


def begin(
    data_sets: Sequence[DataSetPlan],
    digits: dict[str, Any],
    problems: Mapping[int, Problem],
    require: tuple[str, ...] = (),
) -> Checkpoint:
    """Make the folder of a new run in results/local/; `problems` by images per class."""
    model.LOCAL.mkdir(parents=True, exist_ok=True)
    folder = atomic.new_folder(model.LOCAL, SUFFIX)
    source = str(digits["source"])
    digits = {**digits, "source": os.path.abspath(source) if os.path.exists(source) else source}
    checkpoint = Checkpoint(folder, tuple(data_sets), digits, identity(data_sets, problems), require)
    try:
        _own(folder)
        _write(folder / "plan.json", checkpoint)
    except OSError:
        remove(checkpoint)
        raise
    return checkpoint


def newest() -> Checkpoint:
    """Take over the newest unfinished run that no process is working on; or raise BadRecord."""
    for folder in sorted(model.LOCAL.glob(f"*{SUFFIX}"), reverse=True):
        path = folder / "plan.json"
        if not path.exists() or _in_progress(folder):  # cut off before it was begun, or still running
            continue
        try:
            checkpoint = replace(_read(path, Checkpoint), folder=folder, finished=defaultdict(list))
        except (ValueError, KeyError, TypeError) as error:
            raise BadRecord(f"{path}: cannot be read ({error}); remove {folder} and start a new run") from error
        for data_set in checkpoint.data_sets:
            for configuration in data_set.plan.configurations:
                finished = checkpoint.finished[data_set.per_class, configuration]
                with suppress(FileNotFoundError, ValueError, KeyError, TypeError):  # it is measured again
                    while True:
                        finished.append(_read(_next_path(checkpoint, data_set, configuration), FinishedProcess))
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
    """Raise BadRecord, which names the first difference, if digits, a kernel, a version or the machine has changed."""
    before, now = checkpoint.identity, identity(checkpoint.data_sets, problems)
    changed = [key for key in {**before, **now} if not _alike(key, before.get(key), now.get(key))]
    if changed:
        more = f" ({len(changed)} differences)" if len(changed) > 1 else ""
        raise BadRecord(
            f"{checkpoint.folder.name} cannot be resumed: {changed[0]} was {before.get(changed[0], 'missing')} and is "
            f"{now.get(changed[0], 'missing')}{more}; remove {checkpoint.folder} and start a new run"
        )


def _alike(key: str, before: Any, now: Any) -> bool:
    return before == now or (key in ABOUT and bool(before and now) and abs(now / before - 1) <= ABOUT[key])


def identity(data_sets: Sequence[DataSetPlan], problems: Mapping[int, Problem]) -> dict[str, Any]:
    """Return what must not change while a run is unfinished."""
    solved = [problems[data_set.per_class] for data_set in data_sets]
    digests = {f"dataset_digest of {problem.name}": problem.digest for problem in solved}
    specs = (spec for data_set in data_sets for spec in data_set.plan.specs)
    hashes = {f"source of {spec.kernel}": code_size.source_hash(spec.path) for spec in specs}
    return {**digests, **hashes, **machine.metadata(), "protocol": model.PROTOCOL}


def complete(checkpoint: Checkpoint) -> bool:
    """Return whether all processes are finished."""
    return not any(_next(checkpoint, data_set) for data_set in checkpoint.data_sets)


def _next(checkpoint: Checkpoint, data_set: DataSetPlan) -> Configuration | None:
    """Return the configuration that has the fewest processes of those that lack some; None if none does."""
    finished = {one: checkpoint.finished[data_set.per_class, one] for one in data_set.plan.configurations}
    count = data_set.plan.count
    lacking = [one for one, done in finished.items() if len(done) < count([process.seconds for process in done])]
    return min(lacking, key=lambda one: len(finished[one]), default=None)


def finish(checkpoint: Checkpoint, problems: Mapping[int, Problem], progress: Progress) -> None:
    """Measure the processes that are missing, the configurations alternately, and save each as soon as it is done."""
    steps = [data_set.plan.steps for data_set in checkpoint.data_sets]
    for number, data_set in enumerate(checkpoint.data_sets):
        plan, problem = data_set.plan, problems[data_set.per_class]
        name = f"{problem.name}, " if len(steps) > 1 else ""

        def report(stage: str, kernel: str, done: int, of: int, name: str = name, number: int = number) -> None:
            steps[number] = of  # within a budget there may be more than were planned
            progress(f"{name}{stage}", kernel, sum(steps[:number]) + done, sum(steps))

        digits = checkpoint.folder / f"digits-{data_set.per_class}"
        digits.mkdir(exist_ok=True)
        with atomic.named(digits):
            write(problem, digits)
        on_gpu = any(spec.device != "cpu" for spec in plan.specs)  # a GPU repeats images that the disk has no room for
        tile(problem, digits, plan.sizes, plan.seed, shutil.disk_usage(digits).free // 2 if on_gpu else math.inf)
        while configuration := _next(checkpoint, data_set):
            finished = checkpoint.finished[data_set.per_class, configuration]
            done = measure_process(plan, configuration, finished, str(digits), problem, report)
            _write(_next_path(checkpoint, data_set, configuration), done)
            finished.append(done)


def empty(checkpoint: Checkpoint) -> bool:
    """Return whether no process is finished yet, so that there is nothing to resume."""
    return not any(checkpoint.folder.glob("[0-9]*.json"))


def collect(checkpoint: Checkpoint, data_set: DataSetPlan, problem: Problem) -> list[Collected]:
    """Return what the finished processes of one data set gave, one item per configuration that has any."""
    run = checkpoint.folder.name.removesuffix(SUFFIX)
    return [
        collection.collect(data_set.plan, configuration, problem, finished, run, data_set.skipped)
        for configuration in data_set.plan.configurations
        if (finished := checkpoint.finished[data_set.per_class, configuration])
    ]


def remove(checkpoint: Checkpoint) -> None:
    """Remove the folder, once its records are written."""
    shutil.rmtree(checkpoint.folder)


def _next_path(checkpoint: Checkpoint, data_set: DataSetPlan, configuration: Configuration) -> Path:
    number = len(checkpoint.finished[data_set.per_class, configuration])
    return checkpoint.folder / f"{data_set.per_class}-{configuration.threads}-{configuration.allocator}-{number}.json"


def _write(path: Path, content: Any) -> None:
    """Write JSON, in which a dataclass is an object with its class under the key "is a"."""

    def fields(value: Any) -> Any:
        return {"is a": type(value).__name__, **vars(value)} if is_dataclass(value) else str(value)

    atomic.write(path, json.dumps(content, default=fields))


def _read(path: Path, kind: type[Content]) -> Content:
    """Return what `_write` wrote, with tuples for lists in dataclasses; or raise ValueError, KeyError or TypeError."""
    content = json.loads(path.read_text(encoding="utf-8"), object_hook=_made)
    if not isinstance(content, kind):
        raise TypeError(f"expected a {kind.__name__}")
    return content


def _made(fields: dict[str, Any]) -> Any:
    if "is a" not in fields:
        return fields
    kind, made = KINDS[fields.pop("is a")], {name: _tuples(value) for name, value in fields.items()}
    return kind(**made | ({"path": Path(made["path"])} if "path" in made else {}))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


CLASSES = (Checkpoint, DataSetPlan, Plan, KernelSpec, Configuration, NotTimed, FinishedProcess, Sample, CheckResult)
KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in CLASSES}
