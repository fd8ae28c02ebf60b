"""The memory pass: temporaries are seen however short, files and views are not."""

from pathlib import Path

import numpy as np
import pytest

from bench import memory

MB = 10**6
SLACK = 2 * MB  # what the kernel has not yet added up, and what the interpreter itself allocates

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="not applicable outside Linux")


@pytest.fixture(scope="module")
def pixels():
    return np.ones(50 * MB, np.uint8)


@pytest.fixture
def saved(tmp_path, pixels):
    np.save(tmp_path / "pixels.npy", pixels)
    return tmp_path / "pixels.npy"


@linux
def test_a_temporary_is_seen_though_it_is_gone_when_the_call_ends(pixels):
    found = memory.peak(lambda: int((pixels + 1).max()))
    assert found.temporaries_bytes == pytest.approx(50 * MB, rel=0.1)


@linux
def test_the_second_pass_sees_what_the_first_one_gave_back(pixels):
    first, second = (memory.peak(lambda: int((pixels + 1).max())) for _ in range(2))
    assert second.temporaries_bytes == pytest.approx(first.temporaries_bytes, abs=SLACK)


@linux
def test_the_peak_counts_not_the_sum(pixels):
    def one_after_the_other() -> None:
        for _ in range(4):
            pixels + 1

    assert memory.peak(one_after_the_other).temporaries_bytes == pytest.approx(50 * MB, rel=0.1)


@linux
def test_two_at_a_time_are_twice_as_much(pixels):
    found = memory.peak(lambda: [pixels + 1, pixels + 2])
    assert found.temporaries_bytes == pytest.approx(100 * MB, rel=0.1)


@linux
def test_small_temporaries_from_the_heap_are_seen_though_the_heap_had_room():
    heap = [np.ones(100_000, np.uint8) for _ in range(200)]  # below glibc's threshold for a mapping of its own
    del heap
    found = memory.peak(lambda: [np.ones(100_000, np.uint8) for _ in range(200)])
    assert found.temporaries_bytes == pytest.approx(20 * MB, rel=0.1)


@linux
@pytest.mark.parametrize("call", [lambda p: None, lambda p: np.broadcast_to(p, (1000, p.size)), lambda p: p.max()])
def test_a_call_without_temporaries_needs_nothing(pixels, call):
    assert memory.peak(lambda: call(pixels)).temporaries_bytes < SLACK


@linux
def test_a_mapped_file_does_not_count_read_for_the_first_time_in_the_call(saved):
    mapped = np.load(saved, mmap_mode="r")
    assert memory.peak(mapped.max).temporaries_bytes < SLACK


@linux
def test_a_temporary_of_a_mapped_file_counts_once(saved):
    mapped = np.load(saved, mmap_mode="r")
    found = memory.peak(lambda: int((mapped + 1).max()))
    assert found.temporaries_bytes == pytest.approx(50 * MB, rel=0.1)


@linux
def test_a_file_read_after_a_temporary_is_gone_does_not_hide_it(saved, pixels):
    mapped = np.load(saved, mmap_mode="r")
    found = memory.peak(lambda: [int((pixels + 1).max()), int(mapped.max())])
    assert found.temporaries_bytes == pytest.approx(50 * MB, rel=0.1)


@linux
def test_a_file_mapped_in_the_call_and_kept_does_not_count(saved):
    def read() -> np.ndarray:
        mapped = np.load(saved, mmap_mode="r")
        mapped.max()
        return mapped

    assert memory.peak(read).temporaries_bytes < SLACK


@linux
def test_what_was_there_before_is_anonymous_memory_without_files(saved):
    without = memory.peak(lambda: None).anonymous_before_bytes
    mapped = np.load(saved, mmap_mode="r")
    mapped.max()
    assert memory.peak(lambda: None).anonymous_before_bytes == pytest.approx(without, abs=SLACK)
    held = np.ones(30 * MB, np.uint8)
    found = memory.peak(lambda: None)
    assert found.anonymous_before_bytes - without == pytest.approx(held.size, abs=SLACK)


def test_where_the_system_does_not_tell_the_call_is_made_all_the_same(monkeypatch):
    def refuse() -> None:
        raise FileNotFoundError("/proc/self/maps")

    calls = []
    monkeypatch.setattr(memory, "_settle", refuse)
    assert memory.peak(lambda: calls.append(1)) == memory.Peak(None, None)
    assert calls == [1]


@linux
def test_what_a_call_raises_is_raised(tmp_path):
    with pytest.raises(FileNotFoundError):  # not taken for a system that does not tell
        memory.peak((tmp_path / "nothing").read_bytes)
