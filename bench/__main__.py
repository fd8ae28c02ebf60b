"""The verbs: python -m bench kernels | check | run | plot | report | compare | publish."""

import dataclasses
import secrets
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bench.kernel import UnknownKernel


class BadInput(click.ClickException):
    """One message, no traceback, nothing written."""

    exit_code = 2


class Verbs(click.Group):
    """The group of verbs; the project's own errors of input become one message and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            from bench.records.model import BadRecord
            from data.digits import DataError

            if isinstance(error, (UnknownKernel, BadRecord, DataError)):
                raise BadInput(str(error)) from error
            if isinstance(error, OSError) and error.filename and not isinstance(error, BrokenPipeError):
                raise BadInput(f"{error.filename}: {error.strerror}; name or free another place") from error
            raise


def _names(_: click.Context, __: click.Parameter, value: str | None) -> list[str]:
    found = [name.strip() for name in (value or "").split(",") if name.strip()]
    if value is not None and not found:
        raise click.BadParameter("name at least one kernel")
    return found


def _sizes(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...]:
    if value is None:
        return ()
    try:
        sizes = tuple(sorted({int(size) for size in value.split(",")}))
    except ValueError:
        sizes = (0,)
    if sizes[0] < 1:
        raise click.BadParameter("expected whole numbers from 1, such as 1,10,100,1000")
    return sizes


def _configurations(_: click.Context, __: click.Parameter, value: str | None) -> tuple[Any, ...]:
    from bench.runner.configuration import parse

    if value is None:
        return ()
    try:
        asked = {parse(name.strip()) for name in value.split(",")}
        return tuple(sorted(asked, key=lambda each: (each.threads != "all", each.allocator)))  # as they are read again
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


FILE = click.Path(path_type=Path, dir_okay=False)
POSITIVE = click.FloatRange(0, min_open=True)
KERNEL = click.option(
    "--kernel",
    "files",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Also this kernel; to run it is to run its code.",
)
DIGITS = click.option("--data", "source", metavar="SOURCE", help="Where the recorded digits are, for their pictures.")
CHOICE = [  # one line each, so that the help of `run` fits a screen
    click.option("--data", "source", default="auto", metavar="SOURCE", help="auto, mnist_sample, drawn, or a path."),
    click.option("--per-class", type=click.IntRange(1), metavar="N", help="Only the first N images of each class."),
    click.option("--kernels", callback=_names, metavar="A,B", help="Only these; NAME alone is all its devices."),
    KERNEL,
    click.option("--require", multiple=True, metavar="NAME", help="Fail if it is unavailable."),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=lambda: secrets.randbits(32),
        metavar="N",
        show_default=False,
        help="Draw every order from N, as an earlier run did.",
    ),
    click.option("--timeout", "timeout_s", type=POSITIVE, default=120, metavar="SECONDS", help="Of one request; 120."),
    click.option("--quiet", is_flag=True, help="Show no progress."),
]
RECORDED = [
    click.option("--processes", type=click.IntRange(1), default=6, metavar="N", help="Processes of every kernel; 6."),
    click.option("--quick", "processes", flag_value=1, type=int, help="One process, so no confidence interval."),
    click.option("--rigorous", "processes", flag_value=15, type=int, help="Fifteen processes."),
    click.option("--full", is_flag=True, help="All scopes, not the baseline alone."),
    click.option("--ladder", is_flag=True, help="Also every kernel of kernels/ladder/."),
    click.option("--sizes", callback=_sizes, metavar="N,N", help="Time against numbers of validation images."),
    click.option("--no-time-limit", is_flag=True, help="With --sizes: calls over 5 s too, up to --timeout."),
    click.option("--memory", is_flag=True, help="Peak memory and temporaries instead of times."),
    click.option("--configurations", callback=_configurations, metavar="A,B", help="THREADS/ALLOCATOR; all/default."),
    click.option("--memory-limit", "memory_limit_gb", type=POSITIVE, metavar="GB",
                 help="Of one kernel; half the machine's."),
    click.option("--resume", is_flag=True, help="Finish the newest unfinished run."),
]  # fmt: skip


EXCLUSIVE = (
    ("--memory", "--full"), ("--memory", "--processes"), ("--memory", "--configurations"), ("--sizes", "--full"),
)  # fmt: skip


def _with(options: list[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def add(verb: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            verb = option(verb)
        return verb

    return add


choosing = _with(CHOICE)  # digits and kernels: the fields of `verbs.Choice`
recording_what = _with(RECORDED)  # what to record: the fields of `running.Recorded`


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Loops against broadcasting, on trial: a kernel's answer is proven before its time is believed."""


@cli.command()
@KERNEL
def kernels(files: tuple[Path, ...]) -> None:
    """List every kernel, and whether it can run here. Imports none of them."""
    from bench.cli import kernels as listing

    listing.show(files)


@cli.command()
@choosing
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the findings to FILE.")
def check(json_file: Path | None, **choice: Any) -> None:
    """Prove every kernel against the exact answer, image by image. Times nothing."""
    from bench.cli import verbs

    sys.exit(verbs.check(verbs.Choice(**choice), json_file))


@cli.command()
@choosing
@recording_what
def run(**options: Any) -> None:
    """Check the kernels, time them side by side, save, draw and print."""
    from bench.cli import run as running
    from bench.cli import verbs

    where = click.get_current_context().get_parameter_source
    given = [f"--{name.replace('_', '-')}" for name in options if where(name) is ParameterSource.COMMANDLINE]
    if options["resume"] and {*given} - {"--resume", "--quiet"}:
        raise click.UsageError("--resume goes on as it was begun: it takes no other option but --quiet.")
    for one, other in EXCLUSIVE:
        if one in given and other in given:
            raise click.UsageError(f"{one} and {other} exclude each other: give one of them.")
    if options["memory"] and len(options["sizes"]) > 1:
        raise click.UsageError("--memory takes one number of validation images: --sizes N.")
    if options["no_time_limit"] and not options["sizes"]:
        raise click.UsageError("--no-time-limit belongs to --sizes: give the numbers of validation images.")
    choice = {field.name: options.pop(field.name) for field in dataclasses.fields(verbs.Choice)}
    sys.exit(running.run(verbs.Choice(**choice), running.Recorded(**options)))


@cli.command()
@click.argument("record", type=FILE, required=False)
@DIGITS
def plot(record: Path | None, source: str | None) -> None:
    """Draw RECORD, by default the newest of a whole data set; also a file of pytest --benchmark-json."""
    from bench.cli import verbs

    verbs.plot(record, source)


@cli.command()
@click.argument("records", type=FILE, nargs=-1)
@click.option("--readme", is_flag=True, help="Also rewrite the README's results from the published records.")
@DIGITS
def report(records: tuple[Path, ...], source: str | None, readme: bool) -> None:
    """Write the page of every published machine and of the newest local run; or one page of RECORDS."""
    from bench.cli import verbs

    verbs.report(records, source, readme)


@cli.command()
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
def compare(force: bool, shape: str | None, fail_slower: float | None, **sides: Any) -> None:
    """Say how much faster kernel B is than kernel A, how sure that is, and the verdict."""
    from bench.analysis import comparison as comparing
    from bench.cli import verbs

    sys.exit(verbs.compare(comparing.sides(**sides), force, shape or "table", fail_slower))


@cli.command()
@click.argument("files", type=FILE, nargs=-1)
def publish(files: tuple[Path, ...]) -> None:
    """Copy FILES, by default those of the newest run's page, to results/<machine>/, unless a checklist FAILs.

    Each takes the place of what was published of its kind.
    """
    from bench.cli import verbs

    verbs.publish(files)


def main() -> None:
    """Run a verb. Exit status: 0 done and right, 1 a kernel failed, 2 bad input or usage, 130 interrupted."""
    for name in ("SIGTERM", "SIGHUP"):  # so that what is temporary goes, as with Ctrl-C
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))
    try:
        status = cli.main(prog_name="python -m bench", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; nothing half-written is left behind.", err=True)
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
