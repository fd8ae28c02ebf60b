"""The verbs: python -m bench kernels | check | run | plot."""

import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

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
            raise


def _names(_: click.Context, __: click.Parameter, value: str | None) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()] if value else []


FILE = click.Path(path_type=Path, dir_okay=False)
KERNEL = click.option("--kernel", "files", type=FILE, multiple=True, metavar="FILE",
                      help="Also the kernel in FILE, from anywhere. Running it is running its code.")  # fmt: skip
CHOICE = [
    click.option("--data", "source", default="auto", metavar="SOURCE", show_default=True,
                 help="auto, mnist_sample, drawn, or a folder or archive of PNG files."),
    click.option("--kernels", callback=_names, metavar="A,B", help="Only these; NAME alone means all of its devices."),
    KERNEL,
    click.option("--require", multiple=True, metavar="NAME", help="Fail if this kernel is unavailable."),
    click.option("--seed", type=click.IntRange(0), default=lambda: secrets.randbits(32), metavar="N",
                 help="Draw every order from N, as an earlier run did."),
    click.option("--timeout", "timeout_s", type=click.FloatRange(0, min_open=True), default=120, metavar="SECONDS",
                 show_default=True, help="End a kernel that takes longer over one request."),
    click.option("--quiet", is_flag=True, help="Show no progress."),
]  # fmt: skip


def choosing(verb: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose digits and kernels, the fields of `verbs.Choice`."""
    for option in reversed(CHOICE):
        verb = option(verb)
    return verb


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
def run(**choice: Any) -> None:
    """Check the kernels, time them in turns, save the record, draw the chart, print the table."""
    from bench import verbs

    sys.exit(verbs.run(verbs.Choice(**choice)))


@cli.command()
@click.argument("record", type=FILE, required=False)
def plot(record: Path | None) -> None:
    """Draw RECORD, by default the newest; also a file of pytest --benchmark-json."""
    from bench import verbs

    verbs.plot(record)


def main() -> None:
    """Run a verb. Exit status: 0 done and right, 1 a kernel failed, 2 bad input or usage, 130 interrupted."""
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
