"""The one place that writes records: whole or not at all, and never over an older one."""

import getpass
import json
import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import atomic
from bench.atomic import printable
from bench.records import keys, model
from bench.records.checksum import KEY, sealed
from bench.records.model import SCHEMA, Measurements, NotTimed, Record
from bench.records.sample import Footprint, Sample


def write(measurements: Sequence[Measurements], folder: Path | None = None) -> list[Record]:
    """Write what one run measured on one data set, under each configuration, to one new file in results/local/.

    Return the records, as `reader.read_all` reads them from the file. An unknown metadata key is a ValueError.
    """
    import pyperf

    folder = folder or model.LOCAL
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.new(folder, ".json") as (path, partial):
        date = datetime.now(UTC).isoformat(timespec="seconds")
        records = [_record(of_one, path, date) for of_one in measurements]
        runs: dict[str, list[pyperf.Run]] = {}
        for record in records:
            not_timed = json.dumps([asdict(entry) for entry in record.not_timed])
            for benchmark, value, own in _runs(record):
                name = f"{benchmark}/{record.configuration}" if len(records) > 1 else benchmark
                metadata = _cleaned({**record.metadata, "not_timed": not_timed, **own, "name": name})
                if unknown := metadata.keys() - keys.NAMES:
                    raise ValueError(f"{', '.join(sorted(unknown))}: not a key of bench/records/keys.py")
                runs.setdefault(name, []).append(pyperf.Run([value], metadata=metadata, collect_metadata=False))
        suite = pyperf.BenchmarkSuite([pyperf.Benchmark(runs[name]) for name in sorted(runs)])
        suite.dump(str(partial), replace=True)
        partial.write_bytes(content := sealed(json.loads(partial.read_bytes())))
    names = tuple(record.configuration for record in records)
    seal = {KEY: json.loads(content)["metadata"][KEY]}
    return [replace(record, metadata={**record.metadata, **seal}, configurations=names) for record in records]


def _record(measurements: Measurements, path: Path, date: str) -> Record:
    unit = "byte" if measurements.footprints else "second"
    metadata = _cleaned({"date": date, **measurements.metadata, "unit": unit, "schema": SCHEMA})
    names = {one.kernel for of_kind in (measurements.samples, measurements.footprints) for one in of_kind}
    kernel_metadata = {name: _cleaned(measurements.kernel_metadata.get(name, {})) for name in names}
    not_timed = [_without_folders(entry) for entry in measurements.not_timed]
    return Record(measurements.samples, not_timed, metadata, kernel_metadata, measurements.footprints, path=path)


def _cleaned(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata as pyperf takes it: no empty text, and no line break in one."""
    texts = {key: printable(value, keep="").strip() for key, value in metadata.items() if isinstance(value, str)}
    return {key: value for key, value in {**metadata, **texts}.items() if value != ""}


def _runs(record: Record) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """Yield each run's benchmark name, its value in seconds or bytes, and its metadata."""
    everything: list[Sample | Footprint] = [*record.samples, *record.footprints]
    for one in everything:
        name = f"{one.scope}/{one.distance}/{one.kernel}{f'/{one.images}' if record.kind == 'sizes' else ''}"
        measured = {key: value for key, value in asdict(one).items() if value is not None}
        value = measured.pop("seconds") if isinstance(one, Sample) else one.peak_bytes
        assert value is not None, f"{one} has nothing to write"
        yield name, value, {**record.kernel_metadata[one.kernel], **measured}


def _user() -> str:
    """Return the user's name; "" where the system has none for this user, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):  # the first two before Python 3.13
        return ""


def _without_folders(not_timed: NotTimed) -> NotTimed:
    """Return the entry with paths cut down to file names, and without host and user: a record names nobody."""
    text = not_timed.reason
    for name in {platform.node(), _user()} - {""}:
        text = re.sub(rf"\b{re.escape(name)}\b", "?", text)
    text = text.replace("file://", "")
    home = os.path.expanduser("~")
    text = text.replace(home, "~") if len(home) > 1 else text
    text = re.sub(r'"(?:~|[A-Za-z]:)?[/\\][^"\n]*[/\\]([^"\n]*)"', r'"\1"', text)  # quoted, so there may be spaces
    text = re.sub(r"(?<![\w:/\\.])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\\"':]+[/\\])+", "", text)
    return replace(not_timed, reason=text)
