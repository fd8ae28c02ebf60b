"""NVIDIA's Python binding of a machine with two GPUs, as far as it is asked; nothing of it ran on a real one."""

from types import SimpleNamespace
from typing import Any


class NVMLError(Exception):
    pass


class FunctionNotFound(NVMLError):
    pass


class Binding:
    """Stands in for the module `pynvml`.

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

    def __getattribute__(self, name: str) -> Any:
        if name != "refused" and name in self.refused:
            raise NVMLError("Not Supported")
        return super().__getattribute__(name)

    def nvmlInit(self) -> None:
        pass

    def nvmlSystemGetDriverVersion(self) -> str:
        return "575.57.08"

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        if index > 1:
            raise NVMLError("Invalid Argument")
        self.handles.append(index)
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:
        self.handles.append(uuid)
        return uuid

    def nvmlDeviceGetName(self, gpu: Any) -> str:
        return f"A Fine GPU {gpu}"

    def nvmlDeviceGetMemoryInfo(self, gpu: Any) -> Any:
        return SimpleNamespace(total=150_000_000_000, used=1)

    def nvmlDeviceGetMaxClockInfo(self, gpu: Any, domain: int) -> int:
        return {1: 1980, 2: 3201}[domain]

    def nvmlDeviceGetClockInfo(self, gpu: Any, domain: int) -> int:
        return {1: 1755, 2: 3200}[domain]

    def nvmlDeviceGetEnforcedPowerLimit(self, gpu: Any) -> int:
        return 700_000

    def nvmlDeviceGetCurrentClocksEventReasons(self, gpu: Any) -> int:
        return self.reasons


class OldBinding(Binding):
    """The binding from before the throttle reasons were called clocks event reasons."""

    nvmlDeviceGetCurrentClocksEventReasons = property()  # type: ignore[assignment]  # raises AttributeError

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, gpu: Any) -> int:
        return self.reasons


class OldDriver(OldBinding):
    """The binding of today with a driver from before that."""

    def nvmlDeviceGetCurrentClocksEventReasons(self, gpu: Any) -> int:  # type: ignore[override]
        raise FunctionNotFound("Function Not Found")
