"""What a person sees while a command runs, and the console that tables are printed on."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bench import atomic
from bench.atomic import printable

PIPED_WIDTH = 160  # a pipe has no width of its own, and nothing should be cut in it
WIDE = 100  # columns of a terminal that has room for a bar beside what runs


class Output(Console):
    """Standard output. Text is printed as it is, for a traceback's brackets are no markup; except control characters.

    Those of a docstring or of a folder's name would be the terminal's to obey, so they are shown escaped.
    """

    def __init__(self) -> None:
        width = None if sys.stdout and sys.stdout.isatty() else PIPED_WIDTH
        super().__init__(highlight=False, markup=False, emoji=False, width=width)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # not Rich's exit status 1, which means that a kernel failed

    def print(self, *objects: Any, **options: Any) -> None:
        if not self.is_terminal and all(isinstance(text, str) for text in objects):
            options["soft_wrap"] = True  # lines of a pipe are for another program
        with atomic.named("standard output"):
            super().print(*objects, **options)

    def say(self, text: str) -> None:
        """Print a text as it is, however long its lines are."""
        self.print(text, soft_wrap=True)


def out() -> Output:
    """Return the console of standard output."""
    return Output()


def shown(path: Path, follow: bool = True) -> str:
    """Return a path as a person would type it here: relative if it is below the current folder."""
    path = path.resolve() if follow else path  # an environment's Python is a link
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def bench() -> str:
    """Return how a person types a command of this project in this shell: `python -m bench`, with this very Python."""
    here = os.path.abspath(sys.executable)
    names = [name for name in ("python", "python3") if os.path.abspath(shutil.which(name) or "") == here]
    return f"{names[0] if names else shlex.quote(shown(Path(here), follow=False))} -m bench"


def by_reason(kernels: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each reason, with all kernels that it holds for. `kernels` are pairs (name, reason)."""
    names: dict[str, dict[str, None]] = {}
    for name, why in kernels:
        names.setdefault(why, {})[name] = None
    for why, listed in names.items():
        yield f"{', '.join(listed)} {'is' if len(listed) == 1 else 'are'} {why}"


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

    A terminal shows what runs and the time left. A pipe gets one line per stage and kernel: the last shows where a run
    hangs.
    """
    shown = set[str]()

    def print_once(stage: str, kernel: str, done: int, steps: int) -> None:
        if not quiet and (line := printable(f"{stage}: {kernel}")) not in shown:
            shown.add(line)
            print(line, file=sys.stderr, flush=True)

    if quiet or not sys.stderr.isatty():
        yield print_once
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    console = Console(stderr=True, markup=False)
    what = TextColumn("left  {task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    bar = (BarColumn(20),) if console.width >= WIDE else ()
    with Progress(*bar, TaskProgressColumn(), TimeRemainingColumn(compact=True), what, console=console,
                  transient=True) as bars:  # fmt: skip
        task = bars.add_task("", total=None)
        yield lambda stage, kernel, done, steps: bars.update(
            task, description=printable(f"{kernel}, {stage}"), completed=done, total=steps
        )
