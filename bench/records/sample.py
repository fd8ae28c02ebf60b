"""One timed sample, and one footprint in memory: the atoms of every record."""

from dataclasses import dataclass

AGAIN = "~again"  # ends the name of the A/A control: a kernel measured against itself
BOUND = "bound@"  # begins the names of bounds: the machine reads the bytes that a scope must touch, without a kernel
ONE_CORE, ALL_CORES = f"{BOUND}one_core", f"{BOUND}all_cores"
GPU_READ, GPU_LAUNCH = f"{BOUND}gpu_read", f"{BOUND}gpu_launch"


@dataclass(frozen=True)
class Sample:
    """One timed sample of one kernel.

    Attributes:
        kernel: the kernel's name, such as "torch_broadcast@cpu".
        scope, distance: what was timed; the distance is "-" in the scope `mean`.
        images: how many images one call reads: training, validation, or both.
        seconds: per call, averaged over `loops` calls in a row.
        process: number of the kernel's process, from 0.
        round: number of the round within that process, from 0. Samples of the same process number and round are paired.
        position: the kernel's place in that round, from 0.
        minor_faults, context_switches: page faults served from memory, and switches to other processes, per call.
        peak_rss_bytes: the process's largest resident size so far. All three are 0 where the system has no count.
        threads, allocator: the configuration.
        cpu_cores: CPU seconds per second that the kernel's process and its children used: 1.0 is one core.
        other_cores, steal_cores: the same of programs that are not part of the run, and of what a virtual machine's
            host took.
        waited_cores: the same that the process's own threads were ready and had no core. All four are None where they
            were not measured.
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
    """The memory that one kernel takes in one scope, in bytes; None where it was not measured.

    Attributes:
        images: how many images one call reads, as in a sample.
        anonymous_before_bytes: held before the call by interpreter, libraries and prepared stacks, not mapped files.
        temporaries_bytes: further memory at the highest point of the call.
        device_before_bytes, device_temporaries_bytes: the same on the GPU, for a kernel that uses it.
        not_measured: which of these was not measured, and why; "" where nothing is missing.
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
        for before, temporaries in (
            (self.anonymous_before_bytes, self.temporaries_bytes),
            (self.device_before_bytes, self.device_temporaries_bytes),
        ):
            if before is not None and temporaries is not None:
                return before + temporaries
        return None
