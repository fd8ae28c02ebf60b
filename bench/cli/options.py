"""Options that several commands share, and what they choose."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.kernel import KernelSpec, discover, select

if TYPE_CHECKING:
    from bench.runner.checking import CheckResult

    pass


def _names(_: click.Context, __: click.Parameter, value: str | None) -> list[str]:
    found = [name.strip() for name in (value or "").split(",") if name.strip()]
    if value is not None and not found:
        raise click.BadParameter("name at least one kernel")
    return found


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
CHOICE = [
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


def add(options: list[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds options to a command, in their order."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


choosing = add(CHOICE)  # digits and kernels: the fields of `Choice`


@dataclass(frozen=True)
class Choice:
    """The options that choose digits and kernels; `--help` explains them."""

    source: str
    per_class: int | None
    kernels: list[str]
    files: tuple[Path, ...]
    require: tuple[str, ...]
    seed: int
    timeout_s: float
    quiet: bool

    def specs(self, ladder: bool = False) -> list[KernelSpec]:
        """Return the kernels that are named, else those of the files, else those of `kernels/`.

        Those of `require` join them, and all of the ladder where `ladder` says so.
        """
        everyone = discover(self.files)
        extra = [*(path.stem for path in self.files), *self.require]
        named = [*self.kernels, *extra] if self.kernels or self.files else []
        chosen = {each.name for each in select(everyone, named or extra)}
        if not named:
            chosen |= {each.name for each in everyone if not each.on_ladder}
        return [each for each in everyone if each.name in chosen or (ladder and each.on_ladder)]

    def status(self, results: "Sequence[CheckResult]", sized: bool = False) -> int:
        """Return the exit status: 1 if a kernel is wrong or broken, a required one unavailable, or none agrees.

        Where sizes were recorded it is no failure to run out of memory at one of them, but a result.
        """
        from bench.runner.checking import OUT_OF_MEMORY

        for result in results:
            if sized and (result.reason or "").startswith(OUT_OF_MEMORY):
                continue
            required = {result.name, result.name.partition("@")[0]} & set(self.require)
            if result.status in ("disagrees", "broken") or (result.status == "unavailable" and required):
                return 1
        return int(not sized and all(result.status != "agrees" for result in results))  # nothing was proven
