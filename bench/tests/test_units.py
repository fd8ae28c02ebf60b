"""Numbers as a person reads them."""

import pytest

from bench import units


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.576, "1.58 s"), (0.3687, "369 ms"), (0.00331, "3.31 ms"), (84e-6, "84.0 µs"), (12.5e-9, "12.5 ns")],
)
def test_seconds_in_the_unit_that_suits_them(seconds, text):
    assert units.time(seconds) == text


@pytest.mark.parametrize(
    ("times", "text"), [(0.623, "0.62×"), (1, "1.00×"), (8.41, "8.41×"), (107.4, "107×"), (12345, "12,345×")]
)
def test_ratios(times, text):
    assert units.ratio(times) == text
