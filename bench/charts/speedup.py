"""Speedup over the reference kernel, one bar per kernel on a log axis, seconds on each bar."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from bench import checklist
from bench.case import Case
from bench.charts import Drawing, style
from bench.kernel import REFERENCE
from bench.records import Absent, BadRecord, Record
from bench.standing import Standing, standings
from bench.units import either, ratio, time

ROW, ROW_OF_MANY = 27, 21  # points of height for each kernel; the latter where they are more than MANY
MANY, SMALL = 12, 7.5
RIGHT = 20  # points beside the axis: half a label of it


def draw(case: Case) -> Drawing:
    """Draw the scope `baseline` under L1.

    Raises:
        BadRecord: the record is not one of speed, lacks that scope or the reference in it, or its checklist FAILs.
    """
    record = case.speed
    if record.kind != "speed":
        raise BadRecord(f"{record.path}: is a record of {record.kind}, expected one of speed; name another")
    if not record.of(REFERENCE):
        raise BadRecord(f"{record.path}: holds no baseline/l1/{REFERENCE} to compare with; record it too")
    checklist.must_not_fail(record)
    rows = sorted(standings(record), key=lambda each: each.times_faster or 0, reverse=True)
    stale = {each.kernel for each in rows if case.stale(each.kernel)}
    bounds = _limits(rows)
    with style.drawing():
        labels = [each.kernel for each in reversed(record.absent)] + [each.kernel for each in rows]
        height = len(labels) * (ROW if len(labels) <= MANY else ROW_OF_MANY)
        title = f"Mean images and L1 labels of {record.facts.get('dataset', 'unknown digits')}"
        legend = "Bar: median. Black: interval. Two rings: two modes. Hatched: stale, its source has changed since."
        figure = style.card(title, legend, record, height + style.HEAD + style.FOOT + 54)
        left = max(map(style.text_width, labels)) + 16
        axes = style.area(figure, left, style.HEAD + 14, RIGHT, style.FOOT + 40)
        width = style.WIDTH - left - RIGHT
        for y, absent in enumerate(reversed(record.absent)):
            _beside(axes, 1, y, _reason(absent), size=9, color=style.FAINT)
        for y, each in enumerate(rows, start=len(record.absent)):
            _bar(axes, y, each, each.kernel in stale)
        axes.axvline(1, color=style.INK, linewidth=1.2)
        low, high = _ends(rows, bounds, stale, width)
        axes.set(xscale="log", xlim=(low, high), ylim=(-0.6, len(labels) - 0.4))
        _mark_limits(axes, bounds, right=math.log(max(bounds, default=1) / low) > math.log(high / low) / 2)
        axes.set_yticks(range(len(labels)), labels)
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:,.6g}×" if value < 1 else f"{value:,.0f}×")
        )
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"times faster than {REFERENCE} (log scale)")
    caption = (
        f"How many times faster than {REFERENCE} each kernel is at mean images and labels, with its interval, if any."
    )
    return Drawing(figure, caption, " ".join(_words(record, rows, bounds, stale)))


def _bar(axes: Axes, y: int, row: Standing, stale: bool) -> None:
    """One kernel: a bar with its interval, or where it has two modes a mark for each and no bar."""
    places, colour = [mode.value for mode in row.speedups], style.colour(row.kernel)
    if len(places) > 1:
        axes.plot(places, [y] * len(places), "o:", color=colour, markerfacecolor=style.PAPER)
    elif places:
        axes.barh(y, places[0] - 1, left=1, height=0.62, color=colour, hatch=style.STALE if stale else None)
        if row.ratio and row.ratio.low is not None and row.ratio.high is not None:
            ends = [row.ratio.low, row.ratio.high]
            axes.plot(ends, [y, y], color=style.PAPER, linewidth=4.4, solid_capstyle="butt")  # a rim on a dark bar
            axes.plot(ends, [y, y], color=style.INK, linewidth=2.4, solid_capstyle="butt")
    text = _text(row, stale)
    _beside(axes, max(_reach(row)), y, text, size=SMALL if "\n" in text else 10)


def _beside(axes: Axes, x: float, y: int, text: str, **options: Any) -> None:
    said = axes.annotate(text, (x, y), (7, 0), textcoords="offset points", va="center_baseline", **options)
    said.set_bbox({"facecolor": style.PAPER, "edgecolor": "none", "pad": 1})  # the limit's line does not cross it


def _text(row: Standing, stale: bool) -> str:
    """Return what stands beside a bar: ratio and seconds, one below the other where either has two modes."""
    times = "1×, the reference" if row.kernel == REFERENCE else either(row.speedups, ratio)
    between = "\n" if max(len(row.speedups), len(row.modes)) > 1 else " · "
    return f"{times}{between}{either(row.modes, time)}{' · stale' if stale else ''}"


def _reach(row: Standing) -> list[float]:
    """Return every place on the axis where something of the kernel is drawn, and the ends of its interval."""
    ends = [row.ratio.low, row.ratio.high] if row.ratio else []
    return [1.0, *(mode.value for mode in row.speedups), *(end for end in ends if end is not None)]


def _ends(rows: Sequence[Standing], bounds: Sequence[float], stale: set[str], width: float) -> tuple[float, float]:
    """Return the ends of the axis: wide enough for every text, beside its bar, to end within the picture."""
    low = min(end for each in rows for end in _reach(each)) / 1.15
    decades = [math.log10(max(*bounds, 10) * 1.3 / low) if bounds else math.log10(20 / low)]
    for each in rows:
        text = _text(each, each.kernel in stale)
        free = width - 8 - style.text_width(max(text.split("\n"), key=len), SMALL if "\n" in text else 10)
        decades.append(math.log10(max(_reach(each)) / low) * width / max(free, 20))
    return low, float(low * 10 ** max(decades))


def _limits(rows: Sequence[Standing]) -> list[float]:
    """Return how many times faster than the reference the machine's limit is: twice where the reference has modes."""
    reference = next(each for each in rows if each.kernel == REFERENCE)
    return [1 / mode.value for mode in reference.share.modes] if reference.share else []


def _mark_limits(axes: Axes, bounds: Sequence[float], right: bool) -> None:
    for bound in bounds:
        axes.axvline(bound, color=style.FAINT, linewidth=1.2, linestyle="--", zorder=0)
    if bounds:
        text, top = f" limit of this machine, {' or '.join(map(ratio, bounds))} ", axes.get_xaxis_transform()
        side = "right" if right else "left"
        axes.text(max(bounds), 1.01, text, transform=top, ha=side, fontsize=8, color=style.FAINT)


def _reason(absent: Absent) -> str:
    line = absent.reason.strip().splitlines()[-1]
    return f"{absent.status}: {line if len(line) <= 60 else f'{line[:59]}…'}"


def _words(record: Record, rows: Sequence[Standing], bounds: Sequence[float], stale: set[str]) -> list[str]:
    """Return the picture in sentences, slowest kernel first."""
    said = [f"Scope baseline under L1, {record.label}."]
    for each in reversed(rows):
        said.append(f"{each.kernel}: {_text(each, each.kernel in stale).replace(chr(10), ' · ')}")
        if each.ratio and each.ratio.low is not None and each.ratio.high is not None and each.kernel != REFERENCE:
            level = f"level {each.ratio.level:.1%}"
            said[-1] += f", interval {ratio(each.ratio.low)} to {ratio(each.ratio.high)}, {level}"
        said[-1] += "."
    if bounds:
        said.append(f"The limit of this machine is at {' or '.join(map(ratio, bounds))}.")
    return said + [f"{each.kernel}: {_reason(each)}." for each in record.absent]
