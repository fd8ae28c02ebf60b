"""Memory of the GPU that one call takes, as the allocator of the library that holds it counts. It is never timed.

Only libraries that the process has loaded are asked, so the CUDA context, which none of them counts, is in no number.

    PyTorch   temporaries = highest sum of its tensors during the call - their sum before (both by the allocator;
              docs.pytorch.org/docs/stable/torch_cuda_memory.html). A CUDA graph works in a pool of its own, taken when
              it was captured: replaying it takes nothing, and shows nothing.
    CuPy      temporaries = size of its default pool after the call - before, when all that lay unused had been given
              back: the pool grows to the highest point and never shrinks (docs.cupy.dev/en/stable/user_guide/memory).
    JAX       tells the highest point since its process started, never set back (`Device.memory_stats`). Where the call
              raises it, temporaries = that highest point - bytes in use before; where it does not, not measured.
"""

import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NOBODY = "device memory: no library in its process tells (PyTorch, CuPy and JAX do)"
JAX_SILENT = "device memory: JAX keeps no statistics of this device"
JAX_HIGHER = "temporaries on the device: JAX tells the highest point of the whole process, and it was before this call"


@dataclass(frozen=True)
class DevicePeak:
    """Memory of the GPU in bytes; None where it was not measured, and why.

    Attributes:
        device_before_bytes: held before the call, by prepared stacks and the like.
        device_temporaries_bytes: how much more there was at the highest point of the call.
    """

    device_before_bytes: int | None = None
    device_temporaries_bytes: int | None = None
    not_measured: str = ""


Ledger = Callable[[], DevicePeak]  # opened before a call; called after it, it says what the call needed


def peak(call: Callable[[], object]) -> DevicePeak:
    """Make one call, and return what memory of the GPU it needed.

    Make another call before it: what is set up once, such as a library's workspace, would count as temporaries.
    """
    gc.collect()
    opened = [opens(sys.modules[name]) for name, opens in LEDGERS.items() if name in sys.modules]
    call()
    found = [close() for close in opened if close]
    why = "; ".join(each.not_measured for each in found if each.not_measured) if found else NOBODY
    held = [each.device_before_bytes for each in found if each.device_before_bytes is not None]
    more = [each.device_temporaries_bytes for each in found if each.device_temporaries_bytes is not None]
    return DevicePeak(sum(held) if held else None, None if why else sum(more), why)


def release() -> None:
    """Give back what loaded libraries keep of the GPU's memory without using it; not timed, and never in a call."""
    gc.collect()
    torch, cupy = sys.modules.get("torch"), sys.modules.get("cupy")
    if torch and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if cupy:
        cupy.get_default_memory_pool().free_all_blocks()


def _torch(torch: Any) -> Ledger | None:
    if not torch.cuda.is_initialized():
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    return lambda: DevicePeak(before, torch.cuda.max_memory_allocated() - before)


def _cupy(cupy: Any) -> Ledger | None:
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    held, before = pool.used_bytes(), pool.total_bytes()
    return lambda: DevicePeak(held, pool.total_bytes() - before)


def _jax(jax: Any) -> Ledger | None:
    device = jax.devices()[0]
    if device.platform == "cpu":
        return None
    before = device.memory_stats()
    if not before:
        return lambda: DevicePeak(not_measured=JAX_SILENT)

    def close() -> DevicePeak:
        held, highest = before["bytes_in_use"], device.memory_stats()["peak_bytes_in_use"]
        if highest == before["peak_bytes_in_use"]:
            return DevicePeak(held, None, JAX_HIGHER)
        return DevicePeak(held, highest - held)

    return close


# By library, what opens its ledger: None where the library uses no GPU in this process.
LEDGERS: dict[str, Callable[[Any], Ledger | None]] = {"torch": _torch, "cupy": _cupy, "jax": _jax}
