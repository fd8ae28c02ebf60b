"""publish: copy records to the folder of their machine, one file for each kind of record."""

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import click

from bench import files
from bench.analysis import checklist
from bench.cli import console
from bench.cli.options import FILE
from bench.records import model, reader
from bench.records.model import BadRecord, Record
from bench.report import selection
from bench.report.selection import File

LARGEST = 2**20  # bytes of one published record


@click.command("publish")
@click.argument("paths", type=FILE, nargs=-1)
def command(paths: tuple[Path, ...]) -> None:
    """Copy PATHS, by default those of the newest run's page, to results/<machine>/, unless a checklist FAILs.

    Each takes the place of what was published of its kind.
    """
    out = console.out()
    for written in publish(paths):
        out.print(console.shown(written))
    out.print("Next    python -m bench report --readme writes the machine's page and pictures, and the README")


def publish(paths: Sequence[Path] = ()) -> list[Path]:
    """Copy records to results/<machine>/<kind>.json.gz, in the place of what was published of the same kind.

    Without paths those of the newest local run, and what else its page is made of. All are published, or none.

    Raises:
        BadRecord: there are none; the checklist fails one, one is too large or was never paired; or no page could be
            made of them and what stays there: they are of different digits, or none times a whole data set.
    """
    chosen = [reader.read_all(path) for path in paths] or selection.local_files() or [reader.newest()]
    contents = {_target(file[0]): _checked(file) for file in chosen}
    if len(contents) < len(chosen):
        raise BadRecord(f"{chosen[0][0].path}: another one is of the same kind; publish one of each kind")
    for folder in {target.parent for target in contents}:
        staying = [path for path in folder.glob("*.json.gz") if path not in contents]
        here = [file for file in chosen if _target(file[0]).parent == folder]
        selection.of(
            [*here, *map(reader.read_all, staying)], folder / selection.PUBLISHED_PAGE
        )  # or it could have no page
    for target, content in contents.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(target) as partial:
            partial.write_bytes(content)
    return list(contents)


def _checked(file: File) -> bytes:
    """Return a record's file packed; raise BadRecord where it may not be published."""
    path = file[0].path
    if not file[0].paired:
        raise BadRecord(f"{path}: indicative and unpaired, so it is not published; python -m bench run records one")
    for record in file:
        for part in [record.at(size) for size in record.sizes] if record.kind == "sizes" else [record]:
            for scope, distance in part.cells:
                checklist.must_not_fail(part, scope, distance)
    return packed(path)


def packed(path: Path) -> bytes:
    """Return a record's file as it is published: the same bytes, compressed.

    Raises:
        BadRecord: it is too large.
    """
    content = path.read_bytes()
    found = gzip.compress(content if path.suffix != ".gz" else gzip.decompress(content), mtime=0)
    if len(found) > LARGEST:
        raise BadRecord(
            f"{path}: {len(found):,} bytes packed, expected at most {LARGEST:,}; record fewer kernels at once"
        )
    return found


def _target(record: Record) -> Path:
    return model.LOCAL.parent / machine(record) / f"{record.slot}.json.gz"


def machine(record: Record) -> str:
    """Return a folder name from the hardware alone, such as "amd-epyc-2-cores"."""
    metadata = record.metadata
    name = f"{metadata['cpu_model_name']} {metadata['cpu_count']} cores".lower()
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", name)).strip("-")
