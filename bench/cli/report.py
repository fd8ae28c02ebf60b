"""report: write pages, and the results in the README."""

from pathlib import Path

import click

from bench import atomic
from bench.cli import console
from bench.cli.data_sets import with_digits
from bench.cli.options import DIGITS, FILE
from bench.records import reader
from bench.records.model import BadRecord
from bench.report import charts, page, page_records, readme


@click.command("report", params=[*DIGITS])
@click.argument("records", type=FILE, nargs=-1)
@click.option("--readme", "with_readme", is_flag=True, help="Also write the published results into the README.")
def command(records: tuple[Path, ...], source: str | None, data_limit: int, with_readme: bool) -> None:
    """Write the pages that show the results.

    RECORDS are shown together on one page. Without them, there is a page for every published machine and for the newest
    local run.
    """
    published = [] if records and not with_readme else page_records.published()
    chosen = [page_records.from_paths(records)] if records else [*published, *filter(None, [page_records.local()])]
    if not chosen:
        [record, *_] = reader.newest()  # raises BadRecord where there is no record
        why = "is of a small data set, and a page needs a whole one. Make its record with python -m bench run."
        raise BadRecord(f"{record.path} {why}")
    text = readme.README.read_bytes().decode() if with_readme else ""  # bytes, so that line ends stay as they are
    if with_readme:
        readme.around(text, published)  # raises BadRecord before anything is written
    for shown in with_digits([*chosen, *(published if records else [])], source, data_limit):
        for path in page.write(shown):
            console.out().say(console.shown(path))
        if shown.published and shown.problem is None:
            why = "because the recorded digits were not found. Name them with --data."
            console.out().say(f"The picture {charts.OF_DIGITS} was not drawn again, {why}")
    if with_readme:
        atomic.write(readme.README, readme.rewritten(text, published).encode())
        console.out().say(console.shown(readme.README))
