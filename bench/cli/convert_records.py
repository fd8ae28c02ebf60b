"""Write the present digest of the digits into the published records of one machine.

    python -m bench.cli.convert_records FOLDER --data SOURCE

The digest used to depend on the order of the images within a class. All else in a record stays as it is, and its
checksum is written anew.
"""

import gzip
import hashlib
import json
from pathlib import Path

import click

import data
from bench import atomic
from bench.records import reader
from bench.records.checksum import sealed
from bench.records.model import BadRecord
from data import DataError, Digits


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--data", "source", default="auto", metavar="SOURCE", help="Digits that were recorded (default auto).")
def convert(folder: Path, source: str) -> None:
    """Replace the old digest of the digits in the records in FOLDER. A record with the new one is not changed."""
    try:
        digits = data.load(source)
        contents = {path: _converted(path, digits) for path in sorted(folder.glob("*.json.gz"))}
    except (BadRecord, DataError) as error:
        raise click.UsageError(str(error)) from error
    changed = {path: content for path, content in contents.items() if content}
    for path, content in changed.items():
        atomic.write(path, gzip.compress(content, mtime=0))
        click.echo(path)
    if not changed:
        click.echo(f"{folder}: no record needs converting.")


def _converted(path: Path, digits: Digits) -> bytes:
    """Return a record's content with the new digests; b"" if it has them.

    Raises:
        BadRecord: it cannot be read, or was recorded on other digits.
    """
    record = reader.read_all(path)[0]
    small = digits.first_of_each_class(record.per_class) if record.per_class else digits
    recorded = (record.metadata["dataset_digest"], record.whole_digest)
    old, new = ((function(small), function(digits)) for function in (_old_digest, lambda each: each.digest))
    if recorded not in (old, new):
        raise BadRecord(f"{path} was recorded on other digits than {digits.name}. Name them with --data.")
    content = gzip.decompress(path.read_bytes())
    for before, after in zip(old, new, strict=True) if recorded == old else ():
        content = content.replace(before.encode(), after.encode())
    return sealed(json.loads(content)) if recorded == old else b""


def _old_digest(digits: Digits) -> str:
    """Return the digest as it was: SHA-256 of class names, split sizes, image size, and the pixels in their order."""
    counts = {"train": digits.train_counts, "valid": digits.valid_counts}
    sha = hashlib.sha256(json.dumps({"classes": digits.classes, "image": digits.image_shape, **counts}).encode())
    for stack in (*digits.train, *digits.valid):
        sha.update(stack.data)
    return sha.hexdigest()


if __name__ == "__main__":
    convert(prog_name="python -m bench.cli.convert_records")
