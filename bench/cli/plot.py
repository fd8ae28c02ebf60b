"""plot: draw a record."""

from pathlib import Path

import click

from bench.cli import console
from bench.cli.data_sets import with_digits
from bench.cli.options import DIGITS, FILE
from bench.records import reader
from bench.report import charts, page_records
from bench.report.charts import svg


@click.command("plot", params=[DIGITS])
@click.argument("record", type=FILE, required=False)
def command(record: Path | None, source: str | None) -> None:
    """Draw the pictures of a record.

    RECORD is a record or a file of pytest --benchmark-json. Without it, the newest record of a whole data set is drawn.
    """
    chosen = page_records.alone(reader.read_all(record)) if record else page_records.local()
    chosen = with_digits([chosen or page_records.alone(reader.newest())], source)[0]
    pictures = {"sizes": ("sizes",), "memory": ("memory",)}.get(chosen.speed.kind, charts.PICTURES)
    for name in pictures if chosen.speed.paired else ("speedup",):
        try:
            drawing = charts.draw(name, chosen)
        except charts.NotDrawn as reason:
            print(f"{name} is not drawn: {reason}")
        else:
            for path in svg.save(drawing, chosen.picture(name)):
                print(console.shown(path))
