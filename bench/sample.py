"""One timed sample, the atom of every record."""

from dataclasses import dataclass


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
