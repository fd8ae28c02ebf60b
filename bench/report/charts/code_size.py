"""How much code each kernel is, beside how fast it is: the shortest at the top."""

from typing import Any

from matplotlib.ticker import LogLocator

from bench import formatting
from bench.analysis import checklist
from bench.analysis.claims import TWICE
from bench.analysis.summary import summaries
from bench.report.charts import Drawing, NotDrawn, panels, style
from bench.report.charts.panels import Cell, Panel
from bench.report.page_records import Selection


def draw(selection: Selection) -> Drawing:
    """Draw the tokens and the speedup of every kernel that was counted.

    Raises:
        NotDrawn: the record does not say how much code its kernels are.
        BadRecord: the record's checklist FAILs.
    """
    record = selection.speed
    checklist.must_not_fail(record)
    speeds = {row.kernel: row.speedup for row in summaries(record) if row.speedup}
    code = {
        name: (int(metadata["code_tokens"]), int(metadata["code_lines"]))
        for name, metadata in record.kernel_metadata.items()
        if name in speeds and "code_tokens" in metadata
    }
    if record.reference not in code:
        raise NotDrawn(f"the record does not say how much code {record.reference} is; python -m bench run counts it")
    kernels = sorted(code, key=lambda name: (code[name], name))
    stale = {name for name in kernels if selection.stale(name)}
    missing = [name for name in record.kernels() if name not in code]
    note = f"Not counted when recorded: {', '.join(missing)}" if missing else ""
    half = code[record.reference][0] / TWICE
    counted = [speeds[name] for name in kernels]
    axis: dict[str, Any] = {"xscale": "log", "xlim": (min(counted) / 1.5, max(counted) * 2)}
    tokens = {name: Cell(f"{code[name][0]}, in {code[name][1]} lines", code[name][0]) for name in kernels}
    speedups = {name: Cell(formatting.ratio(speeds[name]), speeds[name]) for name in kernels}
    shown = [
        Panel("tokens of the functions that compute", tokens, {"xlim": (0, 1.1 * max(code.values())[0])}),
        Panel(f"times as fast as {record.reference} (log scale)", speedups, axis, start=1),
    ]
    with style.drawing():
        above, below = style.HEAD + 4, style.FOOT + (26 if missing else 12)
        hatched = style.HATCHED if stale else ""
        legend = f"Left of the dashed line: at most half the tokens of {record.reference}. {hatched}"
        height = above + panels.height(len(kernels)) + below
        figure = style.card("How much code, how fast", legend, record, height)
        of_tokens, of_speed = panels.draw(figure, above, kernels, shown, stale)
        of_tokens.axvline(half, color=style.FAINT, linewidth=1, linestyle="--", zorder=0)
        of_speed.axvline(1, color=style.INK, linewidth=1)
        style.ticks(of_speed.xaxis, LogLocator(numticks=6), lambda value: f"{value:,g}×")
        figure.text(8 / style.WIDTH, (style.FOOT + 4) / height, note, size=8)
    words = "; ".join(
        f"{name} {code[name][0]} tokens in {code[name][1]} lines, {speedups[name].words}"
        f"{', stale' if name in stale else ''}"
        for name in kernels
    )
    where = f"on {record.metadata['dataset']}, timed on {record.metadata['cpu_model_name']}"
    caption = f"Tokens and speedup of {len(kernels)} kernels {where}."
    return Drawing(figure, caption, f"{words}. Half the tokens of {record.reference} are {half:g}. {note}".strip())
