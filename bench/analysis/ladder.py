"""The ladder as a story: each kernel beside the one that it follows, by how much it is faster, and why.

The order is in no table here: a kernel's docstring says "After NAME: why.", and that makes a tree, whose root is the
reference. What a step is worth is a ratio like any other, of two kernels in the same rounds on the same images.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench import formatting
from bench.analysis import checklist, speedup, summary
from bench.analysis.speedup import Ratio
from bench.analysis.summary import Summary, summaries
from bench.kernel import REFERENCE, KernelSpec
from bench.records.model import Record

FEWEST = 5  # steps; fewer are no ladder


@dataclass(frozen=True)
class Step:
    """A kernel beside the one that it follows, on the same images."""

    spec: KernelSpec
    depth: int  # how many steps it is away from the reference
    images: int  # how many images of each class its small data set has; 0 for the whole one
    summary: Summary  # its numbers among all kernels that were timed on those images
    before: Summary | None  # those of the kernel that it follows; None where there is none or it was not recorded
    ratio: Ratio | None  # `before` seconds / its seconds; None where no round holds both, or the record is unpaired
    resolved: bool | None  # whether that ratio's interval says which of both is faster; None without an interval
    faults: float  # page faults per call, the median of all samples
    faults_before: float | None
    without: str  # why there is no ratio, in a few words; "" where there is one, or no kernel that it follows

    @property
    def name(self) -> str:
        """The kernel's name, with its device where it has several."""
        return self.spec.name

    @property
    def part(self) -> str:
        """The images that it was timed on, if they are not the whole data set."""
        return f"{self.images} per class" if self.images else ""

    @property
    def times(self) -> str:
        """How many times as fast as the kernel before it is, as text; "" without a ratio."""
        return formatting.ratio(self.ratio.value) if self.ratio else ""

    @property
    def interval(self) -> str:
        """That ratio's confidence interval, and whether it is resolved; "" without one."""
        return f"{self.ratio.interval() if self.ratio else ''}{', not resolved' if self.resolved is False else ''}"


def steps(records: Sequence[Record], specs: Iterable[KernelSpec]) -> list[Step]:
    """Return the steps in the records, each after the one that it follows; of several the slowest first.

    The records are of the whole data set, then of small ones; a kernel belongs to the first that holds it. There is no
    ladder where their ratios are over another kernel than the loops.
    """
    if any(record.reference != REFERENCE for record in records):
        return []
    known = _known(specs)
    timed = _timed(records, known)
    followers: dict[str, list[str]] = defaultdict(list)
    for name in timed:
        if name != REFERENCE:
            followers[_nearest(known, name, timed)].append(name)

    def from_here(name: str, depth: int) -> Iterator[Step]:
        yield _step(known, *timed[name], depth)
        for follower in sorted(followers[name], key=lambda name: (timed[name][1].speedup or 0.0, name)):
            yield from from_here(follower, depth + 1)

    return [*from_here(REFERENCE, 0)] if REFERENCE in timed else []


def missing(records: Sequence[Record], specs: Iterable[KernelSpec]) -> list[str]:
    """Return the kernels of the ladder that are in no record, as sentences: one for each reason."""
    known = _known(specs)
    timed = _timed(records, known)
    reasons = {name: "its checklist fails" for record in records for name in record.kernels()}
    for entry in (entry for record in reversed(records) for entry in record.not_timed):
        reasons[entry.kernel] = f"{entry.status_in_words}, {entry.in_short}".rstrip(".")
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name in (name for name in known if name not in timed):
        by_reason[reasons.get(name, "not recorded")].append(name)
    return [f"{', '.join(names)}: {reason}." for reason, names in by_reason.items()]


def _known(specs: Iterable[KernelSpec]) -> dict[str, KernelSpec]:
    """Return by name the kernels of the ladder: the reference, and all that follow another."""
    return {spec.name: spec for spec in specs if spec.after or spec.name == REFERENCE}


def _timed(records: Sequence[Record], known: dict[str, KernelSpec]) -> dict[str, tuple[Record, Summary]]:
    """Return by kernel the first record that holds it, unless its checklist FAILs, and its summary there."""
    holders = {name: record for record in reversed(records) for name in record.kernels()}
    passed = [record for record in records if not checklist.failing(record)]
    return {
        row.kernel: (record, row)
        for record in passed
        for row in summaries(record)
        if row.kernel in known and holders[row.kernel] is record
    }


def _predecessor(known: dict[str, KernelSpec], name: str) -> str:
    """Return the kernel that one follows: on its own device if there is one, else on the CPU."""
    spec = known[name]
    candidates = (f"{spec.after}@{spec.device}", spec.after, f"{spec.after}@cpu")
    return next((candidate for candidate in candidates if candidate in known), spec.after)


def _nearest(known: dict[str, KernelSpec], name: str, timed: Iterable[str]) -> str:
    """Return the kernel below which a step is shown: the nearest timed one on its way to the reference."""
    passed = [name]
    while passed[-1] in known and known[passed[-1]].after:
        passed.append(_predecessor(known, passed[-1]))
        if passed.count(passed[-1]) > 1:  # they follow each other in a circle
            return REFERENCE
    return next((predecessor for predecessor in passed[1:] if predecessor in timed), REFERENCE)


def _step(known: dict[str, KernelSpec], record: Record, own: Summary, depth: int) -> Step:
    spec, before, ratio, resolved, without = known[own.kernel], None, None, None, ""
    predecessor = _predecessor(known, own.kernel) if spec.after else ""
    samples, samples_before = record.samples_of(own.kernel), record.samples_of(predecessor)
    if samples_before:
        [before] = summaries(record, kernels=[predecessor])
        ratio = speedup.paired_ratio(samples_before, samples) if record.paired else None
        without = "" if ratio else "no round holds both"
    elif predecessor:
        without = f"{predecessor} was not recorded{' on these images' if record.per_class else ''}"
    if ratio and ratio.low is not None:
        resolved = speedup.outcome(ratio, summary.noise_floor(record) or 0.0) != "not resolved"
    faults = median(sample.minor_faults for sample in samples)
    faults_before = median(sample.minor_faults for sample in samples_before) if samples_before else None
    return Step(spec, depth, record.per_class, own, before, ratio, resolved, faults, faults_before, without)
