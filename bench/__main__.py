"""The entry point, and the table of contents of the commands: python -m bench COMMAND."""

import ast
import errno
import importlib
import io
import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill
from typing import Any

from bench import kernel
from bench.atomic import printable

for _package in ("click", "numpy", "PIL", "rich"):
    if not find_spec(_package):
        print(f"{_package} is not installed in this Python: run .venv/bin/python -m bench ..., or make setup first.",
              file=sys.stderr)  # fmt: skip
        sys.exit(2)

import click  # noqa: E402

BROKEN_PIPE = 141  # the exit status that a shell gives to a program whose output nobody reads any more
FULL = (errno.ENOSPC, errno.EDQUOT)  # of a disk
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
        module = importlib.import_module(f"bench.cli.{cmd_name}")
        command: click.Command = module.command
        if command.help is None:  # Python -OO has removed the docstring
            nodes = ast.parse(Path(str(module.__file__)).read_bytes()).body
            functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
            command.help = ast.get_docstring(functions["command"])
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

            if isinstance(error, (kernel.UnknownKernel, BadRecord, DataError)):
                message = str(error)
            elif isinstance(error, OSError) and error.filename and not isinstance(error, BrokenPipeError):
                message = _trouble(error)
            else:
                raise
            raise BadInput(" ".join([message, *getattr(error, "__notes__", [])])) from error


def _trouble(error: OSError) -> str:
    """Return what the system refused, and what to do."""
    remedy = "Name another file, or make this one writable"
    if error.errno in FULL or not error.strerror:
        temporary = Path(error.filename).is_relative_to(tempfile.gettempdir())
        remedy = f"Free some space on its disk{', or set TMPDIR to another folder' if temporary else ''}"
    return f"{error.filename}: {error.strerror or error.args[0]}. {remedy}."


@click.group(
    cls=Commands,
    help="Compare loops with broadcasting. Kernels are verified, then timed side by side.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def cli() -> None:
    for path in kernel.misnamed():
        why = "its name is no Python name" if path.is_file() else "it is no file"
        _say(f"{path.relative_to(kernel.ROOT)} is no kernel, for {why}: rename or remove it.")


def main() -> None:
    """Run a command, and end with its exit status.

    It is 0 for success, 1 if a kernel failed, 2 for bad input or usage or a full disk, 128 and the number of the signal
    that ended the command, such as 130 for Ctrl-C, and 141 where nobody reads the output.
    """
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:  # as under nohup
            signal.signal(getattr(signal, name), _interrupt)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  where it is closed
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="replace")  # a terminal need not know every character
    status = 0
    try:
        status = _status()
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would fail to flush it once more
        if isinstance(error, BrokenPipeError):
            status = BROKEN_PIPE
        elif error.errno in (*FULL, errno.EIO):  # of files too, but those have a name by now
            status = BadInput.exit_code
            with suppress(OSError):
                print(f"Error: standard output: {error.strerror}.", file=sys.stderr)
        else:
            raise
    sys.exit(status)


def _say(text: str) -> None:
    """Print a message on standard error; a terminal breaks its lines between words."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else sys.maxsize
    for line in printable(text).splitlines():
        print(fill(line, width, break_long_words=False, break_on_hyphens=False), file=sys.stderr)


def _interrupt(number: int, _: object) -> None:
    """End as after Ctrl-C: temporary files are removed, and a run says how to resume it."""
    raise KeyboardInterrupt(number)


def _status() -> int:
    """Return the exit status of the command; `click.Group.main` would take a broken pipe for a failed kernel."""
    try:
        with cli.make_context("python -m bench", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except SystemExit as end:
        return int(end.code or 0)
    except click.ClickException as error:
        message = io.StringIO()
        message.isatty = lambda: True  # type: ignore[method-assign]  # or click would leave escape sequences out
        error.show(message)
        _say(message.getvalue())  # echo would write UTF-8 where ASCII is asked for
        return error.exit_code
    except KeyboardInterrupt as error:
        notes = getattr(error, "__notes__", [])
        _say(" ".join(["\nInterrupted. No file is left half-written.", *notes]))
        return 128 + int(next(iter(error.args), signal.SIGINT))
    return 0


if __name__ == "__main__":
    main()
