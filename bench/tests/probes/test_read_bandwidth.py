"""The bandwidth bound: its passes and its bandwidth."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.probes import read_bandwidth
from bench.report import tables


@given(st.integers(1, 40), st.integers(1, 4), st.data())
def test_every_pass_reads_every_byte_and_nothing_but_its_part(lines, passes, data):
    around = np.full(64 * (lines + 2), 64, np.uint8)
    source, target = around[64:-64], np.zeros(64 * lines, np.uint8)
    around[:64] = around[-64:] = 255  # a pass that goes beyond its part is seen
    calls = read_bandwidth.probes(source, target, passes)
    words, where = lines * 8 * int.from_bytes(b"@" * 8), data.draw(st.integers(0, 64 * lines - 1))
    calls["copy"]()
    assert (target == 64).all()
    assert [calls["sum"](), calls["maximum"](), calls["compare"]()] == [passes * words % 2**64, 64, 0]
    source[where] += 1  # one byte anywhere changes what each of them gives
    calls["copy"]()
    assert target[where] == 65
    assert calls["sum"]() == passes * (words + 2 ** (8 * (where % 8))) % 2**64
    assert calls["maximum"]() == 65
    assert calls["compare"]() != 0


def test_a_buffer_is_resident_and_begins_on_a_page():
    buffer = read_bandwidth._buffer(64 * 1001)
    assert (buffer.size, buffer.ctypes.data % 4096, buffer.min(), buffer.max()) == (64 * 1001, 0, 64, 64)


def test_the_bandwidth_is_that_of_the_fastest_pass(monkeypatch):
    times = np.random.default_rng(1).uniform(0.1, 1, (read_bandwidth.REPETITIONS, 8))
    sequence = iter(times.ravel().tolist())  # of all passes on one thread, then of all on two, again and again
    monkeypatch.setattr(read_bandwidth, "READ", 1000)
    monkeypatch.setattr(read_bandwidth, "_together", lambda calls: next(sequence))
    assert read_bandwidth.measure(2**16, 2) == pytest.approx(np.median(2**16 / times, axis=0).max())


@pytest.mark.parametrize(
    ("asked", "threads", "buffer"),
    [(11_316_256, 1, 11_316_288), (11_316_256, 2, 11_316_352), (784, 1, 2**16), (10**9, 2, 2**27)],
)
def test_the_buffer_is_the_working_set_to_a_cache_line_per_thread(asked, threads, buffer, monkeypatch):
    sizes = []
    monkeypatch.setattr(read_bandwidth, "_together", lambda calls: 1.0)
    monkeypatch.setattr(read_bandwidth, "_buffer", lambda size: sizes.append(size) or np.zeros(size, np.uint8))
    read_bandwidth.measure(asked, threads)
    assert sizes == [buffer] * 2


def test_threads_run_side_by_side_and_the_time_is_of_all_of_them():
    meeting = threading.Barrier(3)

    def late() -> None:
        meeting.wait(5)  # breaks unless all three run at the same time
        if threading.get_ident() == slow:
            threading.Event().wait(0.05)

    def slowest() -> None:
        nonlocal slow
        slow = threading.get_ident()
        late()

    slow = 0
    assert read_bandwidth._together([late, slowest, late]) >= 0.05


@pytest.mark.parametrize(
    ("size", "threads", "level"),
    [
        (49152, 1, "L1"),
        (49153, 1, "L2"),
        (1_597_792, 2, "L2"),  # half of it in each core's own cache
        (33_554_433, 2, "memory"),  # the last level is shared: two cores have no more of it
    ],
)
def test_the_level_that_holds_the_working_set(size, threads, level):
    assert tables.cache_level(size, threads, "L1 48K, L2 1024K, L3 32768K") == level
    assert tables.cache_level(size, threads, "unknown") == "unknown"


def test_the_copy_of_an_answer_is_the_median_without_the_first_calls(monkeypatch):
    n = 2 * read_bandwidth.REPETITIONS
    ends = iter([time for call in range(n) for time in (call, call + (9 if call < n // 2 else 0.5))])
    monkeypatch.setattr(read_bandwidth, "perf_counter", lambda: next(ends))
    assert read_bandwidth.copy_seconds(10) == 0.5
