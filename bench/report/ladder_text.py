"""The ladder in sentences and tables; its numbers are those of bench/analysis/ladder.py."""

from collections.abc import Sequence

from bench import formatting
from bench.analysis import bandwidth_bound, claims
from bench.analysis.ladder import Step, steps
from bench.formatting import Grid
from bench.kernel import REFERENCE, KernelSpec
from bench.records.model import Record


def bound(record: Record) -> str:
    """Return how much faster than the reference any kernel could be on this machine, as a sentence; "" if unknown."""
    share_of_bound = bandwidth_bound.share_of_bound(record, REFERENCE, "baseline", "l1", "cpu")
    if share_of_bound is None:
        return ""
    most = 1 / share_of_bound.value
    sentence = f"Reading every byte once would be {formatting.ratio(most)} as fast as {REFERENCE} here"
    if most < claims.THOUSANDS:
        return f"{sentence}: on this machine no kernel that reads them all can be a thousand times as fast."
    return f"{sentence}: that is the most that a kernel which reads them all can reach on this machine."


def peers(steps: Sequence[Step]) -> list[tuple[str, str]]:
    """Return the libraries' own solutions among the steps: the kernel, and a sentence on what it is and reaches."""
    return [
        (step.name, f"{step.spec.peer} {formatting.ratio(step.summary.speedup)} as fast as {REFERENCE}.")
        for step in steps
        if step.spec.peer
    ]


def by_configuration(configurations: Sequence[Sequence[Record]], specs: Sequence[KernelSpec]) -> Grid:
    """Return how many times as fast as the one before every step is under several configurations, side by side.

    Args:
        configurations: for each of them the records that `steps` takes.
    """
    by_name = [{step.name: step for step in steps(records, specs)} for records in configurations]
    rows = []
    for name in dict.fromkeys(name for steps_by_name in by_name for name in steps_by_name if name != REFERENCE):
        row = [steps_by_name.get(name) for steps_by_name in by_name]
        first = next(filter(None, row))
        label = f"{name} ({first.part})" if first.part else name
        after = first.before.kernel if first.before else first.spec.after
        rows.append((label, after, *(_ratio(step) if step else "" for step in row)))
    columns = [records[0].configuration for records in configurations]
    return Grid(("step", "after", *columns), rows, right=columns)


def _ratio(step: Step) -> str:
    ratio = f"{step.times} ({step.interval})" if step.interval else step.times or step.without
    return f"{ratio}, {step.faults:,.0f} page faults"
