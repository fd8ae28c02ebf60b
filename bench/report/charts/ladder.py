"""The ladder as stairs on a log axis: each step is a bar from the kernel that it follows to its own speedup."""

from bench import formatting, kernel
from bench.analysis import ladder
from bench.analysis.ladder import Step
from bench.kernel import REFERENCE
from bench.report.charts import Drawing, NotDrawn, bars, style
from bench.report.charts.bars import Row
from bench.report.page_records import Selection


def draw(selection: Selection) -> Drawing:
    """Draw every step in the scope `baseline`, L1 distance.

    Raises:
        NotDrawn: the record has too few of them.
    """
    record = selection.speed
    steps = ladder.steps(selection.with_small(record), kernel.discover(selection.extra))
    if len(steps) < ladder.FEWEST:
        raise NotDrawn("The ladder was not recorded. Record it with make bench-all.")
    rows = {step.name: _row(step, selection.stale(step.name)) for step in steps}
    legend = style.legend(
        "Bar: from the kernel before to this one, whose end has a dot. Number: their ratio.",
        stale=any(row.stale for row in rows.values()),
        groups=any(step.summary.groups for step in steps),
    )
    with style.drawing():
        xlabel = f"times as fast as {REFERENCE}, on the same images (log scale)"
        bound = steps[0].summary.share_of_bound
        figure, axes = bars.draw("The ladder, one idea at a time", legend, record, [*rows.values()], bound, xlabel)
        order = [*rows]
        for y, step in enumerate(steps):
            if step.before and step.before.kernel in rows:
                ends = [order.index(step.before.kernel), y]
                axes.plot([rows[step.name].start] * 2, ends, color=style.FAINT, linewidth=0.8, alpha=0.75, zorder=1)
    caption = f"Each of {len(steps)} kernels under the one that it follows, and how many times as fast it is."
    sentences = [_sentence(step, rows[step.name]) for step in steps]
    return Drawing(figure, caption, " ".join([f"Scope baseline, L1 distance, {record.label}.", *sentences]))


def _row(step: Step, stale: bool) -> Row:
    """Return a step's row; beside its bar are its ratio to the kernel before, and its seconds."""
    times = "the reference" if step.name == REFERENCE else step.times or step.without
    doubt = " (not resolved)" if step.resolved is False and step.interval else ""
    share = step.summary.share_of_bound if step.summary.share_of_own else None
    beyond = ", beyond the dense bound" if share and share.value > 1 else ""
    label = ", ".join(filter(None, (style.short(step.name), step.part, "stale" if stale else "")))
    own, before = step.summary.speedup, step.before.speedup if step.before else None
    return Row(
        label,
        f"{times}{doubt} · {step.summary.median}{beyond}",
        start=before or 1,
        end=own if before else None,
        dots=[own] if own else [],
        depth=step.depth,
        stale=stale,
    )


def _sentence(step: Step, row: Row) -> str:
    if not step.before:
        return f"{row.label}: {row.words}."
    interval = f", confidence interval {step.interval}" if step.interval else ""
    speedup = f"{formatting.ratio(step.summary.speedup)} as fast as {REFERENCE}"
    return f"{row.label} after {step.before.kernel}: {row.words}{interval}, {speedup}."
