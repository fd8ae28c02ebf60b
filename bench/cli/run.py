"""run: verify the kernels, time them, save a record, draw it, and print the results."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import data
from bench.cli import answers, console
from bench.cli.data_sets import DataSet, data_sets, problem_of_first
from bench.cli.options import CHOICE, Choice
from bench.cli.run_options import BUDGET_S, EXCLUSIVE, MOST_PROCESSES, OPTIONS, RunOptions
from bench.cli.run_output import RecordedDataSet, print_answer, print_recorded, print_speedups
from bench.kernel import REFERENCE, KernelSpec, discover, select, why_unavailable
from bench.records import writer
from bench.records.model import BadRecord, NotTimed, Record
from bench.records.sample import BOUND
from bench.runner import breakdown, check_kernels, checkpoint, collection, memory_pass
from bench.runner.collection import Collected
from bench.runner.executor import RunEnded
from bench.runner.lock import only_timing_run
from bench.task.tiling import tile

# The kernels that others are compared with: on a whole data set, and on a small one, where a GPU is optional.
REFERENCES = {False: (REFERENCE,), True: (REFERENCE, "torch_broadcast@cpu", "torch_broadcast@cuda")}
KEEPS_MEMORY = "jax"  # gives no memory of a GPU back, which kernels with many images need one after the other


@click.command("run", params=[*CHOICE, *OPTIONS])
def command(**options: Any) -> None:
    """Verify the kernels, time them, save a record and draw it.

    Without --kernels and --kernel all kernels outside the ladder are timed. Every run but one with --sizes or --against
    includes python_loops, the reference.

    `run --against` takes names of kernels, and `compare --against` a file.
    """
    context = click.get_current_context()
    typed = [name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    given = {f"--{name.replace('_', '-')}" for name in typed}
    for name in ("--resume", "--finish"):
        if name in given and given - {name, "--quiet"}:
            raise click.UsageError(f"{name} keeps the options of the unfinished run: add no other option than --quiet.")
    for first, second in EXCLUSIVE:
        if {first, second} <= given:
            raise click.UsageError(f"{first} and {second} exclude each other: use only one of them.")
    if options["memory"] and len(options["sizes"]) > 1:
        raise click.UsageError("--memory takes one number of validation images: --sizes N.")
    if options["no_time_limit"] and not options["sizes"]:
        raise click.UsageError("--no-time-limit needs --sizes: add the numbers of validation images.")
    counted = {"--processes", "--quick", "--rigorous"} & given
    quick, rigorous = options.pop("quick"), options.pop("rigorous")
    options["processes"] = 1 if quick else 15 if rigorous else options["processes"]
    usual = not (counted or options["sizes"] or options["against"])
    run_options = RunOptions(
        **options,
        command=console.command_line(context.meta.get("arguments", ())),
        budget_s=BUDGET_S if options["against"] and not counted else None,
        most_processes=MOST_PROCESSES if usual else 0,
    )
    sys.exit(run(run_options))


def run(options: RunOptions) -> int:
    """Verify, time, save, draw and print. Return the exit status."""
    try:
        recorded = _record_memory(options) if options.memory else _record_times(options)
    except RunEnded as ended:
        why = "The run has ended, for with --against every kernel must be right. Correct this one, or leave it out."
        for line in (*answers.failures([ended.result]), why):
            console.out().print(line)
        return 1
    status = 0
    try:
        for one in recorded:
            status |= print_recorded(one, bool(options.sizes))
            print_speedups(one)
        if any(one.records and one.records[0].speed for one in recorded):
            print_answer(recorded)
    except OSError as error:
        paths = ", ".join(console.shown(one.records[0].path) for one in recorded if one.records)
        error.add_note(f"The record is safe: {paths}. Draw it with {console.bench()} report.")
        raise
    return status


def _record_times(options: RunOptions) -> list[RecordedDataSet]:
    """Record times in a new run, or go on with an unfinished one, and write the records.

    With --finish the records are those of the finished processes, and the run stays unfinished.
    """
    if options.resume or options.finish:
        saved = checkpoint.newest()
        digits = data.load(**saved.digits)
        problems = {planned.per_class: problem_of_first(digits, planned.per_class) for planned in saved.data_sets}
        checkpoint.must_be_same(saved, problems)
    else:
        sets, skipped = _data_sets(options)
        problems = {one.problem.per_class: one.problem for one in sets}
        plans = [checkpoint.DataSetPlan(one.problem.per_class, options.plan(one.specs), tuple(skipped)) for one in sets]
        saved = checkpoint.begin(plans, options.digits, problems, options.require)
    go_on = f"{console.bench()} run --resume continues after the finished processes."
    recorded, parts = [], breakdown.Parts()
    try:
        if not options.finish:
            with only_timing_run(), console.progress(options.quiet) as progress:
                checkpoint.finish(saved, problems, progress)
                first = saved.data_sets[0]  # with --against the only one
                parts = breakdown.measure(first.plan, problems[first.per_class]) if first.plan.against else parts
        if checkpoint.empty(saved):
            raise BadRecord(f"{saved.folder} has no finished process, so there is nothing to write. {go_on}")
        for planned in saved.data_sets:
            problem, plan = problems[planned.per_class], planned.plan
            if collected := checkpoint.collect(saved, planned, problem):
                timed = not planned.per_class and (not plan.against or plan.kind == "scopes")
                records = _write(collected, _loading(saved.digits) if timed else {})
                data_set = DataSet(problem, plan.specs)
                recorded.append(RecordedDataSet(data_set, collected, records, saved.require, plan.against, parts))
    except RunEnded:
        checkpoint.remove(saved)
        raise
    except (KeyboardInterrupt, OSError) as error:
        if checkpoint.empty(saved):
            checkpoint.remove(saved)
        else:
            error.add_note(f"{go_on} {console.bench()} run --finish writes their record.")
        raise
    if checkpoint.complete(saved):
        checkpoint.remove(saved)  # before anything is drawn: the records are written, so there is nothing to resume
    else:
        console.out().print(f"The run is unfinished. {go_on} To give it up, remove {console.shown(saved.folder)}.")
    return recorded


def _record_memory(options: RunOptions) -> list[RecordedDataSet]:
    """Measure memory, without times, and write the records."""
    sets, skipped = _data_sets(options)
    run_id, recorded = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}", []
    for data_set in sets:
        problem, plan = data_set.problem, options.plan(data_set.specs)
        with check_kernels.problem_folder(problem) as folder:
            tile(problem, Path(folder), plan.sizes, plan.seed)
            with only_timing_run(), console.progress(options.quiet) as progress:
                footprints, results, not_timed = memory_pass.measure(plan, folder, problem, progress)
        if unknown := dict.fromkeys(footprint.kernel for footprint in footprints if not footprint.peak_bytes):
            names = ", ".join(unknown)
            console.out().print(f"The memory of {names} was not recorded, because this system does not report it.")
        measured = collection.memory_measurements(plan, problem, footprints, results, [*not_timed, *skipped], run_id)
        collected = [Collected(measured, results)]
        recorded.append(RecordedDataSet(data_set, collected, _write(collected, {}), options.require))
    return recorded


def _data_sets(options: RunOptions) -> tuple[list[DataSet], list[NotTimed]]:
    """Return the data sets to record, each with the kernels to compare with, and the kernels that are skipped.

    With --sizes, unless with --memory, there are no kernels to compare with but those that are chosen, and the skipped
    kernels are those that are only fast enough for a small data set, and JAX on a GPU. With --against there is one data
    set for all.
    """
    specs, per_class, skipped = options.specs(options.ladder), options.per_class, list[NotTimed]()
    if options.against:
        specs = kernels_of_against(options, options.against)
        per_class = per_class or min((spec.images for spec in specs if spec.images), default=None)
    timed_sizes, on_gpu = options.sizes and not options.memory, [spec for spec in specs if spec.device == "cuda"]
    if timed_sizes and len(on_gpu) > 1:
        reason = "JAX gives no memory of a GPU back, which the other kernels need; record it with none of them"
        keeping = [spec for spec in on_gpu if KEEPS_MEMORY in spec.packages]
        skipped = [NotTimed(spec.name, "not measured", reason) for spec in keeping]
        specs = [spec for spec in specs if spec not in keeping]
    digits = data.load(**options.digits)
    sets = data_sets(specs, digits, per_class)
    if options.sizes and not options.per_class:
        slow = [spec for one in sets if one.problem.per_class for spec in one.specs]
        skipped += _skipped_at_sizes(slow, options)
        whole = [one for one in sets if not one.problem.per_class]
        sets = whole or [DataSet(problem_of_first(digits, 0), ())]
    if not options.against:
        sets = [replace(one, specs=_with_compared(one, not timed_sizes, discover(options.files))) for one in sets]
    return sets, skipped


def kernels_of_against(choice: Choice, against: Sequence[str]) -> list[KernelSpec]:
    """Return the kernels that are named, and those of `--against`: two at least, and the reference is available."""
    known = discover(choice.files)
    reference = select(known, against[:1])[0]
    specs = select(known, [*against, *choice.kernels, *(path.stem for path in choice.files), *choice.require])
    if len(specs) == 1:
        raise click.UsageError(f"{specs[0].name} is the only kernel: add another with --kernel FILE or --kernels.")
    if why := why_unavailable(reference):
        raise click.UsageError(f"{reference.name} of --against is unavailable: {why}.")
    return specs


def _skipped_at_sizes(slow: Sequence[KernelSpec], options: RunOptions) -> list[NotTimed]:
    """Return the kernels that need a small data set, which --sizes does not make; refuse one that is named."""
    named = {*options.kernels, *options.require, *(path.stem for path in options.files)}
    for spec in slow:
        if named & {spec.name, spec.kernel}:
            raise click.UsageError(
                f"{spec.name} needs a small data set (IMAGES = {spec.images}), which --sizes does not make. "
                "Add --per-class N, or leave the kernel out."
            )
    reason = "it needs a small data set; --per-class N times every kernel on one"
    return [NotTimed(spec.name, "not measured", reason) for spec in slow]


def _with_compared(data_set: DataSet, references: bool, known: Sequence[KernelSpec]) -> tuple[KernelSpec, ...]:
    """Return the kernels of a data set with those to compare them with, the latter only if there are `references`."""
    small, names = bool(data_set.problem.per_class), {spec.name for spec in data_set.specs}
    if references:
        compared = [spec for spec in known if spec.name in REFERENCES[small]]
        names |= {spec.name for spec in compared if spec.device == "cpu" or not why_unavailable(spec)}
    if small:  # the page shows each slow kernel as a step after another one
        names |= {spec.after for spec in data_set.specs if spec.images}
    return tuple(spec for spec in known if spec.name in names)


def _write(collected: Sequence[Collected], metadata: dict[str, float]) -> list[Record]:
    """Write what was recorded of one data set. Return the records, [] if nothing was measured."""
    measured = [
        replace(one.measurements, metadata={**one.measurements.metadata, **metadata})
        for one in collected
        if one.measurements.footprints or any(not row.kernel.startswith(BOUND) for row in one.measurements.samples)
    ]
    return writer.write(measured) if measured else []


def _loading(digits: dict[str, Any]) -> dict[str, float]:
    """Return the seconds of loading the digits once more, from file to arrays; {} for drawn digits."""
    source = (data.at_hand() or "drawn") if digits["source"] in ("auto", "mnist_sample") else digits["source"]
    if source == "drawn":
        return {}
    started = time.perf_counter()
    data.load(**{**digits, "source": source})
    return {"loading_s": time.perf_counter() - started}
