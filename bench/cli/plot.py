"""plot: draw a record."""

from pathlib import Path

import click

from bench.cli import console
from bench.cli.data_sets import with_digits
from bench.cli.options import DIGITS, FILE
from bench.records import reader
from bench.records.model import BadRecord
from bench.report import charts, page_records
from bench.report.charts import drawn


@click.command("plot", params=[*DIGITS])
@click.argument("record", type=FILE, required=False)
def command(record: Path | None, source: str | None, data_limit: int) -> None:
    """Draw the pictures of a record.

    RECORD is a record or a file of pytest --benchmark-json. Without it, the records of the newest run are drawn, or
    those of a published machine if no run was recorded here. Pictures of published records go to results/local/.
    """
    newest = None if record else page_records.local() or next(iter(page_records.published()), None)
    chosen = newest or page_records.alone(reader.read_all(record) if record else reader.newest())
    [chosen] = with_digits([page_records.apart(chosen)], source, data_limit)
    for entry in () if chosen.speed.paired else chosen.speed.not_timed:
        console.out().say(f"{entry.kernel} is left out: {entry.reason}")
    kind = chosen.speed.kind if chosen.speed.paired else "unpaired"
    pictures = {"sizes": ("sizes",), "memory": ("speedup",), "unpaired": ("speedup",)}.get(kind, charts.PICTURES)
    reasons = []
    drawn.draw_all(pictures, chosen, (".svg", ".png"))
    for name in pictures:
        try:
            for path in drawn.save(name, chosen):
                console.out().say(console.shown(path))
        except charts.NotDrawn as reason:
            reasons.append(f"{name} is not drawn: {reason}")
    if len(reasons) == len(pictures):
        raise BadRecord("\n".join(reasons))
    for line in reasons:
        console.out().say(line)
