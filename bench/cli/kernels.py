"""kernels: list the kernels from reading their files. No kernel is imported."""

from collections.abc import Iterable
from pathlib import Path

import click

from bench.cli import console
from bench.cli.options import KERNEL
from bench.formatting import Grid
from bench.kernel import discover, why_unavailable


@click.command("kernels")
@KERNEL
def command(files: tuple[Path, ...]) -> None:
    """List every kernel, and whether it can run here. Import none of them."""
    show(files)


def show(files: Iterable[Path]) -> None:
    """Print every kernel, its device, whether it can run here as far as that is known cheaply, and its caption."""
    rows = []
    for each in discover(files):
        reason = why_unavailable(each)
        rows.append((each.name, each.device, f"unavailable: {reason}" if reason else "available", each.caption))
    console.out().print(Grid(("kernel", "device", "here", "the one idea"), rows))
