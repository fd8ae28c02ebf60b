"""Host memory: temporaries count however short they are, files and views do not."""

from pathlib import Path

import numpy as np
import pytest

from bench.probes import host_memory

MB = 10**6
SLACK = 2 * MB  # what Linux has not yet added up, and what the interpreter itself allocates
PIXELS = np.ones(50 * MB, np.uint8)

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="not applicable outside Linux")


@pytest.fixture
def mapped(tmp_path):
    """A mapped file of which nothing was read yet."""
    np.save(tmp_path / "pixels.npy", PIXELS)
    return np.load(tmp_path / "pixels.npy", mmap_mode="r")


def mapped_in_the_call_and_kept(mapped):
    mapped_again = np.load(mapped.filename, mmap_mode="r")
    mapped_again.max()
    return mapped_again


CALLS = {  # a call, and the megabytes of its temporaries
    "a view": (lambda _: np.broadcast_to(PIXELS, (1000, PIXELS.size)), 0),
    "the peak, not the sum": (lambda _: [(PIXELS + 1).max() for _ in range(4)], 50),
    "two at a time": (lambda _: [PIXELS + 1, PIXELS + 2], 100),
    "small ones from the heap": (lambda _: [np.ones(100_000, np.uint8) for _ in range(200)], 20),
    "a file read for the first time": (lambda mapped: mapped.max(), 0),
    "a file read after a temporary is gone": (lambda mapped: [int((PIXELS + 1).max()), int(mapped.max())], 50),
    "a file mapped in the call and kept": (mapped_in_the_call_and_kept, 0),
}


@linux
@pytest.mark.parametrize("name", CALLS)
def test_temporaries_of_a_call(name, mapped):
    call, expected = CALLS[name]
    heap = [np.ones(100_000, np.uint8) for _ in range(200)]  # below glibc's threshold for a mapping of its own
    del heap  # so the heap has room
    first, second = (host_memory.peak(lambda: call(mapped)).temporaries_bytes for _ in range(2))
    assert first == pytest.approx(expected * MB, rel=0.1, abs=SLACK)
    assert second == pytest.approx(first, abs=SLACK)  # what the first one gave back is seen again


@linux
def test_what_was_there_before_is_anonymous_memory_without_files(mapped):
    without = host_memory.peak(lambda: None).anonymous_before_bytes
    mapped.max()
    assert host_memory.peak(lambda: None).anonymous_before_bytes == pytest.approx(without, abs=SLACK)
    held = np.ones(30 * MB, np.uint8)
    before = host_memory.peak(lambda: None).anonymous_before_bytes
    assert before - without == pytest.approx(held.size, abs=SLACK)
