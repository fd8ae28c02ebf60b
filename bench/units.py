"""Numbers as a person reads them. Inside the project seconds are seconds and ratios are plain numbers."""

from collections.abc import Callable, Sequence

from bench.speedup import Mode


def time(seconds: float) -> str:
    """Return seconds in the unit that suits them: 1.58 s, 369 ms, 3.31 ms, 84.0 µs."""
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{_three_digits(seconds / scale)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def ratio(times: float) -> str:
    """Return a ratio: 0.62×, 8.4×, 107×, 12,300×."""
    if times < 0.095:
        return f"{times:.2g}×"
    return f"{_three_digits(times)}×" if times < 999.5 else f"{times:,.0f}×"


def share(part: float) -> str:
    """Return a part of the limit: 0.01%, 2.9%, 81.4%."""
    return f"{100 * part:.{1 if part >= 0.001 else 2}f}%"


def size(count: int) -> str:
    """Return bytes in decimal units: 0 B, 131 kB, 6.39 MB, 12.8 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{_three_digits(count / scale)} {unit}"
    return f"{count} B"


def either(modes: Sequence[Mode], show: Callable[[float], str]) -> str:
    """Return the one number there is, or both where processes fell into two modes: never one in between."""
    if len(modes) < 2:
        return "".join(show(mode.value) for mode in modes)
    return " or ".join(f"{show(mode.value)} ({mode.processes} sets)" for mode in modes)


def _three_digits(value: float) -> str:
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"  # what rounds to 100 is 100, not 100.0
