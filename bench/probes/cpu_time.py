"""CPU time that a process, other processes and the machine use during a sample, read right before and after it.

Linux tells the CPU time of any process to the nanosecond (man 3 clock_getcpuclockid). Elsewhere psutil does, in steps
of up to a hundredth of a second, as everywhere for the machine's.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from bench.probes import host_memory

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Usage:
    """CPU seconds used so far or, between two readings, CPU seconds per second: 1.0 is one core."""

    own: float  # by this process and its descendants
    others: dict[str, float]  # by name, by other processes that were asked for
    machine: float  # by all programs that are neither these nor the parent of this process
    steal: float | None  # by other guests of a virtual machine's host; None where the system does not tell


def descendants() -> list[int]:
    """Return the processes that this one has started, and those that they have started."""
    return [child.pid for child in psutil.Process().children(recursive=True)]


def read(children: Sequence[int], others: Mapping[str, Sequence[int]]) -> Usage:
    """Read the clocks of this process and its children, also ended ones, of others by name, and of the machine."""
    used = {name: seconds_of(pids) for name, pids in others.items()}
    own = time.process_time() + seconds_of(children)
    if resource:  # of children that have ended
        own += sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    times = psutil.cpu_times()
    busy = sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
    known = own + sum(used.values()) + seconds_of([os.getppid()])
    return Usage(own, used, busy - known, getattr(times, "steal", None))


def resources() -> tuple[int, int, int]:
    """Return (minor page faults, context switches, peak resident bytes) of this process so far; 0 on Windows."""
    if resource is None:
        return 0, 0, 0
    used = resource.getrusage(resource.RUSAGE_SELF)
    # On Linux, ru_maxrss starts from the parent's, from before the program was loaded.
    peak = host_memory.highest_resident() if sys.platform == "linux" else used.ru_maxrss
    return used.ru_minflt, used.ru_nvcsw + used.ru_nivcsw, peak


def waited() -> list[float]:
    """Return [seconds in which this process's threads were ready to run but had no core]; [] where it is unknown."""
    seconds = 0.0
    try:
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/schedstat", encoding="ascii") as file:
                seconds += int(file.read().split()[1]) / 1e9
    except OSError:  # no such file, or the thread has ended
        return []
    return [seconds]


def between(before: Usage, after: Usage, seconds: float) -> Usage:
    """Return what was used in the `seconds` between two readings, per second."""
    steal = None if before.steal is None or after.steal is None else (after.steal - before.steal) / seconds
    others = {name: max(0.0, after.others[name] - used) / seconds for name, used in before.others.items()}
    return Usage((after.own - before.own) / seconds, others, (after.machine - before.machine) / seconds, steal)


def seconds_of(processes: Sequence[int]) -> float:
    """Return the CPU seconds that these processes have used; one that is gone counts as 0."""
    seconds = 0.0
    for pid in processes:
        with suppress(OSError, psutil.Error):
            if sys.platform == "linux":
                seconds += time.clock_gettime((~pid << 3) | 2)  # the kernel's number of this process's CPU clock
            else:
                seconds += sum(psutil.Process(pid).cpu_times()[:2])  # user and system
    return seconds
