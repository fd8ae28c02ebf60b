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
from bench.runner import breakdown


def chosen(choice: Choice, against: Sequence[str]) -> list[KernelSpec]:
    """Return the kernels that are named, and those of `--against`: two at least, and the reference is available."""
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
        sentence += f", at {formatting.share_of_bound(share.value)} of its bandwidth bound, {seconds}"
    return sentence
