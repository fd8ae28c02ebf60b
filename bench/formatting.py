"""Numbers and tables as text. Everywhere else in the project seconds are seconds and ratios are plain numbers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, JustifyMethod
    from rich.table import Table

NARROWEST = 30  # characters of a column whose texts may take several lines


def time(seconds: float) -> str:
    """Return seconds in the unit that suits them: 1.58 s, 369 ms, 3.31 ms, 84.0 µs."""
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{_three_digits(seconds / scale)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def ratio(times: float | None) -> str:
    """Return a ratio: 0.62×, 8.4×, 107×, 12,300×; "" for none."""
    if times is None:
        return ""
    if times < 0.095:
        return f"{times:.2g}×"
    return f"{_three_digits(times)}×" if times < 999.5 else f"{times:,.0f}×"


def interval(low: float, high: float, level: float | None = None, show: Callable[[float], str] = ratio) -> str:
    """Return a confidence interval: 116× to 160×, or with its level 116× to 160×, 96.9% CI."""
    return f"{show(low)} to {show(high)}" + (f", {level:.1%} CI" if level else "")


def share_of_bound(share: float) -> str:
    """Return a share of the bandwidth bound: 0.01%, 2.9%, 81.4%."""
    return f"{100 * share:.{1 if share >= 0.001 else 2}f}%"


def size(count: int) -> str:
    """Return bytes in decimal units: 0 B, 131 kB, 6.39 MB, 12.8 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{_three_digits(count / scale)} {unit}"
    return f"{count} B"


def _three_digits(value: float) -> str:
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"  # what rounds to 100 is 100, not 100.0


@dataclass(frozen=True)
class Grid:
    """A table for a terminal, a README or a page."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[str] = ()  # the columns that are aligned to the right
    optional: Sequence[str] = ()  # those that a terminal leaves out where it is too narrow, the first of them first

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator["Table"]:
        """Yield the table as a terminal shows it: without empty columns, and no word is broken in `options`' width."""
        from rich import box
        from rich.table import Table

        cells = [*zip(self.columns, *self.rows, strict=True)]
        widths = [max(map(len, column)) + 2 for column in cells]
        shown = [i for i, column in enumerate(cells) if any(column[1:]) or not self.rows]
        wrapped = max((i for i in shown[1:] if self.columns[i] not in self.right), key=widths.__getitem__, default=0)
        if wrapped:
            widths[wrapped] = min(widths[wrapped], NARROWEST)
        for name in self.optional:
            if sum(widths[i] for i in shown) > options.max_width + 1:  # none follows the last column
                shown = [i for i in shown if self.columns[i] != name]
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), show_header=any(self.columns))
        for i in shown:
            justify: JustifyMethod = "right" if self.columns[i] in self.right else "left"
            table.add_column(self.columns[i], justify=justify, overflow="fold", no_wrap=i != wrapped or not wrapped)
        for row in self.rows:
            table.add_row(*(row[i] for i in shown))
        yield table

    def markdown(self) -> str:
        """Return the table as Markdown."""
        alignment = ["---:" if column in self.right else "---" for column in self.columns]
        rows = (self.columns, alignment, *self.rows)
        return "\n".join(f"| {' | '.join(text.replace('|', '∣') for text in row)} |" for row in rows)
