"""GPU memory as counted by fake libraries: each by its own allocator, and only those that are loaded."""

import sys
from types import SimpleNamespace

import pytest

from bench.probes import device_memory
from bench.probes.device_memory import DevicePeak


class Allocator:
    """Counts like PyTorch's: what is held, and the highest point since the last reset."""

    def __init__(self, held):
        self.held = self.highest = held
        self.emptied = 0

    def use(self, *sizes):
        """Hold temporaries of these sizes at once, and free them."""
        self.highest = max(self.highest, self.held + sum(sizes))

    def torch(self, initialized=True):
        def reset():
            self.highest = self.held

        def empty():
            self.emptied += 1

        cuda = SimpleNamespace(
            is_initialized=lambda: initialized,
            synchronize=lambda: None,
            reset_peak_memory_stats=reset,
            memory_allocated=lambda: self.held,
            max_memory_allocated=lambda: self.highest,
            empty_cache=empty,
        )
        return SimpleNamespace(cuda=cuda)


class Pool:
    """Counts like CuPy's default pool, which grows, and shrinks only on request."""

    def __init__(self, used, unused):
        self.used, self.total = used, used + unused

    def get_default_memory_pool(self):
        return self

    def free_all_blocks(self):
        self.total = self.used

    def used_bytes(self):
        return self.used

    def total_bytes(self):
        return self.total

    def use(self, size):
        self.total = max(self.total, self.used + size)


def jax(stats, platform="gpu"):
    return SimpleNamespace(devices=lambda: [SimpleNamespace(platform=platform, memory_stats=stats)])


@pytest.fixture
def loaded(monkeypatch):
    """Return a function that makes libraries look loaded; all others look absent."""
    for name in device_memory.MEASUREMENTS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return lambda **modules: [monkeypatch.setitem(sys.modules, name, module) for name, module in modules.items()]


def test_torch_and_cupy_count_from_what_was_held_to_the_highest_point_of_the_call_and_add_up(loaded):
    allocator, pool = Allocator(held=1000), Pool(used=10, unused=5000)  # which would have served without growing
    allocator.use(9000)  # before the call: its highest point is not the call's
    loaded(torch=allocator.torch())
    assert device_memory.peak(lambda: allocator.use(300, 200)) == DevicePeak(1000, 500)
    loaded(torch=allocator.torch(), cupy=pool)
    assert device_memory.peak(lambda: (allocator.use(300), pool.use(700))) == DevicePeak(1010, 1000)


@pytest.mark.parametrize(
    ("before", "peak"),
    [
        ({"bytes_in_use": 1000, "peak_bytes_in_use": 1500}, DevicePeak(1000, 800)),
        ({"bytes_in_use": 1000, "peak_bytes_in_use": 1800}, DevicePeak(1000, None, device_memory.JAX_PEAK_BEFORE)),
        ({}, DevicePeak(None, None, device_memory.NO_JAX_STATISTICS)),
    ],
)
def test_jax_counts_where_the_call_raises_the_highest_point(loaded, before, peak):
    allocator = dict(before)
    loaded(jax=jax(lambda: dict(allocator)))
    assert device_memory.peak(lambda: allocator.update(peak_bytes_in_use=1800)) == peak


@pytest.mark.parametrize(
    "modules", [{}, {"torch": Allocator(5).torch(initialized=False)}, {"jax": jax(lambda: None, "cpu")}]
)
def test_where_no_library_uses_a_gpu_it_is_not_measured_and_the_call_is_made(loaded, modules):
    loaded(**modules)
    calls = []
    assert device_memory.peak(lambda: calls.append(1)) == DevicePeak(not_measured=device_memory.NO_LIBRARY)
    assert calls == [1]


def test_every_library_gives_back_unused_memory(loaded):
    allocator, pool = Allocator(held=1000), Pool(used=10, unused=90)
    loaded(torch=allocator.torch(), cupy=pool)
    device_memory.release()
    assert (allocator.emptied, pool.total) == (1, 10)
    loaded(torch=allocator.torch(initialized=False))  # no GPU is started for it
    device_memory.release()
    assert allocator.emptied == 1
