"""The files in results/: written once, read everywhere, and never changed by a reader.

A record is a pyperf JSON file, so that `pyperf show` reads it too; `results/README.md` explains every metadata key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.kernel import ROOT
from bench.sample import AGAIN, LIMIT, Footprint, Sample

SCHEMA = 1
LOCAL = ROOT / "results" / "local"
PER_KERNEL = (
    "device", "images_of_class", "source_hash", "mean_error", "correct_l1", "correct_l2", "threads_in_force",
    "code_lines", "code_tokens", "ranks_l1", "ranks_l2", "expansion_strides", "expansion_full_bytes",
    "expansion_bytes", "expression_bytes_l1", "expression_bytes_l2",
)  # fmt: skip


class BadRecord(Exception):
    """A file that is no usable record. The message says what was found and what to do."""


@dataclass(frozen=True)
class Absent:
    """A kernel that was meant to be timed and was not: its status ("unavailable", "broken", ...) and the reason."""

    kernel: str
    status: str
    reason: str

    @property
    def in_short(self) -> str:
        """The last line of the reason, which is the one that says what happened."""
        return next((line.strip() for line in reversed(self.reason.splitlines()) if line.strip()), "no reason given")


@dataclass(frozen=True)
class Record:
    """A record as read.

    Attributes:
        facts: the metadata that all samples share.
        kernel_facts: the metadata (PER_KERNEL) of each contestant.
        samples: all timed samples, with those of the null and of the limit.
        absent: the kernels without samples.
        paired: whether kernels took turns, so that the samples of one round may be compared.
        footprints: of a record of memory, which has no samples.
        parts: by n, the samples of the first n images of each class; none of them are in `samples`.
    """

    path: Path
    facts: dict[str, Any]
    kernel_facts: dict[str, dict[str, Any]]
    samples: Sequence[Sample]
    absent: Sequence[Absent]
    paired: bool
    footprints: Sequence[Footprint] = ()
    parts: Mapping[int, Sequence[Sample]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What was recorded: "speed", "sizes" (time against the number of images), or "memory" (in bytes)."""
        return str(self.facts.get("kind", "speed"))

    @property
    def sizes(self) -> list[int]:
        """The numbers of validation images in a record of sizes."""
        return sorted({each.images for each in self.samples if each.scope == "predict"})

    def at(self, size: int) -> "Record":
        """Return the part of a record of sizes that was timed at one of them."""
        return replace(self, samples=[each for each in self.samples if each.images == size])

    def part(self, n: int) -> "Record":
        """Return the part that was timed on the first n images of each class: what is in it compares like with like.

        Every answer timed there was verified on those images, so what a kernel scores there is the exact score.
        What is absent is told by the whole.
        """
        exact = {f"correct_{distance}": self.facts[f"exact_{distance}_first_{n}"] for distance in ("l1", "l2")}
        scores = {
            name: known if known.get("images_of_class") == n else {**known, **exact}
            for name, known in self.kernel_facts.items()
        }
        return replace(self, samples=self.parts[n], kernel_facts=scores, parts={}, absent=())

    def images_of_class(self, kernel: str) -> int:
        """Return on how many images of each class a kernel is called, its first call among them; 0 is all."""
        return int(self.kernel_facts.get(kernel, {}).get("images_of_class", 0))

    @property
    def processes(self) -> int:
        """How many process sets it holds."""
        return len({each.process for each in self.samples})

    @property
    def condition(self) -> str:
        """Under which threads and allocator it was recorded, such as "all/default"."""
        return f"{self.facts.get('threads', '?')}/{self.facts.get('allocator', '?')}"

    @property
    def label(self) -> str:
        """How far its ratios can be trusted, in the words that go beside every one of them."""
        if not self.paired:
            return "indicative, unpaired"
        sets = f"{self.processes} process set{'s' if self.processes > 1 else ''}"
        return f"paired, {sets}" if self.processes >= 6 else f"indicative: {sets}, no interval"

    def of(self, kernel: str, scope: str = "baseline", distance: str = "l1") -> list[Sample]:
        """Return the samples of one kernel in one scope and distance."""
        return [each for each in self.samples if (each.kernel, each.scope, each.distance) == (kernel, scope, distance)]

    @property
    def views(self) -> list[tuple[str, "Record"]]:
        """What to show one after the other, each with what to add to a scope's name: all images, then every part."""
        return [("", self), *((f" on the first {n} images of each class", self.part(n)) for n in sorted(self.parts))]

    def kernels(self, scope: str = "baseline", distance: str = "l1") -> list[str]:
        """Return the kernels with samples there, by name, without the null and the limit."""
        names = {each.kernel for each in self.samples if (each.scope, each.distance) == (scope, distance)}
        return sorted(name for name in names if not name.endswith(AGAIN) and not name.startswith(LIMIT))

    @property
    def cells(self) -> list[tuple[str, str]]:
        """The scopes and distances it holds, first calls apart."""
        found = {(each.scope, each.distance) for each in self.samples if not each.kernel.startswith(LIMIT)}
        return sorted(found - {("first_call", "l1")})

    @property
    def null(self) -> str | None:
        """The name under which a kernel also ran against itself; None where none did."""
        return next((each.kernel for each in self.samples if each.kernel.endswith(AGAIN)), None)
