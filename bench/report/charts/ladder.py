"""The ladder as stairs on a log axis: each step is a bar from the kernel that it follows to its own speedup."""

from matplotlib.axes import Axes

from bench import formatting, kernel
from bench.analysis import ladder
from bench.analysis.ladder import Step
from bench.kernel import REFERENCE
from bench.report.charts import Drawing, NotDrawn, bars, style
from bench.report.charts.bars import Row
from bench.report.page_records import Selection

ROW, INDENT = 18, 8  # points of height for a step; to the right for each step down to the reference
SIZE = 8.5


def draw(selection: Selection) -> Drawing:
    """Draw every step in the scope `baseline`, L1 distance.

    Raises:
        NotDrawn: the record has too few of them.
    """
    record = selection.speed
    steps = ladder.steps(selection.with_small(record), kernel.discover(selection.extra))
    if len(steps) < ladder.FEWEST:
        raise NotDrawn("The ladder was not recorded. Record it with make bench-all.")
    labels = [_label(step, selection.stale(step.name)) for step in steps]
    share_of_bound = steps[0].summary.share_of_bound
    with style.drawing():
        slower = any(len(places) > 1 and places[0] < places[1] for places in map(_places, steps))
        legend = style.legend(
            f"Bar: from the kernel before to this one{'; filled: faster, hollow: slower' if slower else ''}.",
            "Number: their ratio.",
            groups=any(step.summary.groups for step in steps),
        )
        height = len(steps) * ROW + bars.ABOVE + bars.BELOW
        figure = style.card("The ladder, one idea at a time", legend, record, height)
        style.key(figure, [step.name for step in steps])
        widths = [style.text_width(label, SIZE) for label in labels]
        left = 14 + max(width + INDENT * step.depth for width, step in zip(widths, steps, strict=True))
        rows = [Row(_places(step), _words(step)) for step in steps]
        axes = bars.axes(figure, left, rows, 1 / share_of_bound.value if share_of_bound else None, SIZE)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"times as fast as {REFERENCE}, on the same images (log scale)")
        places = {step.name: y for y, step in enumerate(steps)}
        for y, (step, label) in enumerate(zip(steps, labels, strict=True)):
            axes.annotate(
                label, (0, y), (INDENT * step.depth + 8 - left, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="center_baseline", fontsize=SIZE, annotation_clip=False,
            )  # fmt: skip
            _draw(axes, y, step, places)
    caption = f"Each of {len(steps)} kernels under the one that it follows, and how many times as fast it is."
    sentences = [_sentence(step, label) for step, label in zip(steps, labels, strict=True)]
    return Drawing(figure, caption, " ".join([f"Scope baseline, L1 distance, {record.label}.", *sentences]))


def _label(step: Step, stale: bool) -> str:
    return ", ".join(filter(None, (style.short(step.name), step.part, "stale" if stale else "")))


def _places(step: Step) -> list[float]:
    """Return how many times as fast as the reference the step is, then the kernel before it, on the same images."""
    speedups = [step.summary.speedup, step.before.speedup if step.before else None]
    return [speedup for speedup in speedups if speedup is not None]


def _draw(axes: Axes, y: int, step: Step, rows: dict[str, int]) -> None:
    """Draw a step: a line down from the kernel before, a bar from there to its own speedup, and a dot."""
    colour = style.colour(step.name)
    match _places(step):
        case [own, start]:
            filling = colour if own >= start else style.PAPER
            axes.barh(y, own - start, left=start, height=0.5, edgecolor=colour, facecolor=filling, linewidth=1.1)
            if step.before and step.before.kernel in rows:
                ends = [rows[step.before.kernel], y]
                axes.plot([start, start], ends, color=style.FAINT, linewidth=0.8, alpha=0.75, zorder=1)
    axes.plot(_places(step)[:1], [y] * len(_places(step)[:1]), "o", color=colour, markersize=4.6, zorder=3)


def _words(step: Step) -> str:
    """Return the words beside a step: its ratio to the kernel before, and its seconds."""
    times = "the reference" if step.name == REFERENCE else step.times or step.without
    doubt = " (not resolved)" if step.resolved is False and step.interval else ""
    share = step.summary.share_of_bound if step.summary.share_of_own else None
    beyond = ", beyond the dense bound" if share and share.value > 1 else ""
    return f"{times}{doubt} · {step.summary.median}{beyond}"


def _sentence(step: Step, label: str) -> str:
    if not step.before:
        return f"{label}: {_words(step)}."
    interval = f", confidence interval {step.interval}" if step.interval else ""
    speedup = f"{formatting.ratio(step.summary.speedup)} as fast as {REFERENCE}"
    return f"{label} after {step.before.kernel}: {_words(step)}{interval}, {speedup}."
