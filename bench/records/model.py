"""What the files in results/ hold: written once, read everywhere, and never changed by a reader.

A record is a pyperf JSON file, so that `pyperf show` reads it too; `results/README.md` explains every metadata key. A
file holds every configuration that one run measured on one data set; a `Record` is its part under one configuration.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.kernel import REFERENCE, ROOT
from bench.records.sample import AGAIN, BOUND, Footprint, Sample

SCHEMA = 2
PROTOCOL = 2  # version of the way in which samples are taken; records that lack it are of version 1
LOCAL = Path(os.environ.get("BENCH_LOCAL", ROOT / "results" / "local"))  # `bench/offline/` sets it
NOT_MEASURED = "not measured: "  # begins a metadata value that could not be measured; the reason follows
NOT_THROTTLED = "no"
ELSEWHERE = " (not in this repository)"  # follows the file of such a kernel in `not_in_commit`
HARDWARE = ("cpu_model_name", "caches", "cpu_count", "gpu")
SAME = (*HARDWARE, "platform")  # in all records of one page, besides the data set
STATUS_IN_WORDS = {"agrees": "verified", "disagrees": "wrong", "not measured": "skipped"}  # others are as in the JSON
FEWEST_PROCESSES = 6  # below, no distribution-free 95 % interval exists
DEFAULT = "all/default"  # the configuration that is shown first: all threads, the system's allocator


def is_drawn(dataset: str) -> bool:
    """Return whether a data set of this name has the digits that this project draws, or a part of them."""
    return dataset.partition("[")[0] == "drawn"


class BadRecord(Exception):
    """A file that is no usable record. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class NotTimed:
    """A kernel that was meant to be timed and was not: its status ("unavailable", "broken", ...) and the reason."""

    kernel: str
    status: str
    reason: str

    @property
    def status_in_words(self) -> str:
        """The status as prose has it: "it is wrong"."""
        return STATUS_IN_WORDS.get(self.status, self.status)

    @property
    def in_short(self) -> str:
        """The last line of the reason, which is the one that says what happened."""
        return next((line.strip() for line in reversed(self.reason.splitlines()) if line.strip()), "no reason given")


@dataclass(frozen=True)
class Measurements:
    """What one run measured under one configuration on one data set, before it is written."""

    samples: Sequence[Sample]  # all timed ones, with those of the A/A control and of the bounds
    not_timed: Sequence[NotTimed]  # the kernels without samples
    metadata: dict[str, Any]  # that all samples share
    kernel_metadata: dict[str, dict[str, Any]]  # of each kernel, by name
    footprints: Sequence[Footprint] = ()  # in a record of memory, which has no samples


@dataclass(frozen=True, kw_only=True)
class Record(Measurements):
    """Measurements under one configuration, as read from a file."""

    path: Path
    paired: bool = True  # whether every round called every kernel, so that the samples of one round may be compared
    configurations: tuple[str, ...] = ()  # all of the file

    __hash__ = object.__hash__  # each is its own key, so that what is computed from it can be remembered

    @property
    def kind(self) -> str:
        """What was measured: "ladder" (the scope baseline), "scopes" (all scopes), "sizes" or "memory" (in bytes)."""
        return str(self.metadata["kind"])

    @property
    def speed(self) -> bool:
        """Whether it holds the times of one data set."""
        return self.kind in ("ladder", "scopes")

    @property
    def reference(self) -> str:
        """The kernel that every ratio is over: the first of `run --against`, or python_loops."""
        return str(self.metadata.get("reference", REFERENCE))

    @property
    def per_class(self) -> int:
        """How many images of each class its small data set has; 0 for a whole data set."""
        return int(self.metadata.get("per_class", 0))

    @property
    def slot(self) -> str:
        """The name of its published file: there is one for each kind and for each small data set."""
        if not self.per_class:
            return self.kind
        return f"{'' if self.speed else f'{self.kind}-'}{self.per_class}-per-class"

    @property
    def whole_digest(self) -> str:
        """The digest of the data set, or of the whole one that a small data set was taken from."""
        return str(self.metadata.get("dataset_of", self.metadata["dataset_digest"]))

    @property
    def configuration(self) -> str:
        """Its threads and allocator, such as "all/default"."""
        return f"{self.metadata.get('threads', '?')}/{self.metadata.get('allocator', '?')}"

    def hardware(self, key: str) -> str:
        """Return one of HARDWARE as text, of GPUs the names without the driver's version; "unknown" without it."""
        text = str(self.metadata.get(key, "unknown"))
        return "; ".join(part.rpartition(", ")[0] or part for part in text.split("; ")) if key == "gpu" else text

    @property
    def sizes(self) -> list[int]:
        """The numbers of validation images in a record of sizes."""
        return sorted({sample.images for sample in self.samples if sample.scope == "predict"})

    def at(self, size: int) -> "Record":
        """Return the part of a record of sizes with this number of images."""
        return replace(self, samples=[sample for sample in self.samples if sample.images == size])

    @cached_property
    def _processes(self) -> list[int]:
        """How many processes each kernel has, rising."""
        numbers: dict[str, set[int]] = {}
        for sample in self.samples:
            if not sample.kernel.startswith(BOUND):
                numbers.setdefault(sample.kernel, set()).add(sample.process)
        return sorted(map(len, numbers.values())) or [0]

    @property
    def processes(self) -> int:
        """The fewest processes that any kernel has."""
        return self._processes[0]

    @property
    def processes_in_words(self) -> str:
        """How many processes of each kernel it holds: "6 processes per kernel", or "6 to 15 processes per kernel"."""
        fewest, most = self._processes[0], self._processes[-1]
        words = f"{most} process{'es' if most > 1 else ''} per kernel"
        return f"{fewest} to {words}" if fewest < most else words

    @property
    def label(self) -> str:
        """How far its ratios can be trusted; shown beside every one of them."""
        if not self.paired:
            return "indicative, unpaired"
        if self.processes < FEWEST_PROCESSES:
            return f"indicative: {self.processes_in_words}, no confidence interval"
        return f"paired, {self.processes_in_words}"

    def samples_of(self, kernel: str, scope: str = "baseline", distance: str = "l1") -> list[Sample]:
        """Return the samples of one kernel in one scope and distance."""
        return [*self._samples.get((kernel, scope, distance), ())]

    @cached_property
    def _samples(self) -> dict[tuple[str, str, str], list[Sample]]:
        found: dict[tuple[str, str, str], list[Sample]] = {}
        for sample in self.samples:
            found.setdefault((sample.kernel, sample.scope, sample.distance), []).append(sample)
        return found

    def kernels(self, scope: str = "baseline", distance: str = "l1") -> list[str]:
        """Return the kernels with samples in a scope and distance, by name, without A/A control and bounds."""
        names = [name for name, *pair in self._samples if pair == [scope, distance]]
        return sorted(name for name in names if not name.endswith(AGAIN) and not name.startswith(BOUND))

    def on_gpu(self, kernel: str) -> bool:
        """Return whether a kernel ran on a GPU."""
        return bool(self.kernel_metadata.get(kernel, {}).get("device") == "cuda")

    def gpu_kernels(self, scope: str = "baseline", distance: str = "l1") -> list[str]:
        """Return those of `kernels` that ran on a GPU."""
        return [name for name in self.kernels(scope, distance) if self.on_gpu(name)]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Its (scope, distance) pairs, without first calls."""
        timed = {(scope, distance) for name, scope, distance in self._samples if not name.startswith(BOUND)}
        return sorted(pair for pair in timed if pair[0] != "first_call")

    def why_missing(self, kernel: str) -> str:
        """Return a kernel's name and why there are no times of it, in a few words."""
        for entry in self.not_timed:
            if entry.kernel == kernel:
                return f"{kernel} is {entry.status_in_words}, {entry.in_short.rstrip('.')}"
        return f"{kernel} was not recorded"

    @property
    def control(self) -> str | None:
        """The name of the A/A control, a kernel measured against itself; None without one."""
        return next((name for name, *_ in self._samples if name.endswith(AGAIN)), None)


def differences(expected: Record, record: Record, keys: Sequence[str] | None = None) -> list[str]:
    """Return how the metadata of two records differ; by default in what must be the same on one page."""
    if keys is None:  # a small data set goes with the whole one
        values = [(key, record.hardware(key), expected.hardware(key)) for key in SAME]
        values.append(("dataset_digest", record.whole_digest, expected.whole_digest))
    else:
        texts = ([str(one.metadata.get(key, "unknown")) for key in keys] for one in (record, expected))
        values = [*zip(keys, *texts, strict=True)]
    return [f"{key} {value}, expected {wanted}" for key, value, wanted in values if value != wanted]
