"""Writing files: whole or not at all, and texts without control characters. It needs only the standard library."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

# What a terminal obeys, or no XML file may hold: control characters except newline and tab, marks that change the
# direction of a line, and what is no character.
UNPRINTABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    r"""Return a text with its control characters shown escaped, such as \x1b; newlines and tabs stay."""
    return UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def write(path: Path, content: str | bytes) -> None:
    """Write a file, a text as UTF-8 with its control characters shown escaped."""
    with whole(path) as partial:
        partial.write_bytes(printable(content).encode() if isinstance(content, str) else content)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to. It becomes `path` on success, and is removed on an error.

    Raises:
        OSError: it cannot be written; the error names `path`.
    """
    if path.exists() and not path.is_file():  # a device or a pipe, which a file must not replace
        with named(path):
            yield path
        return
    partial = path.with_name(f".{path.name}")
    try:
        with named(path):
            yield partial
            with partial.open("rb+") as file:
                os.fsync(file.fileno())  # a power cut must not leave a name without its content
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def named(path: Path | str) -> Iterator[None]:
    """Name a path in an error of the system that names none, such as that of a write to a full disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def unused(folder: Path, suffix: str) -> Path:
    """Return a path in the folder that does not exist yet, named by the time in UTC."""
    stem, copies = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}", 1  # noqa: UP017  an older Python reads this too
    path = folder / f"{stem}{suffix}"
    while path.exists():
        copies += 1
        path = folder / f"{stem}-{copies}{suffix}"
    return path
