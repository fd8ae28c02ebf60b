"""Pictures as bytes: drawn side by side, and not again while nothing that they are drawn from has changed.

What was drawn is kept in `.drawn` of results/local/, under a hash of records, digits, code and libraries. It may be
deleted at any time: the same bytes are then drawn again.
"""

import hashlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import fields
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
    missing = [name for name in names if any(_kept(name, selection, suffix) is None for suffix in suffixes)]
    processes = min(len(missing), os.cpu_count() or 1)
    if processes > 1:
        from bench.report.charts import style  # noqa: F401  with matplotlib, once for all processes

        with ProcessPoolExecutor(processes, FORK, initializer=_begin, initargs=(selection,)) as pool:
            list(pool.map(_draw, missing[::-1], [suffixes] * len(missing)))  # those of digits take longest


def picture(name: str, selection: Selection, suffix: str = ".svg") -> bytes:
    """Return one of PICTURES as an SVG or PNG file.

    Raises:
        NotDrawn: see `bench.report.charts.draw`.
    """
    kept = _kept(name, selection, suffix)
    return _draw(name, (suffix,), selection)[0] if kept is None else kept


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


def _draw(name: str, suffixes: Sequence[str], selection: Selection | None = None) -> list[bytes]:
    chosen = selection or _selection[0]
    try:
        drawing = charts.draw(name, chosen)
        contents = [svg.content(drawing, suffix) for suffix in suffixes]
    except NotDrawn:
        if selection:
            raise
        return []
    with suppress(OSError):  # without room or permission nothing is kept
        folder = model.LOCAL / ".drawn"
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, content in zip(suffixes, contents, strict=True):
            atomic.write(_path(name, chosen, suffix), content)
        for old in sorted(folder.iterdir(), key=os.path.getmtime)[:-KEPT]:
            old.unlink()
    return contents if selection else []


def _kept(name: str, selection: Selection, suffix: str) -> bytes | None:
    with suppress(OSError):
        return _path(name, selection, suffix).read_bytes()
    return None


def _path(name: str, selection: Selection, suffix: str) -> Path:
    """Return where a picture is kept, under the hash of all that it is drawn from."""
    problem = selection.problem if name in charts.OF_DIGITS else None
    digits = problem and (problem.name, problem.digest, problem.classes)
    drawn_from = f"{name} {digits} {_records(selection)} {_code()}"
    return model.LOCAL / ".drawn" / f"{_hash(drawn_from.encode())}{suffix}"


@lru_cache(maxsize=8)
def _records(selection: Selection) -> str:
    """Return the hashes of a selection's records, and of its kernels outside of this checkout."""
    parts = [value for key, value in sorted(vars(selection).items()) if key not in ("page", "problem", "extra")]
    hashes = [_record(record) for part in parts for record in (part if isinstance(part, tuple) else (part,))]
    return f"{hashes} {[(path.name, _hash(path.read_bytes())) for path in selection.extra]}"


@lru_cache(maxsize=64)
def _record(record: Record | None) -> str:
    """Return the hash of what a record holds, wherever its file is."""
    held = record and {field.name: getattr(record, field.name) for field in fields(record) if field.name != "path"}
    return _hash(json.dumps(held, default=lambda sample: [*vars(sample).values()], sort_keys=True).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def _code() -> str:
    """Return the hashes of the code that draws and of all kernels, and the versions of the libraries."""
    files = sorted(path for folder in ("bench", "kernels") for path in (ROOT / folder).rglob("*.py"))
    sources = [(path.name, _hash(path.read_bytes())) for path in files if "tests" not in path.parts]
    return f"{sources} {sys.version} {[*map(version, ('matplotlib', 'numpy', 'pillow'))]}"
