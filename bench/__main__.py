"""The entry point, and the table of contents of the commands: python -m bench COMMAND."""

import importlib
import signal
import sys
from typing import Any

import click

from bench.kernel import UnknownKernel

COMMANDS = ("kernels", "check", "run", "compare", "plot", "report", "publish")  # one module of bench/cli/ for each


class BadInput(click.ClickException):
    """One message, no traceback, nothing written."""

    exit_code = 2


class Commands(click.Group):
    """The commands. Only the module of the command that runs is imported, so that listing kernels is fast.

    The project's own errors about input become one message and exit status 2.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"bench.cli.{cmd_name}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["arguments"] = tuple(args)  # as they were typed
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            from bench.records.model import BadRecord
            from data.digits import DataError

            if isinstance(error, (UnknownKernel, BadRecord, DataError)):
                raise BadInput(str(error)) from error
            if isinstance(error, OSError) and error.filename and not isinstance(error, BrokenPipeError):
                raise BadInput(f"{error.filename}: {error.strerror}; name another file or free some space") from error
            raise


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Compare loops with broadcasting. Kernels are verified, then timed side by side."""


def main() -> None:
    """Run a command. Exit status: 0 success, 1 a kernel failed, 2 bad input or usage, 130 interrupted."""
    for name in ("SIGTERM", "SIGHUP"):  # exit, so that temporary files are removed as after Ctrl-C
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))
    try:
        status = cli.main(prog_name="python -m bench", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. No file is left half-written.", err=True)
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
