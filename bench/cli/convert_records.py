"""Bring the published records of one machine to the present schema.

    python -m bench.cli.convert_records FOLDER --data SOURCE

Schema 1 had a file for each configuration, which also held small data sets, marked by the key `first`. Now a file holds
all configurations of one run, and a small data set has a file of its own, with metadata that only its digits can give.
The key `not_timed` was called `absent`, and the rows `bound@` were called `limit@`. Samples stay as they are.
"""

import gzip
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import click

import data
from bench import atomic
from bench.cli import publish
from bench.records import keys, writer
from bench.records.model import Measurements, NotTimed
from bench.records.sample import BOUND, Footprint, Sample
from bench.task import digits_metadata
from bench.task.oracle import DISTANCES
from bench.task.problem import Problem, make_problem


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--data", "source", default="auto", metavar="SOURCE", help="Digits that were recorded (default auto).")
def convert(folder: Path, source: str) -> None:
    """Rewrite the records of schema 1 in FOLDER. Newer records are not changed."""
    digits = data.load(source)
    by_file: dict[tuple[str, int], list[Measurements]] = defaultdict(list)
    old = sorted(path for path in folder.glob("*.json.gz") if _content(path)["metadata"]["schema"] == 1)
    if not old:
        click.echo(f"{folder}: no record needs converting.")
    for path in old:
        content = _content(path)
        if content["metadata"]["dataset_digest"] != digits.digest:
            raise click.ClickException(f"{path} was recorded on other digits than {source}. Name them with --data.")
        for per_class in sorted({int(run.get("first", 0)) for run, _ in _runs(content)}):
            problem = make_problem(digits.first_of_each_class(per_class)) if per_class else None
            measurements = _measurements(content, per_class, problem)
            by_file[measurements.metadata["kind"], per_class].append(measurements)
    with tempfile.TemporaryDirectory() as scratch:
        written = [writer.write(measurements, Path(scratch))[0] for measurements in by_file.values()]
        for record in written:
            target = folder / f"{record.slot}.json.gz"
            atomic.write(target, publish.packed(record.path))
            click.echo(target)
    for path in old:
        path.unlink()


def _content(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return content


def _runs(content: dict[str, Any]) -> list[tuple[dict[str, Any], list[float]]]:
    """Return the metadata and the values of every run of a pyperf file, with the new names of the bound rows."""
    runs = []
    for benchmark in content["benchmarks"]:
        for run in benchmark["runs"]:
            metadata = {**content["metadata"], **benchmark.get("metadata", {}), **run.get("metadata", {})}
            runs.append(({**metadata, "kernel": metadata["kernel"].replace("limit@", BOUND)}, run["values"]))
    return runs


def _measurements(content: dict[str, Any], per_class: int, problem: Problem | None) -> Measurements:
    """Return what a file of schema 1 holds of its whole data set (0) or of so many images of each class."""
    samples, footprints, kernel_metadata = [], [], {}
    for run, values in _runs(content):
        if int(run.get("first", 0)) != per_class:
            continue
        known = {key: run[key] for key in keys.PER_KERNEL if key in run}
        if problem and run.get("images_of_class") != per_class:  # it was verified on all images
            known.pop("mean_error", None)
            exact = {f"correct_{distance}": digits_metadata.exact(problem, distance) for distance in DISTANCES}
            known |= {key: score for key, score in exact.items() if key in known}
        kernel_metadata[run["kernel"]] = known
        if content["metadata"]["kind"] == "memory":
            footprints.append(Footprint(**{key: run[key] for key in Footprint.__dataclass_fields__ if key in run}))
        else:
            fields = {key: run[key] for key in Sample.__dataclass_fields__ if key in run}
            samples += [Sample(seconds=seconds, **fields) for seconds in values]
    known_keys = {key.name for key in keys.KEYS if key.subject in ("record", "digits")} - {"not_timed"}
    metadata = {key: value for key, value in content["metadata"].items() if key in known_keys}
    metadata["run"] = metadata["date"].partition("+")[0].replace("-", "").replace(":", "") + "Z"
    not_timed = [NotTimed(**entry) for entry in json.loads(content["metadata"]["absent"])]
    if metadata["kind"] == "speed":
        metadata["kind"] = "ladder" if {sample.scope for sample in samples} <= {"baseline", "first_call"} else "scopes"
    if problem:
        metadata |= digits_metadata.metadata(problem)
        not_timed = []
    return Measurements(samples, not_timed, metadata, kernel_metadata, footprints)


if __name__ == "__main__":
    convert(prog_name="python -m bench.cli.convert_records")
