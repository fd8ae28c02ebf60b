"""plot: draw a record."""

from pathlib import Path

import click

from bench.cli import console
from bench.cli.digits import with_digits
from bench.cli.options import DIGITS, FILE
from bench.records import reader
from bench.report import charts, selection
from bench.report.charts import files


@click.command("plot", params=[DIGITS])
@click.argument("record", type=FILE, required=False)
def command(record: Path | None, source: str | None) -> None:
    """Draw the pictures of a record.

    RECORD is a record or a file of pytest --benchmark-json. Without it, the newest record of a whole data set is drawn.
    """
    chosen = selection.alone(reader.read_all(record)) if record else selection.local()
    chosen = with_digits([chosen or selection.alone(reader.newest())], source)[0]
    pictures = {"sizes": ("scaling",), "memory": ("memory",)}.get(chosen.speed.kind, charts.PICTURES)
    for name in pictures if chosen.speed.paired else ("speedup",):
        try:
            drawing = charts.draw(name, chosen)
        except charts.NotDrawn as reason:
            print(f"{name} is not drawn: {reason}")
        else:
            for path in files.save(drawing, chosen.picture(name)):
                print(console.shown(path))
