"""What is allocated: by the expansion of a mean image, by the whole expression, and by each scope of a kernel."""

from collections.abc import Iterable
from dataclasses import replace

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from bench.formatting import size
from bench.records.model import Record
from bench.records.sample import AGAIN
from bench.report.charts import Drawing, NotDrawn, panels, style
from bench.report.charts.panels import Cell, Panel
from bench.report.page_records import Selection

EXPRESSIONS = {"expression_bytes_l1": "expression, L1 distance", "expression_bytes_l2": "expression, L2 distance"}
SCOPES = {
    ("mean", "-"): "mean",
    ("predict", "l1"): "predict_l1",
    ("predict", "l2"): "predict_l2",
    ("baseline", "l1"): "baseline",
    ("end_to_end", "l1"): "end_to_end",
}
NOT_RECORDED = "The memory of the scopes was not recorded. Record it with python -m bench run --memory."
CLAIMED = "One mean image against the validation stack; outlined: what a copy as large as the stack takes"
TEMPORARIES = "Temporaries of each scope, at the highest point of one call"
ON_DEVICE = "Temporaries of each scope on the GPU, at the highest point of one call"
HEADING = 30  # points
TICKS = (0, 10**6, 10**9)
LINEAR = 10**3  # below it the axis is linear, so that it reaches 0

Columns = dict[str, dict[str, Cell]]  # of a group of panels: its cells by title and kernel


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
        raise NotDrawn(NOT_RECORDED)
    memory = "memory of host and GPU" if ON_DEVICE in groups else "host memory"
    caption = f"How much {memory} the expansion of a mean image, the whole expression, and each scope of a kernel take."
    words = [_words(*group) for group in groups.items()]
    words += [NOT_RECORDED] if [*groups] == [CLAIMED] else []
    with style.drawing():
        return Drawing(_figure(selection, groups), caption, " ".join(words))


def _figure(selection: Selection, groups: dict[str, Columns]) -> Figure:
    cells = [cell for columns in groups.values() for column in columns.values() for cell in column.values()]
    most = 1.5 * max(LINEAR, *(max(cell.place or 0, cell.outline or 0) for cell in cells))
    heights = [HEADING + panels.height(len(_kernels(columns))) for columns in groups.values()]
    height = style.HEAD - 4 + sum(heights) + style.FOOT + 12
    legend = f"Bytes, log scale, and below 1 kB down to 0. Ring: 0 B. {style.HATCHED}"
    where = "on host and GPU" if ON_DEVICE in groups else "on the host"
    record = selection.memory or selection.speed
    figure = style.card(f"What is allocated {where}", legend, record, height)
    above = style.HEAD - 4.0
    for title, columns in groups.items():
        above += HEADING
        figure.text(8 / style.WIDTH, 1 - (above - 5) / height, title, size=9, va="baseline", style="italic")
        measured = selection if title == CLAIMED else replace(selection, speed=record)
        kernels = _kernels(columns)
        shown = [Panel(column, cells, {"xlim": (0, most)}) for column, cells in columns.items()]
        for axes in panels.draw(figure, above, kernels, shown, {name for name in kernels if measured.stale(name)}):
            axes.set_xscale("symlog", linthresh=LINEAR, linscale=0.5)
            locator = FixedLocator([tick for tick in TICKS if tick <= most])
            style.ticks(axes.xaxis, locator, lambda value: size(int(value)).replace(".00", ""))
        above += panels.height(len(kernels))
    return figure


def _kernels(columns: Columns) -> list[str]:
    return sorted({name for column in columns.values() for name in column})


def _claimed(record: Record) -> Columns:
    """Return what the expansion and the expressions allocate, as far as the machine could say."""
    kernels = {name: metadata for name, metadata in record.kernel_metadata.items() if not name.endswith(AGAIN)}
    expansion = {}
    for name, metadata in kernels.items():
        if "expansion_strides" in metadata:
            taken = int(metadata["expansion_bytes"]) if "expansion_bytes" in metadata else None
            words = f"{'unknown' if taken is None else size(taken)}, strides {metadata['expansion_strides']}"
            expansion[name] = Cell(words, taken, float(metadata["expansion_full_bytes"]))
    columns = {"the expansion": expansion} if expansion else {}
    for key, title in EXPRESSIONS.items():
        columns |= _column(title, ((name, metadata.get(key)) for name, metadata in kernels.items()))
    return columns


def _scopes(record: Record, field: str) -> Columns:
    """Return what each scope takes at its highest point; what was not measured is left out."""
    columns: Columns = {}
    for pair, title in SCOPES.items():
        rows = [row for row in record.footprints if (row.scope, row.distance) == pair]
        columns |= _column(title, ((row.kernel, getattr(row, field)) for row in rows))
    return columns


def _column(title: str, taken: Iterable[tuple[str, int | None]]) -> Columns:
    cells = {name: Cell(size(int(count)), int(count)) for name, count in taken if count is not None}
    return {title: cells} if cells else {}


def _words(title: str, columns: Columns) -> str:
    words = [f"{title}."]
    for name in _kernels(columns):
        parts = []
        for label, column in columns.items():
            if cell := column.get(name):
                copy = f" instead of {size(int(cell.outline))}" if cell.outline else ""
                parts.append(f"{label} {cell.words}{copy}")
        words.append(f"{name}: {'; '.join(parts)}.")
    return " ".join(words)
