"""The one place that writes records: whole or not at all, and never over an older one."""

import getpass
import json
import os
import platform
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import records
from bench.records import SCHEMA, Absent
from bench.sample import Footprint, Sample


def write(
    samples: Iterable[Sample],
    absent: Iterable[Absent],
    facts: dict[str, Any],
    kernel_facts: dict[str, dict[str, Any]],
    folder: Path | None = None,
) -> Path:
    """Write a record to a new file and return its path: whole or not at all, and never over an older one.

    Args:
        facts: metadata of the whole record (text and numbers).
        kernel_facts: metadata of each kernel's benchmarks, by contestant name.
        folder: results/local/ by default.
    """
    entries = []
    for sample in samples:
        name = f"{sample.scope}/{sample.distance}/{sample.kernel}"
        if facts.get("kind") == "sizes":
            name += f"/{sample.images}"
        if sample.first:
            name += f"/first-{sample.first}"
        metadata = {**kernel_facts.get(sample.kernel, {}), **asdict(sample)}
        entries.append((name, metadata.pop("seconds"), metadata))
    return _dump(entries, {**facts, "unit": "second"}, absent, folder or records.LOCAL)


def write_memory(
    footprints: Iterable[Footprint],
    absent: Iterable[Absent],
    facts: dict[str, Any],
    kernel_facts: dict[str, dict[str, Any]],
    folder: Path | None = None,
) -> Path:
    """Write a record of memory, in bytes instead of seconds; otherwise like `write`."""
    entries = []
    for each in footprints:
        told = {key: value for key, value in asdict(each).items() if value is not None}
        metadata = {**kernel_facts[each.kernel], **told}
        assert each.peak_bytes is not None, f"{each} has nothing to write"
        entries.append((f"{each.scope}/{each.distance}/{each.kernel}", each.peak_bytes, metadata))
    return _dump(entries, {**facts, "kind": "memory", "unit": "byte"}, absent, folder or records.LOCAL)


def _dump(
    entries: Iterable[tuple[str, float, dict[str, Any]]], facts: dict[str, Any], absent: Iterable[Absent], folder: Path
) -> Path:
    """Write (benchmark name, value, metadata) entries as a pyperf file with the facts that all of them share."""
    import pyperf

    shared = {**facts, "schema": SCHEMA, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    shared["absent"] = json.dumps([asdict(replace(each, reason=_without_folders(each.reason))) for each in absent])
    runs: dict[str, list[pyperf.Run]] = {}
    for name, value, metadata in entries:
        said = {key: fact for key, fact in {**shared, **metadata, "name": name}.items() if fact != ""}  # pyperf's rule
        run = pyperf.Run([value], metadata=said, collect_metadata=False)
        runs.setdefault(name, []).append(run)
    suite = pyperf.BenchmarkSuite([pyperf.Benchmark(runs[name]) for name in sorted(runs)])
    folder.mkdir(parents=True, exist_ok=True)
    path = unused(folder, ".json")
    with whole(path) as partial:
        suite.dump(str(partial), replace=True)
    return path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield another path to write to, which becomes `path` if all goes well and is removed if not."""
    partial = path.with_name(f".{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _without_folders(text: str) -> str:
    """Return a text, such as a traceback, whose absolute paths are down to file names: folders tell who and where."""
    for name in {platform.node(), getpass.getuser()} - {""}:
        text = re.sub(rf"\b{re.escape(name)}\b", "?", text)
    text = text.replace("file://", "")
    home = str(Path.home())
    text = text.replace(home, "~") if len(home) > 1 else text
    text = re.sub(r'"(?:~|[A-Za-z]:)?[/\\][^"\n]*[/\\]([^"\n]*)"', r'"\1"', text)  # quoted, so there may be spaces
    return re.sub(r"(?<![\w:/\\.])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\\"':]+[/\\])+", "", text)


def unused(folder: Path, suffix: str) -> Path:
    """Return a path in the folder, named by the time in UTC, that is not taken."""
    stem, copies = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", 1
    path = folder / f"{stem}{suffix}"
    while path.exists():
        copies += 1
        path = folder / f"{stem}-{copies}{suffix}"
    return path
