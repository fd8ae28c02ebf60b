"""The files in results/: written once, read everywhere, and never changed by a reader.

A record is a pyperf JSON file, so that `pyperf show` reads it too; `results/README.md` explains every metadata key.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.kernel import ROOT
from bench.sample import Sample

SCHEMA = 1
LOCAL = ROOT / "results" / "local"
COMMON = (
    "dataset", "dataset_digest", "cpu_model_name", "cpu_count", "threads", "allocator", "commit", "date",
)  # fmt: skip


class BadRecord(Exception):
    """A file that is no usable record. The message says what was found and what to do."""


@dataclass(frozen=True)
class Absent:
    """A kernel that was meant to be timed and was not: its status ("unavailable", "broken", ...) and the reason."""

    kernel: str
    status: str
    reason: str


@dataclass(frozen=True)
class Record:
    """A record as read.

    Attributes:
        facts: the metadata that all samples share (COMMON; what a file lacks is absent).
        samples: all timed samples.
        absent: the kernels without samples.
        paired: whether kernels took turns, so that the samples of one round may be compared.
    """

    path: Path
    facts: dict[str, Any]
    samples: Sequence[Sample]
    absent: Sequence[Absent]
    paired: bool

    @property
    def label(self) -> str:
        """How far its ratios can be trusted, in the words that go beside every one of them."""
        return "indicative: one process, no interval" if self.paired else "indicative, unpaired"

    def of(self, kernel: str, scope: str = "baseline", distance: str = "l1") -> list[Sample]:
        """Return the samples of one kernel in one scope and distance."""
        return [each for each in self.samples if (each.kernel, each.scope, each.distance) == (kernel, scope, distance)]

    def kernels(self, scope: str = "baseline", distance: str = "l1") -> list[str]:
        """Return the kernels with samples there, by name."""
        return sorted({each.kernel for each in self.samples if (each.scope, each.distance) == (scope, distance)})


def write(
    samples: Iterable[Sample],
    absent: Iterable[Absent],
    facts: dict[str, Any],
    per_kernel: dict[str, dict[str, Any]],
    folder: Path | None = None,
) -> Path:
    """Write a record to a new file and return its path: whole or not at all, and never over an older one.

    Args:
        facts: metadata of the whole record (text and numbers).
        per_kernel: metadata of each kernel's benchmarks, by contestant name.
        folder: results/local/ by default.
    """
    import pyperf

    folder = folder or LOCAL

    now = datetime.now(UTC)
    shared = {**facts, "schema": SCHEMA, "date": now.isoformat(timespec="seconds"), "unit": "second"}
    shared["absent"] = json.dumps([asdict(each) for each in absent])
    runs: dict[str, list[pyperf.Run]] = {}
    for sample in samples:
        name = f"{sample.scope}/{sample.distance}/{sample.kernel}"
        metadata = {**shared, **per_kernel[sample.kernel], **asdict(sample)}
        del metadata["seconds"]
        run = pyperf.Run([sample.seconds], metadata={**metadata, "name": name}, collect_metadata=False)
        runs.setdefault(name, []).append(run)
    suite = pyperf.BenchmarkSuite([pyperf.Benchmark(runs[name]) for name in sorted(runs)])

    folder.mkdir(parents=True, exist_ok=True)
    path = _unused(folder, f"{now:%Y%m%dT%H%M%SZ}")
    partial = folder / f".{path.name}"
    try:
        suite.dump(str(partial), replace=True)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _unused(folder: Path, stem: str) -> Path:
    path, copies = folder / f"{stem}.json", 1
    while path.exists():
        copies += 1
        path = folder / f"{stem}-{copies}.json"
    return path


def newest() -> Path:
    """Return the newest local record, or where there is none the newest published one.

    Raises:
        BadRecord: there is none at all.
    """
    local = sorted(LOCAL.glob("*.json"))
    published = sorted(LOCAL.parent.glob("*/*.json"), key=lambda path: path.name)
    if not local and not published:
        raise BadRecord("there is no record yet; python -m bench run makes one")
    return (local or published)[-1]


def read(path: Path) -> Record:
    """Read a record, or a file that `pytest --benchmark-json` wrote.

    Raises:
        BadRecord: the file is missing, cut short, of another kind, or of a schema that this version does not know.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRecord(f"{path}: cannot be read ({error.strerror}); python -m bench run makes a record") from error
    except ValueError as error:
        raise BadRecord(f"{path}: not JSON, or cut short ({error}); record anew") from error
    try:
        if isinstance(content, dict) and "machine_info" in content:
            return _read_pytest_benchmark(path, content)
        if isinstance(content, dict) and content.get("version") == "1.0":
            return _read_pyperf(path, content)
    except (KeyError, TypeError, IndexError) as error:
        raise BadRecord(f"{path}: {type(error).__name__} {error} while reading; not written by this project") from error
    raise BadRecord(f"{path}: neither a pyperf file nor one of pytest --benchmark-json; name a record")


def _read_pyperf(path: Path, content: dict[str, Any]) -> Record:
    shared = content["metadata"]
    schema = shared.get("schema")
    if schema != SCHEMA:
        raise BadRecord(
            f"{path}: has schema {schema}, expected {SCHEMA}; record anew, or use the version that wrote it"
        )
    samples = []
    for benchmark in content["benchmarks"]:
        for run in benchmark["runs"]:
            metadata = {**shared, **benchmark.get("metadata", {}), **run.get("metadata", {})}
            keys = {key: metadata[key] for key in Sample.__dataclass_fields__ if key != "seconds"}
            samples += [Sample(seconds=seconds, **keys) for seconds in run["values"]]
    absent = [Absent(**each) for each in json.loads(shared["absent"])]
    return Record(path, {key: shared[key] for key in COMMON if key in shared}, samples, absent, paired=True)


def _read_pytest_benchmark(path: Path, content: dict[str, Any]) -> Record:
    samples = []
    facts: dict[str, Any] = {}
    for benchmark in content["benchmarks"]:
        info = benchmark["extra_info"]
        if "kernel" not in info:  # the loading of digits, say
            continue
        facts = {key: info[key] for key in COMMON if key in info}
        cell = info["kernel"], info["scope"], info["distance"], info["images"]
        loops = benchmark["stats"]["iterations"]
        for turn, seconds in enumerate(benchmark["stats"]["data"]):
            samples.append(Sample(*cell, seconds, loops, process=0, round=turn, position=0))
    return Record(path, {**facts, "date": content["datetime"]}, samples, [], paired=False)
