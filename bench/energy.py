"""Energy of repeated calls, in joules, by the counters of processor and GPU. It is never timed along with it.

    energy per million images = joules / (calls x images per call) x 10^6    (Footprint.per_million)

Idle power is not subtracted: a counter counts whatever draws power while the calls run. The processor's are those of
all its packages, whoever uses them, without memory; the GPU's is that of the whole board, and of no interest where the
kernel does not use it.

Sources: nvmlDeviceGetTotalEnergyConsumption (mJ since the driver was loaded; docs.nvidia.com/deploy/nvml-api), which
moves some ten times a second, and energy_uj of Linux's powercap (docs.kernel.org/power/powercap), Intel's and AMD's
RAPL, which starts anew after max_energy_range_uj: about once in a quarter of an hour at full power, so that calls must
take less. Hence at least two seconds of calls: a step of the counter is then a few percent of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

from bench import nvml

POWERCAP = Path("/sys/class/powercap")
AT_LEAST_S = 2.0


class NotMeasured(Exception):
    """A counter cannot be read; the message says why."""


@dataclass(frozen=True)
class Counter:
    """A counter of energy.

    Attributes:
        read: returns how many units it has counted.
        unit_joules: joules per unit.
        wraps_after: the units after which it starts anew from 0; None is never.
    """

    read: Callable[[], int]
    unit_joules: float
    wraps_after: int | None = None

    def joules(self, before: int, after: int) -> float:
        """Return the joules between two readings, between which it started anew once at most."""
        if after < before and self.wraps_after:
            after += self.wraps_after
        return (after - before) * self.unit_joules


@dataclass(frozen=True)
class Energy:
    """What `energy_calls` calls took, in joules; None where it was not measured, and why."""

    energy_calls: int | None = None
    cpu_joules: float | None = None
    gpu_joules: float | None = None
    not_measured: str = ""


def joules(call: Callable[[], object], on_gpu: bool, at_least_s: float = AT_LEAST_S) -> Energy:
    """Repeat a call for `at_least_s` seconds and return what it took; make none where no counter can be read.

    Args:
        on_gpu: whether the call uses the GPU, whose counter is read only then.
    """
    meters: dict[str, list[Counter]] = {}
    why = []
    for name, counters in (("CPU", cpu), ("GPU", gpu))[: 1 + on_gpu]:
        try:
            meters[name] = list(counters())
        except NotMeasured as reason:
            why.append(f"energy of the {name}: {reason}")
    if not meters:
        return Energy(not_measured="; ".join(why))
    before = {name: [each.read() for each in read] for name, read in meters.items()}
    calls, started = 0, perf_counter()
    while not calls or perf_counter() - started < at_least_s:
        call()
        calls += 1
    taken: dict[str, float] = {}
    for name, read in meters.items():
        try:
            used = sum(each.joules(was, each.read()) for each, was in zip(read, before[name], strict=True))
            if used <= 0:
                raise NotMeasured("its counter did not move meanwhile")
            taken[name] = used
        except NotMeasured as reason:
            why.append(f"energy of the {name}: {reason}")
    return Energy(calls if taken else None, taken.get("CPU"), taken.get("GPU"), "; ".join(why))


def gpu() -> Iterator[Counter]:
    """Yield the counter of the GPU that kernels use.

    Raises:
        NotMeasured: the GPU cannot be asked, or has no counter: those before Volta have none.
    """
    try:
        binding, handle = nvml.device()
    except nvml.Unreadable as why:
        raise NotMeasured(str(why)) from why

    def read() -> int:
        try:
            return int(binding.nvmlDeviceGetTotalEnergyConsumption(handle))
        except binding.NVMLError as error:
            raise NotMeasured(f"NVML says {error}") from error

    read()
    yield Counter(read, 1e-3)


def cpu() -> Iterator[Counter]:
    """Yield the counter of every package of the processor: a socket, not its parts, which it contains.

    Raises:
        NotMeasured: the system has none, or does not let us read it.
    """
    zones = [zone for zone in sorted(POWERCAP.glob("intel-rapl:*")) if _text(zone / "name").startswith("package")]
    if not zones:
        raise NotMeasured("this system shows no counter (RAPL in Linux's powercap, which virtual machines seldom have)")
    for zone in zones:
        read = partial(_number, zone / "energy_uj")
        read()
        yield Counter(read, 1e-6, _number(zone / "max_energy_range_uj"))


def _number(path: Path) -> int:
    return int(_text(path))


def _text(path: Path) -> str:
    name = f"{path.parent.name}/{path.name}"  # a record names no folder
    try:
        return path.read_text().strip()
    except PermissionError as error:
        raise NotMeasured(f"{name} is for root alone: run as root, or let this user read it") from error
    except OSError as error:
        raise NotMeasured(f"{name} cannot be read ({error.strerror})") from error
