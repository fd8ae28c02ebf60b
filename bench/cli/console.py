"""What a person sees while a command runs, and the console that tables are printed on."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

PIPED_WIDTH = 160  # a pipe has no width of its own, and nothing should be cut in it


def out() -> Console:
    """Return the console of standard output. Text is printed as it is: a traceback's brackets are no markup."""
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def shown(path: Path) -> str:
    """Return a path as a person would type it here: relative if it is below the current folder."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, str, int, int], None]]:
    """Yield a function that shows progress on standard error; its arguments are stage, kernel, steps done, all steps.

    A terminal shows a bar. A pipe gets one line per stage and kernel, the last of which shows where a run hangs.
    """
    if quiet:
        yield lambda stage, kernel, done, steps: None
    elif not sys.stderr.isatty():
        printed = set()

        def print_once(stage: str, kernel: str, done: int, steps: int) -> None:
            if (stage, kernel) not in printed:
                printed.add((stage, kernel))
                print(f"{stage}: {kernel}", file=sys.stderr, flush=True)

        yield print_once
    else:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (BarColumn(30), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda stage, kernel, done, steps: bar.update(
                task, description=f"{stage}: {kernel}", completed=done, total=steps
            )
