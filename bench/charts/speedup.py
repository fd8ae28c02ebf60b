"""Speedup over the reference kernel, one bar per kernel on a log axis, seconds on each bar."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Row:
    """A kernel in the picture.

    Attributes:
        standing: where it stands among all that read the same images.
        images: on how many images of each class it, and the reference that it is compared with, were timed; 0 is all.
        stale: whether its source is another one than was timed.
    """

    standing: Standing
    images: int
    stale: bool

    @property
    def name(self) -> str:
        return self.standing.kernel


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
    rows = sorted(_rows(case), key=lambda each: each.standing.times_faster or 0, reverse=True)
    absent = _absent(record)
    bounds = _limits(rows)
    with style.drawing():
        labels = [style.short(name) for name in (*(name for name, _ in absent), *(each.name for each in rows))]
        height = len(labels) * (ROW if len(labels) <= MANY else ROW_OF_MANY)
        title = f"Mean images and L1 labels of {record.facts.get('dataset', 'unknown digits')}"
        legend = "Bar: median. Black: interval. Two rings: two modes. Hatched: stale, its source has changed since."
        if any(each.images for each in rows):
            legend = (
                f"{legend.replace(', its source has changed since', '')} Hollow: on fewer images, as is its reference."
            )
        figure = style.card(title, legend, record, height + style.HEAD + style.FOOT + 54)
        left = max(map(style.text_width, labels)) + 16
        axes = style.area(figure, left, style.HEAD + 14, RIGHT, style.FOOT + 40)
        width = style.WIDTH - left - RIGHT
        for y, (_, reason) in enumerate(absent):
            _beside(axes, 1, y, reason, size=9, color=style.FAINT)
        for y, each in enumerate(rows, start=len(absent)):
            _bar(axes, y, each)
        axes.axvline(1, color=style.INK, linewidth=1.2)
        low, high = _ends(rows, bounds, width)
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
    return Drawing(figure, caption, " ".join(_words(record, rows, bounds)))


def _rows(case: Case) -> list[Row]:
    """Return every kernel that was timed on all images, and on a part those that were timed there alone.

    A part whose checklist FAILs shows none.
    """
    record = case.speed
    rows = [Row(each, 0, case.stale(each.kernel)) for each in standings(record)]
    for n in sorted(record.parts):
        part = record.part(n)
        own = [name for name in part.kernels() if part.images_of_class(name) == n]
        if own and not checklist.failed(checklist.judge(part)):
            rows += [Row(each, n, case.stale(each.kernel)) for each in standings(part, kernels=own)]
    return rows


def _absent(record: Record) -> list[tuple[str, str]]:
    """Return (label, reason) of what was not timed, the last first; of many, those of one reason are one row."""
    if len(record.absent) + len(record.kernels()) <= MANY:
        return [(each.kernel, _reason(each)) for each in reversed(record.absent)]
    by_reason: dict[str, list[str]] = defaultdict(list)
    for each in reversed(record.absent):
        by_reason[_reason(each)].append(each.kernel)
    return [(names[0] if len(names) == 1 else f"{len(names)} others", reason) for reason, names in by_reason.items()]


def _bar(axes: Axes, y: int, row: Row) -> None:
    """One kernel: a bar with its interval, or where it has two modes a mark for each and no bar."""
    places, colour = [mode.value for mode in row.standing.speedups], style.colour(row.name)
    if len(places) > 1:
        axes.plot(places, [y] * len(places), "o:", color=colour, markerfacecolor=style.PAPER)
    elif places:
        filling = style.PAPER if row.images else colour
        rim: dict[str, Any] = {"edgecolor": colour, "linewidth": 1.4} if row.images else {}
        hatch = style.STALE if row.stale else None
        axes.barh(y, places[0] - 1, left=1, height=0.62, color=filling, hatch=hatch, **rim)
        found = row.standing.ratio
        if found and found.low is not None and found.high is not None:
            ends = [found.low, found.high]
            axes.plot(ends, [y, y], color=style.PAPER, linewidth=4.4, solid_capstyle="butt")  # a rim on a dark bar
            axes.plot(ends, [y, y], color=style.INK, linewidth=2.4, solid_capstyle="butt")
    text = _text(row)
    _beside(axes, max(_reach(row)), y, text, size=SMALL if "\n" in text else 10)


def _beside(axes: Axes, x: float, y: int, text: str, **options: Any) -> None:
    said = axes.annotate(text, (x, y), (7, 0), textcoords="offset points", va="center_baseline", **options)
    said.set_bbox({"facecolor": style.PAPER, "edgecolor": "none", "pad": 1})  # the limit's line does not cross it


def _text(row: Row) -> str:
    """Return what stands beside a bar: ratio and seconds, one below the other where either has two modes."""
    own = row.standing
    times = "1×, the reference" if row.name == REFERENCE else either(own.speedups, ratio)
    between = "\n" if max(len(own.speedups), len(own.modes)) > 1 else " · "
    notes = (f"first {row.images} images of each class" if row.images else "", "stale" if row.stale else "")
    return " · ".join(filter(None, (f"{times}{between}{either(own.modes, time)}", *notes)))


def _reach(row: Row) -> list[float]:
    """Return every place on the axis where something of the kernel is drawn, and the ends of its interval."""
    found = row.standing.ratio
    ends = [found.low, found.high] if found else []
    return [1.0, *(mode.value for mode in row.standing.speedups), *(end for end in ends if end is not None)]


def _ends(rows: Sequence[Row], bounds: Sequence[float], width: float) -> tuple[float, float]:
    """Return the ends of the axis: wide enough for every text, beside its bar, to end within the picture."""
    low = min(end for each in rows for end in _reach(each)) / 1.15
    decades = [math.log10(max(*bounds, 10) * 1.3 / low) if bounds else math.log10(20 / low)]
    for each in rows:
        text = _text(each)
        free = width - 8 - style.text_width(max(text.split("\n"), key=len), SMALL if "\n" in text else 10)
        decades.append(math.log10(max(_reach(each)) / low) * width / max(free, 20))
    return low, float(low * 10 ** max(decades))


def _limits(rows: Sequence[Row]) -> list[float]:
    """Return how many times faster than the reference the machine's limit is: twice where the reference has modes."""
    reference = next(each.standing for each in rows if each.name == REFERENCE)
    return [1 / mode.value for mode in reference.share.modes] if reference.share else []


def _mark_limits(axes: Axes, bounds: Sequence[float], right: bool) -> None:
    for bound in bounds:
        axes.axvline(bound, color=style.FAINT, linewidth=1.2, linestyle="--", zorder=0)
    if bounds:
        text, top = f" limit of this machine, {' or '.join(map(ratio, bounds))} ", axes.get_xaxis_transform()
        side = "right" if right else "left"
        axes.text(max(bounds), 1.01, text, transform=top, ha=side, fontsize=8, color=style.FAINT)


def _reason(absent: Absent) -> str:
    line = absent.in_short
    return f"{absent.status}: {line if len(line) <= 60 else f'{line[:59]}…'}"


def _words(record: Record, rows: Sequence[Row], bounds: Sequence[float]) -> list[str]:
    """Return the picture in sentences, slowest kernel first."""
    said = [f"Scope baseline under L1, {record.label}."]
    for each in reversed(rows):
        said.append(f"{each.name}: {_text(each).replace(chr(10), ' · ')}")
        found = each.standing.ratio
        if found and found.low is not None and found.high is not None and each.name != REFERENCE:
            said[-1] += f", interval {ratio(found.low)} to {ratio(found.high)}, level {found.level:.1%}"
        said[-1] += "."
    if bounds:
        said.append(f"The limit of this machine is at {' or '.join(map(ratio, bounds))}.")
    return said + [f"{each.kernel}: {_reason(each)}." for each in record.absent]
