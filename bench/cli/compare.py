"""compare: how much faster one kernel is than another."""

import json
import sys
from typing import Any

import click

from bench.analysis import comparison
from bench.cli import console
from bench.cli.options import FILE
from bench.report import comparison_text


@click.command("compare")
@click.argument("kernels", nargs=-1, required=True, metavar="A [B ...]")
@click.option("--record", type=FILE, metavar="FILE",
              help="Read this record (default the newest with the kernels and an interval).")  # fmt: skip
@click.option("--against", type=FILE, metavar="FILE",
              help="Compare A with its own times in this older record (run --against takes kernels).")  # fmt: skip
@click.option("--scope", default="baseline", metavar="NAME",
              help="Scope: mean, predict, baseline, end_to_end or first_call (default baseline).")  # fmt: skip
@click.option("--distance", default="l1", metavar="NAME",
              help="Distance: l1 or l2 (default l1). The scope mean has none.")  # fmt: skip
@click.option("--configuration", metavar="NAME",
              help="Threads and allocator, such as 1/keep (default the record's first configuration).")  # fmt: skip
@click.option("--force", is_flag=True, help="Also compare across machines, digits or configurations, and say so.")
@click.option("--markdown", is_flag=True, help="Print Markdown tables.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--fail-slower", type=click.FloatRange(0), metavar="PERCENT",
              help="Exit with status 1 if one is slower than A by more than PERCENT, and its interval confirms it."
              )  # fmt: skip
@click.option("--fail-unresolved", is_flag=True, help="Exit with status 1 also if --fail-slower cannot be decided.")
def command(kernels: tuple[str, ...], force: bool, markdown: bool, as_json: bool, **options: Any) -> None:
    """Compare kernels with the first, or one kernel in two records.

    Print how much faster each is than A, the confidence interval, and whether the difference is resolved.
    """
    fail_slower, fail_unresolved = options.pop("fail_slower"), options.pop("fail_unresolved")
    if fail_unresolved and fail_slower is None:
        raise click.UsageError("--fail-unresolved needs --fail-slower PERCENT.")
    if markdown and as_json:
        raise click.UsageError("--markdown and --json exclude each other: use only one of them.")
    against = options["against"]
    if against and not against.exists() and not against.suffix:
        both = f"python -m bench compare {against} {' '.join(kernels)}"
        raise click.UsageError(f"--against takes a record's file; for two kernels of one record: {both}")
    base, *others = comparison.sides(kernels, **options)
    results = [comparison.compare(base, new, force) for new in others]
    table, beside = comparison_text.grids(results)
    if as_json:
        console.out().say(json.dumps(comparison_text.as_json(results), indent=1))
    elif markdown:
        console.out().say(f"{table.markdown()}\n\n{beside.markdown()}")
    else:
        console.out().print(table, "", beside)
    if fail_slower is None:
        return
    unresolved = [why for one in results if (why := one.unresolved(fail_slower))]
    for why in unresolved:
        click.echo(why, err=markdown or as_json)
    sys.exit(int(any(one.slower_by(fail_slower) for one in results) or (fail_unresolved and bool(unresolved))))
