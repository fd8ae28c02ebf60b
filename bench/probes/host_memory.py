"""Memory that one call needs at its highest point, beyond what is there already. It is never timed.

    temporaries = highest resident size during the call - resident size before - growth of mapped files

Linux keeps the highest resident size itself (VmHWM of /proc/self/status, reset by a "5" in /proc/self/clear_refs; man 5
proc), so a peak counts however short it is. It counts files as well, such as mapped digits or a library, whose pages
become resident when they are first touched. So all of them are made resident before the call (MADV_POPULATE_READ; man 2
madvise). What is left is anonymous memory, but for about a page per thread that Linux has not yet added up, and for
files that the call itself maps and unmaps again.
"""

import ctypes
import gc
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

POPULATE_READ = 22  # of <sys/mman.h>, since Linux 5.14; an older Linux answers EINVAL, and nothing changes
MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r(..)([ps]) \S+ \S+ \d+ +(/.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Peak:
    """Anonymous memory in bytes, or None where the system does not report it. Mapped files do not count."""

    anonymous_before_bytes: int | None  # held before the call, by interpreter, libraries and prepared stacks
    temporaries_bytes: int | None  # how much more was held at the highest point of the call, its answer included


def peak(call: Callable[[], object]) -> Peak:
    """Make one call, and return the memory that it needed; what an earlier call set up does not count."""
    gc.collect()
    try:
        _status()  # first, for it says whether this is Linux
        _settle()
        Path("/proc/self/clear_refs").write_text("5")
        before = _status()
        resident, files, anonymous, _ = (before[name] for name in ("VmRSS", "RssFile", "RssAnon", "VmHWM"))
    except (OSError, KeyError):  # not Linux, or /proc may not be written
        call()
        return Peak(None, None)
    answer = call()  # kept, so that the files that it maps stay mapped
    after = _status()
    del answer
    mapped = max(0, after["RssFile"] - files)
    return Peak(anonymous, max(0, after["VmHWM"] - resident - mapped))


def _settle() -> None:
    """Give freed memory back to the system, so that using it again counts, and make mapped files resident."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.malloc_trim(0)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end, access, sharing, path in MAPPING.findall(Path("/proc/self/maps").read_text()):
        # Not private writable pages, which are copied when written, nor devices and shared memory, which are no files.
        if not (sharing == "p" and "w" in access) and not path.startswith(("/dev/", "/memfd:", "/SYSV")):
            libc.madvise(int(start, 16), int(end, 16) - int(start, 16), POPULATE_READ)


def _status() -> dict[str, int]:
    """Return the sizes of /proc/self/status in bytes, by name."""
    lines = re.findall(r"^(\w+):\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return {name: int(kib) * 1024 for name, kib in lines}


def highest_resident() -> int:
    """Return the largest resident size of this process so far in bytes; 0 where Linux does not tell."""
    try:
        return _status().get("VmHWM", 0)
    except OSError:
        return 0
