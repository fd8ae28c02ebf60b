"""A run that can be resumed: a folder with its plans and its finished processes, each file whole or missing.

`run --resume` goes on from it after a crash, a kill or a power cut; only the process in flight is lost. `run --finish`
writes the records of what is finished, and leaves the run as it is.
"""

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
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
from bench.runner.finished import FinishedProcess
from bench.runner.plan import Plan, Progress
from bench.runner.scheduler import measure_process
from bench.task.problem import Problem, write
from bench.task.tiling import tile

SUFFIX = ".unfinished"
ABOUT = {"memory_bytes": 0.05}  # metadata that may differ by so much: virtual machines report it as they please
Finished = dict[tuple[int, Configuration], dict[int, FinishedProcess]]  # by images per class, and by number


@dataclass(frozen=True)
class DataSetPlan:
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
        data_sets: measured one after the other.
        digits: the arguments of `data.load`; the digits are loaded again on resuming.
        require: the values of `--require`.
        identity: what must be the same on resuming: digits, kernels, versions, machine.
        finished: the finished processes; each is in a file as well, which only `newest` reads.
    """

    folder: Path
    data_sets: tuple[DataSetPlan, ...]
    digits: dict[str, Any]
    identity: dict[str, Any]
    finished: Finished = field(compare=False)
    require: tuple[str, ...] = ()


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
    finished = _read_all(folder, data_sets)  # none
    checkpoint = Checkpoint(folder, tuple(data_sets), digits, identity(data_sets, problems), finished, require)
    plans = [asdict(data_set) for data_set in data_sets]
    content = {"data_sets": plans, "digits": digits, "identity": checkpoint.identity, "require": require}
    try:
        _own(folder)
        _write(folder / "plan.json", content)
    except OSError:
        remove(checkpoint)
        raise
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
            data_sets = tuple(map(_data_set_plan, content["data_sets"]))
            finished = _read_all(folder, data_sets)
            require = tuple(content["require"])
            checkpoint = Checkpoint(folder, data_sets, content["digits"], content["identity"], finished, require)
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
    return not any(_unfinished(checkpoint, data_set) for data_set in checkpoint.data_sets)


def _unfinished(checkpoint: Checkpoint, data_set: DataSetPlan) -> list[Configuration]:
    """Return the configurations that lack processes, those that have the fewest first."""
    plan = data_set.plan
    seconds = {
        configuration: [one.seconds for one in checkpoint.finished[data_set.per_class, configuration].values()]
        for configuration in plan.configurations
    }
    missing = [one for one in plan.configurations if len(seconds[one]) < plan.count(seconds[one])]
    return sorted(missing, key=lambda configuration: len(seconds[configuration]))


def finish(checkpoint: Checkpoint, problems: Mapping[int, Problem], progress: Progress) -> None:
    """Measure the processes that are missing, and save each as soon as it is done."""
    steps = [data_set.plan.steps for data_set in checkpoint.data_sets]
    for number, data_set in enumerate(checkpoint.data_sets):
        problem = problems[data_set.per_class]
        name = f"{problem.name}, " if len(steps) > 1 else ""

        def report(stage: str, kernel: str, done: int, of: int, name: str = name, number: int = number) -> None:
            steps[number] = of  # within a budget there may be more than were planned
            progress(f"{name}{stage}", kernel, sum(steps[:number]) + done, sum(steps))

        _finish(checkpoint, data_set, problem, report)


def _finish(checkpoint: Checkpoint, data_set: DataSetPlan, problem: Problem, progress: Progress) -> None:
    """Measure what is missing of one data set: process by process, each under one configuration after the other."""
    plan, digits = data_set.plan, checkpoint.folder / f"digits-{data_set.per_class}"
    digits.mkdir(exist_ok=True)
    with atomic.named(digits):
        write(problem, digits)
    on_gpu = any(spec.device != "cpu" for spec in plan.specs)  # a GPU repeats images that the disk has no room for
    tile(problem, digits, plan.sizes, plan.seed, shutil.disk_usage(digits).free // 2 if on_gpu else math.inf)
    while unfinished := _unfinished(checkpoint, data_set):
        configuration = unfinished[0]
        finished = checkpoint.finished[data_set.per_class, configuration]
        done = measure_process(plan, configuration, finished, str(digits), problem, progress)
        _write(_path(checkpoint.folder, data_set, configuration, len(finished)), asdict(done))
        finished[len(finished)] = done


def empty(checkpoint: Checkpoint) -> bool:
    """Return whether no process is finished yet, so that there is nothing to resume."""
    return not any(checkpoint.folder.glob("[0-9]*.json"))


def collect(checkpoint: Checkpoint, data_set: DataSetPlan, problem: Problem) -> list[Collected]:
    """Return what the finished processes of one data set gave, one item per configuration that has any."""
    run = checkpoint.folder.name.removesuffix(SUFFIX)
    items = []
    for configuration in data_set.plan.configurations:
        finished = checkpoint.finished[data_set.per_class, configuration]
        if not finished:
            continue
        item = collection.collect(data_set.plan, configuration, problem, finished, run)
        not_timed = [*item.measurements.not_timed, *data_set.skipped]
        items.append(replace(item, measurements=replace(item.measurements, not_timed=not_timed)))
    return items


def _read_all(folder: Path, data_sets: Sequence[DataSetPlan]) -> Finished:
    return {
        (data_set.per_class, configuration): _read_finished(folder, data_set, configuration)
        for data_set in data_sets
        for configuration in data_set.plan.configurations
    }


def _read_finished(folder: Path, data_set: DataSetPlan, configuration: Configuration) -> dict[int, FinishedProcess]:
    """Read the finished processes up to the first that is missing or cannot be read, which is measured again."""
    finished: dict[int, FinishedProcess] = {}
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        while True:
            path = _path(folder, data_set, configuration, len(finished))
            content = json.loads(path.read_text(encoding="utf-8"))
            content["samples"] = tuple(Sample(**fields) for fields in content["samples"])
            content["results"] = tuple(CheckResult(**fields) for fields in content["results"])
            finished[len(finished)] = FinishedProcess(**content)
    return finished


def remove(checkpoint: Checkpoint) -> None:
    """Remove the folder, once its records are written."""
    shutil.rmtree(checkpoint.folder)


def _path(folder: Path, data_set: DataSetPlan, configuration: Configuration, process: int) -> Path:
    return folder / f"{data_set.per_class}-{configuration.threads}-{configuration.allocator}-{process}.json"


def _write(path: Path, content: Any) -> None:
    atomic.write(path, json.dumps(content, default=str))


def _data_set_plan(content: dict[str, Any]) -> DataSetPlan:
    skipped = tuple(NotTimed(**fields) for fields in content["skipped"])
    return DataSetPlan(content["per_class"], _plan(content["plan"]), skipped)


def _plan(content: dict[str, Any]) -> Plan:
    specs = [
        KernelSpec(**{**fields, "path": Path(fields["path"]), "packages": tuple(fields["packages"])})
        for fields in content["specs"]
    ]
    configurations = tuple(Configuration(**fields) for fields in content["configurations"])
    pairs = tuple((scope, distance) for scope, distance in content["pairs"])
    changed = {"specs": tuple(specs), "configurations": configurations, "pairs": pairs}
    tuples = {name: tuple(content.get(name, ())) for name in ("sizes", "against")}
    return Plan(**{**content, **changed, **tuples})
