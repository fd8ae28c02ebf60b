"""Where the time of each kernel goes: what it prepares, the mean images, the labels, and its first call."""

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench import checklist, speedup
from bench.case import Case
from bench.charts import Drawing, NotDrawn, panels, style
from bench.charts.panels import Cell, Column
from bench.records import Record
from bench.standing import standings
from bench.units import time

PREPARE = "prepare, transfer"
SCOPES = {
    "baseline": ("both, as one call", "l1"),
    "mean": ("mean images", "-"),
    "predict": ("labels", "l1"),
    "first_call": ("first call", "l1"),
}  # in the order of the panels
DIFFERENCE = f"{PREPARE}: the median of end_to_end less that of baseline; not measured itself."
MISSING = "The other scopes were not recorded; python -m bench run --full does."
NO_NUMBER = "two modes"  # of a difference: there are two medians, and not known which goes with which


def draw(case: Case) -> Drawing:
    """Draw a panel per scope of the record of speed.

    Raises:
        NotDrawn: it has neither first calls nor more than one scope.
        BadRecord: its checklist FAILs.
    """
    record = case.scopes or case.speed
    columns = _columns(record)
    if len(columns) < 2:
        raise NotDrawn("where the time goes was not recorded; python -m bench run --full")
    for scope, distance in record.cells:
        checklist.must_not_fail(record, scope, distance)
    kernels = [each.kernel for each in standings(record)]
    stale = {name for name in kernels if case.stale(name)}
    times = [value for column in columns.values() for cell in column.values() for value in cell.places]
    notes = [DIFFERENCE if PREPARE in columns else MISSING]
    if "loading_s" in record.facts:
        notes.append(f"Reading the digits from their files took {time(record.facts['loading_s'])}.")
    with style.drawing():
        legend = "Median seconds, log scale. Two rings: two modes. Hatched: stale, its source has changed since."
        above, below = style.HEAD + 4, style.FOOT + 10 + 11 * len(notes)
        height = above + panels.height(len(kernels)) + below
        figure = style.card("Where the time goes", legend, record, height)
        figure.text(8 / style.WIDTH, (style.FOOT + 3) / height, "\n".join(notes), size=8, va="bottom")
        panels.draw(figure, above, kernels, columns, stale, xscale="log", xlim=(min(times) / 2, max(times) * 1.6))
        for axes in figure.axes:
            axes.xaxis.set_major_locator(LogLocator(numticks=3 if len(columns) > 2 else 5))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{time(value)}".replace(".00", "")))
            axes.xaxis.set_minor_locator(NullLocator())
    said = [
        f"{name}: {', '.join(f'{title} {column[name].text}' for title, column in columns.items() if name in column)}"
        f"{' (stale)' if name in stale else ''}."
        for name in kernels
    ]
    caption = f"Where the time of each kernel goes: median seconds of {', '.join(columns)}."
    return Drawing(figure, caption, " ".join([*said, *notes]))


def _columns(record: Record) -> dict[str, Column]:
    """Return the panels that a record fills."""
    kernels = record.kernels()
    columns: dict[str, Column] = {}
    if record.kernels("end_to_end"):
        columns[PREPARE] = {name: _prepare(record, name) for name in record.kernels("end_to_end") if name in kernels}
    several = bool(record.kernels("mean", "-") and record.kernels("predict"))
    for scope, (title, distance) in SCOPES.items():
        cells = {name: _cell(record, name, scope, distance) for name in record.kernels(scope, distance)}
        if cells and not (several and scope == "baseline"):
            columns[title] = {name: cell for name, cell in cells.items() if name in kernels}
    return columns


def _cell(record: Record, kernel: str, scope: str, distance: str) -> Cell:
    modes = [mode.value for mode in speedup.modes(record.of(kernel, scope, distance))]
    return Cell(" or ".join(map(time, modes)), modes)


def _prepare(record: Record, kernel: str) -> Cell:
    whole, rest = (_cell(record, kernel, scope, "l1").places for scope in ("end_to_end", "baseline"))
    if len(whole) > 1 or len(rest) > 1:
        return Cell(NO_NUMBER)
    difference = whole[0] - rest[0]
    return Cell(time(difference), [difference]) if difference > 0 else Cell("not above 0")
