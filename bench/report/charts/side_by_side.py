"""The same computation in loops and in broadcasting: the lines that compute, side by side, and what they cost."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from bench import code_size, formatting
from bench.analysis import checklist
from bench.analysis.claims import TUTORIAL_CPU, TUTORIAL_GPU
from bench.analysis.summary import Summary, summaries
from bench.kernel import REFERENCE
from bench.report.charts import Drawing, NotDrawn, only_this_picture, style
from bench.report.page_records import Selection

BROADCASTING = (TUTORIAL_CPU, TUTORIAL_GPU, "numpy_broadcast")  # the first that was recorded is shown
TITLES = {
    "mean_images": "Average the training images of each class into a mean image",
    "distance_l1": "Measure how far an image is from a mean image",
    "predict_l1": "Call every image by its nearest mean image",
}
TOP, COLUMNS, SPAN = 98, (8, 292), 276  # points: above the first step, of the two columns
SIZE, LEADING, LONGEST = 7.9, 11.4, 54  # of code: its type, its lines, and the characters that one of them can hold
LOOP = re.compile(r"\b(?:for|while)\b")


@dataclass(frozen=True)
class CodeColumn:
    """A kernel: the lines of each step, how much code they are as recorded (else as counted now), and its summary.

    `stale` says that the lines are not those that were timed.
    """

    steps: dict[str, list[str]]
    tokens: int
    lines: int
    summary: Summary
    stale: bool

    @property
    def name(self) -> str:
        return self.summary.kernel

    @property
    def per_image(self) -> str:
        return f"{self.summary.seconds / self.summary.images * 1e9:,.0f} ns"

    def __str__(self) -> str:
        stale = ", stale: its source has changed since" if self.stale else ""
        time = f"{self.summary.median} for {self.summary.images:,} images, {self.per_image} per image"
        return f"{self.name}: {self.tokens} tokens in {self.lines} lines, {time}{stale}."


def draw(selection: Selection) -> Drawing:
    """Draw the code of `pair` and what it costs."""
    codes = pair(selection)
    compared = comparison(*codes)
    with style.drawing():
        longest = [max(len(code.steps[step]) for code in codes) for step in TITLES]
        height = TOP + sum(LEADING * lines + 37 for lines in longest) + 84 + style.FOOT
        legend = "Both are verified to give the same label to every image; lines are counted before wrapping"
        figure = style.card("The same computation, twice", legend, selection.speed, height)
        axes = style.sheet(figure)
        y = float(TOP)
        for number, (step, lines) in enumerate(zip(TITLES, longest, strict=True), 1):
            axes.text(COLUMNS[0], y, f"{number}   {TITLES[step]}", weight="bold", fontsize=9)
            for x, code in zip(COLUMNS, codes, strict=True):
                _card(axes, x, y + 7, code.steps[step], LEADING * lines + 10)
            y += LEADING * lines + 37
        for x, code in zip(COLUMNS, codes, strict=True):
            axes.text(x, TOP - 32, code.name, family=style.MONO, fontsize=12, weight="bold")
            axes.add_patch(Rectangle((x, TOP - 26), SPAN, 3, color=style.colour(code.name)))
            stale = "\nstale: its source has changed since" if code.stale else ""
            small = f"in {code.lines} lines; for {code.summary.images:,} images, {code.per_image} per image{stale}"
            axes.text(x, y + 18, f"{code.tokens} tokens, {code.summary.median}", fontsize=14, weight="bold")
            axes.text(x, y + 25, small, va="top", fontsize=7.5, color=style.FAINT)
        axes.text(style.WIDTH / 2, y + 64, compared, fontsize=12, weight="bold", ha="center")
    metadata = selection.speed.metadata
    where = f"on {metadata['dataset']}, timed on {metadata['cpu_model_name']}, {metadata['cpu_count']} cores"
    caption = f"Loops and broadcasting side by side, step by step, {where}."
    return Drawing(figure, caption, f"{codes[0]} {codes[1]} {codes[1].name} is {compared}.")


@only_this_picture()
def pair(selection: Selection) -> tuple[CodeColumn, CodeColumn]:
    """Return the reference and the tutorial's own expressions, or another reference and the fastest kernel.

    Raises:
        NotDrawn: no kernel that broadcasts was recorded, a file of the two is not here, or the checklist FAILs.
    """
    checklist.must_not_fail(selection.speed)
    rows = {row.kernel: row for row in summaries(selection.speed)}
    reference = selection.speed.reference
    wanted = BROADCASTING if reference == REFERENCE else [name for name in reversed(rows) if name != reference]
    second = next((name for name in wanted if name in rows), None)
    if second is None:
        names = ", ".join(wanted) or "the other kernels"
        raise NotDrawn(f"None of {names} was recorded. Record one with python -m bench run.")
    return _code(selection, rows[reference]), _code(selection, rows[second])


def _code(selection: Selection, summary: Summary) -> CodeColumn:
    path = selection.file(summary.kernel)
    code = code_size.code(path) if path else None
    if code is None:
        raise NotDrawn(f"The file of {summary.kernel} is not in this checkout; the page of run shows its code.")
    lines = {step.name: _fitted(step.lines) for step in code.steps}
    metadata = selection.speed.kernel_metadata.get(summary.kernel, {})
    counts = int(metadata.get("code_tokens", code.tokens)), int(metadata.get("code_lines", code.lines))
    return CodeColumn({step: lines.get(step, []) for step in TITLES}, *counts, summary, selection.stale(summary.kernel))


def _fitted(lines: Sequence[str]) -> list[str]:
    """Return lines as they are shown: a blank one between functions, and what is too long broken."""
    fitted: list[str] = []
    for line in lines:
        if fitted and line.startswith("def ") and not fitted[-1].startswith("@"):
            fitted.append("")
        fitted += _broken(line)
    return fitted


def _broken(line: str) -> Iterator[str]:
    """Yield a line of code, or its parts where it is too long for its column."""
    indent = len(line) - len(line.lstrip())
    for mark in (" for ", " "):
        if len(line) > LONGEST and (cut := line.rfind(mark, indent + 8, LONGEST + 1)) > 0:
            yield line[:cut]
            yield from _broken(f"{line[:indent]}    {line[cut + 1 :]}")
            return
    yield line


def _card(axes: Axes, x: float, y: float, lines: list[str], height: float) -> None:
    """Draw a step's lines on a card, their loops in a colour."""
    shape = FancyBboxPatch((x, y), SPAN, height, "round,pad=0,rounding_size=4", fc="white", ec="#dedad0", lw=0.7)
    axes.add_patch(shape)
    for place, line in enumerate(lines):
        options: dict[str, Any] = {"x": x + 6, "y": y + 13 + LEADING * place, "family": style.MONO, "fontsize": SIZE}
        axes.text(s=LOOP.sub(lambda word: " " * len(word[0]), line), **options)
        for word in LOOP.finditer(line):  # in a layer of its own, where blanks align it
            axes.text(s=" " * word.start() + word[0], color=style.WRONG, weight="bold", **options)


def comparison(first: CodeColumn, second: CodeColumn) -> str:
    """Return how the second compares with the first, with the confidence interval where there is one."""
    interval = second.summary.ratio.interval(level=True) if second.summary.ratio else ""
    times = f"{formatting.ratio(second.summary.speedup)} as fast{f' ({interval})' if interval else ''}"
    return f"{times}, in {second.tokens / first.tokens:.0%} of the tokens"
