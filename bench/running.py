"""The verb `run`: record, save, draw, and say what a person wants to know."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import data
from bench import checking, checklist, console, gathering, reading, tables, writing
from bench.conditions import Condition
from bench.entrant import LONGEST_S
from bench.gathering import Recording
from bench.kernel import REFERENCE, Contestant
from bench.problem import Problem, pose, tile
from bench.process import MEMORY_LIMIT
from bench.recording import BASELINE, FULL, PREDICT, Plan
from bench.records import BadRecord, Record
from bench.sample import LIMIT
from bench.standing import standings
from bench.verbs import Choice


@dataclass(frozen=True)
class Recorded:
    """The options of `run` that say what to record; `--help` explains them."""

    processes: int
    full: bool
    ladder: bool
    sizes: tuple[int, ...]
    images: int | None
    memory: bool
    threads: str
    allocator: str
    conditions: tuple[Condition, ...]
    memory_limit_gb: float | None
    resume: bool

    def plan(self, contestants: tuple[Contestant, ...], seed: int, timeout_s: float) -> Plan:
        """Return the plan that these options make."""
        return Plan(
            contestants,
            cells=PREDICT if self.sizes or self.images else FULL if self.full else BASELINE,
            conditions=self.conditions or (Condition(self.threads, self.allocator),),
            processes=self.processes,
            seed=seed,
            timeout_s=timeout_s,
            memory_limit=int(self.memory_limit_gb * 1e9) if self.memory_limit_gb else MEMORY_LIMIT,
            sizes=(self.images,) if self.images else self.sizes,
            longest_s=timeout_s if self.images else LONGEST_S,
        )


def run(choice: Choice, options: Recorded) -> int:
    """Check, time, save, draw, print; return the exit status."""
    from bench import unfinished

    if options.resume:
        begun = unfinished.newest()
        problem = pose(data.load(begun.source))
        unfinished.must_be_same(begun, problem)
    else:
        contestants = tuple(choice.contestants([REFERENCE], options.ladder))
        problem = pose(data.load(choice.source))
        plan = options.plan(contestants, choice.seed, choice.timeout_s)
        if options.memory:
            return _memory(choice, plan, problem)
        begun = unfinished.begin(plan, choice.source, problem)
    try:
        with console.progress(choice.quiet) as progress:
            unfinished.finish(begun, problem, progress)
    except KeyboardInterrupt:
        if unfinished.empty(begun):
            unfinished.remove(begun)
        else:
            console.out().print("python -m bench run --resume takes up from the finished process sets.")
        raise
    recordings = [unfinished.recording(begun, condition, problem) for condition in begun.plan.conditions]
    paths = _write(recordings, _loading(begun.source))
    unfinished.remove(begun)  # before anything is drawn: what is written is not to be recorded again
    out = console.out()
    status, told = 0, []
    for recorded, path in zip(recordings, paths, strict=True):
        out.print(tables.dataset(problem))
        out.print(next(iter(tables.agreement(problem, recorded.verdicts))))
        status |= choice.status(recorded.verdicts, bool(begun.plan.sizes))
        if path:
            told.append(reading.read(path))
            status |= _tell_sizes(told[-1]) if begun.plan.sizes else _tell_speed(told[-1])
            out.print(f"Record  {console.shown(path)}")
        else:
            out.print("Nothing was timed, so there is no record and no chart.")
        for line in tables.failures(recorded.verdicts):
            out.print(line)
    if len(told) > 1:
        out.print(tables.by_condition(told))
    if told and not begun.plan.sizes:
        _tell_verdicts(problem, tuple(each.path for each in begun.plan.contestants))
    return status


def _tell_verdicts(problem: Problem, files: tuple[Path, ...]) -> None:
    """Print the verdict on every claim, write the page of what was just recorded, and say where it is, or why not."""
    from bench import case, claims, report

    out = console.out()
    try:
        newest = case.local()
        assert newest is not None  # it was just written
        for ruling in claims.rulings(newest.speed):
            out.print(claims.line(ruling))
        page, *_ = report.write(replace(newest.answering(problem), extra=files))
    except BadRecord as reason:  # the reference failed, or the checklist of what a picture shows
        out.print(f"There is no page: {reason}")
        return
    out.print("Next    python -m bench run --kernel mine.py")
    out.print(f"Page    {console.shown(page)}")


def _write(recordings: Sequence[Recording], loading: dict[str, float]) -> list[Path | None]:
    """Write a record of each condition; None stands for one in which nothing was timed."""
    return [
        writing.write(each.samples, each.absent, {**each.facts, **loading}, each.kernel_facts)
        if any(not sample.kernel.startswith(LIMIT) for sample in each.samples)
        else None
        for each in recordings
    ]


def _loading(source: str) -> dict[str, float]:
    """Return the seconds of loading the digits once more, from their file to arrays; nothing of what is no file."""
    source = (data.at_hand() or "drawn") if source in ("auto", "mnist_sample") else source
    if source == "drawn":
        return {}
    started = time.perf_counter()
    data.load(source)
    return {"loading_s": time.perf_counter() - started}


def _tell_speed(whole: Record) -> int:
    """Print the tables and checklists of a record, draw it if the checklist allows; return 1 where it does not."""
    from bench import case, charts
    from bench.charts import files

    out, status = console.out(), 0
    for where, record in whole.views:
        for scope, distance in record.cells:
            lines = checklist.judge(record, scope, distance)
            believable = not checklist.failed(lines)
            status |= not believable
            out.print(f"{scope} {distance}{where}, condition {record.condition}, {record.label}")
            out.print(tables.timed(standings(record, scope, distance), ratios=believable))
            out.print(tables.limit(record, scope))
            for line in tables.answers_for(lines):
                out.print(line)
            if believable and (scope, distance, where) == ("baseline", "l1", ""):
                alone = case.alone(record)
                for picture in files.save(charts.draw("speedup", alone), alone.picture("speedup")):
                    out.print(f"Chart   {console.shown(picture)}")
    return status


def _tell_sizes(record: Record) -> int:
    """Print a table for every size; return 1 where the checklist withholds a ratio."""
    out, status = console.out(), 0
    for size in record.sizes:
        part = record.at(size)
        lines = checklist.judge(part, "predict", "l1")
        believable = not checklist.failed(lines)
        status |= not believable
        out.print(f"predict l1, {size:,} validation images, condition {record.condition}, {record.label}")
        out.print(tables.timed(standings(part, "predict", "l1"), ratios=believable))
        for line in tables.answers_for([line for line in lines if line.level == "FAIL"]):
            out.print(line)
    for each in record.absent:
        if each.status == "not measured":
            out.print(f"{each.kernel}: {each.status}, {each.reason}")
    return status


def _memory(choice: Choice, plan: Plan, problem: Problem) -> int:
    """Record memory in a pass of its own; return the exit status."""
    from bench import footprint

    with console.progress(choice.quiet) as progress, checking.handed_over(problem) as folder:
        tile(problem, Path(folder), plan.sizes, plan.seed)
        footprints, verdicts, absent = footprint.measure(plan, folder, problem, progress)
    out = console.out()
    out.print(tables.dataset(problem))
    out.print(tables.memory(footprints))
    for line in (*tables.not_measured(footprints), *tables.failures(verdicts)):
        out.print(line)
    for each in absent:
        out.print(f"{each.kernel}: {each.status}, {each.reason}")
    told = [each for each in footprints if each.peak_bytes is not None]
    if len(told) < len(footprints):
        without = ", ".join(dict.fromkeys(each.kernel for each in footprints if each.peak_bytes is None))
        out.print(f"Not in a record: {without}; this system does not tell a process its anonymous memory.")
    if told:
        facts = gathering.shared_facts(plan, plan.conditions[0], problem)
        absent += [gathering.absent(each) for each in verdicts if each.status != "agrees"]
        path = writing.write_memory(told, absent, facts, gathering.facts_by_kernel(plan, problem, verdicts))
        out.print(f"Record  {console.shown(path)}")
    return choice.status(verdicts, bool(plan.sizes))
