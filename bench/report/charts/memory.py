"""What is allocated: by the expansion of a mean image, by the whole expression, and by each scope of a kernel."""

from dataclasses import replace

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.formatting import size
from bench.records.model import Record
from bench.records.sample import AGAIN
from bench.report.charts import Drawing, NotDrawn, panels, style
from bench.report.charts.panels import Cell, Panel
from bench.report.selection import Selection

EXPRESSIONS = {"expression_bytes_l1": "the L1 expression", "expression_bytes_l2": "the L2 expression"}
SCOPES = {
    ("mean", "-"): "mean",
    ("predict", "l1"): "predict L1",
    ("predict", "l2"): "predict L2",
    ("baseline", "l1"): "baseline",
    ("end_to_end", "l1"): "end_to_end",
}
NOTHING_YET = "the memory of the scopes was not recorded; python -m bench run --memory"
CLAIMED = "One mean image against the validation stack; outlined: what a copy as large as the stack takes"
TEMPORARIES = "Temporaries of each scope, at the highest point of one call"
ON_DEVICE = "Temporaries of each scope on the GPU, likewise"
HEADING = 30  # points
TICKS = (0, 10**6, 10**9)
LINEAR = 10**3  # below it the axis is linear, so that it reaches 0


Columns = dict[str, dict[str, Cell]]  # of a group of panels: by title and kernel, what stands there


def draw(selection: Selection) -> Drawing:
    """Draw what the expansion and the expressions allocate, and below it the temporaries of the scopes: host, then GPU.

    Raises:
        NotDrawn: neither was recorded.
    """
    groups = {CLAIMED: _claimed(selection.speed)}
    if selection.memory:
        groups[TEMPORARIES] = _scopes(selection.memory, "temporaries_bytes")
        groups[ON_DEVICE] = _scopes(selection.memory, "device_temporaries_bytes")
    groups = {title: columns for title, columns in groups.items() if columns}
    if not groups:
        raise NotDrawn(NOTHING_YET)
    memory = "memory of host and GPU" if ON_DEVICE in groups else "host memory"
    caption = f"How much {memory} the expansion of a mean image, the whole expression, and each scope of a kernel take."
    said = [_words(*each) for each in groups.items()] + ([f"T{NOTHING_YET[1:]}."] if [*groups] == [CLAIMED] else [])
    with style.drawing():
        return Drawing(_figure(selection, groups), caption, " ".join(said))


def _figure(selection: Selection, groups: dict[str, Columns]) -> Figure:
    cells = [cell for columns in groups.values() for column in columns.values() for cell in column.values()]
    most = 1.5 * max(LINEAR, *(max(cell.place or 0, cell.outline or 0) for cell in cells))
    rows = [len(_kernels(columns)) for columns in groups.values()]
    height = style.HEAD - 4 + sum(HEADING + panels.height(each) for each in rows) + style.FOOT + 12
    legend = "Bytes, log scale, and below 1 kB down to 0. Ring: 0 B. Hatched: stale, its source has changed since."
    where = "on host and GPU" if ON_DEVICE in groups else "on the host"
    record = selection.memory or selection.speed
    figure = style.card(f"What is allocated {where}", legend, record, height)
    above = style.HEAD - 4.0
    for title, columns in groups.items():
        above += HEADING
        figure.text(8 / style.WIDTH, 1 - (above - 5) / height, title, size=9, va="baseline", style="italic")
        timed = selection if title == CLAIMED else replace(selection, speed=record)
        kernels = _kernels(columns)
        shown = [Panel(column, cells, {"xlim": (0, most)}) for column, cells in columns.items()]
        for axes in panels.draw(figure, above, kernels, shown, {name for name in kernels if timed.stale(name)}):
            axes.set_xscale("symlog", linthresh=LINEAR, linscale=0.5)
            axes.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if tick <= most]))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size(int(value)).replace(".00", "")))
            axes.xaxis.set_minor_locator(NullLocator())
        above += panels.height(len(kernels))
    return figure


def _kernels(columns: Columns) -> list[str]:
    return sorted({name for column in columns.values() for name in column})


def _claimed(record: Record) -> Columns:
    """Return what the expansion and the expressions allocate; what the system does not tell is left out."""
    metadata = {name: each for name, each in record.kernel_metadata.items() if not name.endswith(AGAIN)}
    found: Columns = {"the expansion": {}, **{title: {} for title in EXPRESSIONS.values()}}
    for name, each in metadata.items():
        if "expansion_strides" in each:
            taken = int(each["expansion_bytes"]) if "expansion_bytes" in each else None
            words = f"{'not told' if taken is None else size(taken)}, strides {each['expansion_strides']}"
            found["the expansion"][name] = Cell(words, taken, float(each["expansion_full_bytes"]))
        for key, title in EXPRESSIONS.items():
            if key in each:
                found[title][name] = _cell(int(each[key]))
    return {title: cells for title, cells in found.items() if cells}


def _scopes(record: Record, field: str) -> Columns:
    """Return what each scope takes at its highest point; what was not measured is left out."""
    found: Columns = {}
    for cell, title in SCOPES.items():
        taken = [each for each in record.footprints if (each.scope, each.distance) == cell]
        sizes = {each.kernel: getattr(each, field) for each in taken}
        if cells := {name: _cell(size) for name, size in sizes.items() if size is not None}:
            found[title] = cells
    return found


def _cell(taken: int) -> Cell:
    return Cell(size(taken), taken)


def _words(title: str, columns: Columns) -> str:
    said = [f"{title}."]
    for name in _kernels(columns):
        parts = []
        for label, column in columns.items():
            if cell := column.get(name):
                copy = f" instead of {size(int(cell.outline))}" if cell.outline else ""
                parts.append(f"{label} {cell.words}{copy}")
        said.append(f"{name}: {'; '.join(parts)}.")
    return " ".join(said)
