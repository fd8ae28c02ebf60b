"""Where the time of each kernel goes: what it prepares, the mean images, the labels, and its first call."""

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench import formatting
from bench.analysis import checklist
from bench.analysis.summary import summaries
from bench.records.model import Record
from bench.report.charts import Drawing, NotDrawn, panels, style
from bench.report.charts.panels import Cell, Panel
from bench.report.selection import Selection

PREPARE = "prepare, transfer"
SCOPES = {
    "baseline": ("both, as one call", "l1"),
    "mean": ("mean images", "-"),
    "predict": ("labels", "l1"),
    "first_call": ("first call", "l1"),
}  # in the order of the panels
DIFFERENCE = f"{PREPARE}: the median of end_to_end less that of baseline; not measured itself."
MISSING = "The other scopes were not recorded; python -m bench run --full does."


def draw(selection: Selection) -> Drawing:
    """Draw a panel per scope of the record of speed.

    Raises:
        NotDrawn: it has neither first calls nor more than one scope.
        BadRecord: its checklist FAILs.
    """
    record = selection.scopes or selection.speed
    cells = _cells(record)
    if len(cells) < 2:
        raise NotDrawn("where the time goes was not recorded; python -m bench run --full")
    for scope, distance in record.cells:
        checklist.must_not_fail(record, scope, distance)
    kernels = [each.kernel for each in summaries(record)]
    stale = {name for name in kernels if selection.stale(name)}
    times = [cell.place for column in cells.values() for cell in column.values() if cell.place]
    axis = {"xscale": "log", "xlim": (min(times) / 2, max(times) * 1.6)}
    notes = [DIFFERENCE if PREPARE in cells else MISSING]
    if "loading_s" in record.metadata:
        notes.append(f"Reading the digits from their files took {formatting.time(record.metadata['loading_s'])}.")
    with style.drawing():
        legend = "Median seconds, log scale. Hatched: stale, its source has changed since."
        above, below = style.HEAD + 4, style.FOOT + 10 + 11 * len(notes)
        height = above + panels.height(len(kernels)) + below
        figure = style.card("Where the time goes", legend, record, height)
        figure.text(8 / style.WIDTH, (style.FOOT + 3) / height, "\n".join(notes), size=8, va="bottom")
        shown = [Panel(title, column, axis) for title, column in cells.items()]
        for axes in panels.draw(figure, above, kernels, shown, stale):
            axes.xaxis.set_major_locator(LogLocator(numticks=3 if len(cells) > 2 else 5))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: formatting.time(value).replace(".00", "")))
            axes.xaxis.set_minor_locator(NullLocator())
    told = [
        f"{name}{' (stale)' if name in stale else ''}: "
        f"{', '.join(f'{title} {column[name].words}' for title, column in cells.items() if name in column)}."
        for name in kernels
    ]
    caption = f"Where the time of each kernel goes: median seconds of {', '.join(cells)}."
    return Drawing(figure, caption, " ".join([*told, *notes]))


def _cells(record: Record) -> dict[str, dict[str, Cell]]:
    """Return, by title and kernel, the cells that a record fills, of the kernels with a `baseline`."""
    baseline = {each.kernel: each.seconds for each in summaries(record)}
    whole = {each.kernel: each.seconds for each in summaries(record, "end_to_end") if each.kernel in baseline}
    several = bool(record.kernels("mean", "-") and record.kernels("predict"))
    cells = {PREPARE: {name: _difference(seconds - baseline[name]) for name, seconds in whole.items()}} if whole else {}
    for scope, (title, distance) in SCOPES.items():
        rows = summaries(record, scope, distance)
        if rows and not (several and scope == "baseline"):
            named = {each.kernel: Cell(each.median, each.seconds) for each in rows}
            cells[title] = {name: cell for name, cell in named.items() if name in baseline}
    return cells


def _difference(seconds: float) -> Cell:
    return Cell(formatting.time(seconds), seconds) if seconds > 0 else Cell("not above 0")
