"""compare: how much faster one kernel is than another."""

import json
import sys
from typing import Any

import click

from bench.analysis import comparison
from bench.cli import console
from bench.cli.options import FILE
from bench.formatting import Grid
from bench.report import comparison_text


@click.command("compare")
@click.argument("a")
@click.argument("b", required=False)
@click.option("--record", type=FILE, metavar="FILE", help="Of this record; the newest of a whole data set.")
@click.option("--against", type=FILE, metavar="FILE", help="Compare A with itself in this other, older record.")
@click.option("--scope", default="baseline", show_default=True, help="mean, predict, baseline, end_to_end, first_call.")
@click.option("--distance", default="l1", show_default=True, help="l1, l2, or - in the scope mean.")
@click.option(
    "--configuration", metavar="THREADS/ALLOCATOR", help="all/default; where a record lacks that, its first one."
)
@click.option("--force", is_flag=True, help="Also across machines, digits or configurations; every line says so.")
@click.option("--markdown", "shape", flag_value="markdown", help="Print a Markdown table.")
@click.option("--json", "shape", flag_value="json", help="Print JSON.")
@click.option("--fail-slower", type=click.FloatRange(0), metavar="PERCENT",
              help="Exit with 1 if B is slower by more, and the interval resolves it.")  # fmt: skip
def command(force: bool, shape: str | None, fail_slower: float | None, **sides: Any) -> None:
    """Say how much faster kernel B is than kernel A, how sure that is, and the verdict."""
    sys.exit(compare(comparison.sides(**sides), force, shape or "table", fail_slower))


def compare(sides: tuple[comparison.Side, comparison.Side], force: bool, shape: str, fail_slower: float | None) -> int:
    """Print a comparison as a table, "markdown" or "json"; return 1 if the new side is slower than allowed."""
    found = comparison.compare(*sides, force)
    if shape == "json":
        print(json.dumps(comparison_text.as_json(found), indent=1))
    elif shape == "markdown":
        print(comparison_text.markdown(found))
    else:
        console.out().print(Grid(("", ""), comparison_text.lines(found)))
    return int(fail_slower is not None and found.slower_by(fail_slower))
