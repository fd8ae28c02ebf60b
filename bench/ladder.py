"""The ladder as a story: each kernel beside the one that it climbs from, by how much, and why.

The order is in no table here: a kernel's docstring says "After NAME: why.", and that makes a tree, whose root is the
reference. What a step is worth is a ratio like any other, of two kernels that took turns on the same images.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench import checklist, claims, speedup, standing, units
from bench.grid import Grid
from bench.kernel import REFERENCE, Contestant
from bench.records import Record
from bench.speedup import Ratio
from bench.standing import Standing, standings

ABOUT_SPEED = ("C2", "C3")  # the claims that a baseline decides
FEWEST = 5  # steps; fewer are no ladder
NOT_RECORDED = "The ladder was not recorded: make bench-all"


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        contestant: who takes it.
        depth: how many steps it is away from the reference, which is at 0.
        images: the number of images of each class that it was timed on; 0 is all.
        standing: where it stands among all that were timed on those images.
        before: the one it climbs from, on the same images; None for the reference, and where it was not recorded.
        ratio: `before` seconds / its seconds; None where no round holds both, or the record is unpaired.
        resolved: whether that ratio's interval says which of both is faster; None where it has no interval.
        faults, faults_before: page faults per call, the median of all samples.
        without: why there is no ratio, in a few words; "" where there is one, or nothing to climb from.
    """

    contestant: Contestant
    depth: int
    images: int
    standing: Standing
    before: Standing | None
    ratio: Ratio | None
    resolved: bool | None
    faults: float
    faults_before: float | None
    without: str

    @property
    def name(self) -> str:
        return self.contestant.name

    @property
    def part(self) -> str:
        """On which images it was timed, where that is not all of them."""
        return f"first {self.images} images of each class" if self.images else ""

    @property
    def times(self) -> str:
        """How many times as fast as the one before it is, in words; "" where there is no ratio."""
        return units.either(self.ratio.modes, units.ratio) if self.ratio else ""

    @property
    def interval(self) -> str:
        """That ratio's interval, and whether it is resolved; "" without one, and for two modes, which it spans."""
        if not self.ratio or self.ratio.low is None or self.ratio.high is None or len(self.ratio.modes) > 1:
            return ""
        ends = f"{units.ratio(self.ratio.low)} to {units.ratio(self.ratio.high)}"
        return ends if self.resolved is not False else f"{ends}, not resolved"


def steps(record: Record, contestants: Iterable[Contestant]) -> list[Step]:
    """Return the steps that a record holds, each after the one it climbs from, of several the slowest first."""
    known = _known(contestants)
    timed = _timed(record, known)
    above: dict[str, list[str]] = defaultdict(list)
    for name in timed:
        if name != REFERENCE:
            above[_nearest(known, name, timed)].append(name)

    def climb(name: str, depth: int) -> Iterator[Step]:
        if name in timed:
            yield _step(known, *timed[name], name, depth)
        for each in sorted(above[name], key=lambda each: (_speed(timed[each][2]), each)):
            yield from climb(each, depth + 1)

    return [*climb(REFERENCE, 0)] if REFERENCE in timed else []


def missing(record: Record, contestants: Iterable[Contestant]) -> list[str]:
    """Return the kernels of the ladder that a record lacks, as sentences: one for each reason."""
    known = _known(contestants)
    timed, why = _timed(record, known), {each.kernel: f"{each.status}, {each.in_short}" for each in record.absent}
    held = {name for n, part in _parts(record) for name in part.kernels() if part.images_of_class(name) == n}
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name in known:
        if name not in timed:
            reason = why.get(name, "its checklist fails" if name in held else "not recorded")
            by_reason[reason.rstrip(".")].append(name)
    return [f"{', '.join(names)}: {reason}." for reason, names in by_reason.items()]


def survivors(record: Record) -> list[tuple[str, str, list[str]]]:
    """Return which claim about speed survives against which baseline: (claim, verdict, baselines with what was found).

    Supported ones come first.
    """
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in claims.rulings(record):
        if each.claim in ABOUT_SPEED:
            said = filter(None, (each.about, each.number or each.why.rstrip(".")))
            found[each.claim, each.verdict].append(": ".join(said))
    order = (claims.SUPPORTED, claims.REFUTED, claims.UNDETERMINED)
    return [
        (f"{claim}, “{claims.CLAIMS[claim]}”", verdict, found[claim, verdict])
        for claim in ABOUT_SPEED
        for verdict in order
        if (claim, verdict) in found
    ]


def bound(record: Record) -> str:
    """Return how much faster than the reference any kernel could be on this machine, as a sentence; "" if unknown."""
    rows = standings(record, kernels=[REFERENCE]) if record.of(REFERENCE) else []
    if not rows or rows[0].share is None:
        return ""
    most = [1 / mode.value for mode in rows[0].share.modes]
    said = f"Reading every byte once would be {' or '.join(map(units.ratio, most))} as fast as {REFERENCE} here"
    if max(most) < claims.THOUSANDS:
        return f"{said}: on this machine no kernel can be a thousand times as fast, whatever it is written in."
    return f"{said}: that is the most that any kernel can reach on this machine."


def peers(told: Sequence[Step]) -> list[tuple[str, str]]:
    """Return the libraries' own solutions among the steps: the kernel, and a sentence on what it is and reaches."""
    return [
        (
            each.name,
            f"{each.contestant.peer} {units.either(each.standing.speedups, units.ratio)} as fast as {REFERENCE}.",
        )
        for each in told
        if each.contestant.peer
    ]


def by_condition(told: Sequence[Record], contestants: Sequence[Contestant], cell: str) -> Grid:
    """Return one thing about every step under several conditions, side by side.

    Args:
        cell: "ratio", how many times as fast as the one before it is, or "faults", its page faults per call.
    """
    by_name = [{each.name: each for each in steps(record, contestants)} for record in told]
    order = list(dict.fromkeys(name for found in by_name for name in found))
    rows = []
    for name in order:
        found = [each.get(name) for each in by_name]
        one = next(each for each in found if each)
        label = f"{name} ({one.part})" if one.part else name
        shown = [_ratio(each) if cell == "ratio" else f"{each.faults:,.0f}" if each else "" for each in found]
        before = _before(one)
        if cell != "ratio":
            rows.append((label, *shown))
        elif before:
            rows.append((label, before, *shown))
    columns = [record.condition for record in told]
    return Grid(("step", *(("after",) if cell == "ratio" else ()), *columns), rows, right=columns)


def _before(step: Step) -> str:
    return step.before.kernel if step.before else step.contestant.after


def _ratio(step: Step | None) -> str:
    if step is None:
        return ""
    return f"{step.times} ({step.interval})" if step.interval else step.times or step.without


def _known(contestants: Iterable[Contestant]) -> dict[str, Contestant]:
    """Return by name those that are part of the story: the reference, and whoever says where it climbs from."""
    return {each.name: each for each in contestants if each.after or each.name == REFERENCE}


def _timed(record: Record, known: dict[str, Contestant]) -> dict[str, tuple[Record, int, Standing]]:
    """Return each kernel's part of the record, on how many images of each class that is, and where it stands there.

    A kernel that was timed on a part belongs there, and no other does. What a checklist FAILs is left out.
    """
    timed = {}
    for n, part in _parts(record):
        if checklist.failed(checklist.judge(part)):
            continue
        for each in standings(part):
            if each.kernel in known and part.images_of_class(each.kernel) == n:
                timed[each.kernel] = (part, n, each)
    return timed


def _parts(record: Record) -> list[tuple[int, Record]]:
    return [(0, record), *((n, record.part(n)) for n in sorted(record.parts))]


def _predecessor(known: dict[str, Contestant], name: str) -> str:
    """Return the contestant that one climbs from: on its own device where that one runs there, else on the CPU."""
    each = known[name]
    candidates = (f"{each.after}@{each.device}", each.after, f"{each.after}@cpu")
    return next((candidate for candidate in candidates if candidate in known), each.after)


def _nearest(known: dict[str, Contestant], name: str, timed: Iterable[str]) -> str:
    """Return below whom a step is shown: the nearest one on its way down to the reference that was timed."""
    held, passed = set(timed), [name]
    while passed[-1] in known and known[passed[-1]].after:
        passed.append(_predecessor(known, passed[-1]))
        if passed.count(passed[-1]) > 1:  # it goes round in circles, and stands on the ground
            return REFERENCE
    return next((each for each in passed[1:] if each in held), REFERENCE)


def _step(known: dict[str, Contestant], part: Record, images: int, own: Standing, name: str, depth: int) -> Step:
    each, ratio, resolved, before, without = known[name], None, None, None, ""
    if each.after:
        predecessor = _predecessor(known, name)
        if not part.of(predecessor):
            without = f"{predecessor} was not recorded{' on these images' if images else ''}"
        else:
            before = standings(part, kernels=[predecessor])[0]
            ratio = standing.paired(part.of(predecessor), part.of(name)) if part.paired else None
            without = "" if ratio else "no round holds both"
    if ratio and ratio.low is not None:
        resolution = standing.resolution(part)
        resolved = speedup.verdict(ratio, resolution or 0.0) != "not resolved"
    return Step(
        each, depth, images, own, before, ratio, resolved,
        faults=_faults(part, name),
        faults_before=_faults(part, before.kernel) if before else None,
        without=without,
    )  # fmt: skip


def _faults(record: Record, name: str) -> float:
    return median(each.minor_faults for each in record.of(name))


def _speed(each: Standing) -> float:
    return each.times_faster or 0.0
