"""The list of kernels, from reading their files: nothing is imported to list them."""

from collections.abc import Iterable
from pathlib import Path

from bench.cli import console
from bench.grid import Grid
from bench.kernel import discover, why_unavailable


def show(files: Iterable[Path]) -> None:
    """Print every kernel, its device, whether it can run here as far as that is known cheaply, and its caption."""
    rows = []
    for each in discover(files):
        reason = why_unavailable(each)
        rows.append((each.name, each.device, f"unavailable: {reason}" if reason else "available", each.caption))
    console.out().print(Grid(("kernel", "device", "here", "the one idea"), rows))
