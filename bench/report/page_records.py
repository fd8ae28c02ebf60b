"""What one page, and one set of pictures, is made of: the records of one machine and one data set, one of each kind."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import code_size
from bench.records import model, reader
from bench.records.model import BadRecord, Record, differences
from bench.task.problem import Problem

PUBLISHED_PAGE = "report.html"
PARTS = ("scopes", "sizes", "memory")  # the kinds of records that a selection has besides those of speed
File = Sequence[Record]  # one record under each of its configurations


@dataclass(frozen=True)
class Selection:
    """The records of one page, and the digits that they were measured on.

    Attributes:
        page: where its page goes.
        speed: the record that the verdicts are about: of the whole data set, of kind "ladder", else "scopes".
        configurations: that record under every configuration, `speed` first.
        small: the records of small data sets, under every configuration.
        scopes: the record of all scopes; `speed` itself where that is one; None without one.
        sizes, memory: the record of that kind; None where there is none.
        problem: the digits, solved; None where they are not at hand, or are others than the records'.
        extra: files of kernels that do not live in this checkout.
    """

    page: Path
    speed: Record
    configurations: tuple[Record, ...]
    small: tuple[Record, ...] = ()
    scopes: Record | None = None
    sizes: Record | None = None
    memory: Record | None = None
    problem: Problem | None = None
    extra: tuple[Path, ...] = ()

    @property
    def published(self) -> bool:
        """Whether it is a machine's published one."""
        return self.page.name == PUBLISHED_PAGE

    def with_small(self, record: Record) -> list[Record]:
        """Return a record of the whole data set, then those of its small data sets under the same configuration."""
        return [record, *(small for small in self.small if small.configuration == record.configuration)]

    def picture(self, name: str) -> Path:
        """Return where a picture goes, without its suffix: beside the page; the speedup takes a local page's name."""
        if self.published:
            return self.page.with_name(name)
        return self.page.with_name(self.page.stem if name == "speedup" else f"{self.page.stem}-{name}")

    def file(self, kernel: str) -> Path | None:
        """Return a kernel's file as it is now; None where it is not in this checkout."""
        name = f"{kernel.partition('@')[0]}.py"
        return next((path for path in self.extra if path.name == name), None) or code_size.find(kernel)

    def stale(self, kernel: str) -> bool:
        """Return whether a kernel's source has changed since it was recorded."""
        hashes = (record.kernel_metadata.get(kernel, {}).get("source_hash") for record in (self.speed, *self.small))
        path, recorded = self.file(kernel), next(filter(None, hashes), None)
        return path is not None and recorded is not None and code_size.source_hash(path) != recorded

    def with_problem(self, problem: Problem | None) -> "Selection":
        """Return the selection with the digits, if they are the ones that were recorded."""
        same = problem is not None and problem.digest == self.speed.metadata.get("dataset_digest")
        return replace(self, problem=problem if same else None)


def published() -> list[Selection]:
    """Return the selection of every published machine, the one recorded last first.

    Raises:
        BadRecord: a record cannot be read, or a folder holds records of several machines or data sets.
    """
    folders = sorted({path.parent for path in model.LOCAL.parent.glob("*/*.json.gz")} - {model.LOCAL})
    selections = [from_paths(sorted(folder.glob("*.json.gz")), folder / PUBLISHED_PAGE) for folder in folders]
    return sorted(selections, key=lambda selection: str(selection.speed.metadata.get("date", "")), reverse=True)


def local() -> Selection | None:
    """Return the selection of the newest run in results/local/ that timed a whole data set; None without one.

    Raises:
        BadRecord: that run lacks the reference.
    """
    files = local_files()
    return from_records(files, _page_beside(files[0][0])) if files else None


def local_files() -> list[File]:
    """Return the records of the newest local run that timed a whole data set, first those of that data set.

    The newest records of sizes and of memory are added, if they are of the same machine and data set.
    """
    newest = next(reader.speed_files(), None)
    if newest is None or newest[0].path.parent != model.LOCAL or newest[0].per_class:
        return []
    chosen: dict[str, File] = {newest[0].slot: newest}
    for path in reader.local_paths():
        with suppress(BadRecord):  # a file that is no record is passed over
            file = reader.read_all(path)
            run = file[0].metadata.get("run")
            wanted = file[0].slot in ("sizes", "memory") or (run is not None and run == newest[0].metadata.get("run"))
            if wanted and file[0].paired and not differences(newest[0], file[0]):
                chosen.setdefault(file[0].slot, file)
    return list(chosen.values())


def from_paths(paths: Sequence[Path], page: Path | None = None) -> Selection:
    """Return the selection of the records in some files; its page is beside the first unless it is named.

    Raises:
        BadRecord: as `from_records`, or a file cannot be read.
    """
    files = [reader.read_all(path) for path in paths]
    return from_records(files, page or _page_beside(files[0][0]))


def alone(file: File) -> Selection:
    """Return the selection of one record of any kind, by itself."""
    record = file[0]
    parts: dict[str, Any] = {record.kind: record} if record.kind in PARTS else {}
    return Selection(_page_beside(record), record, tuple(file), **parts)


def apart(selection: Selection) -> Selection:
    """Return a selection whose pictures go to results/local/ if its records are published: those have their own."""
    folder = selection.speed.path.parent.resolve()
    if folder == model.LOCAL or folder.parent != model.LOCAL.parent:
        return selection
    name = folder.name if selection.published else f"{folder.name}-{selection.speed.slot}"
    return replace(selection, page=model.LOCAL / f"{name}.html")


def from_records(files: Sequence[File], page: Path) -> Selection:
    """Return the selection that records amount to.

    Raises:
        BadRecord: none times a whole data set with the reference in it, two are of one kind, or they are of several
            machines or data sets.
    """
    first, by_slot = files[0][0], dict[str, File]()
    for file in files:
        if differs := differences(first, file[0]):
            raise BadRecord(
                f"{file[0].path} and {first.path.name} are not of one machine and one data set: {'; '.join(differs)}. "
                "Move one of them to a folder of its own."
            )
        if same := by_slot.get(file[0].slot):
            raise BadRecord(
                f"{file[0].path} and {same[0].path.name} are both of the kind {file[0].slot}. Name only one of them."
            )
        by_slot[file[0].slot] = file
    timed = [by_slot[kind] for kind in ("ladder", "scopes") if kind in by_slot]
    timed = [file for file in timed if file[0].samples_of(file[0].reference)]
    if not timed:
        what = f"record of the times of a whole data set with {first.reference}"
        raise BadRecord(f"{first.path.parent} has no {what}. Make one with python -m bench run.")
    if other := next((file[0] for file in files if file[0].speed and file[0].reference != timed[0][0].reference), None):
        raise BadRecord(
            f"The ratios of {other.path} are over {other.reference}, those of {timed[0][0].path.name} over "
            f"{timed[0][0].reference}. Move one of them to a folder of its own, or name only one of them."
        )
    small = (file for _, file in sorted(by_slot.items()) if file[0].per_class and file[0].speed)
    parts: dict[str, Any] = {kind: by_slot[kind][0] for kind in PARTS if kind in by_slot}
    return Selection(page, timed[0][0], tuple(timed[0]), tuple(record for file in small for record in file), **parts)


def _page_beside(record: Record) -> Path:
    return reader.stem(record.path).with_suffix(".html")
