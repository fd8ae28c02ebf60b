"""What a ratio of times is, and how sure it is.

The design (Hoefler & Belli, SC15; Kalibera & Jones, ISMM 2013; Bulej et al., ICPE 2020): every kernel has P processes,
started one after the other, and in each of them r rounds. A round calls every kernel, so that a machine that slows down
slows all of them down; fast kernels are called before and after a slow one. With t in seconds per call, p a process,
i a round and s a sample in that round,

    d[p, i] = median over s of log t_reference[p, i, s]  -  median over s of log t_kernel[p, i, s]
    m[p]    = median over i of d[p, i]
    ratio   = exp(median over p of m[p]), with the order statistics of m[1..P] as its confidence interval

Processes count as independent, rounds do not: what a process draws when it starts (heap layout, hash seed) stays with
it, so more of its rounds say nothing more about the next process. Logarithms make "A over B" and "B over A" exactly
each other's inverse. The interval assumes no symmetry, so it holds where processes are skewed.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench import formatting
from bench.records.sample import Sample
from bench.stats import interval, rank_correlation

APART = 1.5  # processes whose times are further apart than this factor are two groups

Outcome = Literal["faster", "slower", "not resolved"]


@dataclass(frozen=True)
class Group:
    """Processes of one kernel with similar times: their median in seconds per call, and their number."""

    seconds: float
    processes: int


@dataclass(frozen=True)
class Ratio:
    """How many times faster than the reference a kernel is. Fewer than six processes give no interval."""

    value: float  # reference seconds / kernel seconds; above 1 the kernel is faster
    low: float | None  # the ends of its confidence interval
    high: float | None
    level: float | None  # the level that the interval achieves, from 0.95 to 1
    processes: int  # how many processes held both kernels
    rounds: int  # how many rounds did, in all processes
    per_process: tuple[float, ...]  # the ratio in each process, in their order
    spread: float  # the largest of them over the smallest
    drift: float | None  # from -1 to 1, whether the ratio rises (> 0) from round to round of a process; see `ratio`
    spread_within: float = 1.0  # the largest over the smallest round of one process, median over the processes

    @property
    def sign(self) -> int:
        """1 where the whole interval says that the kernel is faster, -1 where it says slower, else 0."""
        if self.low is None or self.high is None:
            return 0
        return (self.low > 1) - (self.high < 1)

    def interval(self, level: bool = False, show: Callable[[float], str] = formatting.ratio) -> str:
        """Return its confidence interval as text, with its level if `level`; "" without an interval."""
        if self.low is None or self.high is None or self.level is None:
            return ""
        return formatting.interval(self.low, self.high, self.level if level else None, show)


def ratio(reference: Iterable[Sample], kernel: Iterable[Sample]) -> Ratio:
    """Return reference seconds / kernel seconds, by the formula at the top, of two kernels in one scope.

    Only rounds that hold both kernels count. The drift is Spearman's rank correlation of round and log ratio, where
    both are ranked within their process, so that differences between processes are no drift; None with fewer than
    five pairs, or only one round per process. Where no round holds both kernels, that is a ValueError.
    """
    kernel_logs, reference_logs = _log_seconds(kernel), _log_seconds(reference)
    log_ratios: dict[int, list[float]] = {}  # by process, in the order of rounds
    for key in sorted(kernel_logs.keys() & reference_logs.keys()):
        log_ratios.setdefault(key[0], []).append(reference_logs[key] - kernel_logs[key])
    if not log_ratios:
        raise ValueError("no round holds both kernels: there is no pair to take a ratio of")
    medians = [median(logs) for logs in log_ratios.values()]
    low, high, level = interval(medians) or (None, None, None)
    return Ratio(
        value=math.exp(median(medians)),
        low=None if low is None else math.exp(low),
        high=None if high is None else math.exp(high),
        level=level,
        processes=len(log_ratios),
        rounds=sum(map(len, log_ratios.values())),
        per_process=tuple(map(math.exp, medians)),
        spread=math.exp(max(medians) - min(medians)),
        drift=rank_correlation(log_ratios.values()),
        spread_within=math.exp(median(max(logs) - min(logs) for logs in log_ratios.values())),
    )


def paired_ratio(reference: Sequence[Sample], samples: Sequence[Sample]) -> Ratio | None:
    """Return their ratio; None where no round holds both, as where one of them failed or was skipped at a size."""
    rounds, others = ({(sample.process, sample.round) for sample in side} for side in (reference, samples))
    return ratio(reference, samples) if rounds & others else None


def two_groups(samples: Iterable[Sample]) -> tuple[Group, Group] | None:
    """Return the two groups, the faster first, that a kernel's processes fall into; None where they are one.

    The groups are split at the widest gap between neighbouring per-process medians of log seconds that leaves at least
    two processes on each side, if it is wider than log 1.5. One slow process is no group.
    """
    processes: dict[int, list[float]] = {}
    for sample in samples:
        processes.setdefault(sample.process, []).append(math.log(sample.seconds))
    ordered = sorted(map(median, processes.values()))
    gaps = [(ordered[i] - ordered[i - 1], i) for i in range(2, len(ordered) - 1)]
    gap, cut = max(gaps, default=(0.0, 0))
    if gap <= math.log(APART):
        return None
    faster, slower = (Group(math.exp(median(group)), len(group)) for group in (ordered[:cut], ordered[cut:]))
    return faster, slower


def noise_floor(control: Ratio) -> float:
    """Return the smallest difference that this machine can tell from none today, as a fraction: 0.013 is ±1.3 %.

    `control` is a kernel against itself, so only the machine makes it differ from 1. The worst end of its interval
    counts, or without an interval the worst process; as a factor, so that 2 and 1/2 are equally far from 1.
    """
    ends = control.per_process if control.low is None or control.high is None else (control.low, control.high)
    return math.expm1(max(abs(math.log(end)) for end in ends))


def outcome(ratio: Ratio, noise_floor: float | None) -> Outcome:
    """Return "faster" or "slower" where the whole interval agrees and the difference exceeds a known noise floor.

    Both are needed: the interval covers the chance of these processes, the A/A control what the machine adds.
    """
    if not ratio.sign or noise_floor is None or abs(math.log(ratio.value)) <= math.log1p(noise_floor):
        return "not resolved"
    return "faster" if ratio.sign > 0 else "slower"


def median_and_smallest(samples: Iterable[Sample]) -> tuple[float, float]:
    """Return (median, smallest) seconds per call."""
    times = [sample.seconds for sample in samples]
    return median(times), min(times)


def unpaired(reference: Iterable[Sample], kernel: Iterable[Sample]) -> float:
    """Return reference seconds / kernel seconds, medians of samples that share no rounds: indicative only."""
    return median_and_smallest(reference)[0] / median_and_smallest(kernel)[0]


def _log_seconds(samples: Iterable[Sample]) -> dict[tuple[int, int], float]:
    """Return {(process, round): median over the kernel's samples in it of log seconds}."""
    logs: dict[tuple[int, int], list[float]] = {}
    for sample in samples:
        logs.setdefault((sample.process, sample.round), []).append(math.log(sample.seconds))
    return {key: median(values) for key, values in logs.items()}
