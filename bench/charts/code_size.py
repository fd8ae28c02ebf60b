"""How much code each kernel is, against how fast it is: short and fast is at the top left."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench import checklist, units
from bench.case import Case
from bench.charts import Drawing, NotDrawn, style
from bench.claims import TWICE
from bench.kernel import REFERENCE
from bench.records import Record
from bench.standing import Standing, standings

SIZE, HEIGHT, MORE = 7.5, 400, 5  # points: of a label's type; of the picture, and for each kernel
DECADE, USUAL = 60, 3.3  # points of height for each power of ten between slowest and fastest beyond the usual number
STEP, RINGS = 7, 24  # points between the places that a label may take, and how many there are in each direction
CLEAR, FAR = 4.5, 11  # points around a mark that labels keep off; beyond which a line leads to the mark
TOKENS = (25, 50, 70, 100, 150, 200, 300, 500, 1000, 2000)  # where the axis has its numbers
Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Point:
    """A kernel in the picture.

    Attributes:
        standing: where it stands among all that read the same images.
        tokens, lines: its code.
        stale: whether its source is another one than was timed.
        images: on how many images of each class it, and the reference that it is compared with, were timed; 0 is all.
    """

    standing: Standing
    tokens: int
    lines: int
    stale: bool
    images: int = 0

    @property
    def label(self) -> str:
        part = f", first {self.images} images" if self.images else ""
        return f"{style.short(self.standing.kernel)}, {self.lines} lines{part}{', stale' if self.stale else ''}"

    @property
    def reach(self) -> list[float]:
        """Every speedup at which something of it is drawn."""
        ends = [self.standing.ratio.low, self.standing.ratio.high] if self.standing.ratio else []
        return [*(mode.value for mode in self.standing.speedups), *(end for end in ends if end is not None)]


def draw(case: Case) -> Drawing:
    """Draw speedup over tokens, a mark per kernel.

    Raises:
        NotDrawn: the record does not say how much code its kernels are.
        BadRecord: the record's checklist FAILs.
    """
    checklist.must_not_fail(case.speed)
    points = [*_points(case, case.speed), *(found for n in sorted(case.speed.parts) for found in _of_part(case, n))]
    reference = next((each for each in points if each.standing.kernel == REFERENCE), None)
    if reference is None:
        raise NotDrawn(f"the record does not say how much code {REFERENCE} is; python -m bench run counts it")
    missing = sorted({*case.speed.kernels()} - {each.standing.kernel for each in points})
    border = reference.tokens / TWICE
    legend = f"Shaded: {REFERENCE} takes at least twice the tokens. Line: interval; dotted: between two modes. "
    if any(each.images for each in points):
        legend = (
            f"Shaded: {REFERENCE} takes at least twice the tokens. Square: timed, like its reference, on the first "
        )
        legend += "images of each class. "
    legend += "Hollow: stale, its source has changed since." if any(each.stale for each in points) else ""
    with style.drawing():
        ends = [end for each in points for end in each.reach]
        decades = math.log10(max(ends) / min(ends))
        height = HEIGHT + MORE * len(points) + DECADE * max(0, decades - USUAL)
        figure = style.card("How much code, how fast", legend, case.speed, height)
        axes = style.area(figure, 70, style.HEAD + 14, 14, style.FOOT + (52 if missing else 40))
        axes.set(xscale="log", yscale="log", ylim=(min(ends) / 2, max(ends) * 2.5), xlim=_ends(points))
        axes.axvspan(axes.get_xlim()[0], border, color=style.INK, alpha=0.05, linewidth=0)
        axes.axvline(border, color=style.FAINT, linewidth=1, linestyle="--")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}×"))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.xaxis.set_major_locator(FixedLocator(TOKENS))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
        axes.set_xlabel("tokens of the functions that compute (log scale)")
        axes.set_ylabel(f"times faster than {REFERENCE} (log scale)")
        for each in points:
            _mark(axes, each)
        _label(axes, points, border)
        if missing:
            said = f"Not counted when recorded: {', '.join(missing)}"
            figure.text(8 / style.WIDTH, (style.FOOT + 4) / height, said, color=style.FAINT, fontsize=7.5)
    said = "; ".join(
        f"{each.standing.kernel} {each.tokens} tokens in {each.lines} lines, {_speed(each)}" for each in points
    )
    alt = f"{said}. Half the tokens of {REFERENCE} are {border:g}."
    alt += f" Not counted when recorded: {', '.join(missing)}." if missing else ""
    facts = case.speed.facts
    caption = f"Tokens and speedup of {len(points)} kernels on {facts['dataset']}, timed on {facts['cpu_model_name']}."
    return Drawing(figure, caption, alt)


def _points(case: Case, record: Record, images: int = 0) -> Iterator[Point]:
    """Yield the points of a record, or of the part of it that is the first so many images of each class."""
    for each in standings(record):
        facts = record.kernel_facts.get(each.kernel, {})
        if "code_tokens" in facts and each.speedups and int(facts.get("images_of_class", 0)) == images:
            tokens, lines = int(facts["code_tokens"]), int(facts["code_lines"])
            yield Point(each, tokens, lines, case.stale(each.kernel), images)


def _of_part(case: Case, n: int) -> Iterator[Point]:
    """Yield the points of the kernels that were timed on a part alone, at equal images; none where its checks FAIL."""
    part = case.speed.part(n)
    if not checklist.failed(checklist.judge(part)):
        yield from _points(case, part, n)


def _ends(points: list[Point]) -> tuple[float, float]:
    tokens = [each.tokens for each in points]
    return min(tokens) / 1.5, max(tokens) * 1.25


def _speed(point: Point) -> str:
    ratio, interval = point.standing.ratio, ""
    if ratio and ratio.low is not None and ratio.high is not None and len(point.standing.speedups) == 1:
        interval = f" ({units.ratio(ratio.low)} to {units.ratio(ratio.high)})"
    part = f", on the first {point.images} images of each class" if point.images else ""
    return f"{units.either(point.standing.speedups, units.ratio)}{interval}{part}{', stale' if point.stale else ''}"


def _mark(axes: Axes, point: Point) -> None:
    """A kernel's mark, or two with a dotted line between where it has two modes; its interval as a line."""
    colour, places = style.colour(point.standing.kernel), [mode.value for mode in point.standing.speedups]
    dotted = ":" if len(places) > 1 else "-"
    ends = [min(point.reach), max(point.reach)]
    axes.plot([point.tokens] * 2, ends, color=colour, linewidth=1.6, linestyle=dotted, solid_capstyle="butt")
    filling = style.PAPER if point.stale else colour
    mark = "s" if point.images else "o"
    axes.plot([point.tokens] * len(places), places, mark, color=colour, markerfacecolor=filling, markersize=6.5)


def _label(axes: Axes, points: list[Point], border: float) -> None:
    """Write every kernel's name at the best free place beside its mark, with a line to it where that is far."""
    scale = 72 / axes.figure.dpi  # points per pixel
    marks = [axes.transData.transform((each.tokens, each.standing.speedups[0].value)) * scale for each in points]
    edge = axes.get_window_extent()
    inside = np.array([edge.x0, edge.y0, edge.x1, edge.y1]) * scale
    border = float(axes.transData.transform((border, 1))[0]) * scale
    second = [(each.tokens, mode.value) for each in points for mode in each.standing.speedups[1:]]
    taken = [_box(place, CLEAR) for place in (*marks, *(axes.transData.transform(each) * scale for each in second))]
    drawn = [np.zeros(4)]  # lines to labels; the others are marks, and then labels too
    for own, (each, mark) in enumerate(zip(points, marks, strict=True)):
        boxes, ends = _around(mark, style.text_width(each.label, SIZE))
        others = np.array(taken[:own] + taken[own + 1 :])
        lines = ends[:, None] + (mark - ends)[:, None] * np.linspace(0.1, 0.9, 5)[:, None]  # places on the line to it
        aside = abs(boxes[:, 1::2].mean(1) - mark[1]) / 3  # level with its mark a name reads best
        cost = np.linalg.norm(ends - mark, axis=1) + aside + 4 * ((boxes[:, 0] < border) & (boxes[:, 2] > border))
        cost += 1000 * _overlaps(boxes, others).sum(1) + 20 * _overlaps(_box(lines, 1), others).any(1).sum(1)
        cost += 20 * _overlaps(boxes, np.array(drawn)).sum(1)
        cost += 10 * (np.linalg.norm(ends[:, None] - np.array(marks), axis=2).argmin(1) != own)  # it names a neighbour
        cost += 1000 * ((boxes[:, :2] < inside[:2]) | (boxes[:, 2:] > inside[2:])).any(1)
        best = int(cost.argmin())
        left, bottom, _, top = boxes[best]
        taken.append(boxes[best])
        if math.dist(mark, ends[best]) > FAR:
            drawn += [*_box(lines[best], 1)]
            line = {"arrowstyle": "-", "color": style.FAINT, "linewidth": 0.6, "shrinkA": 0, "shrinkB": CLEAR}
            start, end = tuple(ends[best]), tuple(mark)
            axes.annotate("", end, start, xycoords="figure points", textcoords="figure points", arrowprops=line)
        place = left, (bottom + top) / 2
        axes.annotate(each.label, place, xycoords="figure points", va="center_baseline", fontsize=SIZE)


def _around(mark: Numbers, width: float) -> tuple[Numbers, Numbers]:
    """Return boxes (k, 4) for a label of some width around a mark, and the ends (k, 2) of lines from there to it."""
    distance, turn = np.meshgrid(np.arange(8, 8 + STEP * RINGS, STEP), np.arange(16) * np.pi / 8, indexing="ij")
    x, y = mark[0] + (np.cos(turn) * distance).ravel(), mark[1] + (np.sin(turn) * (distance + 3)).ravel()
    left = x - width * ((1 - np.sign(np.cos(turn).round(1))) / 2).ravel()
    boxes = np.stack([left, y - 0.65 * SIZE, left + width, y + 0.65 * SIZE], axis=1)
    return boxes, np.clip(mark, boxes[:, :2], boxes[:, 2:])


def _box(places: Numbers, reach: float) -> Numbers:
    """Return the boxes (..., 4), left, bottom, right, top, that reach so far around places (..., 2)."""
    return np.concatenate([places - reach, places + reach], axis=-1)


def _overlaps(boxes: Numbers, others: Numbers) -> Numbers:
    """Return bool (..., m): whether boxes (..., 4) overlap each of the others (m, 4)."""
    one, other = boxes[..., None, :], others
    return np.asarray((one[..., :2] < other[:, 2:]).all(-1) & (other[:, :2] < one[..., 2:]).all(-1))
