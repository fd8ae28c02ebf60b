"""What a person sees while something runs, and the shape of a table. Progress goes to standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from bench.runner.scheduler import Progress

PIPED_WIDTH = 160  # a pipe has no width of its own, and nothing should be cut in it


def out() -> Console:
    """Return the console of standard output. Text is printed as it is: a traceback's brackets are no markup."""
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def shown(path: Path) -> str:
    """Return a path as a person would type it here: relative where it lies below the current folder."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


@contextmanager
def progress(quiet: bool) -> "Iterator[Progress]":
    """Yield a function that is told what is being done: a bar on a terminal, a line per stage in a pipe."""
    if quiet:
        yield lambda stage, kernel, done, steps: None
    elif not sys.stderr.isatty():
        stages = set()

        def say(stage: str, kernel: str, done: int, steps: int) -> None:
            if stage not in stages:
                stages.add(stage)
                print(stage, file=sys.stderr, flush=True)

        yield say
    else:
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(30), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        with Bar(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
            task = bar.add_task("", total=None)

            def show(stage: str, kernel: str, done: int, steps: int) -> None:
                bar.update(task, description=f"{stage}: {kernel}", completed=done, total=steps)

            yield show
