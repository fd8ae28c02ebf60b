"""The options that several commands share, and the digits and kernels that they choose."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.kernel import KernelSpec, discover, select


def names(_: click.Context, option: click.Parameter, value: str | None) -> list[str]:
    listed = [name.strip() for name in (value or "").split(",") if name.strip()]
    if value is not None and not listed:
        raise click.BadParameter(f"name at least {'two classes' if option.name == 'classes' else 'one kernel'}")
    return listed


def _bytes(_: click.Context, __: click.Parameter, value: float | None) -> int:
    from data.limit import DEFAULT  # importing `data` takes NumPy, which listing the kernels does without

    return DEFAULT if value is None else int(value * 1e9)


FILE = click.Path(path_type=Path, dir_okay=False)
POSITIVE = click.FloatRange(0, min_open=True)
KERNEL = click.Option(["--kernel", "files"], type=FILE, multiple=True, metavar="FILE",
                      help="Include the kernel in FILE. Verifying or timing it runs its code.")  # fmt: skip
LIMIT = click.Option(["--data-limit", "data_limit"], type=POSITIVE, callback=_bytes, metavar="GB",
                     help="Most memory that the digits may take, unpacked, in GB (default 2 GiB).")  # fmt: skip
DIGITS = (
    click.Option(["--data", "source"], metavar="SOURCE", help="Digits of the record, for the picture of them."),
    LIMIT,
)
CHOICE = [  # the fields of `Choice`
    click.Option(["--data", "source"], default="auto", metavar="SOURCE",
                 help="Digits: auto, mnist_sample, drawn or a path (default auto)."),
    LIMIT,
    click.Option(["--classes"], callback=names, metavar="A,B", help="Use only these classes, such as 3,7."),
    click.Option(["--per-class"], type=click.IntRange(1), metavar="N",
                 help="Use only the first N images of each class (default the kernel's IMAGES, or all)."),
    click.Option(["--kernels"], callback=names, metavar="A,B",
                 help="Use only these kernels. A name without @DEVICE means all of its devices."),
    KERNEL,
    click.Option(["--require"], multiple=True, metavar="NAME",
                 help="Exit with status 1 if this kernel is unavailable."),
    click.Option(["--seed"], type=click.IntRange(0), default=lambda: secrets.randbits(32), metavar="N",
                 help="Draw every order from this seed (default a new one)."),
    click.Option(["--timeout", "timeout_s"], type=POSITIVE, default=120, metavar="SECONDS",
                 help="Timeout per request in seconds (default 120)."),
    click.Option(["--quiet"], is_flag=True, help="Show no progress."),
]  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """The options that choose digits and kernels. `--help` explains them."""

    source: str
    data_limit: int
    classes: list[str]
    per_class: int | None
    kernels: list[str]
    files: tuple[Path, ...]
    require: tuple[str, ...]
    seed: int
    timeout_s: float
    quiet: bool

    @property
    def digits(self) -> dict[str, Any]:
        """The arguments of `data.load`."""
        return {"source": self.source, "classes": self.classes, "limit": self.data_limit}

    def specs(self, ladder: bool = False) -> list[KernelSpec]:
        """Return the kernels of --kernels and --kernel or, without these options, those of `kernels/`.

        The kernels of --require are added, and with `ladder` all kernels of the ladder. An unknown name is an
        UnknownKernel.
        """
        known = discover(self.files)
        extra = [*(path.stem for path in self.files), *self.require]
        named = [*self.kernels, *extra] if self.kernels or self.files else []
        chosen = {spec.name for spec in select(known, named or extra)}
        if not named:
            chosen |= {spec.name for spec in known if not spec.on_ladder}
        return [spec for spec in known if spec.name in chosen or (ladder and spec.on_ladder)]
