"""Speedup over the reference kernel, one bar per kernel on a log axis, seconds on each bar."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from bench import checklist
from bench.charts import style
from bench.kernel import REFERENCE
from bench.records import BadRecord, Record
from bench.standing import Standing, standings
from bench.units import either, ratio, time


def draw(record: Record, stem: Path) -> list[Path]:
    """Draw the scope `baseline` under L1 to `stem`.svg and `stem`.png; return their paths.

    Raises:
        BadRecord: the record is not one of speed, lacks that scope or the reference in it, or its checklist FAILs.
    """
    if record.kind != "speed":
        raise BadRecord(f"{record.path}: is a record of {record.kind}, expected one of speed; name another")
    if not record.of(REFERENCE):
        raise BadRecord(f"{record.path}: holds no baseline/l1/{REFERENCE} to compare with; record it too")
    checklist.must_not_fail(record)
    rows = list(reversed(standings(record)))
    rows.sort(key=lambda each: each.times_faster or 0, reverse=True)
    ends = [end for each in rows for end in _reach(each)]
    with style.drawing():
        figure = Figure(figsize=(8, 1.9 + 0.42 * (len(rows) + len(record.absent))), layout="constrained")
        axes = figure.subplots()
        labels = [absent.kernel for absent in reversed(record.absent)] + [each.kernel for each in rows]
        for y, absent in enumerate(reversed(record.absent)):
            text = f"{absent.status}: {_short(absent.reason)}"
            axes.text(1.08, y, text, va="center", color=style.FAINT, style="italic", fontsize=9)
        for y, each in enumerate(rows, start=len(record.absent)):
            _bar(axes, y, each)
        axes.axvline(1, color=style.INK, linewidth=1.2)
        for bound in (bounds := _limits(rows)):
            axes.axvline(bound, color=style.FAINT, linewidth=1.2, linestyle="--")
        if bounds:
            text, top = f"limit of this machine, {' or '.join(map(ratio, bounds))} ", axes.get_xaxis_transform()
            axes.text(max(bounds), 1.01, text, transform=top, ha="right", fontsize=8, color=style.FAINT)
        ends += bounds
        axes.set(xscale="log", xlim=(min(ends) / 1.15, max(*ends, 10) ** 1.3), ylim=(-0.6, len(labels) - 0.4))
        axes.set_yticks(range(len(labels)), labels)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}×"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"times faster than {REFERENCE} (log scale)")
        figure.suptitle(
            f"Mean images and L1 labels of {_dataset(record)}", x=0.01, ha="left", weight="bold", fontsize=11
        )
        figure.supxlabel(_caption(record), x=0.01, ha="left", fontsize=7.5, color=style.FAINT)
        return style.save(figure, stem)


def _bar(axes: Axes, y: int, row: Standing) -> None:
    """One kernel: a bar with its interval, or where it has two modes a mark for each and no bar."""
    places, colour = [mode.value for mode in row.speedups], style.colour(row.kernel)
    text = "1×, the reference" if row.kernel == REFERENCE else either(row.speedups, ratio)
    if len(places) > 1:
        axes.plot(places, [y] * len(places), color=colour, marker="o", linestyle=":")
    elif places:
        axes.barh(y, places[0] - 1, left=1, height=0.62, color=colour)
        if row.ratio and row.ratio.low is not None and row.ratio.high is not None:
            axes.plot([row.ratio.low, row.ratio.high], [y, y], color=style.INK, linewidth=2.4, solid_capstyle="butt")
    text = f"{text} · {either(row.modes, time)}"
    axes.annotate(text, (max(_reach(row)), y), xytext=(7, 0), textcoords="offset points", va="center")


def _reach(row: Standing) -> list[float]:
    """Return every place on the axis where something of the kernel is drawn, and the ends of its interval."""
    ends = [row.ratio.low, row.ratio.high] if row.ratio else []
    return [1.0, *(mode.value for mode in row.speedups), *(end for end in ends if end is not None)]


def _limits(rows: Sequence[Standing]) -> list[float]:
    """Return how many times faster than the reference the machine's limit is: twice where the reference has modes."""
    reference = next(each for each in rows if each.kernel == REFERENCE)
    return [1 / mode.value for mode in reference.share.modes] if reference.share else []


def _short(reason: str) -> str:
    line = reason.strip().splitlines()[-1]
    return line if len(line) <= 70 else line[:69] + "…"


def _dataset(record: Record) -> str:
    return str(record.facts.get("dataset", "unknown digits"))


def _caption(record: Record) -> str:
    facts = record.facts
    machine = f"{facts.get('cpu_model_name', 'unknown CPU')}, {facts.get('cpu_count', '?')} cores"
    data = f"{_dataset(record)} {str(facts.get('dataset_digest', '?'))[:12]}"
    return f"{record.label} · median seconds · {data} · {machine} · commit {facts.get('commit', 'unknown')}"
