"""One timing run per user and machine at a time: two at once would time each other.

The lock is on an open file, so the system releases it when the process ends, however it ends.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

VARIABLE = "BENCH_WITHOUT_LOCK"  # any text in it turns the lock off, for tests that run side by side
POLL_S = 0.5

if sys.platform == "win32":
    import msvcrt

    FILE = Path(tempfile.gettempdir()) / "loops-vs-broadcasting-timing"  # the user's own folder

    def _lock(file: TextIO) -> None:
        os.lseek(file.fileno(), 2**30, os.SEEK_SET)  # a byte behind the text, which others must be able to read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    FILE = Path(f"/tmp/loops-vs-broadcasting-timing-{os.getuid()}")  # not TMPDIR: a user may have several

    def _lock(file: TextIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def only_timing_run() -> Iterator[None]:
    """Wait until no other process of this user times kernels on this machine, and say which one does."""
    if os.environ.get(VARIABLE):
        yield
        return
    with open(FILE, "a+", encoding="utf-8", opener=_own) as file:
        told = False
        while True:
            with suppress(BlockingIOError, PermissionError):  # it is locked; the latter on Windows
                _lock(file)
                break
            if not told:
                owner = FILE.read_text(encoding="utf-8") or "another process"
                print(f"Waiting for {owner}, which times kernels on this machine.", file=sys.stderr, flush=True)
            told = True
            time.sleep(POLL_S)
        file.truncate(0)
        file.write(f"process {os.getpid()} in {Path.cwd()}, started {datetime.now():%H:%M:%S}")
        file.flush()
        yield


def _own(path: str, flags: int) -> int:
    """Open the file for this user alone, and never what somebody else's link in a shared folder points to."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
