"""What NVIDIA's driver tells of the GPU, through NVIDIA's own Python binding of NVML (`pip install nvidia-ml-py`).

The GPU is the one that kernels use: the first that CUDA_VISIBLE_DEVICES names, else number 0. NVML counts along the PCI
bus, CUDA from the fastest down: in a machine of unlike GPUs name it there by its UUID. What cannot be read is the text
"not measured: " and why, never 0. Source: docs.nvidia.com/deploy/nvml-api, device queries and clocks event reasons.
"""

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from bench.records.model import NOT_MEASURED, NOT_THROTTLED

BINDING = "install NVIDIA's binding: pip install nvidia-ml-py"
REASONS = {  # the bits of nvmlClocksEventReasons, of nvml.h
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}
# Idle: after a call it is. Applications and display clocks setting: somebody chose them, and the record has the clocks.
LEFT_OUT = 0x1 | 0x2 | 0x100

Question = Callable[[Any, Any], Any]


class Unreadable(Exception):
    """No GPU can be asked; the message says why, and what to do."""


@cache
def device() -> tuple[Any, Any]:
    """Return (the binding, the handle of the GPU that kernels use); it stays open until the process ends.

    Raises:
        Unreadable: the binding or the driver is missing, or no GPU is shown to processes.
    """
    try:
        binding = importlib.import_module("pynvml")
    except ModuleNotFoundError:
        raise Unreadable(BINDING) from None
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    first = shown.partition(",")[0].strip()
    if not (first.isdecimal() or first.startswith(("GPU-", "MIG-"))):
        raise Unreadable(f"CUDA_VISIBLE_DEVICES is {shown!r}, which shows processes no GPU: name one, or unset it")
    try:
        binding.nvmlInit()
        by = binding.nvmlDeviceGetHandleByIndex if first.isdecimal() else binding.nvmlDeviceGetHandleByUUID
        return binding, by(int(first) if first.isdecimal() else first)
    except binding.NVMLError as error:
        raise Unreadable(f"NVML says {error}") from error


def metadata() -> dict[str, Any]:
    """Return what stays as it is while a recording lasts; `results/README.md` explains the keys and their units.

    Raises:
        Unreadable: see `device`.
    """
    device()
    return {key: _tell(question) for key, question in METADATA.items()}


def state() -> dict[str, Any]:
    """Return throttling and clocks of this moment: ask right after the clock stopped, for an idle GPU says nothing."""
    return {key: _tell(question) for key, question in NOW.items()}


def worst(states: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Put several states into one: each reason once, the lowest clocks; what was read goes before what was not."""
    taken = list(states)
    found: dict[str, Any] = {}
    for key in NOW:
        answers = [each[key] for each in taken if key in each]
        read = [answer for answer in answers if not str(answer).startswith(NOT_MEASURED)]
        if answers:
            found[key] = min(read or answers)
        if read and key == "gpu_throttled":
            found[key] = (
                ", ".join(sorted({each for answer in read for each in answer.split(", ")} - {NOT_THROTTLED}))
                or NOT_THROTTLED
            )
    return found


def words(mask: int) -> str:
    """Return the reasons that a bit mask holds, in words; a bit that is new to this file by its number."""
    mask &= ~LEFT_OUT
    bits = [1 << place for place in range(mask.bit_length()) if mask >> place & 1]
    return ", ".join(REASONS.get(bit, f"reason {bit:#x}") for bit in bits) or NOT_THROTTLED


def _tell(question: Question) -> Any:
    try:
        binding, gpu = device()
    except Unreadable as why:
        return f"{NOT_MEASURED}{why}"
    try:
        return question(binding, gpu)
    except binding.NVMLError as error:
        return f"{NOT_MEASURED}NVML says {error}"


def _reasons(binding: Any, gpu: Any) -> str:
    try:
        return words(binding.nvmlDeviceGetCurrentClocksEventReasons(gpu))
    except (AttributeError, binding.NVMLError_FunctionNotFound):  # a binding, or a driver, from before it had that name
        return words(binding.nvmlDeviceGetCurrentClocksThrottleReasons(gpu))


def _gpus(binding: Any, _: Any) -> str:
    """Return name and driver of every GPU, as nvidia-smi lists them."""
    handles = [binding.nvmlDeviceGetHandleByIndex(index) for index in range(binding.nvmlDeviceGetCount())]
    return "; ".join(f"{binding.nvmlDeviceGetName(each)}, {binding.nvmlSystemGetDriverVersion()}" for each in handles)


METADATA: dict[str, Question] = {
    "gpu": _gpus,
    "gpu_driver": lambda binding, _: binding.nvmlSystemGetDriverVersion(),
    "gpu_memory_bytes": lambda binding, gpu: binding.nvmlDeviceGetMemoryInfo(gpu).total,
    "gpu_max_clock_mhz": lambda binding, gpu: binding.nvmlDeviceGetMaxClockInfo(gpu, binding.NVML_CLOCK_SM),
    "gpu_max_memory_clock_mhz": lambda binding, gpu: binding.nvmlDeviceGetMaxClockInfo(gpu, binding.NVML_CLOCK_MEM),
    "gpu_power_limit_watts": lambda binding, gpu: binding.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000,  # of mW
}
NOW: dict[str, Question] = {
    "gpu_throttled": _reasons,
    "gpu_clock_mhz": lambda binding, gpu: binding.nvmlDeviceGetClockInfo(gpu, binding.NVML_CLOCK_SM),
    "gpu_memory_clock_mhz": lambda binding, gpu: binding.nvmlDeviceGetClockInfo(gpu, binding.NVML_CLOCK_MEM),
}
