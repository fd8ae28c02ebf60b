"""Where the time of each kernel goes: what it prepares, the mean images, the labels, and its first call."""

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from bench import formatting
from bench.analysis import checklist
from bench.analysis.summary import summaries
from bench.records.model import Record
from bench.report.charts import Drawing, NotDrawn, style
from bench.report.page_records import Selection

ROW, TITLE, AXIS, GAP = 23, 16, 20, 14  # points: of a kernel, above the panels, below and between them
PREPARE = "prepare, transfer"
SCOPES = {
    "baseline": ("mean images and labels", "l1"),
    "mean": ("mean images", "-"),
    "predict": ("labels", "l1"),
    "first_call": ("first call", "l1"),
}  # in the order of the panels
DIFFERENCE = f"{PREPARE}: the median of end_to_end less that of baseline; not measured itself."
MISSING = "The other scopes were not recorded. Record all with python -m bench run --full."

Column = dict[str, tuple[str, float | None]]  # by kernel: words, and seconds if there is a bar


def draw(selection: Selection) -> Drawing:
    """Draw a panel per scope of the record of speed.

    Raises:
        NotDrawn: it has neither first calls nor more than one scope.
        BadRecord: its checklist FAILs.
    """
    record = selection.scopes or selection.speed
    columns = _columns(record)
    if len(columns) < 2:
        raise NotDrawn("Only one scope was recorded. Record all with python -m bench run --full.")
    for scope, distance in record.pairs:
        checklist.must_not_fail(record, scope, distance)
    kernels = [row.kernel for row in summaries(record)]
    stale = {name for name in kernels if selection.stale(name)}
    names = [style.label(name, name in stale) for name in kernels]
    times = [seconds for column in columns.values() for _, seconds in column.values() if seconds]
    notes = [DIFFERENCE if PREPARE in columns else MISSING]
    if "loading_s" in record.metadata:
        notes.append(f"Reading the digits from their files took {formatting.time(record.metadata['loading_s'])}.")
    with style.drawing():
        above, below = style.HEAD + TITLE + 4, style.FOOT + 10 + 11 * len(notes) + AXIS
        height = above + ROW * len(kernels) + below
        marked = any("†" in words for column in columns.values() for words, _ in column.values())
        legend = style.legend("Median seconds, log scale.", stale=bool(stale), groups=marked)
        figure = style.card("Where the time goes", legend, record, height)
        figure.text(8 / style.WIDTH, (style.FOOT + 3) / height, "\n".join(notes), size=8, va="bottom")
        left = max(style.text_width(name, 9) for name in names) + 14
        wide = (style.WIDTH - left - 12 + GAP) / len(columns)
        for place, (title, column) in enumerate(columns.items()):
            x = left + place * wide
            axes = style.area(figure, x, above, style.WIDTH - x - wide + GAP, below, xscale="log")
            axes.set(xlim=(min(times) / 2, max(times) * 1.6), ylim=(len(kernels) - 0.4, -0.6))
            axes.set_yticks(range(len(kernels)) if not place else [], names if not place else [], size=9)
            axes.set_title(title, size=9, loc="left", pad=4)
            axes.tick_params(axis="y", length=0)
            axes.tick_params(axis="x", labelsize=7.5, colors=style.FAINT)
            locator = LogLocator(numticks=3 if len(columns) > 2 else 5)
            style.ticks(axes.xaxis, locator, lambda value: formatting.time(value).replace(".00", ""))
            for y, name in enumerate(kernels):
                if name in column:
                    _cell(axes, y, name, *column[name], stale=name in stale)
    sentences = []
    for name in kernels:
        parts = ", ".join(f"{title} {column[name][0]}" for title, column in columns.items() if name in column)
        sentences.append(f"{name}{' (stale)' if name in stale else ''}: {parts}.")
    caption = f"Where the time of each kernel goes: median seconds of {', '.join(columns)}."
    return Drawing(figure, caption, " ".join([*sentences, *notes]))


def _cell(axes: Axes, y: int, kernel: str, words: str, seconds: float | None, stale: bool) -> None:
    start, _ = axes.get_xlim()
    axes.annotate(words, (start, y), (3, 1), textcoords="offset points", size=8, zorder=2, bbox=style.BLANK)
    if seconds:
        hatch = style.STALE if stale else None
        axes.barh(y + 0.2, seconds - start, left=start, height=0.3, color=style.colour(kernel), hatch=hatch, zorder=3)


def _columns(record: Record) -> dict[str, Column]:
    """Return, by title, the columns that a record fills, of the kernels with a `baseline`."""
    baseline = {row.kernel: row.seconds for row in summaries(record)}
    columns: dict[str, Column] = {PREPARE: {}}
    for row in summaries(record, "end_to_end"):
        if row.kernel in baseline:
            seconds = row.seconds - baseline[row.kernel]
            columns[PREPARE][row.kernel] = (formatting.time(seconds), seconds) if seconds > 0 else ("not above 0", None)
    several = bool(record.kernels("mean", "-") and record.kernels("predict"))
    for scope, (title, distance) in SCOPES.items():
        if not (several and scope == "baseline"):
            rows = summaries(record, scope, distance)
            columns[title] = {row.kernel: (row.median, row.seconds) for row in rows if row.kernel in baseline}
    return {title: column for title, column in columns.items() if column}
