"""Numbers as a person reads them. Inside the project seconds are seconds and ratios are plain numbers."""

from collections.abc import Callable

from bench.analysis.speedup import Ratio
from bench.analysis.summary import Standing

GROUPS = "†"  # behind a median whose processes fall into two groups; a WARN of the checklist says which


def time(seconds: float) -> str:
    """Return seconds in the unit that suits them: 1.58 s, 369 ms, 3.31 ms, 84.0 µs."""
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{_three_digits(seconds / scale)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def median(standing: Standing) -> str:
    """Return a kernel's median seconds: 3.61 ms, or 3.61 ms† where its processes fall into two groups."""
    return f"{time(standing.seconds)}{GROUPS if standing.groups else ''}"


def groups(standing: Standing) -> str:
    """Return both groups that a kernel's processes fall into: 1.20 ms (4 processes) and 7.90 ms (2 processes)."""
    return " and ".join(f"{time(group.seconds)} ({group.processes} processes)" for group in standing.groups or ())


def ratio(times: float | None) -> str:
    """Return a ratio: 0.62×, 8.4×, 107×, 12,300×; "" for none."""
    if times is None:
        return ""
    if times < 0.095:
        return f"{times:.2g}×"
    return f"{_three_digits(times)}×" if times < 999.5 else f"{times:,.0f}×"


def interval(of: Ratio | None, level: bool = False, show: Callable[[float], str] = ratio) -> str:
    """Return a ratio's confidence interval: 116× to 160×, or with its level 116× to 160×, 96.9% CI; "" for none."""
    if of is None or of.low is None or of.high is None or of.level is None:
        return ""
    return f"{show(of.low)} to {show(of.high)}" + (f", {of.level:.1%} CI" if level else "")


def share(part: float) -> str:
    """Return a part of the limit: 0.01%, 2.9%, 81.4%."""
    return f"{100 * part:.{1 if part >= 0.001 else 2}f}%"


def size(count: int) -> str:
    """Return bytes in decimal units: 0 B, 131 kB, 6.39 MB, 12.8 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{_three_digits(count / scale)} {unit}"
    return f"{count} B"


def _three_digits(value: float) -> str:
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"  # what rounds to 100 is 100, not 100.0
