"""The memory pass: what one call needs beyond what is there already, at its highest point. It is never timed.

    temporaries = highest resident size during the call - resident size before - growth of mapped files

The kernel keeps the highest resident size itself (VmHWM of /proc/self/status, set back by a "5" in
/proc/self/clear_refs; man 5 proc), so that a peak counts however short it is; no sampling could promise that.

It counts files as well: the pages of a mapped one, the digits or a library, become resident as they are first touched,
and would pass for temporaries. So they are all made resident before the call (MADV_POPULATE_READ; man 2 madvise) and
cannot become so in it. What is left is anonymous memory, exact but for a page or so per thread that the kernel has not
yet added up (a quarter of a MiB on two cores), and but for files that the call itself maps: their growth is subtracted,
which is exact where they stay mapped, and the answer is too large where the call unmaps them again.
"""

import ctypes
import gc
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

POPULATE_READ = 22  # of <sys/mman.h>, since Linux 5.14; an older one answers EINVAL, and nothing changes
MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r(..)([ps]) \S+ \S+ \d+ +(/.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Peak:
    """Anonymous memory in bytes, or None where the system does not tell ("not applicable").

    Attributes:
        anonymous_before_bytes: held before the call, by interpreter, libraries and prepared stacks; files do not count.
        temporaries_bytes: how much more there was at the highest point of the call, its answer included.
    """

    anonymous_before_bytes: int | None
    temporaries_bytes: int | None


def peak(call: Callable[[], object]) -> Peak:
    """Make one call, and return what memory it needed.

    Make another call before it: what is set up once, such as compiled code, would count as temporaries of this one.
    """
    gc.collect()
    try:
        _settle()
        Path("/proc/self/clear_refs").write_text("5")
        before = _status()
    except (OSError, KeyError):  # not Linux, or one that does not let us
        call()
        return Peak(None, None)
    answer = call()  # held, so that the files it maps are, too
    after = _status()
    del answer
    files = max(0, after["RssFile"] - before["RssFile"])
    return Peak(before["RssAnon"], max(0, after["VmHWM"] - before["VmRSS"] - files))


def _settle() -> None:
    """Give freed memory back to the system, so that using it again counts, and make mapped files resident."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.malloc_trim(0)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end, access, sharing, path in MAPPING.findall(Path("/proc/self/maps").read_text()):
        # Not a private writable page, which is copied when written; nor a device or shared memory, which is no file.
        if not (sharing == "p" and "w" in access) and not path.startswith(("/dev/", "/memfd:", "/SYSV")):
            libc.madvise(int(start, 16), int(end, 16) - int(start, 16), POPULATE_READ)


def _status() -> dict[str, int]:
    """Return the sizes of /proc/self/status in bytes, by name."""
    lines = re.findall(r"^(\w+):\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    sizes = {name: int(kib) * 1024 for name, kib in lines}
    return {name: sizes[name] for name in ("VmHWM", "VmRSS", "RssAnon", "RssFile")}
