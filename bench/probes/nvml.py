"""GPU metadata, read through NVIDIA's own Python binding of NVML (`pip install nvidia-ml-py`).

The GPU is the first in CUDA_VISIBLE_DEVICES, else number 0. NVML counts along the PCI bus, CUDA from the fastest down:
on a machine with unlike GPUs name it by its UUID. A value that cannot be read is "not measured: " and the reason.
Source: docs.nvidia.com/deploy/nvml-api, device queries, clocks event reasons.
"""

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from bench.records.model import NOT_MEASURED, NOT_THROTTLED

REASONS = {  # the bits of nvmlClocksEventReasons, of nvml.h
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}
# Idle, which a GPU is after a call; applications and display clock settings, which a user chose and the record has.
LEFT_OUT = 0x1 | 0x2 | 0x100

Query = Callable[[Any, Any], Any]  # (binding, GPU handle) -> a value


class Unreadable(Exception):
    """No GPU can be read. The message says why, and what to do."""


@cache
def device() -> tuple[Any, Any]:
    """Return (the binding, the handle of the GPU that kernels use), or raise Unreadable; NVML stays open."""
    try:
        binding = importlib.import_module("pynvml")
    except ModuleNotFoundError:
        raise Unreadable("install NVIDIA's binding: pip install nvidia-ml-py") from None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    first = visible.partition(",")[0].strip()
    if not (first.isdecimal() or first.startswith(("GPU-", "MIG-"))):
        raise Unreadable(f"CUDA_VISIBLE_DEVICES is {visible!r}, so processes see no GPU: name one, or unset it")
    try:
        binding.nvmlInit()
        if first.isdecimal():
            return binding, binding.nvmlDeviceGetHandleByIndex(int(first))
        return binding, binding.nvmlDeviceGetHandleByUUID(first)
    except binding.NVMLError as error:
        raise Unreadable(f"NVML says {error}") from error


def metadata() -> dict[str, Any]:
    """Return what does not change during a run, or raise Unreadable."""
    device()
    return {key: _read(query) for key, query in METADATA.items()}


def state() -> dict[str, Any]:
    """Return throttling and clocks at this moment. Call it right after the clock stopped, before the GPU is idle."""
    return {key: _read(query) for key, query in NOW.items()}


def worst(states: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Combine several states: every reason, the lowest clocks. A value that was read goes before one that was not."""
    states, combined = list(states), dict[str, Any]()
    for key in NOW:
        values = [state[key] for state in states if key in state]
        read = [value for value in values if not str(value).startswith(NOT_MEASURED)]
        if values:
            combined[key] = min(read or values)
        if read and key == "gpu_throttled":
            reasons = {reason for value in read for reason in value.split(", ")} - {NOT_THROTTLED}
            combined[key] = ", ".join(sorted(reasons)) or NOT_THROTTLED
    return combined


def words(mask: int) -> str:
    """Return the reasons in a bit mask as text; a bit that REASONS lacks is named by its number."""
    mask &= ~LEFT_OUT
    bits = [1 << shift for shift in range(mask.bit_length()) if mask >> shift & 1]
    return ", ".join(REASONS.get(bit, f"reason {bit:#x}") for bit in bits) or NOT_THROTTLED


def _read(query: Query) -> Any:
    try:
        binding, gpu = device()
    except Unreadable as error:
        return f"{NOT_MEASURED}{error}"
    try:
        return query(binding, gpu)
    except binding.NVMLError as error:
        return f"{NOT_MEASURED}NVML says {error}"


def _reasons(binding: Any, gpu: Any) -> str:
    try:
        return words(binding.nvmlDeviceGetCurrentClocksEventReasons(gpu))
    except (AttributeError, binding.NVMLError_FunctionNotFound):  # an older binding or driver
        return words(binding.nvmlDeviceGetCurrentClocksThrottleReasons(gpu))


def _gpus(binding: Any, _: Any) -> str:
    """Return name and driver of every GPU, as nvidia-smi lists them."""
    gpus = map(binding.nvmlDeviceGetHandleByIndex, range(binding.nvmlDeviceGetCount()))
    return "; ".join(f"{binding.nvmlDeviceGetName(gpu)}, {binding.nvmlSystemGetDriverVersion()}" for gpu in gpus)


METADATA: dict[str, Query] = {
    "gpu": _gpus,
    "gpu_driver": lambda binding, _: binding.nvmlSystemGetDriverVersion(),
    "gpu_memory_bytes": lambda binding, gpu: binding.nvmlDeviceGetMemoryInfo(gpu).total,
    "gpu_max_clock_mhz": lambda binding, gpu: binding.nvmlDeviceGetMaxClockInfo(gpu, binding.NVML_CLOCK_SM),
    "gpu_max_memory_clock_mhz": lambda binding, gpu: binding.nvmlDeviceGetMaxClockInfo(gpu, binding.NVML_CLOCK_MEM),
    "gpu_power_limit_watts": lambda binding, gpu: binding.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000,  # of mW
}
NOW: dict[str, Query] = {
    "gpu_throttled": _reasons,
    "gpu_clock_mhz": lambda binding, gpu: binding.nvmlDeviceGetClockInfo(gpu, binding.NVML_CLOCK_SM),
    "gpu_memory_clock_mhz": lambda binding, gpu: binding.nvmlDeviceGetClockInfo(gpu, binding.NVML_CLOCK_MEM),
}
