"""One timed sample, and one footprint in memory: the atoms of every record."""

from dataclasses import dataclass

AGAIN = "~again"  # ends the name of the A/A control: a kernel measured against itself
BOUND = "bound@"  # begins the names of bounds: the machine reads the bytes that a scope must touch, without a kernel
ONE_CORE, ALL_CORES = f"{BOUND}one_core", f"{BOUND}all_cores"
WORST_SHARE = 1.25  # of a bound; no error of the bound explains more
GPU_READ, GPU_LAUNCH = f"{BOUND}gpu_read", f"{BOUND}gpu_launch"


@dataclass(frozen=True)
class Sample:
    """One timed sample of one kernel; `results/README.md` explains every field and its unit.

    `seconds` is per call, averaged over `loops` calls in a row. Samples of the same process number and round are
    paired. Counts are 0 and cores None where they were not measured.
    """

    kernel: str
    scope: str
    distance: str
    images: int
    seconds: float
    loops: int
    process: int
    round: int
    position: int
    minor_faults: float = 0.0
    context_switches: float = 0.0
    peak_rss_bytes: int = 0
    threads: str = "all"
    allocator: str = "default"
    cpu_cores: float | None = None
    other_cores: float | None = None
    steal_cores: float | None = None
    waited_cores: float | None = None


@dataclass(frozen=True)
class Footprint:
    """The memory that one kernel takes in one scope, in bytes; None where it was not measured (why: `not_measured`).

    `results/README.md` explains every field.
    """

    kernel: str
    scope: str
    distance: str
    images: int
    anonymous_before_bytes: int | None = None
    temporaries_bytes: int | None = None
    device_before_bytes: int | None = None
    device_temporaries_bytes: int | None = None
    not_measured: str = ""

    @property
    def peak_bytes(self) -> int | None:
        """The highest point on the host, else on the GPU; None where neither was measured."""
        host = self.anonymous_before_bytes, self.temporaries_bytes
        device = self.device_before_bytes, self.device_temporaries_bytes
        return next((sum(sizes) for sizes in (host, device) if None not in sizes), None)  # type: ignore[arg-type]
