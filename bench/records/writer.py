"""The one place that writes records: whole or not at all, and never over an older one."""

import getpass
import json
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import files
from bench.records import keys, model
from bench.records.model import SCHEMA, NotTimed, Record, Recording


def write(recordings: Sequence[Recording], folder: Path | None = None) -> list[Record]:
    """Write what one run recorded of one data set, under every configuration, to one new file.

    Args:
        recordings: one for each configuration.
        folder: results/local/ by default.

    Returns:
        The records, as `reading.read_all` would read them from the file.

    Raises:
        ValueError: a metadata key is not in the table of `bench.records.keys`.
    """
    import pyperf

    folder = folder or model.LOCAL
    folder.mkdir(parents=True, exist_ok=True)
    path, date = files.unused(folder, ".json"), datetime.now(UTC).isoformat(timespec="seconds")
    written = [_record(recording, path, date) for recording in recordings]
    names = tuple(record.configuration for record in written)
    written = [replace(record, configurations=names) for record in written]
    runs: dict[str, list[pyperf.Run]] = {}
    for record in written:
        not_timed = json.dumps([asdict(entry) for entry in record.not_timed])
        for benchmark, value, own in _entries(record):
            name = f"{benchmark}/{record.configuration}" if len(written) > 1 else benchmark
            told = {**record.metadata, "not_timed": not_timed, **own, "name": name}
            if unknown := told.keys() - keys.NAMES:
                raise ValueError(f"{', '.join(sorted(unknown))}: not in the table of bench/records/keys.py")
            told = {key: fact for key, fact in told.items() if fact != ""}  # pyperf takes no empty text
            runs.setdefault(name, []).append(pyperf.Run([value], metadata=told, collect_metadata=False))
    suite = pyperf.BenchmarkSuite([pyperf.Benchmark(runs[name]) for name in sorted(runs)])
    with files.whole(path) as partial:
        suite.dump(str(partial), replace=True)
    return written


def _record(recording: Recording, path: Path, date: str) -> Record:
    unit = "byte" if recording.footprints else "second"
    metadata = {"date": date, **recording.metadata, "unit": unit, "schema": SCHEMA}
    names = {sample.kernel for sample in recording.samples} | {each.kernel for each in recording.footprints}
    kernel_metadata = {
        name: {key: fact for key, fact in recording.kernel_metadata.get(name, {}).items() if fact != ""}
        for name in names
    }
    not_timed = [_without_folders(entry) for entry in recording.not_timed]
    metadata = {key: fact for key, fact in metadata.items() if fact != ""}
    return Record(path, metadata, kernel_metadata, recording.samples, not_timed, True, recording.footprints)


def _entries(record: Record) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """Yield the name of a benchmark, a value in seconds or bytes, and the metadata of its run."""
    for sample in record.samples:
        name = f"{sample.scope}/{sample.distance}/{sample.kernel}"
        own = {**record.kernel_metadata[sample.kernel], **asdict(sample)}
        yield f"{name}/{sample.images}" if record.kind == "sizes" else name, own.pop("seconds"), own
    for footprint in record.footprints:
        told = {key: value for key, value in asdict(footprint).items() if value is not None}
        assert footprint.peak_bytes is not None, f"{footprint} has nothing to write"
        name = f"{footprint.scope}/{footprint.distance}/{footprint.kernel}"
        yield name, footprint.peak_bytes, {**record.kernel_metadata[footprint.kernel], **told}


def _without_folders(not_timed: NotTimed) -> NotTimed:
    """Return why a kernel is absent with absolute paths, as in a traceback, down to file names: folders tell who."""
    text = not_timed.reason
    for name in {platform.node(), getpass.getuser()} - {""}:
        text = re.sub(rf"\b{re.escape(name)}\b", "?", text)
    text = text.replace("file://", "")
    home = str(Path.home())
    text = text.replace(home, "~") if len(home) > 1 else text
    text = re.sub(r'"(?:~|[A-Za-z]:)?[/\\][^"\n]*[/\\]([^"\n]*)"', r'"\1"', text)  # quoted, so there may be spaces
    text = re.sub(r"(?<![\w:/\\.])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\\"':]+[/\\])+", "", text)
    return replace(not_timed, reason=text)
