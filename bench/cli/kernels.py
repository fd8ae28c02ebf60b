"""kernels: list the kernels by reading their files, or print one to begin with. No kernel is imported."""

from collections import Counter
from pathlib import Path
from textwrap import shorten

import click

from bench.cli import console
from bench.cli.options import KERNEL
from bench.formatting import Grid
from bench.kernel import discover, why_broken, why_unavailable

TEMPLATE = Path(__file__).with_name("kernel_template.py")


@click.command("kernels", params=[KERNEL])
@click.option("--ladder", is_flag=True, help="Also list the kernels of kernels/ladder/, each in a line.")
@click.option("--template", is_flag=True, help="Print a right kernel to begin with: save it as mine.py.")
def command(files: tuple[Path, ...], ladder: bool, template: bool) -> None:
    """List the kernels and whether they can run here.

    No kernel is imported, so a package that is installed but does not work is not noticed.
    """
    out = console.out()
    if template:
        out.say(TEMPLATE.read_text(encoding="utf-8").rstrip())
        return
    rows, reasons, unlisted = list[tuple[str, str, str]](), list[tuple[str, str]](), Counter[str]()
    for spec in discover(files):
        broken, unavailable = why_broken(spec), why_unavailable(spec)
        here = "broken" if broken else "unavailable" if unavailable else "available"
        if spec.on_ladder and not ladder and spec.kernel not in {file.stem for file in files}:
            unlisted[here] += 1
            continue
        rows.append((spec.name, here, spec.caption))
        if reason := broken or unavailable:
            reasons.append((spec.name, f"{here}: {reason}"))
    room = out.width - sum(max(len(row[i]) for row in rows) + 2 for i in (0, 1)) - 1
    rows = [(name, here, shorten(idea, max(room, 20), placeholder=" …")) for name, here, idea in rows]
    out.print(Grid(("kernel", "here", "the one idea"), rows))
    for line in console.by_reason(reasons):
        out.print(line)
    if unlisted:
        split = ", ".join(
            f"{unlisted[here]} {here}" for here in ("available", "unavailable", "broken") if unlisted[here]
        )
        out.print(f"The ladder has {unlisted.total()} more, from loops to the bandwidth bound ({split}):")
        out.say(f"{console.bench()} kernels --ladder")
