"""The ladder in sentences and a table; its numbers are those of bench/analysis/ladder.py."""

from typing import Any

from bench import formatting, kernel
from bench.analysis import bandwidth_bound, claims, ladder
from bench.analysis.ladder import Step
from bench.formatting import Grid
from bench.kernel import REFERENCE
from bench.records.model import Record
from bench.report.page_records import Selection

COLUMNS = (
    "step", "the one idea, and why it changes the time", "times as fast as the one before", "median",
    "page faults per call", f"times as fast as {REFERENCE}", "% of bound",
)  # fmt: skip


def story(selection: Selection) -> dict[str, Any] | None:
    """Return what a page says of the ladder; None where it was not recorded."""
    record, specs = selection.speed, kernel.discover(selection.extra)
    records = selection.with_small(record)
    steps = ladder.steps(records, specs)
    if len(steps) < ladder.FEWEST:
        return None
    rows = [_row(step, selection.stale(step.name)) for step in steps]
    return {
        "where": f"Scope baseline, L1 distance, {record.configuration}, {record.label}.",
        "steps": Grid(COLUMNS, rows, right=COLUMNS[2:]),
        "missing": ladder.missing(records, specs),
        "bound": bound(record),
    }


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


def _row(step: Step, stale: bool) -> tuple[str, ...]:
    own, before, spec = step.summary, step.before, step.spec
    notes = ", ".join(filter(None, (step.part, "stale" if stale else "")))
    why = f"After {before.kernel if before else spec.after}: {spec.why}" if spec.why else ""
    library = f"What the library offers: {spec.peer}" if spec.peer else ""
    faults = [f"{faults:,.0f}" for faults in (step.faults_before, step.faults) if faults is not None]
    return (
        f"{step.name} ({notes})" if notes else step.name,
        " ".join(filter(None, (spec.caption, why, library))),
        f"{step.times} ({step.interval})" if step.interval else step.times or step.without,
        own.median,
        " → ".join(dict.fromkeys(faults)),
        formatting.ratio(own.speedup),
        own.share,
    )
