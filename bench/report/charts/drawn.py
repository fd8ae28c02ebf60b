"""Pictures as bytes: drawn side by side, and not again while nothing that they are drawn from has changed.

What was drawn is kept in `.drawn` of results/local/, under a hash of records, digits, code and libraries. It may be
deleted at any time: the same bytes are then drawn again.
"""

import hashlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path

from bench import atomic
from bench.kernel import ROOT
from bench.records import model
from bench.records.model import Record
from bench.report import charts
from bench.report.charts import NotDrawn, svg
from bench.report.page_records import Selection

KEPT = 300  # files, of the newest drawings
FORK = multiprocessing.get_context("fork" if sys.platform == "linux" else None)  # which need not import all again
_selection: list[Selection] = []  # in a process that draws: the one that it draws


def draw_all(names: Iterable[str], selection: Selection, suffixes: Sequence[str] = (".svg",)) -> None:
    """Draw pictures side by side, so that `picture` has them; what cannot be drawn is left for it to say."""
    missing = [name for name in names if not all(_path(name, selection, suffix).exists() for suffix in suffixes)]
    processes = min(len(missing), os.cpu_count() or 1)
    if processes > 1:
        from bench.report.charts import style  # noqa: F401  with matplotlib, once for all processes

        with ProcessPoolExecutor(processes, FORK, initializer=_begin, initargs=(selection,)) as pool:
            list(pool.map(_draw_begun, missing[::-1], [suffixes] * len(missing)))  # those of digits take longest


def picture(name: str, selection: Selection, suffix: str = ".svg") -> bytes:
    """Return one of PICTURES as an SVG or PNG file.

    Raises:
        NotDrawn: see `bench.report.charts.draw`.
    """
    with suppress(OSError):
        checksum, _, content = _path(name, selection, suffix).read_bytes().partition(b"\n")
        if checksum == _checksum(content):  # a file that was changed or is damaged is drawn again
            return content
    return _draw(name, selection, (suffix,))[0]


def save(name: str, selection: Selection, suffixes: Sequence[str] = (".svg", ".png")) -> list[Path]:
    """Write a picture of a selection with each of the suffixes, whole or not at all, and return the paths.

    Raises:
        NotDrawn: as `picture`; nothing is written then.
    """
    stem = selection.picture(name)
    contents = {stem.with_name(f"{stem.name}{suffix}"): picture(name, selection, suffix) for suffix in suffixes}
    stem.parent.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        atomic.write(path, content)
    return [*contents]


def _begin(selection: Selection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _selection.append(selection)


def _draw_begun(name: str, suffixes: Sequence[str]) -> None:
    with suppress(NotDrawn):
        _draw(name, _selection[0], suffixes)


def _draw(name: str, selection: Selection, suffixes: Sequence[str]) -> list[bytes]:
    drawing = charts.draw(name, selection)
    contents = [svg.content(drawing, suffix) for suffix in suffixes]
    with suppress(OSError):  # without room or permission nothing is kept
        folder = model.LOCAL / ".drawn"
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, content in zip(suffixes, contents, strict=True):
            atomic.write(_path(name, selection, suffix), _checksum(content) + b"\n" + content)
        for old in sorted(folder.iterdir(), key=os.path.getmtime)[:-KEPT]:
            old.unlink()
    return contents


def _path(name: str, selection: Selection, suffix: str) -> Path:
    """Return where a picture is kept, under the hash of all that it is drawn from."""
    digits = _digits(selection) if name == charts.OF_DIGITS else ""
    parts = [value for key, value in sorted(vars(selection).items()) if key not in ("page", "problem", "extra")]
    records = [_record(record) for part in parts for record in (part if isinstance(part, tuple) else (part,))]
    elsewhere = [(path.name, path.read_bytes()) for path in selection.extra]
    drawn_from = (name, digits, records, elsewhere, _code())
    return model.LOCAL / ".drawn" / f"{_hash(drawn_from)}{suffix}"


def _digits(selection: Selection) -> str:
    """Return the hash of the digits in their order, which the digest of a data set leaves out."""
    problem = selection.problem
    if problem is None:
        return ""
    stacks = [hashlib.sha256(stack.data).hexdigest() for stack in (*problem.train, problem.valid)]
    return _hash((problem.name, problem.classes, problem.files, stacks))


@lru_cache(maxsize=64)
def _record(record: Record | None) -> str:
    """Return the hash of what a record holds, wherever its file is."""
    return _hash(record and replace(record, path=Path()))


@cache
def _code() -> str:
    """Return the hash of the code that draws and of all kernels, with the versions of the libraries."""
    files = sorted(path for folder in ("bench", "kernels") for path in (ROOT / folder).rglob("*.py"))
    sources = [(path.name, path.read_bytes()) for path in files if "tests" not in path.parts]
    return _hash((sources, sys.version, [*map(version, ("matplotlib", "numpy", "pillow"))]))


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()
