"""One timed sample, and one footprint in memory and energy: the atoms of every record."""

from dataclasses import dataclass

AGAIN = "~again"  # the null: the contestant of this name without it, once more, against itself
LIMIT = "limit@"  # what goes by such a name is the machine reading the bytes that a scope must touch, no kernel
ONE_CORE, ALL_CORES = f"{LIMIT}one_core", f"{LIMIT}all_cores"
GPU_READ, GPU_LAUNCH = f"{LIMIT}gpu_read", f"{LIMIT}gpu_launch"
PINNED = "~pinned"  # of `end_to_end`: the contestant of this name without it, from page-locked memory of the host


@dataclass(frozen=True)
class Sample:
    """One timed sample of one kernel.

    Attributes:
        kernel: the contestant's name.
        scope, distance: what was timed; the distance is "-" in the scope `mean`.
        images: how many images one call reads: training, validation, or both.
        seconds: per call, averaged over `loops` calls in a row.
        process: which set of processes it came from, from 0.
        round: the turn within that set, from 0; kernels of the same process set and round are a pair.
        position: the kernel's place in that turn, from 0.
        minor_faults, context_switches: page faults served from memory, and switches away from the process, per call.
        peak_rss_bytes: the process's largest resident size so far. All three are 0 where the system does not tell.
        first: only the first so many images of each class were there; 0 is all.
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
    first: int = 0


@dataclass(frozen=True)
class Footprint:
    """What one kernel takes in one scope, in bytes and joules; None where it was not measured.

    Attributes:
        images: how many images one call reads, as in a sample.
        anonymous_before_bytes: held before the call, by interpreter, libraries and prepared stacks, not mapped files.
        temporaries_bytes: how much more there was at the highest point of the call.
        device_before_bytes, device_temporaries_bytes: likewise on the GPU, of a kernel that uses it.
        energy_calls: how many calls took the joules below.
        cpu_joules, gpu_joules: by the counters of the processor and of the GPU; idle power is not subtracted.
        not_measured: what of this was not, and why; "" where nothing is missing.
    """

    kernel: str
    scope: str
    distance: str
    images: int
    anonymous_before_bytes: int | None = None
    temporaries_bytes: int | None = None
    device_before_bytes: int | None = None
    device_temporaries_bytes: int | None = None
    energy_calls: int | None = None
    cpu_joules: float | None = None
    gpu_joules: float | None = None
    not_measured: str = ""

    @property
    def peak_bytes(self) -> int | None:
        """The highest point on the host, or where that is not told, on the GPU; None where neither is."""
        host = self.anonymous_before_bytes, self.temporaries_bytes
        device = self.device_before_bytes, self.device_temporaries_bytes
        told = next((each for each in (host, device) if None not in each), None)
        return sum(size or 0 for size in told) if told else None

    def per_million(self, joules: float | None) -> float | None:
        """Return the joules of a million images; None where they were not measured."""
        calls = self.energy_calls
        return joules / (calls * self.images) * 1e6 if calls and joules is not None else None
