"""Where the time of each kernel goes: what it prepares, the mean images, the labels, and its first call."""

from matplotlib.ticker import LogLocator

from bench import formatting
from bench.analysis import checklist
from bench.analysis.summary import summaries
from bench.records.model import Record
from bench.report.charts import Drawing, NotDrawn, panels, style
from bench.report.charts.panels import Cell, Panel
from bench.report.page_records import Selection

PREPARE = "prepare, transfer"
SCOPES = {
    "baseline": ("both, as one call", "l1"),
    "mean": ("mean images", "-"),
    "predict": ("labels", "l1"),
    "first_call": ("first call", "l1"),
}  # in the order of the panels
DIFFERENCE = f"{PREPARE}: the median of end_to_end less that of baseline; not measured itself."
MISSING = "The other scopes were not recorded. Record all with python -m bench run --full."


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
    times = [cell.place for column in columns.values() for cell in column.values() if cell.place]
    axis = {"xscale": "log", "xlim": (min(times) / 2, max(times) * 1.6)}
    notes = [DIFFERENCE if PREPARE in columns else MISSING]
    if "loading_s" in record.metadata:
        notes.append(f"Reading the digits from their files took {formatting.time(record.metadata['loading_s'])}.")
    with style.drawing():
        above, below = style.HEAD + 4, style.FOOT + 10 + 11 * len(notes)
        height = above + panels.height(len(kernels)) + below
        figure = style.card("Where the time goes", f"Median seconds, log scale. {style.HATCHED}", record, height)
        figure.text(8 / style.WIDTH, (style.FOOT + 3) / height, "\n".join(notes), size=8, va="bottom")
        shown = [Panel(title, column, axis) for title, column in columns.items()]
        for axes in panels.draw(figure, above, kernels, shown, stale):
            locator = LogLocator(numticks=3 if len(columns) > 2 else 5)
            style.ticks(axes.xaxis, locator, lambda value: formatting.time(value).replace(".00", ""))
    sentences = [
        f"{name}{' (stale)' if name in stale else ''}: "
        f"{', '.join(f'{title} {column[name].words}' for title, column in columns.items() if name in column)}."
        for name in kernels
    ]
    caption = f"Where the time of each kernel goes: median seconds of {', '.join(columns)}."
    return Drawing(figure, caption, " ".join([*sentences, *notes]))


def _columns(record: Record) -> dict[str, dict[str, Cell]]:
    """Return, by title and kernel, the cells that a record fills, of the kernels with a `baseline`."""
    baseline = {row.kernel: row.seconds for row in summaries(record)}
    columns: dict[str, dict[str, Cell]] = {PREPARE: {}}
    for row in summaries(record, "end_to_end"):
        if row.kernel in baseline:
            seconds = row.seconds - baseline[row.kernel]
            cell = Cell(formatting.time(seconds), seconds) if seconds > 0 else Cell("not above 0")
            columns[PREPARE][row.kernel] = cell
    several = bool(record.kernels("mean", "-") and record.kernels("predict"))
    for scope, (title, distance) in SCOPES.items():
        if not (several and scope == "baseline"):
            rows = summaries(record, scope, distance)
            columns[title] = {row.kernel: Cell(row.median, row.seconds) for row in rows if row.kernel in baseline}
    return {title: column for title, column in columns.items() if column}
