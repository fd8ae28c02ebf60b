"""Speedup over the reference kernel, one bar per kernel on a log axis, seconds on each bar."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from bench import speedup
from bench.charts import style
from bench.kernel import REFERENCE
from bench.records import BadRecord, Record
from bench.units import ratio, time


def draw(record: Record, stem: Path) -> list[Path]:
    """Draw the scope `baseline` under L1 to `stem`.svg and `stem`.png; return their paths.

    Raises:
        BadRecord: the record lacks that scope, or the reference kernel in it.
    """
    reference = record.of(REFERENCE)
    if not reference:
        raise BadRecord(f"{record.path}: holds no baseline/l1/{REFERENCE} to compare with; record it too")
    compare = speedup.speedup if record.paired else speedup.unpaired
    rows = [(compare(reference, record.of(name)), name) for name in record.kernels()]
    rows.sort(reverse=True)
    with style.drawing():
        figure = Figure(figsize=(8, 1.9 + 0.42 * (len(rows) + len(record.absent))), layout="constrained")
        axes = figure.subplots()
        labels = [absent.kernel for absent in reversed(record.absent)] + [name for _, name in rows]
        for y, absent in enumerate(reversed(record.absent)):
            text = f"{absent.status}: {_short(absent.reason)}"
            axes.text(1.08, y, text, va="center", color=style.FAINT, style="italic", fontsize=9)
        for y, (times_faster, name) in enumerate(rows, start=len(record.absent)):
            seconds = time(speedup.seconds(record.of(name))[0])
            label = f"  1×, the reference · {seconds}" if name == REFERENCE else f"  {ratio(times_faster)} · {seconds}"
            axes.barh(y, times_faster - 1, left=1, height=0.62, color=style.colour(name))
            axes.text(max(times_faster, 1), y, label, va="center")
        axes.axvline(1, color=style.INK, linewidth=1.2)
        fastest = max(times_faster for times_faster, _ in rows)
        slowest = min(times_faster for times_faster, _ in rows)
        axes.set(xscale="log", xlim=(min(slowest, 1) / 1.15, max(fastest, 10) ** 1.45), ylim=(-0.6, len(labels) - 0.4))
        axes.set_yticks(range(len(labels)), labels)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}×"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"times faster than {REFERENCE} (log scale)")
        axes.set_title(f"Mean images and L1 labels of {_dataset(record)}", loc="left", weight="bold", fontsize=11)
        figure.supxlabel(_caption(record), x=0.01, ha="left", fontsize=7.5, color=style.FAINT)
        return style.save(figure, stem)


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
