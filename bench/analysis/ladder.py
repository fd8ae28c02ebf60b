"""The ladder as a story: each kernel beside the one that it follows, by how much it is faster, and why.

The order is in no table here: a kernel's docstring says "After NAME: why.", and that makes a tree, whose root is the
reference. What a step is worth is a ratio like any other, of two kernels that took turns on the same images.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench import formatting
from bench.analysis import checklist, claims, speedup, summary
from bench.analysis.speedup import Ratio
from bench.analysis.summary import Summary, summaries
from bench.formatting import Grid
from bench.kernel import REFERENCE, KernelSpec
from bench.records.model import Record

ABOUT_SPEED = ("C2", "C3")  # the claims that a baseline decides
FEWEST = 5  # steps; fewer are no ladder
NOT_RECORDED = "The ladder was not recorded: make bench-all"


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        contestant: the kernel.
        depth: how many steps it is away from the reference, which is at 0.
        images: how many images of each class its small data set has; 0 for the whole one.
        standing: where it stands among all that were timed on those images.
        before: the kernel that it follows, on the same images; None for the reference, and where it was not recorded.
        ratio: `before` seconds / its seconds; None where no round holds both, or the record is unpaired.
        resolved: whether that ratio's interval says which of both is faster; None where it has no interval.
        faults, faults_before: page faults per call, the median of all samples.
        without: why there is no ratio, in a few words; "" where there is one, or no kernel that it follows.
    """

    spec: KernelSpec
    depth: int
    images: int
    summary: Summary
    before: Summary | None
    ratio: Ratio | None
    resolved: bool | None
    faults: float
    faults_before: float | None
    without: str

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def part(self) -> str:
        """On which images it was timed, where that is not the whole data set."""
        return f"{self.images} per class" if self.images else ""

    @property
    def times(self) -> str:
        """How many times as fast as the one before it is, in words; "" where there is no ratio."""
        return formatting.ratio(self.ratio.value) if self.ratio else ""

    @property
    def interval(self) -> str:
        """That ratio's confidence interval, and whether it is resolved; "" where there is none."""
        return f"{self.ratio.interval() if self.ratio else ''}{', not resolved' if self.resolved is False else ''}"


def steps(records: Sequence[Record], specs: Iterable[KernelSpec]) -> list[Step]:
    """Return the steps that records hold, each after the one that it follows, of several the slowest first.

    Args:
        records: that of the whole data set, then those of small ones; a kernel belongs to the first that holds it.
    """
    known = _known(specs)
    timed = _timed(records, known)
    above: dict[str, list[str]] = defaultdict(list)
    for name in timed:
        if name != REFERENCE:
            above[_nearest(known, name, timed)].append(name)

    def climb(name: str, depth: int) -> Iterator[Step]:
        yield _step(known, *timed[name], depth)
        for following in sorted(above[name], key=lambda name: (timed[name][1].speedup or 0.0, name)):
            yield from climb(following, depth + 1)

    return [*climb(REFERENCE, 0)] if REFERENCE in timed else []


def missing(records: Sequence[Record], specs: Iterable[KernelSpec]) -> list[str]:
    """Return the kernels of the ladder that records lack, as sentences: one for each reason."""
    known = _known(specs)
    timed, holders = _timed(records, known), _holders(records)
    why = {each.kernel: f"{each.status}, {each.in_short}" for record in reversed(records) for each in record.not_timed}
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name in known:
        if name not in timed:
            reason = why.get(name, "its checklist fails" if name in holders else "not recorded")
            by_reason[reason.rstrip(".")].append(name)
    return [f"{', '.join(names)}: {reason}." for reason, names in by_reason.items()]


def survivors(record: Record, small: Sequence[Record] = ()) -> list[tuple[str, str, list[str]]]:
    """Return which claim about speed survives against which baseline: (claim, verdict, baselines with their numbers).

    Supported ones come first.
    """
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for verdict in claims.verdicts(record, small):
        said = filter(None, (verdict.about, verdict.number or verdict.why.rstrip(".")))
        found[verdict.claim, verdict.verdict].append(": ".join(said))
    order = (claims.SUPPORTED, claims.REFUTED, claims.UNDETERMINED)
    return [
        (f"{claim}, “{claims.CLAIMS[claim]}”", verdict, found[claim, verdict])
        for claim in ABOUT_SPEED
        for verdict in order
        if (claim, verdict) in found
    ]


def bound(record: Record) -> str:
    """Return how much faster than the reference any kernel could be on this machine, as a sentence; "" if unknown."""
    share_of_bound = summary.share_of_bound(record, REFERENCE, "baseline", "l1", "cpu")
    if share_of_bound is None:
        return ""
    said = f"Reading every byte once would be {formatting.ratio(1 / share_of_bound.value)} as fast as {REFERENCE} here"
    if 1 / share_of_bound.value < claims.THOUSANDS:
        return f"{said}: on this machine no kernel can be a thousand times as fast, whatever it is written in."
    return f"{said}: that is the most that any kernel can reach on this machine."


def peers(told: Sequence[Step]) -> list[tuple[str, str]]:
    """Return the libraries' own solutions among the steps: the kernel, and a sentence on what it is and reaches."""
    return [
        (step.name, f"{step.spec.peer} {formatting.ratio(step.summary.speedup)} as fast as {REFERENCE}.")
        for step in told
        if step.spec.peer
    ]


def by_configuration(told: Sequence[Sequence[Record]], specs: Sequence[KernelSpec], cell: str) -> Grid:
    """Return one thing about every step under several configurations, side by side.

    Args:
        told: for each configuration the records of `steps`.
        cell: "ratio", how many times as fast as the one before it is, or "faults", its page faults per call.
    """
    by_name = [{step.name: step for step in steps(records, specs)} for records in told]
    rows = []
    for name in dict.fromkeys(name for held in by_name for name in held):
        each = [held.get(name) for held in by_name]
        one = next(filter(None, each))
        label = f"{name} ({one.part})" if one.part else name
        if cell == "faults":
            rows.append((label, *(f"{step.faults:,.0f}" if step else "" for step in each)))
        elif name != REFERENCE:
            after = one.before.kernel if one.before else one.spec.after
            rows.append((label, after, *(_ratio(step) if step else "" for step in each)))
    columns = [records[0].configuration for records in told]
    return Grid(("step", *(("after",) if cell == "ratio" else ()), *columns), rows, right=columns)


def _ratio(step: Step) -> str:
    return f"{step.times} ({step.interval})" if step.interval else step.times or step.without


def _known(specs: Iterable[KernelSpec]) -> dict[str, KernelSpec]:
    """Return by name those that are part of the story: the reference, and whoever says which one it follows."""
    return {each.name: each for each in specs if each.after or each.name == REFERENCE}


def _holders(records: Sequence[Record]) -> dict[str, Record]:
    """Return by kernel the first of the records that holds it."""
    return {name: record for record in reversed(records) for name in record.kernels()}


def _timed(records: Sequence[Record], known: dict[str, KernelSpec]) -> dict[str, tuple[Record, Summary]]:
    """Return each kernel's record, and where it stands there; without the records that their checklists FAIL."""
    timed, holders = {}, _holders(records)
    for record in records:
        if not checklist.failed(checklist.review(record)):
            for row in summaries(record):
                if row.kernel in known and holders[row.kernel] is record:
                    timed[row.kernel] = (record, row)
    return timed


def _predecessor(known: dict[str, KernelSpec], name: str) -> str:
    """Return the contestant that one follows: on its own device where that one runs there, else on the CPU."""
    each = known[name]
    candidates = (f"{each.after}@{each.device}", each.after, f"{each.after}@cpu")
    return next((candidate for candidate in candidates if candidate in known), each.after)


def _nearest(known: dict[str, KernelSpec], name: str, timed: Iterable[str]) -> str:
    """Return below whom a step is shown: the nearest one on its way down to the reference that was timed."""
    passed = [name]
    while passed[-1] in known and known[passed[-1]].after:
        passed.append(_predecessor(known, passed[-1]))
        if passed.count(passed[-1]) > 1:  # they follow each other in a circle
            return REFERENCE
    return next((each for each in passed[1:] if each in timed), REFERENCE)


def _step(known: dict[str, KernelSpec], record: Record, own: Summary, depth: int) -> Step:
    spec, before, ratio, resolved, without = known[own.kernel], None, None, None, ""
    if spec.after:
        predecessor = _predecessor(known, own.kernel)
        if record.of(predecessor):
            [before] = summaries(record, kernels=[predecessor])
            ratio = summary.paired(record.of(predecessor), record.of(own.kernel)) if record.paired else None
            without = "" if ratio else "no round holds both"
        else:
            without = f"{predecessor} was not recorded{' on these images' if record.per_class else ''}"
    if ratio and ratio.low is not None:
        resolved = speedup.outcome(ratio, summary.noise_floor(record) or 0.0) != "not resolved"
    return Step(
        spec, depth, record.per_class, own, before, ratio, resolved,
        faults=_faults(record, own.kernel),
        faults_before=_faults(record, before.kernel) if before else None,
        without=without,
    )  # fmt: skip


def _faults(record: Record, name: str) -> float:
    return median(sample.minor_faults for sample in record.of(name))
