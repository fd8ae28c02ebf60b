"""What a ratio of times is: paired, round by round, and never an average of ratios."""

import math
from collections.abc import Iterable
from statistics import median

from bench.sample import Sample


def seconds(samples: Iterable[Sample]) -> tuple[float, float]:
    """Return (median, smallest) seconds."""
    times = [sample.seconds for sample in samples]
    return median(times), min(times)


def speedup(reference: Iterable[Sample], kernel: Iterable[Sample]) -> float:
    """Return exp(median over rounds of log(reference seconds / kernel seconds)), both timed in the same round.

    Raises:
        ValueError: they share no round.
    """
    turn = {(sample.process, sample.round): sample.seconds for sample in reference}
    ratios = [
        math.log(turn[sample.process, sample.round] / sample.seconds)
        for sample in kernel
        if (sample.process, sample.round) in turn
    ]
    if not ratios:
        raise ValueError("no round holds both kernels: there is no pair to take a ratio of")
    return math.exp(median(ratios))


def unpaired(reference: Iterable[Sample], kernel: Iterable[Sample]) -> float:
    """Return reference seconds / kernel seconds, medians of samples that were not taken in turns: indicative only."""
    return seconds(reference)[0] / seconds(kernel)[0]
