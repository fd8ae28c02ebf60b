"""plot: draw a record."""

from pathlib import Path

import click

from bench.cli import console
from bench.cli.digits import with_digits
from bench.cli.options import DIGITS, FILE
from bench.records import reader
from bench.report import charts, selection
from bench.report.charts import files


@click.command("plot")
@click.argument("record", type=FILE, required=False)
@DIGITS
def command(record: Path | None, source: str | None) -> None:
    """Draw RECORD, by default the newest of a whole data set; also a file of pytest --benchmark-json."""
    plot(record, source)


def plot(path: Path | None, source: str | None) -> None:
    """Draw what a record, by default the newest local run's, has to show; print the paths."""
    drawn = selection.alone(reader.read_all(path)) if path else selection.local() or selection.alone(reader.newest())
    drawn = with_digits([drawn], source)[0]
    only = {"sizes": ("scaling",), "memory": ("memory",)}.get(drawn.speed.kind, charts.PICTURES)
    for name in only if drawn.speed.paired else ("speedup",):
        try:
            drawing = charts.draw(name, drawn)
        except charts.NotDrawn as missing:
            print(f"{name} is not drawn: {missing}")
        else:
            for written in files.save(drawing, drawn.picture(name)):
                print(console.shown(written))
