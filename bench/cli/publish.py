"""publish: copy records to the folder of their machine, which holds one file for each kind of record."""

import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import click

from bench import atomic
from bench.analysis import checklist
from bench.cli import console
from bench.cli.options import FILE
from bench.kernel import REFERENCE
from bench.records import model, reader
from bench.records.checksum import KEY, sealed
from bench.records.model import ELSEWHERE, BadRecord, Record
from bench.records.sample import AGAIN, BOUND, Footprint, Sample
from bench.report import page_records
from bench.report.page_records import File

LARGEST = 2**20  # bytes of one published record


@click.command("publish")
@click.argument("paths", type=FILE, nargs=-1)
@click.option("--force", is_flag=True, help="Publish in spite of a refusal; record and page then say why.")
def command(paths: tuple[Path, ...], force: bool) -> None:
    """Publish records in the folder of their machine.

    PATHS are copied to results/MACHINE/. Each replaces the published record of its kind. Without PATHS, the records of
    the newest local page are copied. A record is refused if its checklist FAILs, if it times a kernel from elsewhere
    (--kernel), if its times have no confidence interval, if it was made with --against, or if it lacks kernels,
    scopes, sizes or configurations of the record that it would replace.
    """
    out = console.out()
    for path in publish(paths, force):
        out.say(console.shown(path))
    out.say(f"Next    {console.bench()} report --readme")


def publish(paths: Sequence[Path] = (), force: bool = False) -> list[Path]:
    """Copy records to results/MACHINE/KIND.json.gz and return these paths. All records are copied, or none.

    Without paths, the records of the newest local page are copied. With `force`, a record may be weak, and holds why.
    BadRecord, also with `force`: one is too large, unpaired or of the same kind as another, or no page could be made.
    """
    chosen = [reader.read_all(path) for path in paths] or page_records.local_files()
    if not chosen:
        raise BadRecord(f"{model.LOCAL} has no run of a whole data set to publish. Make one with python -m bench run.")
    weak = {file[0].path: "; ".join(weaknesses(file)) for file in chosen}
    if any(weak.values()) and not force:
        lines = [f"{path} is not published: {why}." for path, why in weak.items() if why]
        raise BadRecord("\n".join([*lines, "Record again, or publish all the same with --force."]))
    contents = {_target(file[0]): _packed(file[0].path, weak[file[0].path]) for file in chosen}
    if len(contents) < len(chosen):
        raise BadRecord(f"{chosen[0][0].path}: another record is of the same kind; publish one of each kind")
    for folder in {target.parent for target in contents}:
        records = [file for file in chosen if _target(file[0]).parent == folder]
        records += [reader.read_all(path) for path in folder.glob("*.json.gz") if path not in contents]
        page_records.from_records(records, folder / page_records.PUBLISHED_PAGE)  # raises if they make no page
    for target, content in contents.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(target, content)
    return list(contents)


def weaknesses(file: File) -> list[str]:
    """Return why a record should not be published, or not in the place of the published one; [] if it should.

    Unpaired times are a BadRecord.
    """
    record, target = file[0], _target(file[0])
    if not record.paired:
        raise BadRecord(f"{record.path}: its times are unpaired; publish a record of python -m bench run")
    reasons = list(dict.fromkeys(why.rstrip(".") for part in file for why in checklist.failures(part)))
    if record.speed and record.reference != REFERENCE:
        loops = "over another reference than" if record.samples_of(REFERENCE) else "without"
        reasons.append(f"it was recorded with --against, {loops} {REFERENCE}")
    if record.samples and record.processes < model.FEWEST_PROCESSES:
        reasons.append(f"no confidence interval, with {record.processes} of {model.FEWEST_PROCESSES} processes")
    if ELSEWHERE in (files := str(record.metadata.get("not_in_commit"))):
        reasons.append(f"kernels from elsewhere, {files}")
    if target.exists():
        try:
            former, now = _contents(reader.read_all(target)), _contents(file)
        except BadRecord as error:
            return [*reasons, f"the published record cannot be read, {str(error).rstrip('.')}"]
        for what in former:
            if lacking := sorted(former[what] - now[what]):
                reasons.append(f"{what} of the published record are missing, {', '.join(lacking)}")
    return reasons


def _contents(file: File) -> dict[str, set[str]]:
    """Return what a record holds, so that one that holds less does not take its place unnoticed."""
    rows: list[Sample | Footprint] = [row for record in file for row in record.samples]
    rows += [row for record in file for row in record.footprints]
    return {
        "kernels": {row.kernel for row in rows if not row.kernel.endswith(AGAIN) and not row.kernel.startswith(BOUND)},
        "configurations": {record.configuration for record in file},
        "scopes": {f"{row.scope} {row.distance}" for row in rows},
        "sizes": {str(size) for record in file if record.kind == "sizes" for size in record.sizes},
    }


def _packed(path: Path, forced: str) -> bytes:
    """Return the content of a record's file, compressed, with a checksum, and with the key `forced` if it is not ""."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    parsed = json.loads(content)
    if forced or KEY not in parsed["metadata"]:
        content = sealed(parsed, **({"forced": forced} if forced else {}))
    packed = gzip.compress(content, mtime=0)
    if len(packed) > LARGEST:
        size = f"{len(packed):,} bytes packed, expected at most {LARGEST:,}"
        raise BadRecord(f"{path}: {size}; record fewer kernels at once")
    return packed


def _target(record: Record) -> Path:
    return model.LOCAL.parent / machine(record) / f"{record.slot}.json.gz"


def machine(record: Record) -> str:
    """Return a folder name from the hardware alone, such as "amd-epyc-2-cores-0123abcd".

    The last part is a hash of processor, caches, cores and GPU, which tells machines of one brand apart.
    """
    name = f"{record.hardware('cpu_model_name')} {record.hardware('cpu_count')} cores".lower()
    name = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", name)).strip("-")
    hardware = "\n".join(record.hardware(key) for key in model.HARDWARE)
    return f"{name}-{hashlib.sha256(hardware.encode()).hexdigest()[:8]}"
