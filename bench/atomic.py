"""Writing files: each is written whole or not at all. This module needs only the standard library."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to. It becomes `path` on success, and is removed on an error."""
    partial = path.with_name(f".{path.name}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # a power cut must not leave a name without its content
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def unused(folder: Path, suffix: str) -> Path:
    """Return a path in the folder that does not exist yet, named by the time in UTC."""
    stem, copies = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}", 1  # noqa: UP017  an older Python reads this too
    path = folder / f"{stem}{suffix}"
    while path.exists():
        copies += 1
        path = folder / f"{stem}-{copies}{suffix}"
    return path
