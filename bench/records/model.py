"""What the files in results/ hold: written once, read everywhere, and never changed by a reader.

A record is a pyperf JSON file, so that `pyperf show` reads it too; `results/README.md` explains every metadata key. A
file holds every configuration that one run recorded of one data set; a `Record` is what it says under one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.kernel import ROOT
from bench.records.sample import AGAIN, BOUND, Footprint, Sample

SCHEMA = 2
LOCAL = ROOT / "results" / "local"
NOT_MEASURED = "not measured: "  # how a fact begins that could not be measured; why follows
NOT_THROTTLED = "no"
SAME = ("cpu_model_name", "cpu_count", "platform")  # of all records of one page, besides the data set
DEFAULT = "all/default"  # the configuration that is shown first: all threads, the system's allocator


class BadRecord(Exception):
    """A file that is no usable record. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class NotTimed:
    """A kernel that was meant to be timed and was not: its status ("unavailable", "broken", ...) and the reason."""

    kernel: str
    status: str
    reason: str

    @property
    def in_short(self) -> str:
        """The last line of the reason, which is the one that says what happened."""
        return next((line.strip() for line in reversed(self.reason.splitlines()) if line.strip()), "no reason given")


@dataclass(frozen=True)
class Recording:
    """What one run gave under one configuration on one data set, before it is written.

    Attributes:
        samples: all timed samples, with those of the A/A control and of the limit.
        absent: the kernels without samples.
        facts: the metadata that all samples share.
        kernel_facts: the metadata of each kernel, by name.
        footprints: of a record of memory, which has no samples.
    """

    samples: Sequence[Sample]
    not_timed: Sequence[NotTimed]
    metadata: dict[str, Any]
    kernel_metadata: dict[str, dict[str, Any]]
    footprints: Sequence[Footprint] = ()


@dataclass(frozen=True)
class Record:
    """A record under one configuration, as read; the attributes are those of a `Recording`, and:

    Attributes:
        path: the file.
        paired: whether kernels took turns, so that the samples of one round may be compared.
        configurations: all that the file holds.
    """

    path: Path
    metadata: dict[str, Any]
    kernel_metadata: dict[str, dict[str, Any]]
    samples: Sequence[Sample]
    not_timed: Sequence[NotTimed]
    paired: bool
    footprints: Sequence[Footprint] = ()
    configurations: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What was recorded: "ladder" (the scope baseline), "scopes" (all of them), "sizes" or "memory" (in bytes)."""
        return str(self.metadata["kind"])

    @property
    def speed(self) -> bool:
        """Whether it holds the times of one data set."""
        return self.kind in ("ladder", "scopes")

    @property
    def per_class(self) -> int:
        """How many images of each class its small data set has; 0 for a whole data set."""
        return int(self.metadata.get("per_class", 0))

    @property
    def slot(self) -> str:
        """The name of the published file that it goes into: one for each kind and for each small data set."""
        if not self.per_class:
            return self.kind
        return f"{'' if self.speed else f'{self.kind}-'}{self.per_class}-per-class"

    @property
    def whole_digest(self) -> str:
        """The digest of the data set, or of the one that its small data set was taken from."""
        return str(self.metadata.get("dataset_of", self.metadata["dataset_digest"]))

    @property
    def configuration(self) -> str:
        """The threads and the allocator that it was recorded with, such as "all/default"."""
        return f"{self.metadata.get('threads', '?')}/{self.metadata.get('allocator', '?')}"

    @property
    def sizes(self) -> list[int]:
        """The numbers of validation images in a record of sizes."""
        return sorted({sample.images for sample in self.samples if sample.scope == "predict"})

    def at(self, size: int) -> "Record":
        """Return what a record of sizes holds of one number of images."""
        return replace(self, samples=[sample for sample in self.samples if sample.images == size])

    @property
    def processes(self) -> int:
        """How many processes per kernel it holds."""
        return len({sample.process for sample in self.samples})

    @property
    def label(self) -> str:
        """How far its ratios can be trusted, in the words that go beside every one of them."""
        if not self.paired:
            return "indicative, unpaired"
        processes = f"{self.processes} process{'es' if self.processes > 1 else ''} per kernel"
        return f"paired, {processes}" if self.processes >= 6 else f"indicative: {processes}, no confidence interval"

    def of(self, kernel: str, scope: str = "baseline", distance: str = "l1") -> list[Sample]:
        """Return the samples of one kernel in one scope and distance."""
        wanted = (kernel, scope, distance)
        return [sample for sample in self.samples if (sample.kernel, sample.scope, sample.distance) == wanted]

    def kernels(self, scope: str = "baseline", distance: str = "l1") -> list[str]:
        """Return the kernels with samples there, by name, without the A/A control and the limit."""
        names = {sample.kernel for sample in self.samples if (sample.scope, sample.distance) == (scope, distance)}
        return sorted(name for name in names if not name.endswith(AGAIN) and not name.startswith(BOUND))

    def on_gpu(self, kernel: str) -> bool:
        """Return whether a kernel ran on a GPU."""
        return bool(self.kernel_metadata.get(kernel, {}).get("device") == "cuda")

    def gpu_kernels(self, scope: str = "baseline", distance: str = "l1") -> list[str]:
        """Return the kernels with samples there that ran on a GPU, by name."""
        return [name for name in self.kernels(scope, distance) if self.on_gpu(name)]

    @property
    def cells(self) -> list[tuple[str, str]]:
        """The scopes and distances it holds, first calls apart."""
        timed = {(each.scope, each.distance) for each in self.samples if not each.kernel.startswith(BOUND)}
        return sorted(timed - {("first_call", "l1")})

    @property
    def control(self) -> str | None:
        """The name of the A/A control: a kernel that also ran against itself; None where none did."""
        return next((sample.kernel for sample in self.samples if sample.kernel.endswith(AGAIN)), None)


def differences(one: Record, other: Record, keys: Sequence[str] | None = None) -> list[str]:
    """Return how two records differ in some facts; by default in what keeps them from standing on one page."""
    differ = [
        f"{key} {other.metadata.get(key, 'unknown')}, expected {one.metadata.get(key, 'unknown')}"
        for key in keys or SAME
        if one.metadata.get(key) != other.metadata.get(key)
    ]
    if keys is None and one.whole_digest != other.whole_digest:  # a small data set stands beside the whole one
        differ.append(f"dataset_digest {other.whole_digest}, expected {one.whole_digest}")
    return differ
