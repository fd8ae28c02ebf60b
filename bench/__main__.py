"""The verbs: python -m bench kernels | check | run | plot | report | compare | publish."""

import dataclasses
import re
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
            from bench.records import BadRecord
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
        sizes = tuple(sorted({int(each) for each in value.split(",")}))
    except ValueError:
        sizes = (0,)
    if sizes[0] < 1:
        raise click.BadParameter("expected whole numbers from 1, such as 1,10,100,1000")
    return sizes


def _slug(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise click.BadParameter("use small letters, digits and - alone")
    return value


def _conditions(_: click.Context, __: click.Parameter, value: str | None) -> tuple[Any, ...]:
    from bench.conditions import parse

    if value is None:
        return ()
    try:
        return tuple(dict.fromkeys(parse(name.strip()) for name in value.split(",")))
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
    click.option("--quick", "processes", flag_value=1, type=int, default=6, help="One process set, so no interval."),
    click.option("--rigorous", "processes", flag_value=15, type=int, help="Fifteen process sets instead of six."),
    click.option("--full", is_flag=True, help="All scopes, not the baseline alone."),
    click.option("--ladder", is_flag=True, help="Also every rung of kernels/ladder/."),
    click.option("--sizes", callback=_sizes, metavar="N,N", help="Time against numbers of validation images."),
    click.option("--images", type=click.IntRange(1), metavar="N", help="Label N images, tiled, mapped from a file."),
    click.option("--memory", is_flag=True, help="Peak memory and temporaries instead of times."),
    click.option("--threads", type=click.Choice(["1", "all"]), default="all", help="Of every library; all."),
    click.option("--allocator", type=click.Choice(["default", "keep"]), default="default", help="keep: freed is kept."),
    click.option("--conditions", callback=_conditions, metavar="A,B", help="Several THREADS/ALLOCATOR, side by side."),
    click.option("--memory-limit", "memory_limit_gb", type=POSITIVE, metavar="GB",
                 help="Of one kernel; half the machine's."),
    click.option("--resume", is_flag=True, help="Finish the newest unfinished recording."),
]  # fmt: skip


EXCLUSIVE = {
    "memory": ("sizes", "full", "processes", "conditions"),
    "sizes": ("full", "images"),
    "images": ("full",),
    "conditions": ("threads", "allocator"),
}


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
    from bench import listing

    listing.show(files)


@cli.command()
@choosing
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the findings to FILE.")
def check(json_file: Path | None, **choice: Any) -> None:
    """Prove every kernel against the exact answer, image by image. Times nothing."""
    from bench import verbs

    sys.exit(verbs.check(verbs.Choice(**choice), json_file))


@cli.command()
@choosing
@recording_what
def run(**options: Any) -> None:
    """Check the kernels, time them in turns, save, draw and print."""
    from bench import running, verbs

    given = click.get_current_context().get_parameter_source
    others = [name for name in options if name not in ("resume", "quiet")]
    if options["resume"] and any(given(name) is ParameterSource.COMMANDLINE for name in others):
        raise click.UsageError("--resume goes on as it was begun: it takes no other option but --quiet.")
    for one, rest in EXCLUSIVE.items():
        for other in rest if given(one) is ParameterSource.COMMANDLINE else ():
            if given(other) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--{one} and the option for {other} exclude each other.")
    choice = {field.name: options.pop(field.name) for field in dataclasses.fields(verbs.Choice)}
    sys.exit(running.run(verbs.Choice(**choice), running.Recorded(**options)))


@cli.command()
@click.argument("record", type=FILE, required=False)
@DIGITS
def plot(record: Path | None, source: str | None) -> None:
    """Draw RECORD, by default the newest; also a file of pytest --benchmark-json."""
    from bench import verbs

    verbs.plot(record, source)


@cli.command()
@click.argument("records", type=FILE, nargs=-1)
@click.option("--readme", is_flag=True, help="Also rewrite the README's results from the published records.")
@DIGITS
def report(records: tuple[Path, ...], source: str | None, readme: bool) -> None:
    """Write the page of every published machine and of the newest local record; or one page of RECORDS."""
    from bench import verbs

    verbs.report(records, source, readme)


@cli.command()
@click.argument("a")
@click.argument("b", required=False)
@click.option("--record", type=FILE, metavar="FILE", help="Of this record; by default the newest that holds both.")
@click.option("--against", type=FILE, metavar="FILE", help="Compare A with itself in this other, older record.")
@click.option("--scope", default="baseline", show_default=True, help="mean, predict, baseline, end_to_end, first_call.")
@click.option("--distance", default="l1", show_default=True, help="l1, l2, or - in the scope mean.")
@click.option("--force", is_flag=True, help="Also across machines, digits or conditions; every line then says so.")
@click.option("--markdown", "shape", flag_value="markdown", help="Print a Markdown table.")
@click.option("--json", "shape", flag_value="json", help="Print JSON.")
@click.option("--fail-slower", type=click.FloatRange(0), metavar="PERCENT",
              help="Exit with 1 if B is slower by more, and the interval resolves it.")  # fmt: skip
def compare(a: str, b: str | None, record: Path | None, against: Path | None, scope: str, distance: str, force: bool,
            shape: str | None, fail_slower: float | None) -> None:  # fmt: skip
    """Say how much faster kernel B is than kernel A, how sure that is, and the verdict."""
    from bench import comparing, verbs

    chosen = comparing.sides(a, b, record, against, scope, distance)
    sys.exit(verbs.compare(chosen, force, shape or "table", fail_slower))


@cli.command()
@click.argument("record", type=FILE, required=False)
@click.option(
    "--slug", default="recording", show_default=True, callback=_slug, help="How the published file is called."
)
def publish(record: Path | None, slug: str) -> None:
    """Copy RECORD, by default the newest, to results/<machine>/, unless its checklist FAILs."""
    from bench import verbs

    verbs.publish(record, slug)


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
