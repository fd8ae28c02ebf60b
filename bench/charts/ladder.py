"""The ladder as stairs: each step from where the kernel before it stands to where it stands itself, on a log axis."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench import kernel, ladder, units
from bench.case import Case
from bench.charts import Drawing, NotDrawn, style
from bench.kernel import REFERENCE
from bench.ladder import Step

ROW, INDENT = 18, 8  # points of height for a step; to the right for each step down to the reference
SMALL, SMALLEST = 8.5, 7  # points of type; the latter where two lines share a row
RIGHT, TICK = 20, 64  # points beside the axis; for each of its numbers


def draw(case: Case) -> Drawing:
    """Draw every step in the scope `baseline` under L1.

    Raises:
        NotDrawn: the record has too few of them.
    """
    record = case.speed
    steps = ladder.steps(record, kernel.discover(case.extra))
    if len(steps) < ladder.FEWEST:
        raise NotDrawn(f"{ladder.NOT_RECORDED}.")
    stale = {each.name for each in steps if case.stale(each.name)}
    bounds = [1 / mode.value for mode in steps[0].standing.share.modes] if steps[0].standing.share else []
    with style.drawing():
        labels = [_label(each, each.name in stale) for each in steps]
        legend = "Bar: from the kernel before to its own place; filled: faster, hollow: slower. Number: their ratio."
        legend += " Ring: a mode." if any(len(each.standing.speedups) > 1 for each in steps) else ""
        figure = style.card("The ladder, one idea at a time", legend, record, len(steps) * ROW + style.HEAD + 88)
        left = (
            max(style.text_width(text, SMALL) + INDENT * each.depth for text, each in zip(labels, steps, strict=True))
            + 14
        )
        axes = style.area(figure, left, style.HEAD + 14, RIGHT, style.FOOT + 40)
        low, high = _ends(steps, bounds, style.WIDTH - left - RIGHT)
        axes.set(xscale="log", xlim=(low, high), ylim=(len(steps) - 0.4, -0.6))
        for bound in bounds:
            axes.axvline(bound, color=style.FAINT, linewidth=1.2, linestyle="--", zorder=0)
        if bounds:
            said = f"limit of this machine, {' or '.join(map(units.ratio, bounds))} "
            axes.annotate(
                said, (max(bounds), 1), (0, 3), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
                ha="right", fontsize=8, color=style.FAINT,
            )  # fmt: skip
        axes.axvline(1, color=style.INK, linewidth=1.2, zorder=0)
        rows = {each.name: y for y, each in enumerate(steps)}
        for y, (each, label) in enumerate(zip(steps, labels, strict=True)):
            place = (-left + 8 + INDENT * each.depth, 0)
            axes.annotate(
                label, (0, y), place, xycoords=("axes fraction", "data"), textcoords="offset points",
                va="center_baseline", fontsize=SMALL, annotation_clip=False,
            )  # fmt: skip
            _riser(axes, y, each, rows)
        for y, each in enumerate(steps):
            _tread(axes, y, each)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(LogLocator(numticks=max(3, int((style.WIDTH - left - RIGHT) / TICK))))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:,.6g}×" if value < 1 else f"{value:,.0f}×")
        )
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(f"times as fast as {REFERENCE}, on the same images (log scale)")
    caption = f"Each of {len(steps)} kernels under the one that it climbs from, and how many times as fast it is."
    caption += " “First n”: on the first n images of each class." if any(each.images for each in steps) else ""
    words = [f"Scope baseline under L1, {record.label}.", *(_words(each, each.name in stale) for each in steps)]
    return Drawing(figure, caption, " ".join(words))


def _label(step: Step, stale: bool) -> str:
    return f"{style.short(step.name)}{f', first {step.images}' if step.images else ''}{' · stale' if stale else ''}"


def _places(step: Step) -> list[float]:
    """Return how many times as fast as the reference it is: one place on the axis, or those of two modes."""
    return [mode.value for mode in step.standing.speedups]


def _start(step: Step) -> list[float]:
    """Return where the one before it stands, on the same images."""
    return [mode.value for mode in step.before.speedups] if step.before else []


def _riser(axes: Axes, y: int, step: Step, rows: dict[str, int]) -> None:
    """Draw a line down from the one before, at its place, to the step's own row."""
    if step.before is None or step.before.kernel not in rows:
        return
    for start in _start(step):
        axes.plot([start, start], [rows[step.before.kernel], y], color=style.FAINT, linewidth=0.8, alpha=0.75, zorder=1)


def _tread(axes: Axes, y: int, step: Step) -> None:
    """Draw the step: a bar between two places; from or to two modes, a dotted line and a ring for each."""
    colour, start, places = style.colour(step.name), _start(step), _places(step)
    if len(start) == len(places) == 1:
        faster = places[0] >= start[0]
        axes.barh(
            y, places[0] - start[0], left=start[0], height=0.5, edgecolor=colour, linewidth=1.1, zorder=2,
            facecolor=colour if faster else style.PAPER,
        )  # fmt: skip
    elif places:
        ends = [*start, *places]
        axes.plot([min(ends), max(ends)], [y, y], ":", color=colour, linewidth=1.4, zorder=2)
    for place in places:
        ring: dict[str, Any] = {"markerfacecolor": style.PAPER} if len(places) > 1 else {}
        axes.plot([place], [y], "o", color=colour, markersize=4.6, zorder=3, **ring)
    _beside(axes, max([*start, *places], default=1), y, _text(step))


def _beside(axes: Axes, x: float, y: int, text: str) -> None:
    options: dict[str, Any] = {"textcoords": "offset points", "va": "center_baseline", "zorder": 4}
    said = axes.annotate(text, (x, y), (7, 0), fontsize=_size(text), linespacing=1.0, **options)
    said.set_bbox({"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.8})


def _size(text: str) -> float:
    return SMALLEST if "\n" in text else SMALL


def _text(step: Step) -> str:
    """Return what stands beside a step: its ratio to the one before, and its seconds."""
    times = "the reference" if step.name == REFERENCE else step.times or step.without
    between = "\n" if len(step.standing.modes) > 1 or " or " in times else " · "
    doubt = " (not resolved)" if step.resolved is False and step.interval else ""
    return f"{times}{doubt}{between}{units.either(step.standing.modes, units.time)}"


def _ends(steps: Sequence[Step], bounds: Sequence[float], width: float) -> tuple[float, float]:
    """Return the ends of the axis: wide enough for every text, beside its step, to end within the picture."""
    low = min(place for each in steps for place in (1.0, *_places(each), *_start(each))) / 1.4
    decades = [math.log10(max(*bounds, 10) * 1.15 / low) if bounds else math.log10(20 / low)]
    for each in steps:
        reach = max([1.0, *_places(each), *_start(each)])
        text = _text(each)
        free = width - 10 - style.text_width(max(text.split("\n"), key=len), _size(text))
        decades.append(math.log10(reach / low) * width / max(free, 20))
    return low, float(low * 10 ** max(decades))


def _words(step: Step, stale: bool) -> str:
    """Return a step as a sentence."""
    said = f"{_label(step, stale)}{f' after {step.before.kernel}' if step.before else ''}: "
    said += _text(step).replace("\n", " · ")
    if step.before:
        said += f", interval {step.interval}" if step.interval else ""
        said += f", {units.either(step.standing.speedups, units.ratio)} as fast as {REFERENCE}"
    return f"{said}."
