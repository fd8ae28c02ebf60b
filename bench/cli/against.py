"""run --against: the few kernels that it times, and what it prints of them."""

from collections.abc import Sequence

import click

from bench import formatting
from bench.analysis import answer, checklist, comparison
from bench.analysis.comparison import Side
from bench.cli import console
from bench.cli.options import Choice
from bench.cli.run_output import RecordedDataSet
from bench.formatting import Grid
from bench.kernel import KernelSpec, discover, select, why_unavailable
from bench.records.model import Record
from bench.runner import breakdown


def chosen(choice: Choice, against: Sequence[str]) -> list[KernelSpec]:
    """Return the kernels that are named, and those of `--against`.

    Raises:
        UnknownKernel: there is no kernel of a name, or no file.
        UsageError: there are no two kernels, or the reference is unavailable.
    """
    known = discover(choice.files)
    reference = select(known, against[:1])[0]
    specs = select(known, [*against, *choice.kernels, *(path.stem for path in choice.files), *choice.require])
    if len(specs) == 1:
        raise click.UsageError(f"{specs[0].name} is the only kernel: add another with --kernel FILE or --kernels.")
    if why := why_unavailable(reference):
        raise click.UsageError(f"{reference.name} of --against is unavailable: {why}.")
    return specs


def print_speedups(recorded: RecordedDataSet) -> None:
    """Print how fast each new kernel is against each one of `--against`, and where the time of one process goes."""
    out = console.out()
    for record in recorded.records if recorded.against else ():
        under = f", {record.configuration}" if len(recorded.records) > 1 else ""
        for line in _speedups(record, recorded.against):
            out.print(f"{line}{under}.")
    if recorded.parts:
        rows = [
            (name, *(formatting.time(part) if part else "not resolved" for part in parts))
            for name, parts in recorded.parts.items()
        ]
        out.print("Where the time goes, from one process: the fastest samples; prepare is end_to_end less baseline")
        out.print(Grid(("kernel", *breakdown.PARTS), rows, right=breakdown.PARTS))


def _speedups(record: Record, against: Sequence[str]) -> list[str]:
    """Return a sentence without full stop for each pair; none where the checklist allows no ratio."""
    if checklist.failed(checklist.review(record)):
        return []
    names = record.kernels()
    pairs = [(base, new) for new in names if new not in against for base in against if base in names]
    pairs = pairs or [(record.reference, new) for new in names if new != record.reference]
    return [_speedup(Side(base, record, "baseline", "l1"), Side(new, record, "baseline", "l1")) for base, new in pairs]


def _speedup(base: Side, new: Side) -> str:
    compared = comparison.compare(base, new, force=False)
    interval = compared.ratio.interval(level=True) or "no confidence interval"
    times = f"{formatting.ratio(compared.ratio.value)} as fast as {base.kernel}"
    sentence = f"{answer.where(new.record)}{new.kernel} is {times} ({interval})"
    share = new.summary.share_of_bound
    bound = ""
    if share:
        seconds = formatting.time(share.value * new.summary.seconds)
        bound = f", at {formatting.share_of_bound(share.value)} of its bandwidth bound, {seconds}"
    outcome = f": {compared.outcome}" if compared.ratio.low else ""  # without an interval nothing can be resolved
    return f"{sentence}{outcome}{bound}"
