"""publish: copy records to the folder of their machine, which holds one file for each kind of record."""

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import click

from bench import atomic
from bench.analysis import checklist
from bench.cli import console
from bench.cli.options import FILE
from bench.records import model, reader
from bench.records.model import BadRecord, Record
from bench.report import page_records
from bench.report.page_records import File

LARGEST = 2**20  # bytes of one published record


@click.command("publish")
@click.argument("paths", type=FILE, nargs=-1)
def command(paths: tuple[Path, ...]) -> None:
    """Publish records in the folder of their machine.

    PATHS are copied to results/MACHINE/. Each replaces the published record of its kind. Without PATHS, the records of
    the newest local page are copied. A record whose checklist FAILs is refused.
    """
    out = console.out()
    for path in publish(paths):
        out.say(console.shown(path))
    out.print("Next    python -m bench report --readme writes the machine's page and pictures, and the README")


def publish(paths: Sequence[Path] = ()) -> list[Path]:
    """Copy records to results/MACHINE/KIND.json.gz and return these paths. All records are copied, or none.

    Without paths, the records of the newest local page are copied.

    Raises:
        BadRecord: there is no record; a checklist FAILs; a record is too large, unpaired or one of two of a kind; or
            no page could be made of the machine's records, because digits differ or none times a whole data set.
    """
    chosen = [reader.read_all(path) for path in paths] or page_records.local_files()
    if not chosen:
        raise BadRecord(f"{model.LOCAL} has no run of a whole data set to publish. Make one with python -m bench run.")
    contents = {_target(file[0]): _checked(file) for file in chosen}
    if len(contents) < len(chosen):
        raise BadRecord(f"{chosen[0][0].path}: another record is of the same kind; publish one of each kind")
    for folder in {target.parent for target in contents}:
        records = [file for file in chosen if _target(file[0]).parent == folder]
        records += [reader.read_all(path) for path in folder.glob("*.json.gz") if path not in contents]
        page_records.from_records(
            records, folder / page_records.PUBLISHED_PAGE
        )  # raises BadRecord if they make no page
    for target, content in contents.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(target, content)
    return list(contents)


def _checked(file: File) -> bytes:
    """Return the bytes of a record's file to publish. Raise BadRecord if it may not be published."""
    path = file[0].path
    if not file[0].paired:
        raise BadRecord(
            f"{path}: cannot be published, for its times are unpaired; publish a record of python -m bench run"
        )
    for record in file:
        for part in [record.at(size) for size in record.sizes] if record.kind == "sizes" else [record]:
            for scope, distance in part.pairs:
                checklist.must_not_fail(part, scope, distance)
    return packed(path)


def packed(path: Path) -> bytes:
    """Return the same bytes as in a record's file, compressed. Raise BadRecord if they are more than LARGEST."""
    content = path.read_bytes()
    content = gzip.compress(gzip.decompress(content) if path.suffix == ".gz" else content, mtime=0)
    size = f"{len(content):,} bytes packed, expected at most {LARGEST:,}"
    if len(content) > LARGEST:
        raise BadRecord(f"{path}: {size}; record fewer kernels at once")
    return content


def _target(record: Record) -> Path:
    return model.LOCAL.parent / machine(record) / f"{record.slot}.json.gz"


def machine(record: Record) -> str:
    """Return a folder name from the hardware alone, such as "amd-epyc-2-cores"."""
    metadata = record.metadata
    name = f"{metadata['cpu_model_name']} {metadata['cpu_count']} cores".lower()
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", name)).strip("-")
