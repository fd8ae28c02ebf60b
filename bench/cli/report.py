"""report: write pages, and the README's results."""

from collections.abc import Sequence
from pathlib import Path

import click

from bench import files
from bench.cli import console
from bench.cli.digits import with_digits
from bench.cli.options import DIGITS, FILE
from bench.records import reader
from bench.report import charts, page, selection
from bench.report import readme as readmes


@click.command("report")
@click.argument("records", type=FILE, nargs=-1)
@click.option("--readme", is_flag=True, help="Also rewrite the README's results from the published records.")
@DIGITS
def command(records: tuple[Path, ...], source: str | None, readme: bool) -> None:
    """Write the page of every published machine and of the newest local run; or one page of RECORDS."""
    report(records, source, readme)


def report(paths: Sequence[Path], source: str | None, readme: bool) -> None:
    """Write the pages of every published machine and of the newest local run, or of the records named.

    Raises:
        BadRecord: there is no record, one cannot be read, or they do not belong on one page.
    """
    published = [] if paths and not readme else selection.published()
    chosen = [selection.from_paths(paths)] if paths else [*published, *filter(None, [selection.local()])]
    if not chosen:
        reader.newest()  # says what is wrong, or that there is no record
    text = readmes.README.read_bytes().decode() if readme else ""  # with its own ends of lines
    if readme:
        readmes.around(text, published)  # refuses before anything is written
    for case in with_digits([*chosen, *(published if paths else [])], source):
        for written in page.write(case):
            print(console.shown(written))
        if case.published and case.problem is None:
            left = " and ".join(charts.OF_DIGITS)
            print(f"Left as they are: {left}, for the digits that were recorded are not at hand; --data names them.")
    if readme:
        with files.whole(readmes.README) as partial:
            partial.write_bytes(readmes.rewritten(text, published).encode())
        print(console.shown(readmes.README))
