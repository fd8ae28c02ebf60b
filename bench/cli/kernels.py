"""kernels: list the kernels by reading their files. No kernel is imported."""

from pathlib import Path

import click

from bench.cli import console
from bench.cli.options import KERNEL
from bench.formatting import Grid
from bench.kernel import discover, why_broken, why_unavailable


@click.command("kernels", params=[KERNEL])
def command(files: tuple[Path, ...]) -> None:
    """List all kernels and whether they can run here.

    No kernel is imported, so a package that is installed but does not work is not noticed.
    """
    rows = []
    for spec in discover(files):
        broken, unavailable = why_broken(spec), why_unavailable(spec)
        here = f"broken: {broken}" if broken else f"unavailable: {unavailable}" if unavailable else "available"
        rows.append((spec.name, spec.device, here, spec.caption))
    console.out().print(Grid(("kernel", "device", "here", "the one idea"), rows))
