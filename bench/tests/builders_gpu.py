"""A machine with a GPU, without one: a stand-in for NVIDIA's Python binding, and records with the GPU's bounds."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.records.model import Record
from bench.records.sample import GPU_LAUNCH, GPU_READ, Sample
from bench.tests.builders_records import record, samples

ON_GPU = {"fine@cuda": {"device": "cuda"}}  # metadata of a kernel


class NVMLError(Exception):
    pass


class FunctionNotFound(NVMLError):
    pass


class Binding:
    """Stands in for the module `pynvml`, on a machine with two GPUs.

    Args:
        reasons: the bit mask of clocks event reasons in force.
        refused: names of functions that the GPU does not support.
    """

    NVMLError = NVMLError
    NVMLError_FunctionNotFound = FunctionNotFound
    NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2

    def __init__(self, reasons: int = 0, refused: tuple[str, ...] = ()) -> None:
        self.reasons, self.refused = reasons, refused
        self.handles: list[Any] = []
        self.nvmlInit = lambda: None
        self.nvmlSystemGetDriverVersion = lambda: "575.57.08"
        self.nvmlDeviceGetCount = lambda: 2
        self.nvmlDeviceGetName = lambda gpu: f"A Fine GPU {gpu}"
        self.nvmlDeviceGetMemoryInfo = lambda gpu: SimpleNamespace(total=150_000_000_000, used=1)
        self.nvmlDeviceGetMaxClockInfo = lambda gpu, domain: {1: 1980, 2: 3201}[domain]
        self.nvmlDeviceGetClockInfo = lambda gpu, domain: {1: 1755, 2: 3200}[domain]
        self.nvmlDeviceGetEnforcedPowerLimit = lambda gpu: 700_000

    def __getattribute__(self, name: str) -> Any:
        if name != "refused" and name in self.refused:
            raise NVMLError("Not Supported")
        return super().__getattribute__(name)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        if index > 1:
            raise NVMLError("Invalid Argument")
        return self.nvmlDeviceGetHandleByUUID(index)

    def nvmlDeviceGetHandleByUUID(self, uuid: Any) -> Any:
        self.handles.append(uuid)
        return uuid

    def nvmlDeviceGetCurrentClocksEventReasons(self, gpu: Any) -> int:
        return self.reasons


class OldBinding(Binding):
    """The binding from before the throttle reasons were called clocks event reasons."""

    nvmlDeviceGetCurrentClocksEventReasons = property()  # type: ignore[assignment]  # raises AttributeError

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, gpu: Any) -> int:
        return self.reasons


class OldDriver(OldBinding):
    """The current binding with a driver from before that."""

    def nvmlDeviceGetCurrentClocksEventReasons(self, gpu: Any) -> int:  # type: ignore[override]
        raise FunctionNotFound("Function Not Found")


def gpu_record(folder: Path, read_s: float, launch_s: float, scope: str = "baseline") -> Record:
    """Return a record with a kernel on a GPU that takes 20 us, and the GPU's bounds in seconds."""
    taken = samples(pairs=((scope, "l1"),), **{"fine@cuda": 2e-5})
    for process in range(6):
        for name, seconds in ((GPU_READ, read_s), (GPU_LAUNCH, launch_s)):
            taken.append(Sample(name, scope, "-", 108, seconds * (1 + 0.1 * process), 1, process, 0, 0))
    return record(folder, taken, (), ON_GPU)
