"""Finding records and reading them: this project's, and what `pytest --benchmark-json` wrote. Readers never write."""

import gzip
import json
import math
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench import records
from bench.records import PER_KERNEL, SCHEMA, Absent, BadRecord, Record
from bench.sample import Footprint, Sample

SCOPES = ("mean", "predict", "baseline", "end_to_end", "first_call")
NEEDED = (
    "dataset", "dataset_digest", "image_pixels", "train_counts", "valid_counts", "cpu_model_name", "cpu_count",
    "caches",
)  # fmt: skip
# What all samples share stands at the top.
OF_SAMPLES = {*Sample.__dataclass_fields__, *Footprint.__dataclass_fields__, *PER_KERNEL, "name"}


def newest() -> Path:
    """Return the newest local record of speed, or where there is none the newest published one.

    Raises:
        BadRecord: there is none at all; the message is that of a file that cannot be read, if one was found.
    """
    for record in of_speed():
        return record.path
    for path in (*local_paths(), *_published_paths()):
        read(path)
    raise BadRecord("there is no record yet; python -m bench run makes one")


def local_paths() -> list[Path]:
    """Return the files of results/local/ that may be records, from new to old."""
    return _from_new_to_old(records.LOCAL.glob("*.json"))


def stem(path: Path) -> Path:
    """Return a record's path without .json or .json.gz: where its pictures go."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".json"))


def of_speed() -> Iterator[Record]:
    """Yield the records of speed, local ones first, each kind from new to old; a file that is none is no hindrance."""
    for path in (*local_paths(), *_published_paths()):
        with suppress(BadRecord):
            record = read(path)
            if record.kind == "speed" and record.paired:
                yield record


def _published_paths() -> list[Path]:
    return _from_new_to_old(records.LOCAL.parent.glob("*/*.json.gz"))


def _from_new_to_old(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: stem(path).name, reverse=True)


def read(path: Path) -> Record:
    """Read a record, or a file that `pytest --benchmark-json` wrote.

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
            return _read_pytest_benchmark(path, content)
        if isinstance(content, dict) and content.get("version") == "1.0":
            return _read_pyperf(path, content)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise BadRecord(f"{path}: {type(error).__name__} {error} while reading; not written by this project") from error
    raise BadRecord(f"{path}: neither a pyperf file nor one of pytest --benchmark-json; name a record")


def _read_pyperf(path: Path, content: dict[str, Any]) -> Record:
    shared = content["metadata"]
    schema = shared.get("schema")
    if schema != SCHEMA:
        raise BadRecord(
            f"{path}: has schema {schema}, expected {SCHEMA}; record anew, or use the version that wrote it"
        )
    if missing := [key for key in NEEDED if key not in shared]:
        raise BadRecord(f"{path}: lacks {', '.join(missing)}, so it was not written by this project; record anew")
    samples: list[Sample] = []
    parts: dict[int, list[Sample]] = defaultdict(list)
    footprints = []
    kernel_facts = {}
    for benchmark in content["benchmarks"]:
        for run in benchmark["runs"]:
            metadata = {**shared, **benchmark.get("metadata", {}), **run.get("metadata", {})}
            if shared.get("kind") == "memory":
                measured = {key: metadata[key] for key in Footprint.__dataclass_fields__ if key in metadata}
                footprints.append(Footprint(**measured))
            else:
                keys = {key: metadata[key] for key in Sample.__dataclass_fields__ if key in metadata}
                taken = [Sample(seconds=seconds, **keys) for seconds in run["values"]]
                (parts[taken[0].first] if taken[0].first else samples).extend(taken)
            kernel_facts[metadata["kernel"]] = {key: metadata[key] for key in PER_KERNEL if key in metadata}
    absent = [Absent(**{key: _printable(text) for key, text in each.items()}) for each in json.loads(shared["absent"])]
    if wrong := [each for each in samples if not 0 < each.seconds < math.inf or each.scope not in SCOPES]:
        raise BadRecord(f"{path}: {wrong[0].seconds} seconds in scope {wrong[0].scope} are no sample; record anew")
    shared = {key: value for key, value in shared.items() if key not in OF_SAMPLES}
    return Record(path, shared, kernel_facts, samples, absent, True, footprints, dict(parts))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def _read_pytest_benchmark(path: Path, content: dict[str, Any]) -> Record:
    samples = []
    facts: dict[str, Any] = {}
    kernel_facts = {}
    for benchmark in content["benchmarks"]:
        info = benchmark["extra_info"]
        if "kernel" not in info:  # the loading of digits, say
            continue
        facts = {key: info[key] for key in info if key not in {*PER_KERNEL, "kernel", "scope", "distance", "images"}}
        kernel_facts[info["kernel"]] = {key: info[key] for key in PER_KERNEL if key in info}
        cell = info["kernel"], info["scope"], info["distance"], info["images"]
        loops = benchmark["stats"]["iterations"]
        if "data" not in benchmark["stats"]:
            raise BadRecord(f"{path}: holds no samples; write it with --benchmark-json, or add --benchmark-save-data")
        for turn, seconds in enumerate(benchmark["stats"]["data"]):
            samples.append(Sample(*cell, seconds, loops, process=0, round=turn, position=0))
    return Record(path, {**facts, "date": content["datetime"]}, kernel_facts, samples, [], paired=False)
