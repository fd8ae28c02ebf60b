"""One timed sample, and one footprint in memory: the atoms of every record."""

from dataclasses import dataclass

AGAIN = "~again"  # the null: the contestant of this name without it, once more, against itself
LIMIT = "limit@"  # what goes by such a name is the machine reading the bytes that a scope must touch, no kernel
ONE_CORE, ALL_CORES = f"{LIMIT}one_core", f"{LIMIT}all_cores"


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
    """Anonymous memory of one kernel in one scope, in bytes; None where the system does not tell.

    Attributes:
        images: how many images one call reads, as in a sample.
        anonymous_before_bytes: held before the call, by interpreter, libraries and prepared stacks, not mapped files.
        temporaries_bytes: how much more there was at the highest point of the call.
    """

    kernel: str
    scope: str
    distance: str
    images: int
    anonymous_before_bytes: int | None
    temporaries_bytes: int | None
