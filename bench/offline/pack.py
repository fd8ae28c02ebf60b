"""Pack what another machine needs to record: the committed checkout, libraries as wheels, and the digits.

    python -m bench.offline.pack FOLDER

Torch is not packed: it is large, and the other machine has one that fits its GPU.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import click

import data
from bench.kernel import ROOT
from bench.offline import manifest

EXTRAS = ("cffi", "numba", "pynvml")  # for the fastest kernels, and for a GPU's metadata
MACHINE = click.Choice(["x86_64", "aarch64"])
GLIBC = range(5, 29)  # 2.28 and older: every Linux since 2018; pip takes only the tags that it is given


def _names(_: click.Context, __: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [canonical(name) for name in value.split(",") if name.strip()]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--python", default="3.12", show_default=True, metavar="3.N", help="Pack for this version of Python.")
@click.option("--machine", default="x86_64", show_default=True, type=MACHINE, help="Pack for this kind of processor.")
@click.option("--extras", callback=_names, metavar="A,B", help=f"Pack only these extras (default {','.join(EXTRAS)}).")
@click.option("--without", callback=_names, default="", metavar="A,B", help="Do not pack these packages.")
def pack(folder: Path, python: str, machine: str, extras: list[str] | None, without: list[str]) -> None:
    """Make FOLDER, from which a machine that has Python and torch can record without a network."""
    if not re.fullmatch(r"3\.\d+", python):
        raise click.UsageError(f"--python {python}: expected a version such as 3.12.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.UsageError(f"{folder} exists and is not empty. Name another folder, or remove it.")
    required = requirements(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")), extras, without)
    if not data.at_hand():
        data.load("mnist_sample")  # which downloads it
    digits = data.at_hand()
    assert digits
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".packing-") as scratch:  # FOLDER is whole or missing
        made = Path(scratch) / "made"
        made.mkdir()
        commit = export(ROOT, made)
        manifest.write(made, commit, python=python, machine=machine)
        _wheels(made / "wheels", Path(scratch) / "pins.txt", required, python, machine)
        for wheel in (made / "wheels").iterdir():
            if canonical(wheel.name.partition("-")[0]) in without:  # another package asked for it
                wheel.unlink()
        _copy(Path(digits), made / "digits")
        if folder.exists():
            folder.rmdir()
        os.replace(made, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    click.echo(f"{folder}: commit {commit}, {len(list((folder / 'wheels').iterdir()))} wheels, {size / 1e6:.0f} MB")
    click.echo(f"Next    copy it to the other machine, and there: python{python} {folder.name}/bench/offline/record.py")


def requirements(project: dict[str, Any], extras: Sequence[str] | None, without: Collection[str]) -> list[str]:
    """Return the requirements to download: the dependencies, those of the extras, and pip; never torch.

    Raises:
        UsageError: there is no such extra.
    """
    known = project["project"]["optional-dependencies"]
    chosen = [name for name in EXTRAS if name in known] if extras is None else [*extras]
    if unknown := [name for name in chosen if name not in known]:
        raise click.UsageError(f"--extras: pyproject.toml has no extra {unknown[0]}; it has {', '.join(known)}.")
    lines = [*project["project"]["dependencies"], "pip"]
    for name in chosen:  # an extra may list others, in brackets after the project's own name
        for line in known[name]:
            if line.startswith(project["project"]["name"]):
                chosen += re.findall(r"\w+", line.partition("[")[2])
            else:
                lines.append(line)
    return [line for line in lines if canonical(re.split(r"[^\w.-]", line)[0]) not in {"torch", *without}]


def canonical(name: str) -> str:
    """Return the one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def export(root: Path, folder: Path) -> str:
    """Write the files of the commit that is checked out, without published records and pages; return the commit.

    Raises:
        ClickException: there is no git, or `root` is no checkout.
    """
    commit = _git(root, "rev-parse", "--short=12", "HEAD").decode().strip()
    with zipfile.ZipFile(io.BytesIO(_git(root, "archive", "--format=zip", "HEAD"))) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if not re.match(r"results/.+/", name)])
    if _git(root, "status", "--porcelain", "--untracked-files=no"):
        click.echo("Note: changes that are not committed are not packed.", err=True)
    return commit


def _git(root: Path, *arguments: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", b"").decode(errors="replace").strip() or str(error)
        raise click.ClickException(f"Packing needs a commit of a git checkout; {root} has none: {reason}") from error


def _wheels(folder: Path, pins: Path, required: Sequence[str], python: str, machine: str) -> None:
    """Download the wheels of the requirements and of their dependencies, as constraints.txt pins them."""
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins.write_text(constraints.partition("\n# torch\n")[0], encoding="utf-8")  # the rest belongs to torch
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in GLIBC]
    platforms += [f"--platform=manylinux{old}_{machine}" for old in ("1", "2010", "2014")]
    target = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *platforms]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, *target, "-c", pins, "-d", folder, *required], check=False).returncode:
        raise click.ClickException(f"pip could not download all wheels for Python {python} on {machine}. See above.")


def _copy(digits: Path, folder: Path) -> None:
    """Copy an archive, or archive a folder, under its own name, which the record stores."""
    folder.mkdir()
    if digits.is_dir():
        with tarfile.open(folder / f"{digits.resolve().name}.tgz", "w:gz") as archive:
            archive.add(digits.resolve(), digits.resolve().name)
    else:
        shutil.copyfile(digits, folder / digits.resolve().name)


if __name__ == "__main__":
    pack(prog_name="python -m bench.offline.pack")
