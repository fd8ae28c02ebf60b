"""Numbers as text."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from bench import formatting
from bench.analysis.speedup import Ratio
from bench.formatting import Grid


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.576, "1.58 s"), (0.3687, "369 ms"), (0.00331, "3.31 ms"), (84e-6, "84.0 µs"), (12.5e-9, "12.5 ns")],
)
def test_seconds_in_the_unit_that_suits_them(seconds, text):
    assert formatting.time(seconds) == text


@pytest.mark.parametrize(
    ("times", "text"),
    [(None, ""), (0.0123, "0.012×"), (0.623, "0.62×"), (1, "1.00×"), (107.4, "107×"), (12345, "12,345×")],
)
def test_ratios(times, text):
    assert formatting.ratio(times) == text


def test_an_interval_has_its_level_where_it_is_asked_for():
    ratio = Ratio(130, 116, 160.4, 0.96875, 6, 18, (), 1, None)
    assert ratio.interval() == "116× to 160×"
    assert ratio.interval(level=True) == "116× to 160×, 96.9% CI"
    assert ratio.interval(show="{:.1f}".format) == "116.0 to 160.4"
    assert replace(ratio, low=None, high=None, level=None).interval(level=True) == ""


@pytest.mark.parametrize(("width", "lacks"), [(120, []), (94, []), (93, ["d"]), (80, ["d"]), (57, ["d", "b"])])
def test_a_narrow_terminal_leaves_out_columns_and_breaks_no_word(width, lacks):
    words = "several words that a line has no room for"
    row = ("a_kernel_with_a_long_name@cpu", "1" * 10, f"{words} or {words}", "2" * 20)
    grid = Grid(("a", "b", "c", "d", "empty"), [(*row, "")] * 2, right=["b", "d"], optional=("d", "b"))
    out = Console(width=width, file=io.StringIO())
    out.print(grid)
    lines = out.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].split() == [name for name in "abcd" if name not in lacks]
    shown = [cell for name, cell in zip("abcd", row, strict=True) if name not in lacks]
    assert {*" ".join(lines[2:]).split()} == {*" ".join(shown).split()}
