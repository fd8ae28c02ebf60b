"""Order statistics, ranks and signs: numbers in, numbers out. No distribution is assumed.

Source: Hollander & Wolfe, *Nonparametric Statistical Methods*; numbers below are its sections.
"""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

LEAST_LEVEL = 0.95  # of an interval
FEWEST_VALUES = 5  # a rank correlation of fewer values means nothing


def interval(values: Iterable[float]) -> tuple[float, float, float] | None:
    """Return (low, high, achieved level) of the median of the population that independent values come from.

    The ends are the k-th smallest and the k-th largest of n values. The median lies outside them only where fewer than
    k values fell on one side of it, each a fair coin, whatever the distribution (the sign test inverted, 3.6):

        level(k) = 1 - 2 * (C(n, 0) + ... + C(n, k - 1)) / 2^n

    k is the largest with level(k) >= 95 %: n = 6 gives k = 1 and 96.9 %, n = 15 gives k = 4 and 96.5 %. None
    where even the smallest and the largest value do not reach that level: below six values.
    """
    ordered = sorted(values)
    n, outside, ends = len(ordered), 0, None
    for k in range(1, n // 2 + 1):
        outside += math.comb(n, k - 1)
        level = 1 - 2 * outside / 2**n
        if level < LEAST_LEVEL:
            break
        ends = ordered[k - 1], ordered[-k], level
    return ends


def rank_correlation(series: Iterable[Sequence[float]]) -> float | None:
    """Return Spearman's rank correlation of position and value, over several series of values, from -1 to 1.

    Both are ranked within their series, and the products of the centred ranks are summed over the series, so that
    differences between series are no correlation: sum(x * y) / sqrt(sum(x^2) * sum(y^2)). None where the series have
    fewer than five values together, or one each.
    """
    ranks = [(x, y) for values in series for x, y in zip(_ranks(range(len(values))), _ranks(values), strict=True)]
    positions, spread = sum(x * x for x, _ in ranks), sum(y * y for _, y in ranks)
    if len(ranks) < FEWEST_VALUES or not positions:
        return None
    return sum(x * y for x, y in ranks) / math.sqrt(positions * spread) if spread else 0.0  # a constant does not drift


def _ranks(values: Iterable[float]) -> list[float]:
    """Return each value's rank less the mean rank; ties share theirs, and 1e-9 apart is rounding, hence a tie."""
    rounded = [round(value, 9) for value in values]
    return [sum((value > other) - (value < other) for other in rounded) / 2 for value in rounded]


def sign_test(ours: int, theirs: int) -> float:
    """Return the exact two-sided p of a fair coin that falls this unevenly or more (3.4); ties do not count."""
    n = ours + theirs
    tail = sum(math.comb(n, k) for k in range(min(ours, theirs) + 1))
    return min(1.0, float(Fraction(2 * tail, 2**n)))
