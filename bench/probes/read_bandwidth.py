"""The bandwidth bound of this machine: no honest call reads its bytes faster than the machine does.

    bound seconds = bytes that the scope must touch / read bandwidth + the copy of the smallest answer
    % of bound    = 100 * bound seconds / measured seconds

The bytes are every pixel of the scope's images once, as uint8. The copy is the harness's own, which a call ends with.
Read bandwidth is that of the fastest of several passes that only read, over a buffer as large as the working set, again
and again, so that it lies in whichever cache holds it, as a kernel's images do.
"""

import ctypes
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from time import perf_counter

import numpy as np

SMALLEST, LARGEST = 2**16, 2**27  # bytes; below, a call costs more than reading; above, no pass gets slower
REPETITIONS = 6
READ = 2**27  # bytes per thread and sample: over a millisecond, so that the late start of a thread is negligible


def measure(working_set_bytes: int, threads: int) -> float:
    """Return how many bytes per second this machine reads: the highest median of its probes, on one thread or all."""
    line = 64 * threads  # so that the parts are equal, and whole cache lines
    size = -(-min(max(working_set_bytes, SMALLEST), LARGEST) // line) * line
    source, target = _buffer(size), _buffer(size)
    rates: dict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(REPETITIONS):
        for team in sorted({1, threads}):  # of threads, each of which reads a part of its own
            passes = -(-READ * team // size)
            parts = zip(np.split(source, team), np.split(target, team), strict=True)
            calls = [probes(*part, passes) for part in parts]
            for name in calls[0]:
                rates[name, team].append(passes * size / _together([of_part[name] for of_part in calls]))
    return float(max(map(np.median, rates.values())))


def copy_seconds(answer_bytes: int) -> float:
    """Return the median seconds in which NumPy copies an answer of this many bytes, as the harness copies every one."""
    answer = np.ones(answer_bytes, np.uint8)
    return median_seconds(partial(np.array, answer), REPETITIONS, dropped=REPETITIONS)


def median_seconds(call: Callable[[], object], repetitions: int, dropped: int) -> float:
    """Return the median seconds of a call, after `dropped` calls that do not count."""
    seconds = []
    for _ in range(dropped + repetitions):
        started = perf_counter()
        call()
        seconds.append(perf_counter() - started)
    return float(np.median(seconds[dropped:]))


def probes(source: np.ndarray, target: np.ndarray, passes: int) -> dict[str, Callable[[], object]]:
    """Return functions that each read every byte of `source` `passes` times, without the interpreter's lock.

    copy       np.copyto into `target`; the bytes read count, those written do not
    sum        NumPy's sum of 64-bit integers
    maximum    NumPy's maximum of bytes
    compare    C's memcmp of both halves, which are equal, so that it cannot stop early; gives 0
    """
    half, start = source.size // 2, source.ctypes.data
    compare = ctypes.CDLL(None).memcmp
    compare.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    # A view that repeats the source with stride 0 is read in one call, however many passes.
    repeated, words = (np.broadcast_to(array, (passes, array.size)) for array in (source, source.view(np.uint64)))

    def copy() -> None:
        for _ in range(passes):
            np.copyto(target, source)

    def compared() -> object:
        return max(abs(compare(start, start + half, half)) for _ in range(passes))

    return {"copy": copy, "sum": words.sum, "maximum": repeated.max, "compare": compared}


def _together(calls: Sequence[Callable[[], object]]) -> float:
    """Run each call on a thread of its own; return the seconds from the first start to the last end."""
    ready = Barrier(len(calls))

    def timed(call: Callable[[], object]) -> tuple[float, float]:
        ready.wait()
        started = perf_counter()
        call()
        return started, perf_counter()

    with ThreadPoolExecutor(len(calls)) as pool:
        starts, ends = zip(*pool.map(timed, calls), strict=True)
    return float(max(ends) - min(starts))


def _buffer(size: int) -> np.ndarray:
    """Return bytes that begin on a page and are resident: none is zero, so no page is the system's shared one."""
    buffer = np.full(size + 4096, 64, np.uint8)
    return buffer[-buffer.ctypes.data % 4096 :][:size]
