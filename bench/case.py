"""What one page, and one set of pictures, is made of: records of one machine and one data set."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench import reading, records, source
from bench.comparing import DEFAULT
from bench.kernel import REFERENCE
from bench.problem import Problem
from bench.records import BadRecord, Record

SAME = ("cpu_model_name", "cpu_count", "platform", "dataset_digest")  # of all records of a case
PUBLISHED_PAGE = "report.html"


@dataclass(frozen=True)
class Case:
    """The evidence.

    Attributes:
        page: where its page goes.
        speed: the record that the verdicts are about: the newest under the default condition that has the reference,
            or an older one that has all of its kernels and more.
        conditions: `speed`, then what was recorded in turns with it under other conditions, all threads first.
        scopes: the newest record of all scopes under the default condition; often `speed` itself; None without one.
        sizes, memory: the newest record of each kind; None where there is none.
        problem: the digits, solved; None where they are not at hand, or are others than the records'.
        extra: files of kernels that do not live in this checkout.
    """

    page: Path
    speed: Record
    conditions: tuple[Record, ...]
    scopes: Record | None = None
    sizes: Record | None = None
    memory: Record | None = None
    problem: Problem | None = None
    extra: tuple[Path, ...] = ()

    @property
    def published(self) -> bool:
        """Whether it is a machine's published one."""
        return self.page.name == PUBLISHED_PAGE

    def picture(self, name: str) -> Path:
        """Return where a picture goes, without its suffix: beside the page; the speedup takes a local page's name."""
        if self.published:
            return self.page.with_name(name)
        return self.page.with_name(self.page.stem if name == "speedup" else f"{self.page.stem}-{name}")

    def file(self, kernel: str) -> Path | None:
        """Return a contestant's file as it is now; None where it is not in this checkout."""
        name = f"{kernel.partition('@')[0]}.py"
        return next((path for path in self.extra if path.name == name), None) or source.find(kernel)

    def stale(self, kernel: str) -> bool:
        """Return whether a contestant's source has changed since it was recorded."""
        path, recorded = self.file(kernel), self.speed.kernel_facts.get(kernel, {}).get("source_hash")
        return path is not None and recorded is not None and source.source_hash(path) != recorded

    def answering(self, problem: Problem | None) -> "Case":
        """Return the case with the digits, if they are the ones that were recorded."""
        same = problem is not None and problem.digest == self.speed.facts.get("dataset_digest")
        return replace(self, problem=problem if same else None)


def published() -> list[Case]:
    """Return the case of every published machine, the one recorded last first.

    Raises:
        BadRecord: a record cannot be read, or a folder holds records of several machines or data sets.
    """
    cases = []
    for folder in sorted({path.parent for path in records.LOCAL.parent.glob("*/*.json.gz")} - {records.LOCAL}):
        found = [reading.read(path) for path in folder.glob("*.json.gz")]
        found.sort(key=lambda each: (str(each.facts.get("date", "")), each.path.name), reverse=True)
        cases.append(of(found, folder / PUBLISHED_PAGE))
    return sorted(cases, key=lambda each: str(each.speed.facts.get("date", "")), reverse=True)


def local() -> Case | None:
    """Return the case of the newest local record of speed, with what else belongs to it; None without one.

    Raises:
        BadRecord: neither it nor another condition of its run has the reference.
    """
    newest = next(iter(reading.of_speed()), None)
    if newest is None or newest.path.parent != records.LOCAL:
        return None
    found, kinds, earlier_run = [newest], {"sizes", "memory"}, False
    for path in reading.local_paths():
        if earlier_run and not kinds:
            break
        with suppress(BadRecord):  # an older file that is no record is no hindrance
            each = reading.read(path)
            if each.path == newest.path or not each.paired or differences(newest, each):
                continue
            if each.kind in kinds:
                kinds.discard(each.kind)
                found.append(each)
            elif each.kind == "speed":  # other conditions belong to it only where they took turns with it
                same_run = each.facts.get("order_seed") == newest.facts.get("order_seed")
                found += [each] if same_run else []
                earlier_run = earlier_run or not same_run
    return of(found, reading.stem(newest.path).with_suffix(".html"))


def alone(record: Record) -> Case:
    """Return the case of one record of any kind, by itself."""
    page = reading.stem(record.path).with_suffix(".html")
    return Case(
        page,
        record,
        (record,),
        scopes=record if ("end_to_end", "l1") in record.cells else None,
        sizes=record if record.kind == "sizes" else None,
        memory=record if record.kind == "memory" else None,
    )


def of(found: Sequence[Record], page: Path) -> Case:
    """Return the case that records, from new to old, amount to.

    Raises:
        BadRecord: none is of speed with the reference in it, or they are of several machines or data sets.
    """
    for each in found[1:]:
        if differs := differences(found[0], each):
            raise BadRecord(
                f"{each.path}: {'; '.join(differs)} (of {found[0].path.name}); one page is of one machine and one data "
                "set: move one of them to a folder of its own"
            )
    speed = [each for each in found if each.kind == "speed" and each.of(REFERENCE)]
    if not speed:
        raise BadRecord(f"{found[0].path.parent}: no record of speed with {REFERENCE}; python -m bench run makes one")
    default = [each for each in speed if each.condition == DEFAULT]
    chosen = (default or speed)[0]
    for older in speed:
        if older.condition == chosen.condition and _hides(chosen, older):
            chosen = older
    rest: dict[str, Record] = {}
    for each in speed:
        if each.condition != chosen.condition and _together(each, chosen):
            rest.setdefault(each.condition, each)
    sizes, memory = (next((each for each in found if each.kind == kind), None) for kind in ("sizes", "memory"))
    scopes = next((each for each in (chosen, *default) if ("end_to_end", "l1") in each.cells), None)
    in_order = sorted(rest.values(), key=lambda each: (each.facts.get("threads") != "all", each.condition))
    return Case(page, chosen, (chosen, *in_order), scopes, sizes, memory)


def _hides(newer: Record, older: Record) -> bool:
    """Return whether a newer record would hide what is there to see: the four in all scopes, after the whole ladder.

    That is where the older one holds all of its kernels and more that are still in this checkout, not absent from the
    newer one, and in as many process sets.
    """
    shown, absent = {*newer.kernels()}, {each.kernel for each in newer.absent}
    more = {name for name in {*older.kernels()} - shown - absent if source.find(name)}
    return bool(more) and shown <= {*older.kernels()} and older.processes >= newer.processes


def _together(one: Record, other: Record) -> bool:
    """Return whether two conditions took turns in one run: only then they stand side by side."""
    return one.facts.get("order_seed") == other.facts.get("order_seed")


def differences(one: Record, other: Record) -> list[str]:
    """Return what keeps two records from standing on one page."""
    return [
        f"{key} {other.facts.get(key, 'unknown')}, expected {one.facts.get(key, 'unknown')}"
        for key in SAME
        if one.facts.get(key) != other.facts.get(key)
    ]
