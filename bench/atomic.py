"""Writing files: whole or not at all, a new one never over another, and texts without control characters.

This module needs only the standard library.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timezone
from itertools import count
from pathlib import Path

# What a terminal obeys, or no XML file may hold: control characters, marks that change the
# direction of a line, and what is no character.
UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def printable(text: str, keep: str = "\n\t") -> str:
    r"""Return a text with its control characters shown escaped, such as \x1b, except those to keep."""
    shown = {mark: mark.encode("unicode_escape").decode() for mark in {*UNPRINTABLE.findall(text)} - {*keep}}
    return text.translate(str.maketrans(shown))


def write(path: Path, content: str | bytes) -> None:
    """Write a file, a text as UTF-8 with its control characters shown escaped."""
    with whole(path) as partial:
        partial.write_bytes(printable(content).encode() if isinstance(content, str) else content)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path of this process to write to. It becomes `path` on success, and is removed on an error.

    An OSError names `path`.
    """
    special = path.exists() and not path.is_file()  # a device or a pipe, which a file must not replace
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with nullcontext(path) if special else _becoming(path, partial) as written, named(path):
        yield written


@contextmanager
def new(folder: Path, suffix: str) -> Iterator[tuple[Path, Path]]:
    """Yield the path of a file that does not exist yet, named by the time in UTC, and a temporary path as `whole` does.

    A name belongs to the process that has made its temporary file, so no two of them get the same one.
    """
    for name in _names(suffix):
        path, partial = folder / name, folder / f".{name}"
        try:
            partial.touch(exist_ok=False)
        except FileExistsError:
            continue
        if not path.exists():
            break
        partial.unlink(missing_ok=True)  # which the process that made `path` may have done
    with _becoming(path, partial):
        yield path, partial


def new_folder(parent: Path, suffix: str) -> Path:
    """Make a folder that did not exist yet, named by the time in UTC, and return it."""
    for path in map(parent.joinpath, _names(suffix)):
        with suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError("the names have no end")


@contextmanager
def _becoming(path: Path, partial: Path) -> Iterator[Path]:
    try:
        with named(path):
            yield partial
            with partial.open("rb+") as file:
                os.fsync(file.fileno())  # a power cut must not leave a name without its content
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _names(suffix: str) -> Iterator[str]:
    stem = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"  # noqa: UP017  an older Python reads this too
    yield f"{stem}{suffix}"
    yield from (f"{stem}-{copy}{suffix}" for copy in count(2))


@contextmanager
def named(path: Path | str) -> Iterator[None]:
    """Name a path in an error of the system that names none, such as that of a write to a full disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
