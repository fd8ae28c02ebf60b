"""The read bandwidth of a made-up GPU: torch is arrays whose operations take the time that the GPU would."""

from types import SimpleNamespace

import pytest

from bench.kernel import Unavailable
from bench.probes import gpu_bandwidth, read_bandwidth

RATES = {"sum": 2e12, "amax": 3e12, "floats": 4e12}  # bytes per second of each reduction


class Clock:
    """A clock that only the stand-in for torch moves."""

    now = 0.0


class Tensor:
    """Bytes on a made-up GPU; each kind of reduction reads them at its own rate."""

    def __init__(self, count, floats=False):
        self.bytes, self.floats = 4 * count, floats

    def view(self, kind):
        return Tensor(self.bytes // 4, floats=True)

    def sum(self):
        return self._reduced("sum")

    def amax(self):
        return self._reduced("floats" if self.floats else "amax")

    def _reduced(self, kind):
        assert self.bytes >= gpu_bandwidth.SMALLEST, "a cache might hold it"
        Clock.now += self.bytes / RATES[kind]
        return self

    def cpu(self):
        Clock.now += 1e-5  # its arrival


def ones(words, dtype, device):
    assert device == "cuda"
    return Tensor(words)


CUDA = SimpleNamespace(empty_cache=lambda: None)
TORCH = SimpleNamespace(int32=None, float32=None, uint8=None, cuda=CUDA, ones=ones)


@pytest.mark.parametrize("size", [784, 11_316_256, 2**33 + 4])
def test_bandwidth_is_that_of_the_fastest_pass_over_all_bytes(monkeypatch, size):
    monkeypatch.setattr(gpu_bandwidth, "_torch", lambda: TORCH)
    monkeypatch.setattr(read_bandwidth, "perf_counter", lambda: Clock.now)
    assert gpu_bandwidth.bandwidth(size) == pytest.approx(4e12, rel=0.01)  # 1%: the arrival is part of the time


def test_without_a_device_there_is_no_bound():
    with pytest.raises(Unavailable, match="torch"):
        gpu_bandwidth.bandwidth(10**6)
