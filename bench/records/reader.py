"""Finding records and reading them: this project's, and what `pytest --benchmark-json` wrote. Readers never write."""

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.records import keys, model
from bench.records.model import SCHEMA, BadRecord, NotTimed, Record
from bench.records.sample import Footprint, Sample

SCOPES = ("mean", "predict", "baseline", "end_to_end", "first_call")
CONFIGURATION = ("threads", "allocator")  # of a sample, and of the record that it is read into
FIELDS = {*Sample.__dataclass_fields__, *Footprint.__dataclass_fields__} - {*CONFIGURATION}
NO_FACTS = {*FIELDS, *keys.PER_KERNEL, "name", "not_timed"}  # what does not hold of the whole record


def read_all(path: Path) -> list[Record]:
    """Read a record under each of its configurations, all threads and the default allocator first.

    Also a file that `pytest --benchmark-json` wrote, which has one.

    Raises:
        BadRecord: the file is missing, cut short, of another kind, or of a schema that this version does not know.
    """
    try:
        raw = path.read_bytes()
        content = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadRecord(f"{path}: no gzip file, or cut short ({error}); copy or record it anew") from error
    except OSError as error:
        raise BadRecord(f"{path}: cannot be read ({error.strerror}); python -m bench run makes a record") from error
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{path}: not JSON, or cut short ({error}); record anew") from error
    try:
        if isinstance(content, dict) and "machine_info" in content:
            return [_read_pytest_benchmark(path, content)]
        if isinstance(content, dict) and content.get("version") == "1.0":
            return _read_pyperf(path, content)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise BadRecord(f"{path}: {type(error).__name__} {error} while reading; not written by this project") from error
    raise BadRecord(f"{path}: neither a pyperf file nor one of pytest --benchmark-json; name a record")


def read(path: Path) -> Record:
    """Read a record under the first of its configurations; raises as `read_all`."""
    return read_all(path)[0]


def newest() -> list[Record]:
    """Return the newest local record of the times of a whole data set, or where there is none a published one.

    Raises:
        BadRecord: there is none at all; the message is that of a file that cannot be read, if there is one.
    """
    for file in of_speed():
        return file
    for path in (*local_paths(), *_published_paths()):
        read_all(path)
    raise BadRecord("there is no record yet; python -m bench run makes one")


def of_speed() -> Iterator[list[Record]]:
    """Yield the paired records of times, under all their configurations, those of whole data sets first.

    Of these local ones come first, from new to old; a file that is no record is no hindrance.
    """
    small = []
    for path in (*local_paths(), *_published_paths()):
        with suppress(BadRecord):
            file = read_all(path)
            if file[0].speed and file[0].paired:
                if file[0].per_class:
                    small.append(file)
                else:
                    yield file
    yield from small


def local_paths() -> list[Path]:
    """Return the files of results/local/ that may be records, from new to old."""
    return _from_new_to_old(model.LOCAL.glob("*.json"))


def stem(path: Path) -> Path:
    """Return a record's path without .json or .json.gz: where its pictures go."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".json"))


def _published_paths() -> list[Path]:
    return _from_new_to_old(model.LOCAL.parent.glob("*/*.json.gz"))


def _from_new_to_old(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: stem(path).name, reverse=True)


def _read_pyperf(path: Path, content: dict[str, Any]) -> list[Record]:
    shared = content["metadata"]
    schema = shared.get("schema")
    if schema != SCHEMA:
        raise BadRecord(
            f"{path}: has schema {schema}, expected {SCHEMA}; record anew, or use the version that wrote it"
        )
    if missing := keys.NEEDED - shared.keys():
        raise BadRecord(
            f"{path}: lacks {', '.join(sorted(missing))}, so it was not written by this project; record anew"
        )
    by_configuration: dict[tuple[str, ...], Record] = {}
    for benchmark in content["benchmarks"]:
        for run in benchmark["runs"]:
            told = {**shared, **benchmark.get("metadata", {}), **run.get("metadata", {})}
            configuration = tuple(str(told[key]) for key in CONFIGURATION)
            if configuration not in by_configuration:
                not_timed = [_printable(entry) for entry in json.loads(told["not_timed"])]
                metadata = {key: fact for key, fact in told.items() if key not in NO_FACTS}
                by_configuration[configuration] = Record(path, metadata, {}, [], not_timed, True, [])
            _take(by_configuration[configuration], told, run["values"])
    order = sorted(by_configuration, key=lambda each: (each[0] != "all", each[1] != "default", each))
    names = tuple("/".join(configuration) for configuration in order)
    return [replace(by_configuration[configuration], configurations=names) for configuration in order]


def _take(record: Record, told: dict[str, Any], values: list[float]) -> None:
    """Add what one run of a pyperf file says to the record of its configuration."""
    record.kernel_metadata[told["kernel"]] = {key: told[key] for key in keys.PER_KERNEL if key in told}
    if record.kind == "memory":
        measured = {key: told[key] for key in Footprint.__dataclass_fields__ if key in told}
        record.footprints.append(Footprint(**measured))  # type: ignore[attr-defined]  # a list until it is returned
        return
    fields = {key: told[key] for key in Sample.__dataclass_fields__ if key in told}
    for seconds in values:
        if not 0 < seconds < math.inf or told["scope"] not in SCOPES:
            raise BadRecord(f"{record.path}: {seconds} seconds in scope {told['scope']} are no sample; record anew")
        record.samples.append(Sample(seconds=seconds, **fields))  # type: ignore[attr-defined]  # likewise


def _printable(entry: dict[str, str]) -> NotTimed:
    def shown(text: str) -> str:
        return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)

    return NotTimed(**{key: shown(text) for key, text in entry.items()})


def _read_pytest_benchmark(path: Path, content: dict[str, Any]) -> Record:
    timed = [benchmark for benchmark in content["benchmarks"] if "kernel" in benchmark["extra_info"]]
    whole = min((int(benchmark["extra_info"].get("per_class", 0)) for benchmark in timed), default=0)
    samples, not_timed = [], dict[str, NotTimed]()
    metadata: dict[str, Any] = {}
    kernel_metadata = {}
    for benchmark in timed:
        info = benchmark["extra_info"]
        if int(info.get("per_class", 0)) != whole:  # times of two data sets make no ratio
            why = f"it was timed on {info['dataset']}: --per-class times every kernel on one data set"
            not_timed[info["kernel"]] = NotTimed(info["kernel"], "not measured", why)
            continue
        metadata = {key: fact for key, fact in info.items() if key not in NO_FACTS}
        kernel_metadata[info["kernel"]] = {key: info[key] for key in keys.PER_KERNEL if key in info}
        cell = info["kernel"], info["scope"], info["distance"], info["images"]
        loops = benchmark["stats"]["iterations"]
        if "data" not in benchmark["stats"]:
            raise BadRecord(f"{path}: holds no samples; write it with --benchmark-json, or add --benchmark-save-data")
        for turn, seconds in enumerate(benchmark["stats"]["data"]):
            samples.append(Sample(*cell, seconds, loops, process=0, round=turn, position=0))
    metadata = {**metadata, "kind": "scopes", "date": content["datetime"]}
    return Record(path, metadata, kernel_metadata, samples, [*not_timed.values()], paired=False)
