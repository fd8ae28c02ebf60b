"""What a person sees while a command runs, and the console that tables are printed on."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
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


def command_line(arguments: Sequence[str]) -> str:
    """Return a command of this project as it was typed, but with files and folders by their names alone."""
    words, paths = ["python", "-m", "bench"], ("--kernel", "--data")
    for before, word in pairwise(["", *arguments]):
        option, equals, value = word.partition("=")
        if before in paths:
            words.append(Path(word).resolve().name)
        elif option in paths and equals:
            words.append(f"{option}={Path(value).resolve().name}")
        else:
            words.append(word)
    return shlex.join(words)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, str, int, int], None]]:
    """Yield a function that shows progress on standard error; its arguments are stage, kernel, steps done, all steps.

    A terminal shows a bar. A pipe gets one line per stage.
    """
    if quiet:
        yield lambda stage, kernel, done, steps: None
    elif not sys.stderr.isatty():
        stages = set()

        def print_once(stage: str, kernel: str, done: int, steps: int) -> None:
            if stage not in stages:
                stages.add(stage)
                print(stage, file=sys.stderr, flush=True)

        yield print_once
    else:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (BarColumn(30), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda stage, kernel, done, steps: bar.update(
                task, description=f"{stage}: {kernel}", completed=done, total=steps
            )
