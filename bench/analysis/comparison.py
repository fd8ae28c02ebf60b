"""Two kernels side by side, or one kernel in two records: the ratio, how sure we are of it, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.analysis import checklist, speedup, summary
from bench.analysis.speedup import Ratio
from bench.analysis.summary import Summary
from bench.kernel import REFERENCE, UnknownKernel
from bench.records import reader
from bench.records.model import BadRecord, Record, differences
from bench.records.sample import Sample

SAME = (
    "cpu_model_name", "cpu_count", "caches", "gpu", "platform", "dataset_digest", "threads", "allocator",
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a kernel in a record, in one scope and distance."""

    kernel: str
    record: Record
    scope: str
    distance: str

    @property
    def samples(self) -> list[Sample]:
        """Its samples; at least one, or `compare` would have refused it."""
        return self.record.of(self.kernel, self.scope, self.distance)

    @property
    def summary(self) -> Summary:
        """Where the kernel stands in its record."""
        [row] = summary.summaries(self.record, self.scope, self.distance, [self.kernel])
        return row


@dataclass(frozen=True)
class Comparison:
    """How much faster the second side, `new`, is than the first, `base`.

    Attributes:
        ratio: base seconds / new seconds; above 1 the new one is faster. Without interval where the record is unpaired.
        resolution: the smallest difference that the recordings can tell from none, as a fraction; None if unknown.
        verdict: "faster", "slower" or "not resolved", of the new one.
        differs: what is not the same on both sides, though it should be; only with --force.
        paired: whether both sides' samples come from rounds, of one recording or of two.
    """

    base: Side
    new: Side
    ratio: Ratio
    noise_floor: float | None
    verdict: str
    differs: tuple[str, ...]
    paired: bool

    def slower_by(self, percent: float) -> bool:
        """Return whether the new one is slower by more than `percent`, and the interval resolves it."""
        return self.verdict == "slower" and self.ratio.high is not None and 1 / self.ratio.high > 1 + percent / 100


def compare(base: Side, new: Side, force: bool) -> Comparison:
    """Compare two sides.

    Of one record, rounds are paired. Of two records, the processes are, in the order they ran: each is a draw of its
    own, so the interval stands, but what changed on the machine between the two recordings is in the ratio.

    Raises:
        UnknownKernel: a record does not hold the kernel in this scope and distance.
        BadRecord: a record is not one of times, or its checklist FAILs; or machine, digits or configuration differ, and
            `force` is not set.
    """
    for side in (base, new):
        _must_be_usable(side)
    differs = tuple(differences(base.record, new.record, SAME))
    if differs and not force:
        raise BadRecord(f"these records are not comparable: {'; '.join(differs)}; --force compares and says so")
    paired = base.record.paired and new.record.paired
    noise_floor, ratio = _noise_floor(base, new), speedup.ratio(base.samples, new.samples)
    if not paired:
        value = speedup.unpaired(base.samples, new.samples)
        ratio = replace(ratio, value=value, low=None, high=None, level=None, drift=None)
    elif base.record.path != new.record.path:
        ratio = replace(ratio, drift=None)  # round 3 of one recording and round 3 of another have no time in common
    verdict = "not resolved" if noise_floor is None else speedup.outcome(ratio, noise_floor)
    return Comparison(base, new, ratio, noise_floor, verdict, differs, paired)


def _must_be_usable(side: Side) -> None:
    record, scope, distance = side.record, side.scope, side.distance
    if not record.speed:
        raise BadRecord(f"{record.path}: is a record of {record.kind}, expected one of times; name another")
    if not side.samples:
        why = "".join(f"; {each.kernel} is {each.status}" for each in record.not_timed if each.kernel == side.kernel)
        known = ", ".join(record.kernels(scope, distance)) or "none"
        raise UnknownKernel(
            f"{record.path}: holds no {side.kernel} in {scope} {distance}; its kernels there: {known}{why}; "
            "--record FILE names another record"
        )
    checklist.must_not_fail(record, scope, distance, reference=side.kernel)


def _noise_floor(base: Side, new: Side) -> float | None:
    """Return the worse of both recordings'; None where one of them does not tell.

    Two recordings did not take turns: what the reference kernel differs by between them is no smaller a doubt.
    """
    found = [summary.noise_floor(side.record, side.scope, side.distance) for side in (base, new)]
    if base.record.path != new.record.path:
        drift = [side.record.of(REFERENCE, side.scope, side.distance) for side in (base, new)]
        found.append(abs(speedup.unpaired(*drift) - 1) if all(drift) else None)
    known = [each for each in found if each is not None]
    return max(known) if len(known) == len(found) else None


def sides(
    a: str,
    b: str | None,
    record: Path | None,
    against: Path | None,
    scope: str,
    distance: str,
    configuration: str | None = None,
) -> tuple[Side, Side]:
    """Return what the arguments of the verb name: kernels A and B of one record, or A in `against` and A now.

    Without `record` these are of the newest one that holds them; without `configuration`, of the first of its
    configurations, which is all/default where it has that.

    Raises:
        UnknownKernel: neither B nor --against is given, or both are.
        BadRecord: there is no record, one cannot be read, or it lacks the configuration.
    """
    if (b is None) == (against is None):
        raise UnknownKernel("compare takes two kernels, or one kernel and --against FILE")
    distance = "-" if scope == "mean" else distance  # there is no other
    now = _under(configuration, reader.read_all(record) if record else _newest({a, b or a}, scope, distance))
    before = _under(configuration, reader.read_all(against)) if against else now
    return Side(a, before, scope, distance), Side(b or a, now, scope, distance)


def _newest(kernels: set[str], scope: str, distance: str) -> list[Record]:
    """Return the newest record that holds all the kernels; of records of whole data sets first."""
    for file in reader.of_speed():
        if kernels <= {*file[0].kernels(scope, distance)}:
            return file
    return reader.newest()  # whose kernels are then told


def _under(configuration: str | None, file: Sequence[Record]) -> Record:
    for record in file:
        if configuration in (None, record.configuration):
            return record
    held = ", ".join(record.configuration for record in file)
    raise BadRecord(f"{file[0].path}: was not recorded under {configuration}; it holds {held}")
