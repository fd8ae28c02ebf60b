"""Finding and reading records: this project's, and what `pytest --benchmark-json` wrote. Readers never write."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.atomic import printable
from bench.kernel import ROOT
from bench.records import keys, model, validation
from bench.records.checksum import KEY, checksum
from bench.records.model import SCHEMA, BadRecord, NotTimed, Record
from bench.records.sample import Footprint, Sample

CONFIGURATION = ("threads", "allocator")  # keys of a sample, and of its record
FIELDS = {*Sample.__dataclass_fields__, *Footprint.__dataclass_fields__} - {*CONFIGURATION}
NOT_OF_PYTEST = {"image_pixels", "train_counts", "valid_counts"}  # required keys that its file does not have
NOT_SHARED = {*FIELDS, *keys.PER_KERNEL, "name", "not_timed"}  # keys that are no metadata of the whole record


def read_all(path: Path) -> list[Record]:
    """Read a record, or a file of `pytest --benchmark-json`, under each of its configurations, the default one first.

    A file that is missing, cut short, of another kind or of an unknown schema is a BadRecord.
    """
    try:
        status = path.stat()
        return [*_read_all(path, status.st_ino, status.st_size, status.st_mtime_ns)]
    except OSError as error:
        raise BadRecord(f"{path} cannot be read ({error.strerror}). Make a record with python -m bench run.") from error


@lru_cache(maxsize=64)
def _read_all(path: Path, *_: int) -> list[Record]:
    """Read a record as `read_all`, once as long as its file is the same."""
    try:
        raw = path.read_bytes()
        content = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadRecord(f"{path} is not a complete gzip file ({error}). Copy it again, or record again.") from error
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{path} is not complete JSON ({error}). Copy it again, or record again.") from error
    try:
        if isinstance(content, dict) and "machine_info" in content:
            return [_read_pytest_benchmark(path, content)]
        if isinstance(content, dict) and content.get("version") == "1.0":
            return _read_pyperf(path, content)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        why = f"{type(error).__name__} {error}"
        raise BadRecord(f"{path} was not written by this project ({why}). Record again.") from error
    raise BadRecord(f"{path} is neither a pyperf file nor one of pytest --benchmark-json. Name a record.")


def read(path: Path) -> Record:
    """Read a record under the first of its configurations; raises as `read_all`."""
    return read_all(path)[0]


def newest() -> list[Record]:
    """Return the newest local record of the times of a whole data set, else a published one, else one of a small set.

    If there is none, that is a BadRecord; if a file cannot be read, its message is about that file.
    """
    for configurations in speed_files():
        return configurations
    for path in (*local_paths(), *_published_paths()):
        read_all(path)
    published = "".join(f" A published one is {path}." for path in sorted(ROOT.glob("results/*/ladder.json.gz"))[:1])
    raise BadRecord(f"There is no record yet. Make one with python -m bench run.{published}")


def speed_files() -> Iterator[list[Record]]:
    """Yield the paired records of times, each under all its configurations; files that are no records are left out.

    Whole data sets come before small ones, local files before published ones, new files before old ones.
    """
    published = sorted(_readable(_published_paths()), key=lambda file: str(file[0].metadata.get("date")), reverse=True)
    files = [file for file in (*_readable(local_paths()), *published) if file[0].speed and file[0].paired]
    yield from sorted(files, key=lambda file: bool(file[0].per_class))


def _readable(paths: Iterable[Path]) -> Iterator[list[Record]]:
    for path in paths:
        with suppress(BadRecord):
            yield read_all(path)


def local_paths() -> list[Path]:
    """Return the files of results/local/ that may be records, from new to old."""
    return sorted(model.LOCAL.glob("*.json"), key=lambda path: stem(path).name, reverse=True)


def stem(path: Path) -> Path:
    """Return a record's path without .json or .json.gz: the names of its pictures begin with it."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".json"))


def _published_paths() -> list[Path]:
    return sorted(model.LOCAL.parent.glob("*/*.json.gz"))


def _read_pyperf(path: Path, content: dict[str, Any]) -> list[Record]:
    shared = content["metadata"]
    schema = shared.get("schema")
    if schema != SCHEMA:
        raise BadRecord(f"{path} has schema {schema}, expected {SCHEMA}. Record again.")
    if shared.get(KEY, expected := checksum(content)) != expected:
        changed = f"{path} has changed since it was written: its checksum is another"
        raise BadRecord(f"{changed}. Copy it again, or record again.")
    validation.metadata(path, _shared(shared), keys.REQUIRED)
    records: dict[tuple[str, ...], Record] = {}
    for benchmark in content["benchmarks"]:
        for run in benchmark["runs"]:
            metadata = {**shared, **benchmark.get("metadata", {}), **run.get("metadata", {})}
            configuration = tuple(str(metadata[key]) for key in CONFIGURATION)
            if configuration not in records:
                validation.metadata(path, _shared(metadata), set())
                entries = json.loads(metadata["not_timed"])
                not_timed = [NotTimed(**{key: printable(text) for key, text in entry.items()}) for entry in entries]
                records[configuration] = Record([], not_timed, _shared(metadata), {}, [], path=path)
            _add_run(records[configuration], metadata, run["values"])
    if not records:
        raise BadRecord(f"{path} has no samples. Record again.")
    order = sorted(records, key=lambda pair: (pair[0] != "all", pair[1] != "default", pair))
    names = tuple("/".join(configuration) for configuration in order)
    return [replace(records[configuration], configurations=names) for configuration in order]


def _shared(metadata: dict[str, Any]) -> dict[str, Any]:
    return {"protocol": 1, **{key: value for key, value in metadata.items() if key not in NOT_SHARED}}


def _add_run(record: Record, metadata: dict[str, Any], values: list[float]) -> None:
    """Add one run of a pyperf file to the record of its configuration."""
    own, kernel = _of_kernel(metadata), metadata["kernel"]
    if record.kernel_metadata.get(kernel) != own:  # of every run the same, so they are checked once
        validation.metadata(record.path, own, set())
        record.kernel_metadata[kernel] = own
    if record.kind == "memory":
        footprint = validation.footprint(record.path, metadata)
        record.footprints.append(footprint)  # type: ignore[attr-defined]  # a list until it is returned
    else:
        samples = [validation.sample(record.path, metadata, seconds) for seconds in values]
        record.samples.extend(samples)  # type: ignore[attr-defined]  # likewise


def _of_kernel(metadata: dict[str, Any]) -> dict[str, Any]:
    return {key: metadata[key] for key in keys.PER_KERNEL if key in metadata}


def _read_pytest_benchmark(path: Path, content: dict[str, Any]) -> Record:
    timed = [benchmark for benchmark in content["benchmarks"] if "kernel" in benchmark["extra_info"]]
    per_class = min((int(benchmark["extra_info"].get("per_class", 0)) for benchmark in timed), default=0)
    samples, not_timed, metadata, kernel_metadata = [], dict[str, NotTimed](), dict[str, Any](), {}
    for benchmark in timed:
        info = benchmark["extra_info"]
        kernel = info["kernel"]
        if int(info.get("per_class", 0)) != per_class:  # times of two data sets make no ratio
            reason = f"it was timed on {info['dataset']}: --per-class times every kernel on one data set"
            not_timed[kernel] = NotTimed(kernel, "not measured", reason)
            continue
        if "data" not in benchmark["stats"]:
            raise BadRecord(f"{path} has no samples. Write it with --benchmark-json, or add --benchmark-save-data.")
        metadata, kernel_metadata[kernel] = _shared(info), _of_kernel(info)
        values = {**info, "loops": benchmark["stats"]["iterations"], "process": 0, "position": 0}
        for number, seconds in enumerate(benchmark["stats"]["data"]):
            samples.append(validation.sample(path, {**values, "round": number}, seconds))
        validation.metadata(path, kernel_metadata[kernel], set())
    if not samples:
        raise BadRecord(f"{path} has no times of a kernel. Write it with pytest --benchmark-only --benchmark-json.")
    metadata = {**metadata, "kind": "scopes", "date": content["datetime"]}
    validation.metadata(path, metadata, keys.REQUIRED - NOT_OF_PYTEST)
    return Record(samples, [*not_timed.values()], metadata, kernel_metadata, path=path, paired=False)
