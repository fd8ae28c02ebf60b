"""Writing files: each is written whole or not at all, and a new one never over another.

This module needs only the standard library.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import count
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path of this process to write to. It becomes `path` on success, and is removed on an error."""
    with _becoming(path, path.with_name(f".{path.name}.{os.getpid()}")) as partial:
        yield partial


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
        partial.unlink()
    with _becoming(path, partial):
        yield path, partial


def new_folder(parent: Path, suffix: str) -> Path:
    """Make a folder that did not exist yet, named by the time in UTC, and return it."""
    for name in _names(suffix):
        try:
            (parent / name).mkdir()
        except FileExistsError:
            continue
        return parent / name
    raise AssertionError("the names have no end")


@contextmanager
def _becoming(path: Path, partial: Path) -> Iterator[Path]:
    try:
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
