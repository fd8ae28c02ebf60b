"""run: check the kernels, time them, save the record, draw it, and print what was found."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import data
from bench import files
from bench.analysis import checklist, claims
from bench.analysis.summary import summaries
from bench.cli import answers, console
from bench.cli.digits import DataSet, data_sets, pose_first
from bench.cli.options import POSITIVE, Choice, add, choosing
from bench.kernel import REFERENCE, KernelSpec, discover
from bench.records import model, reader, writer
from bench.records.model import BadRecord, NotTimed, Record
from bench.records.sample import BOUND
from bench.report import charts, page, selection, tables
from bench.report.charts import files as pictures
from bench.runner import checking, checkpoint, collection, memory_pass
from bench.runner.collection import Collected
from bench.runner.configuration import Configuration, parse
from bench.runner.executor import LONGEST_S
from bench.runner.process import MEMORY_LIMIT
from bench.runner.scheduler import BASELINE, FULL, PREDICT, Plan
from bench.task.problem import tile

BESIDE = {False: (REFERENCE,), True: (REFERENCE, "torch_broadcast@cpu")}  # a whole data set, and a small one


def _sizes(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...]:
    if value is None:
        return ()
    try:
        sizes = tuple(sorted({int(size) for size in value.split(",")}))
    except ValueError:
        sizes = (0,)
    if sizes[0] < 1:
        raise click.BadParameter("expected whole numbers from 1, such as 1,10,100,1000")
    return sizes


def _configurations(_: click.Context, __: click.Parameter, value: str | None) -> tuple[Any, ...]:
    if value is None:
        return ()
    try:
        asked = {parse(name.strip()) for name in value.split(",")}
        return tuple(sorted(asked, key=lambda each: (each.threads != "all", each.allocator)))  # as they are read again
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


RECORDED = [
    click.option("--processes", type=click.IntRange(1), default=6, metavar="N", help="Processes of every kernel; 6."),
    click.option("--quick", "processes", flag_value=1, type=int, help="One process, so no confidence interval."),
    click.option("--rigorous", "processes", flag_value=15, type=int, help="Fifteen processes."),
    click.option("--full", is_flag=True, help="All scopes, not the baseline alone."),
    click.option("--ladder", is_flag=True, help="Also every kernel of kernels/ladder/."),
    click.option("--sizes", callback=_sizes, metavar="N,N", help="Time against numbers of validation images."),
    click.option("--no-time-limit", is_flag=True, help="With --sizes: calls over 5 s too, up to --timeout."),
    click.option("--memory", is_flag=True, help="Peak memory and temporaries instead of times."),
    click.option("--configurations", callback=_configurations, metavar="A,B", help="THREADS/ALLOCATOR; all/default."),
    click.option("--memory-limit", "memory_limit_gb", type=POSITIVE, metavar="GB",
                 help="Of one kernel; half the machine's."),
    click.option("--resume", is_flag=True, help="Finish the newest unfinished run."),
]  # fmt: skip


EXCLUSIVE = (
    ("--memory", "--full"), ("--memory", "--processes"), ("--memory", "--configurations"), ("--sizes", "--full"),
)  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """The options of `run` that say what to record; `--help` explains them."""

    processes: int
    full: bool
    ladder: bool
    sizes: tuple[int, ...]
    no_time_limit: bool
    memory: bool
    configurations: tuple[Configuration, ...]
    memory_limit_gb: float | None
    resume: bool

    def plan(self, specs: tuple[KernelSpec, ...], choice: Choice) -> Plan:
        """Return the plan that these options make for the kernels of one data set."""
        return Plan(
            specs,
            cells=PREDICT if self.sizes else FULL if self.full else BASELINE,
            configurations=self.configurations or (Configuration(),),
            processes=self.processes,
            seed=choice.seed,
            timeout_s=choice.timeout_s,
            memory_limit=int(self.memory_limit_gb * 1e9) if self.memory_limit_gb else MEMORY_LIMIT,
            sizes=self.sizes,
            longest_s=choice.timeout_s if self.no_time_limit else LONGEST_S,
        )


@dataclass(frozen=True)
class Done:
    """What was recorded of one data set: under each configuration, and as written; no record where nothing was."""

    data_set: DataSet
    collected: list[Collected]
    file: list[Record]


@click.command("run")
@choosing
@add(RECORDED)
def command(**options: Any) -> None:
    """Check the kernels, time them side by side, save, draw and print."""
    where = click.get_current_context().get_parameter_source
    given = [f"--{name.replace('_', '-')}" for name in options if where(name) is ParameterSource.COMMANDLINE]
    if options["resume"] and {*given} - {"--resume", "--quiet"}:
        raise click.UsageError("--resume goes on as it was begun: it takes no other option but --quiet.")
    for one, other in EXCLUSIVE:
        if one in given and other in given:
            raise click.UsageError(f"{one} and {other} exclude each other: give one of them.")
    if options["memory"] and len(options["sizes"]) > 1:
        raise click.UsageError("--memory takes one number of validation images: --sizes N.")
    if options["no_time_limit"] and not options["sizes"]:
        raise click.UsageError("--no-time-limit belongs to --sizes: give the numbers of validation images.")
    choice = {field.name: options.pop(field.name) for field in fields(Choice)}
    sys.exit(run(Choice(**choice), Recorded(**options)))


def run(choice: Choice, options: Recorded) -> int:
    """Check, time, save, draw, print; return the exit status."""
    done = _memory(choice, options) if options.memory else _times(choice, options)
    status = 0
    for each in done:
        status |= _tell(each, choice, bool(options.sizes))
    if any(each.file and each.file[0].speed for each in done):
        _tell_claims(done)
    return status


def _times(choice: Choice, options: Recorded) -> list[Done]:
    """Record times, or go on with an unfinished run, and write them."""
    if options.resume:
        saved = checkpoint.newest()
        digits = data.load(saved.source)
        problems = {task.per_class: pose_first(digits, task.per_class) for task in saved.tasks}
        checkpoint.must_be_same(saved, problems)
    else:
        sets, skipped = _data_sets(choice, options)
        problems = {each.problem.per_class: each.problem for each in sets}
        tasks = [
            checkpoint.Task(each.problem.per_class, options.plan(each.specs, choice), tuple(skipped)) for each in sets
        ]
        saved = checkpoint.begin(tasks, choice.source, problems)
    try:
        with console.progress(choice.quiet) as progress:
            checkpoint.finish(saved, problems, progress)
    except KeyboardInterrupt:
        if checkpoint.empty(saved):
            checkpoint.remove(saved)
        else:
            console.out().print("python -m bench run --resume takes up from the finished processes.")
        raise
    done = []
    for task in saved.tasks:
        problem = problems[task.per_class]
        collected = checkpoint.recordings(saved, task, problem)
        metadata = {} if task.per_class else _loading(saved.source)
        done.append(Done(DataSet(problem, task.plan.specs), collected, _write(collected, metadata)))
    checkpoint.remove(saved)  # before anything is drawn: what is written is not to be recorded again
    return done


def _memory(choice: Choice, options: Recorded) -> list[Done]:
    """Measure memory, untimed, and write it."""
    sets, skipped = _data_sets(choice, options)
    run, done = files.unused(model.LOCAL, "").name, []
    for each in sets:
        plan = options.plan(each.specs, choice)
        with console.progress(choice.quiet) as progress, checking.handed_over(each.problem) as folder:
            tile(each.problem, Path(folder), plan.sizes, plan.seed)
            footprints, results, not_timed = memory_pass.measure(plan, folder, each.problem, progress)
        if untold := dict.fromkeys(one.kernel for one in footprints if one.peak_bytes is None):
            console.out().print(f"Not in a record: {', '.join(untold)}; this system does not tell how much they take.")
        recording = collection.memory_recording(plan, each.problem, footprints, results, [*not_timed, *skipped], run)
        collected = [Collected(recording, results)]
        done.append(Done(each, collected, _write(collected, {})))
    return done


def _data_sets(choice: Choice, options: Recorded) -> tuple[list[DataSet], list[NotTimed]]:
    """Return what to record, each data set with the kernels to compare with; and the kernels that are skipped.

    Of numbers of images those are skipped that are too slow for any but their own small data set.
    """
    specs = choice.specs(options.ladder)
    digits = data.load(choice.source)
    sets, skipped = data_sets(specs, digits, choice.per_class), []
    if options.sizes and not choice.per_class:
        slow = [spec for each in sets if each.problem.per_class for spec in each.specs]
        why = "it is for a small data set; --per-class N times every kernel on one"
        skipped = [NotTimed(spec.name, "not measured", why) for spec in slow]
        sets = [each for each in sets if not each.problem.per_class] or [DataSet(pose_first(digits, 0), ())]
    everyone = discover(choice.files)

    def with_references(each: DataSet) -> DataSet:
        names = {*(one.name for one in each.specs), *BESIDE[bool(each.problem.per_class)]}
        if each.problem.per_class:  # and what they are a step from, which the page compares them with
            names |= {one.after for one in each.specs if one.images}
        return replace(each, specs=tuple(one for one in everyone if one.name in names))

    return [with_references(each) for each in sets], skipped


def _write(collected: Sequence[Collected], metadata: dict[str, float]) -> list[Record]:
    """Write what was recorded of one data set, if there is anything."""
    recorded = [
        replace(one, metadata={**one.metadata, **metadata})
        for one in (each.recording for each in collected)
        if one.footprints or any(not sample.kernel.startswith(BOUND) for sample in one.samples)
    ]
    return writer.write(recorded) if recorded else []


def _loading(source: str) -> dict[str, float]:
    """Return the seconds of loading the digits once more, from their file to arrays; nothing of what is no file."""
    source = (data.at_hand() or "drawn") if source in ("auto", "mnist_sample") else source
    if source == "drawn":
        return {}
    started = time.perf_counter()
    data.load(source)
    return {"loading_s": time.perf_counter() - started}


def _tell(done: Done, choice: Choice, sized: bool) -> int:
    """Print what was recorded of one data set, and draw it; return 1 where a kernel failed or a ratio is withheld."""
    out, problem, file = console.out(), done.data_set.problem, done.file
    sized = sized or done.collected[0].recording.metadata["kind"] == "sizes"
    lines = [next(iter(answers.agreement(problem, each.results))) for each in done.collected]
    for line in dict.fromkeys((answers.dataset(problem), *lines)):
        out.print(line)
    status = max(choice.status(each.results, sized) for each in done.collected)
    for record in file:
        if record.footprints:
            for printed in (tables.memory(record.footprints), *tables.not_measured(record.footprints)):
                out.print(printed)
        else:
            status |= _tell_times(record)
    out.print(f"Record  {console.shown(file[0].path)}" if file else "Nothing was measured, so there is no record.")
    if file and file[0].speed:
        if len(file) > 1:
            out.print(tables.by_configuration(file))
        _draw(file)
    lines = [line for each in done.collected for line in answers.failures(each.results)]
    lines += [f"{one.kernel}: {one.status}, {one.reason}" for record in file for one in record.not_timed
              if one.status == "not measured"]  # fmt: skip
    for line in dict.fromkeys(lines):
        out.print(line)
    return status


def _tell_times(record: Record) -> int:
    """Print every scope or size with its checklist, of sizes only what FAILs; return 1 where a ratio is withheld."""
    out, status, sized = console.out(), 0, record.kind == "sizes"
    parts = {f" on {record.metadata['dataset']}" if record.per_class else "": record}
    if sized:
        parts = {f", {size:,} validation images": record.at(size) for size in record.sizes}
    for where, part in parts.items():
        for scope, distance in part.cells:
            lines = checklist.review(part, scope, distance)
            believable = not checklist.failed(lines)
            status |= not believable
            out.print(f"{scope} {distance}{where}, {record.configuration}, {record.label}")
            out.print(tables.timed(summaries(part, scope, distance), ratios=believable))
            if not sized:
                out.print(tables.limit(record, scope))
            for line in tables.answers_for([line for line in lines if line.level == "FAIL" or not sized]):
                out.print(line)
    return status


def _draw(file: list[Record]) -> None:
    """Draw the speedups of a record's first configuration, if its checklist allows, and print where they are."""
    if not checklist.failed(checklist.review(file[0])):
        case = selection.alone(file)
        for picture in pictures.save(charts.draw("speedup", case), case.picture("speedup")):
            console.out().print(f"Chart   {console.shown(picture)}")


def _tell_claims(done: Sequence[Done]) -> None:
    """Print the verdict on every claim, write the page of what was just recorded, and say where it is, or why not."""
    out = console.out()
    if done[0].data_set.problem.per_class:
        out.print("There is no page, for no whole data set was recorded: name other kernels, or leave --per-class out.")
        return
    written = [each.file for each in done if each.file]
    kernels = {spec.path: None for each in done for spec in each.data_set.specs}
    try:
        case = selection.of(written, reader.stem(written[0][0].path).with_suffix(".html"))
        for verdict in claims.verdicts(case.speed, case.with_small(case.speed)[1:]):
            out.print(claims.line(verdict))
        path, *_ = page.write(replace(case.answering(done[0].data_set.problem), extra=tuple(kernels)))
    except BadRecord as reason:  # the reference failed, or the checklist of what a picture shows
        out.print(f"There is no page: {reason}")
        return
    out.print("Next    python -m bench run --kernel mine.py")
    out.print(f"Page    {console.shown(path)}")
