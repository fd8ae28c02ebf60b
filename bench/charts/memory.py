"""What is allocated: by the expansion of a mean image, by the whole expression, and by each scope of a kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.case import Case
from bench.charts import Drawing, NotDrawn, panels, style
from bench.charts.panels import Cell, Column
from bench.records import Record
from bench.sample import AGAIN
from bench.units import size

EXPANSION = "the expansion"
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


@dataclass(frozen=True)
class Group:
    """Panels under one heading, and the record that they are from."""

    title: str
    columns: dict[str, Column]
    record: Record

    @property
    def kernels(self) -> list[str]:
        return sorted({name for column in self.columns.values() for name in column})

    @property
    def most(self) -> float:
        cells = [cell for column in self.columns.values() for cell in column.values()]
        return max(value for cell in cells for value in (*cell.places, cell.outline or 0))


def draw(case: Case) -> Drawing:
    """Draw what the expansion and the expressions allocate, and below it the temporaries of the scopes: host, then GPU.

    Raises:
        NotDrawn: neither was recorded.
    """
    groups = [Group(CLAIMED, _claimed(case.speed), case.speed)]
    if case.memory:
        groups.append(Group(TEMPORARIES, _scopes(case.memory, "temporaries_bytes"), case.memory))
        groups.append(Group(ON_DEVICE, _scopes(case.memory, "device_temporaries_bytes"), case.memory))
    groups = [each for each in groups if each.columns]
    if not groups:
        raise NotDrawn(NOTHING_YET)
    memory = "memory of host and GPU" if groups[-1].title == ON_DEVICE else "host memory"
    caption = f"How much {memory} the expansion of a mean image, the whole expression, and each scope of a kernel take."
    said = [_words(each) for each in groups] + ([f"T{NOTHING_YET[1:]}."] if groups[-1].title == CLAIMED else [])
    with style.drawing():
        return Drawing(_figure(case, groups), caption, " ".join(said))


def _figure(case: Case, groups: Sequence[Group]) -> Figure:
    most = max(LINEAR, *(each.most for each in groups)) * 1.5
    height = style.HEAD - 4 + sum(HEADING + panels.height(len(each.kernels)) for each in groups) + style.FOOT + 12
    legend = "Bytes, log scale, and below 1 kB down to 0. Ring: 0 B. Hatched: stale, its source has changed since."
    where = "on host and GPU" if groups[-1].title == ON_DEVICE else "on the host"
    figure = style.card(f"What is allocated {where}", legend, groups[-1].record, height)
    above = style.HEAD - 4.0
    for each in groups:
        above += HEADING
        figure.text(8 / style.WIDTH, 1 - (above - 5) / height, each.title, size=9, va="baseline", style="italic")
        stale = {name for name in each.kernels if replace(case, speed=each.record).stale(name)}
        images = {name: each.record.images_of_class(name) for name in each.kernels}
        panels.draw(figure, above, each.kernels, each.columns, stale, images, xlim=(0, most))
        above += panels.height(len(each.kernels))
    for axes in figure.axes:
        axes.set_xscale("symlog", linthresh=LINEAR, linscale=0.5)
        axes.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if tick <= most]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size(int(value)).replace(".00", "")))
        axes.xaxis.set_minor_locator(NullLocator())
    return figure


def _claimed(record: Record) -> dict[str, Column]:
    """Return what the expansion and the expressions allocate; what the system does not tell is left out."""
    facts = {name: each for name, each in record.kernel_facts.items() if not name.endswith(AGAIN)}
    expanded = {name: _expansion(each) for name, each in facts.items() if "expansion_strides" in each}
    columns: dict[str, Column] = {EXPANSION: expanded} if expanded else {}
    for key, title in EXPRESSIONS.items():
        if cells := {name: _cell(int(each[key])) for name, each in facts.items() if key in each}:
            columns[title] = cells
    return columns


def _expansion(facts: Mapping[str, Any]) -> Cell:
    told = _cell(int(facts["expansion_bytes"])) if "expansion_bytes" in facts else Cell("not told")
    text = f"{told.text}, strides {facts['expansion_strides']}"
    return replace(told, text=text, outline=float(facts["expansion_full_bytes"]))


def _scopes(record: Record, field: str) -> dict[str, Column]:
    """Return what each scope takes at its highest point; what was not measured is left out."""
    found: dict[str, Column] = {}
    for (scope, distance), title in SCOPES.items():
        taken = [each for each in record.footprints if (each.scope, each.distance) == (scope, distance)]
        sizes = {each.kernel: getattr(each, field) for each in taken}
        if cells := {name: _cell(size) for name, size in sizes.items() if size is not None}:
            found[title] = cells
    return found


def _cell(taken: int) -> Cell:
    return Cell(size(taken), [float(taken)])


def _words(group: Group) -> str:
    said = [f"{group.title}."]
    for name in group.kernels:
        parts = []
        n = group.record.images_of_class(name)
        for label, column in group.columns.items():
            if cell := column.get(name):
                copy = f" instead of {size(int(cell.outline))}" if cell.outline else ""
                parts.append(f"{label} {cell.text}{copy}")
        said.append(f"{name}{f', first {n} images of each class' if n else ''}: {'; '.join(parts)}.")
    return " ".join(said)
