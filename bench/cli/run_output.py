"""What `run` prints and draws when the records are written."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bench import formatting
from bench.analysis import answer, checklist, claims, comparison
from bench.analysis.comparison import Side
from bench.analysis.summary import summaries
from bench.cli import answers, console
from bench.cli.data_sets import DataSet
from bench.formatting import Grid
from bench.kernel import LADDER
from bench.records import reader
from bench.records.model import BadRecord, Record
from bench.report import charts, page, page_records, tables
from bench.report.charts import drawn
from bench.runner import breakdown
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
    parts: breakdown.Parts = field(default_factory=dict)


def print_recorded(recorded: RecordedDataSet, sized: bool) -> int:
    """Print and draw what was recorded of one data set. Return 1 if a kernel failed or a ratio is withheld."""
    out, records, collected = console.out(), recorded.records, recorded.collected
    sized = sized or collected[0].measurements.metadata["kind"] == "sizes"
    counts = [next(iter(answers.agreement(recorded.data_set.problem, one.results))) for one in collected]
    for line in dict.fromkeys([answers.dataset(recorded.data_set.problem), *counts]):
        out.print(line)
    status = max(answers.exit_status(one.results, recorded.require, sized) for one in collected)
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
        if not checklist.failing(records[0]):
            try:
                for path in drawn.save("speedup", page_records.alone(records)):
                    out.say(f"Chart   {console.shown(path)}")
            except charts.NotDrawn as reason:
                out.print(f"There is no chart: {reason}")
    lines = [line for one in collected for line in answers.failures(one.results)]
    told = {result.name for one in collected for result in one.results}
    not_timed = [entry for record in records for entry in record.not_timed if entry.status == "not measured"]
    not_timed = [entry for entry in not_timed if entry.kernel not in told]
    for line in dict.fromkeys([*lines, *(f"{entry.kernel} is skipped: {entry.reason}" for entry in not_timed)]):
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


def print_speedups(recorded: RecordedDataSet) -> None:
    """Print how fast each new kernel is against each one of `--against`, and where the time of one process goes."""
    out = console.out()
    for record in recorded.records if recorded.against else ():
        if checklist.failing(record):
            continue
        under = f", {record.configuration}" if len(recorded.records) > 1 else ""
        names = record.kernels()
        new = [name for name in names if name not in recorded.against]
        pairs = [(base, name) for name in new for base in recorded.against if base in names]
        for base, name in pairs or [(record.reference, name) for name in names if name != record.reference]:
            sides = (Side(kernel, record, "baseline", "l1") for kernel in (base, name))
            out.print(f"{_speedup(*sides)}{under}.")
    if recorded.parts:
        rows = [
            (name, *(formatting.time(part) if part else "not resolved" for part in parts))
            for name, parts in recorded.parts.items()
        ]
        out.print("Where the time goes, from one process: the fastest samples; prepare is end_to_end less baseline")
        out.print(Grid(("kernel", *breakdown.PARTS), rows, right=breakdown.PARTS))


def _speedup(base: Side, new: Side) -> str:
    """Return how fast one kernel is against another, without full stop."""
    compared = comparison.compare(base, new, force=False)
    times = f"{formatting.ratio(compared.ratio.value)} as fast as {base.kernel}"
    interval = compared.ratio.interval(level=True) or "no confidence interval"
    sentence = f"{answer.where(new.record)}{new.kernel} is {times} ({interval})"
    if compared.ratio.low:  # without an interval nothing can be resolved
        sentence += f": {compared.outcome}"
    if share := new.summary.share_of_bound:
        seconds = formatting.time(share.value * new.summary.seconds)
        sentence += f", at {formatting.share_of_bound(share.value)} of the bandwidth bound, {seconds}"
    return sentence


def print_answer(recorded: Sequence[RecordedDataSet]) -> None:
    """Write the page, and end with the answer in sentences, every verdict in a line, the page's path and what is next.

    Without a page, the reason is printed; with --against, no answer, which is printed before. Verdicts need a kernel
    that broadcasts, and the loops.
    """
    out, (first, *_) = console.out(), recorded
    per_class, told = first.data_set.problem.per_class, not first.against
    if per_class:
        if first.records and told:
            out.print("", *answer.sentences(first.records[0]), sep="\n")
        slow = next((spec.name for spec in first.data_set.specs if spec.images == per_class), "")
        why = f"{slow} asks for a small one (IMAGES = {per_class})" if slow else "omit --per-class for one"
        out.print(f"There is no page, for no whole data set was recorded: {why}.")
    else:
        written = [one.records for one in recorded if one.records]
        kernels = {spec.path: None for one in recorded for spec in one.data_set.specs}
        try:
            chosen = page_records.from_records(written, reader.stem(written[0][0].path).with_suffix(".html"))
            path, *_ = page.write(replace(chosen.with_problem(first.data_set.problem), extra=tuple(kernels)))
        except BadRecord as reason:  # the reference failed
            out.print(f"There is no page: {reason}")
            return
        small = chosen.with_small(chosen.speed)[1:]
        out.print()
        if told:
            out.print(*answer.sentences(chosen.speed, small, chosen.scopes), "", sep="\n")
        if without := claims.not_judged(chosen.speed):
            out.print(without, "", sep="\n")
        elif {*answer.BROADCASTING} & {*chosen.speed.kernels()}:
            out.print(tables.verdicts(claims.verdicts(chosen.speed, small), out.width), "")
        out.say(f"Page    {console.shown(path)}")
    out.say(f"Next    {console.bench()} run --kernel {console.shown(EXAMPLE)}")
