"""The one place that writes files: whole or not at all. It needs the standard library alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield another path to write to, which becomes `path` if all goes well and is removed if not."""
    partial = path.with_name(f".{path.name}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # a power cut must not leave a name without its content
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def unused(folder: Path, suffix: str) -> Path:
    """Return a path in the folder, named by the time in UTC, that is not taken."""
    stem, copies = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}", 1  # noqa: UP017  an older Python reads this too
    path = folder / f"{stem}{suffix}"
    while path.exists():
        copies += 1
        path = folder / f"{stem}-{copies}{suffix}"
    return path
