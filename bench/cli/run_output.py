"""What `run` prints and draws when the records are written."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bench.analysis import answer, checklist, claims
from bench.analysis.summary import summaries
from bench.cli import answers, console
from bench.cli.data_sets import DataSet
from bench.kernel import LADDER
from bench.records import reader
from bench.records.model import BadRecord, Record
from bench.report import charts, page, page_records, tables
from bench.report.charts import drawn
from bench.runner.breakdown import Parts
from bench.runner.collection import Collected

EXAMPLE = LADDER / "numpy_in_place.py"  # a kernel to go on with


@dataclass(frozen=True)
class RecordedDataSet:
    """What was recorded of one data set: under each configuration, and as read from its file; [] without a file."""

    data_set: DataSet
    collected: list[Collected]
    records: list[Record]
    require: tuple[str, ...]
    against: tuple[str, ...] = ()  # the kernels of --against
    parts: Parts = field(default_factory=dict)


def print_recorded(recorded: RecordedDataSet, sized: bool) -> int:
    """Print and draw what was recorded of one data set. Return 1 if a kernel failed or a ratio is withheld."""
    out, problem, records = console.out(), recorded.data_set.problem, recorded.records
    sized = sized or recorded.collected[0].measurements.metadata["kind"] == "sizes"
    lines = [answers.dataset(problem)]
    lines += [next(iter(answers.agreement(problem, collected.results))) for collected in recorded.collected]
    for line in dict.fromkeys(lines):
        out.print(line)
    status = max(answers.exit_status(collected.results, recorded.require, sized) for collected in recorded.collected)
    for record in records:
        if record.footprints:
            for printed in (tables.memory(record.footprints), *tables.not_measured(record.footprints)):
                out.print(printed)
        else:
            status |= _print_times(record)
    out.say(f"Record  {console.shown(records[0].path)}" if records else "There is no record: nothing was measured.")
    if records and records[0].speed:
        if len(records) > 1:
            out.print(tables.by_configuration(records))
        if not checklist.failed(checklist.review(records[0])):
            alone = page_records.alone(records)
            try:
                for path in drawn.save("speedup", alone):
                    out.say(f"Chart   {console.shown(path)}")
            except charts.NotDrawn as reason:
                out.print(f"There is no chart: {reason}")
    lines = [line for collected in recorded.collected for line in answers.failures(collected.results)]
    not_timed = [entry for record in records for entry in record.not_timed if entry.status == "not measured"]
    lines += [f"{entry.kernel} is skipped: {entry.reason}" for entry in not_timed]
    for line in dict.fromkeys(lines):
        out.print(line)
    return status


def _print_times(record: Record) -> int:
    """Print every scope or size with its checklist, of sizes only what FAILs. Return 1 if a ratio is withheld."""
    out, status, sized = console.out(), 0, record.kind == "sizes"
    where = f" on {record.metadata['dataset']}" if record.per_class else ""
    parts = {where: record}
    if sized:
        parts = {f"{where}, {size:,} validation images": record.at(size) for size in record.sizes}
    for title, part in parts.items():
        for scope, distance in part.pairs:
            items = checklist.review(part, scope, distance)
            passed = not checklist.failed(items)
            status |= not passed
            out.print()
            out.print(f"{scope} {distance}{title}, {record.configuration}, {record.label}")
            out.print(tables.timed(summaries(part, scope, distance), ratios=passed))
            if not sized:
                out.print(tables.bound(record, scope))
            for line in tables.checklist_lines([item for item in items if item.level == "FAIL" or not sized]):
                out.print(line)
    return status


def print_answer(recorded: Sequence[RecordedDataSet]) -> None:
    """Write the page, and end with the answer in sentences, every verdict in a line, the page's path and what is next.

    Without a page, the reason is printed; with --against, no answer, which is printed before. Verdicts need a kernel
    that broadcasts, and the loops.
    """
    out, problem = console.out(), recorded[0].data_set.problem
    if problem.per_class:
        if recorded[0].records and not recorded[0].against:
            out.print("", *answer.sentences(recorded[0].records[0]), sep="\n")
        slow = [spec.name for spec in recorded[0].data_set.specs if spec.images == problem.per_class]
        why = f"{slow[0]} asks for a small one (IMAGES = {problem.per_class})" if slow else "omit --per-class for one"
        out.print(f"There is no page, for no whole data set was recorded: {why}.")
        _print_next()
        return
    written = [one.records for one in recorded if one.records]
    kernels = {spec.path: None for one in recorded for spec in one.data_set.specs}
    try:
        chosen = page_records.from_records(written, reader.stem(written[0][0].path).with_suffix(".html"))
        small = chosen.with_small(chosen.speed)[1:]
        verdicts = claims.verdicts(chosen.speed, small)
        path, *_ = page.write(replace(chosen.with_problem(problem), extra=tuple(kernels)))
    except BadRecord as reason:  # the reference failed
        out.print(f"There is no page: {reason}")
        return
    out.print()
    if not recorded[0].against:
        for sentence in answer.sentences(chosen.speed, small, chosen.scopes):
            out.print(sentence)
        out.print()
    if without := claims.not_judged(chosen.speed):
        out.print(without, "", sep="\n")
    elif {*answer.BROADCASTING} & {*chosen.speed.kernels()}:
        out.print(tables.verdicts(verdicts, out.width), "")
    out.say(f"Page    {console.shown(path)}")
    _print_next()


def _print_next() -> None:
    console.out().say(f"Next    {console.bench()} run --kernel {console.shown(EXAMPLE)}")
