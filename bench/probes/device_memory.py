"""GPU memory that one call takes, as counted by the allocator of the library that holds it. It is never timed.

Only libraries that the process has loaded are read. None of them counts the CUDA context, so no number has it.

    PyTorch   temporaries = highest sum of its tensors during the call - their sum before. A CUDA graph works in a pool
              of its own, taken when it was captured: replaying it shows nothing.
    CuPy      temporaries = size of its default pool after the call - before, when all that lay unused had been given
              back: the pool grows to the highest point and never shrinks (docs.cupy.dev/en/stable/user_guide/memory).
    JAX       reports the highest point since its process started (`Device.memory_stats`). Where the call raises it,
              temporaries = that highest point - bytes in use before; elsewhere they are not measured.
"""

import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NO_LIBRARY = "device memory: no library in its process reports it (PyTorch, CuPy and JAX do)"
NO_JAX_STATISTICS = "device memory: JAX keeps no statistics of this device"
JAX_PEAK_BEFORE = "temporaries on the device: JAX reports the highest point of the process, and it was before this call"


@dataclass(frozen=True)
class DevicePeak:
    """GPU memory in bytes; None where it was not measured, with the reason in `not_measured`."""

    device_before_bytes: int | None = None  # held before the call, such as by prepared stacks
    device_temporaries_bytes: int | None = None  # how much more was held at the highest point of the call
    not_measured: str = ""


FinishMeasuring = Callable[[], DevicePeak]  # made before a call; called after it, it returns what the call needed


def peak(call: Callable[[], object]) -> DevicePeak:
    """Make one call, and return the GPU memory that it needed; what an earlier call set up does not count."""
    gc.collect()
    started = [start(sys.modules[name]) for name, start in MEASUREMENTS.items() if name in sys.modules]
    call()
    peaks = [finish() for finish in started if finish]
    why = "; ".join(peak.not_measured for peak in peaks if peak.not_measured) if peaks else NO_LIBRARY
    before = [peak.device_before_bytes for peak in peaks if peak.device_before_bytes is not None]
    temporaries = [peak.device_temporaries_bytes for peak in peaks if peak.device_temporaries_bytes is not None]
    return DevicePeak(sum(before) if before else None, None if why else sum(temporaries), why)


def release() -> None:
    """Give back the GPU memory that loaded libraries keep without using it. Never called within a timed call."""
    gc.collect()
    torch, cupy = sys.modules.get("torch"), sys.modules.get("cupy")
    if torch and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if cupy:
        cupy.get_default_memory_pool().free_all_blocks()


def _torch(torch: Any) -> FinishMeasuring | None:
    if not torch.cuda.is_initialized():
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    return lambda: DevicePeak(before, torch.cuda.max_memory_allocated() - before)


def _cupy(cupy: Any) -> FinishMeasuring | None:
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    held, before = pool.used_bytes(), pool.total_bytes()
    return lambda: DevicePeak(held, pool.total_bytes() - before)


def _jax(jax: Any) -> FinishMeasuring | None:
    device = jax.devices()[0]
    if device.platform == "cpu":
        return None
    before = device.memory_stats()
    if not before:
        return lambda: DevicePeak(not_measured=NO_JAX_STATISTICS)
    held = before["bytes_in_use"]

    def finish() -> DevicePeak:
        highest = device.memory_stats()["peak_bytes_in_use"]
        raised = highest > before["peak_bytes_in_use"]
        return DevicePeak(held, highest - held) if raised else DevicePeak(held, None, JAX_PEAK_BEFORE)

    return finish


# By library, what starts its measurement: it gives None where the library uses no GPU in this process.
MEASUREMENTS: dict[str, Callable[[Any], FinishMeasuring | None]] = {"torch": _torch, "cupy": _cupy, "jax": _jax}
