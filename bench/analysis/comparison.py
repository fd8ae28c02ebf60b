"""Two kernels side by side, or one kernel in two records: the ratio, how sure it is, and the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.analysis import checklist, speedup, summary
from bench.analysis.speedup import Outcome, Ratio
from bench.analysis.summary import Summary
from bench.kernel import UnknownKernel, discover, nearest
from bench.records import model, reader
from bench.records.model import BadRecord, Record, differences
from bench.records.sample import Sample

SAME = (*model.SAME, "dataset_digest", "threads", "allocator", "protocol")


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a kernel in a record, in one scope and distance.

    `picked` says why this record was taken, "" where it was named; `version` is "old" or "new", "" in one record.
    """

    kernel: str
    record: Record
    scope: str
    distance: str
    picked: str = ""
    version: str = ""

    @property
    def name(self) -> str:
        """The kernel's name, with its version."""
        return f"{self.kernel} ({self.version})" if self.version else self.kernel

    @property
    def samples(self) -> list[Sample]:
        """The kernel's samples in its record."""
        return self.record.samples_of(self.kernel, self.scope, self.distance)

    @property
    def summary(self) -> Summary:
        """The kernel's summary in its record."""
        [row] = summary.summaries(self.record, self.scope, self.distance, [self.kernel])
        return row


@dataclass(frozen=True)
class Comparison:
    """How much faster the second side, `new`, is than the first, `base`."""

    base: Side
    new: Side
    ratio: Ratio  # base seconds / new seconds; it has no interval where a record is unpaired
    noise_floor: float | None  # the smallest difference that the records can tell from none, as a fraction
    outcome: Outcome  # "faster", "slower" or "not resolved", for `new`
    differs: tuple[str, ...]  # what differs between the sides and should not; only with --force
    paired: bool  # whether both records are
    unknown: str = ""  # why the noise floor is unknown; "" where it is known

    def slower_by(self, percent: float) -> bool:
        """Return whether the whole interval says that `new` is slower by more than `percent`."""
        return self.outcome == "slower" and self.ratio.high is not None and 1 / self.ratio.high > 1 + percent / 100

    def unresolved(self, percent: float) -> str:
        """Return why this comparison cannot tell whether `new` is slower by more than `percent`; "" where it can."""
        if self.slower_by(percent) or self.outcome == "faster":
            return ""
        if self.noise_floor is None:
            why = f"noise floor unknown, {self.unknown}"
        elif self.ratio.low is None:
            why = "no confidence interval"
        elif self.noise_floor > percent / 100:
            why = f"noise floor ±{100 * self.noise_floor:.1f} %"
        elif 1 / self.ratio.low > 1 + percent / 100:
            why = f"the confidence interval reaches {100 / self.ratio.low - 100:.1f} % slower"
        else:
            return ""
        return f"{self.new.name}: {percent:g} % cannot be resolved here: {why}"


def compare(base: Side, new: Side, force: bool) -> Comparison:
    """Compare two sides.

    In one record, rounds are paired. Of two records, processes are paired in the order they ran: they are independent,
    so the interval holds, but what changed on the machine between the two records is part of the ratio. A missing
    kernel is an UnknownKernel; a failing checklist, or a difference in SAME without `force`, is a BadRecord.
    """
    for side in (base, new):
        _must_be_usable(side, (base.kernel, new.kernel))
    differs = tuple(differences(base.record, new.record, SAME))
    if differs and not force:
        raise BadRecord(f"The records are not comparable: {'; '.join(differs)}. To compare them anyway, add --force.")
    paired = base.record.paired and new.record.paired
    (noise_floor, unknown), ratio = _noise_floor(base, new), speedup.ratio(base.samples, new.samples)
    if not paired:
        value = speedup.unpaired(base.samples, new.samples)
        ratio = replace(ratio, value=value, low=None, high=None, level=None, drift=None)
    elif base.record.path != new.record.path:
        ratio = replace(ratio, drift=None)  # round 3 of one record and round 3 of another have no time in common
    outcome = speedup.outcome(ratio, noise_floor)
    return Comparison(base, new, ratio, noise_floor, outcome, differs, paired, unknown)


def _must_be_usable(side: Side, named: tuple[str, ...]) -> None:
    record, scope, distance = side.record, side.scope, side.distance
    if not record.speed:
        raise BadRecord(f"{record.path} is a record of {record.kind}. Name a record of times.")
    if not side.samples:
        statuses = [entry.status_in_words for entry in record.not_timed if entry.kernel == side.kernel]
        why = f", because it is {statuses[0]}" if statuses else ""
        held = record.kernels(scope, distance)
        near = nearest(side.kernel, [*held, *(spec.name for spec in discover())])
        hint = f"Its kernels there: {', '.join(held) or 'none'}."
        if near in held and near not in named:
            hint = f"Did you mean {near}?"
        elif near and near not in held and not why:
            hint = f"{near} was not timed there."
        raise UnknownKernel(
            f"{record.path} has no times of {side.kernel} in {scope} {distance}{why}. {hint} "
            "Name another kernel, or another record with --record FILE."
        )
    checklist.must_not_fail(record, scope, distance, reference=side.kernel)


def _noise_floor(base: Side, new: Side) -> tuple[float | None, str]:
    """Return the worse of both records', and ""; or None, and why it is unknown.

    Two records share no rounds, so a reference that both hold must not differ by more between them either.
    """
    floors = [summary.noise_floor(side.record, side.scope, side.distance) for side in (base, new)]
    if base.record.path != new.record.path:
        references = [
            [side.record.samples_of(name, side.scope, side.distance) for side in (base, new)]
            for name in (base.record.reference, new.record.reference)
            if name not in (base.kernel, new.kernel)
        ]
        if not (shared := next(filter(all, references), None)):
            return None, "as the records have no reference in common besides the kernel"
        floors.append(abs(speedup.unpaired(*shared) - 1))
    known = [floor for floor in floors if floor is not None]
    return (max(known), "") if len(known) == len(floors) else (None, "without an A/A control")


def sides(
    names: Sequence[str], record: Path | None, against: Path | None, scope: str, distance: str,
    configuration: str | None = None,
) -> list[Side]:  # fmt: skip
    """Return the sides that the command names, first the one that the others are compared with.

    They are the kernels `names` of one record, or the only one in `against` and in `record`. Without `record` it is the
    newest one that holds the kernels and has a confidence interval, else the newest that holds them; without
    `configuration`, the first of its configurations, which is all/default if it has that.
    """
    if (len(names) == 1) == (against is None):
        raise UnknownKernel("compare takes two kernels or more, or one kernel and --against FILE")
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UnknownKernel(f"{twice[0]} is named twice. Name another kernel, or compare two records: --against FILE")
    distance = "-" if scope == "mean" else distance  # there is no other
    file, picked = (reader.read_all(record), "") if record else _newest({*names}, scope, distance)
    new = [Side(name, _under(configuration, file), scope, distance, picked) for name in names]
    if not against:
        return new
    if file[0].path.resolve() == against.resolve():
        which = "the record of --record" if record else "the newest record"
        raise BadRecord(f"{against} is {which} itself. Record again first, or name another record.")
    old = Side(names[0], _under(configuration, reader.read_all(against)), scope, distance, version="old")
    return [old, replace(new[0], version="new")]


def _newest(kernels: set[str], scope: str, distance: str) -> tuple[list[Record], str]:
    """Return the record that `sides` describes, else the newest one, so that the error lists its kernels; and why."""
    newest = None
    for file in reader.speed_files():
        if kernels <= {*file[0].kernels(scope, distance)}:
            if file[0].processes >= model.FEWEST_PROCESSES:
                which = "the newest" if file[0].path.parent == model.LOCAL else "published, as no run here is one"
                return file, f"{which} with a confidence interval"
            newest = newest or file
    return newest or reader.newest(), "the newest; none has a confidence interval"


def _under(configuration: str | None, records: Sequence[Record]) -> Record:
    for record in records:
        if configuration in (None, record.configuration):
            return record
    held = ", ".join(record.configuration for record in records)
    raise BadRecord(f"{records[0].path} was not recorded under {configuration}. Name one of these: {held}.")
