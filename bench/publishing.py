"""From an ordinary run to the record: a folder per machine, in a name that a person can read."""

import gzip
import re
from pathlib import Path

from bench import case, checklist, reading, records, writing
from bench.records import BadRecord, Record

LARGEST = 2**20  # bytes of one published record


def publish(path: Path, slug: str) -> Path:
    """Copy a record to results/<machine>/<utc date>-<slug>.json.gz; return that path.

    Raises:
        BadRecord: the checklist fails it, it is too large, it was never paired, the name is taken, or no page could be
            made of it and what is there: they are of different digits, or none is of speed.
    """
    record = reading.read(path)
    if not record.paired:
        raise BadRecord(f"{path}: indicative and unpaired, so it is not published; python -m bench run records one")
    for part in [record.at(size) for size in record.sizes] if record.kind == "sizes" else [record]:
        for scope, distance in part.cells:
            checklist.must_not_fail(part, scope, distance)
    packed = gzip.compress(path.read_bytes() if path.suffix != ".gz" else gzip.decompress(path.read_bytes()), mtime=0)
    if len(packed) > LARGEST:
        raise BadRecord(
            f"{path}: {len(packed):,} bytes packed, expected at most {LARGEST:,}; record fewer kernels at once"
        )
    folder = records.LOCAL.parent / machine(record)
    target = folder / f"{str(record.facts['date'])[:10]}-{slug}.json.gz"
    if target.exists():
        raise BadRecord(f"{target} is there already, and a record is never overwritten; choose another --slug")
    there = [reading.read(each) for each in folder.glob("*.json.gz")]
    case.of([record, *there], folder / case.PUBLISHED_PAGE)  # or no page could be made of what lies there
    folder.mkdir(parents=True, exist_ok=True)
    with writing.whole(target) as partial:
        partial.write_bytes(packed)
    return target


def machine(record: Record) -> str:
    """Return a folder name from the hardware alone, such as "amd-epyc-2-cores"."""
    facts = record.facts
    name = f"{facts['cpu_model_name']} {facts['cpu_count']} cores".lower()
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", name)).strip("-")
