"""Pack what another machine needs to record: the committed checkout, libraries as wheels, and the digits.

    python -m bench.offline.pack FOLDER

The other machine's Python must have torch, which fits its GPU, and whatever else is not packed.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

import data
from bench.kernel import ROOT
from bench.offline import manifest

EXTRAS = ("cffi", "numba", "pynvml")  # for the fastest kernels, and for a GPU's metadata
WITHOUT = "numpy,pillow,matplotlib,fonttools,contourpy,kiwisolver,numba,llvmlite"  # 105 of 115 MB
GLIBC = range(5, 29)  # 2.28 and older: every Linux since 2018; pip takes only the tags that it is given


def _names(_: click.Context, __: click.Parameter, value: str) -> set[str]:
    names = {canonical(name) for name in value.split(",") if name.strip()}
    if "pip" in names:
        raise click.BadParameter("pip must be packed, for it installs the others; leave it out of the list")
    return names


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--python", default="3.12", show_default=True, metavar="3.N", help="Pack for this version of Python.")
@click.option("--machine", default="x86_64", type=click.Choice(["x86_64", "aarch64"]), help="Pack for this processor.")
@click.option("--without", callback=_names, default=WITHOUT, show_default=True, metavar="A,B",
              help="Do not pack what the other Python has: these packages.")  # fmt: skip
def pack(folder: Path, python: str, machine: str, without: set[str]) -> None:
    """Make FOLDER, from which a machine that has Python and torch can record without a network."""
    if not re.fullmatch(r"3\.\d+", python):
        raise click.UsageError(f"--python {python}: expected a version such as 3.12.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.UsageError(f"{folder} exists and is not empty. Name another folder, or remove it.")
    if not data.at_hand():
        data.load("mnist_sample")  # which downloads it
    digits = Path(data.at_hand() or "").resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".packing-") as scratch:  # FOLDER is whole or missing
        made = Path(scratch) / "made"
        commit = export(ROOT, made)
        manifest.write(made, commit, python=python, machine=machine)
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        _wheels(made / "wheels", Path(scratch) / "pins.txt", requirements(project, without), python, machine)
        for wheel in (made / "wheels").iterdir():
            if canonical(wheel.name.partition("-")[0]) in without:  # another package asked for it
                wheel.unlink()
        (made / "digits").mkdir()  # an archive under its own name, which the record stores
        if digits.is_dir():
            shutil.make_archive(str(made / "digits" / digits.name), "gztar", digits.parent, digits.name)
        else:
            shutil.copyfile(digits, made / "digits" / digits.name)
        shutil.rmtree(folder, ignore_errors=True)  # it is empty
        os.replace(made, folder)
    size, wheels = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()), [*folder.glob("wheels/*")]
    click.echo(f"{folder}: commit {commit}, {len(wheels)} wheels, {size / 1e6:.0f} MB")
    click.echo(f"Next    copy it to the other machine, and there: python{python} {folder.name}/bench/offline/record.py")


def requirements(project: dict[str, Any], without: Collection[str]) -> list[str]:
    """Return the requirements to download: the dependencies, those of EXTRAS, and pip."""
    lines = [*project["dependencies"], *(line for name in EXTRAS for line in project["optional-dependencies"][name])]
    return [*(line for line in lines if canonical(re.split(r"[^\w.-]", line)[0]) not in without), "pip"]


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


def _wheels(folder: Path, pins: Path, required: list[str], python: str, machine: str) -> None:
    """Download the wheels of the requirements and of their dependencies, as constraints.txt pins them."""
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins.write_text(constraints.partition("\n# torch\n")[0], encoding="utf-8")  # the rest belongs to torch
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in GLIBC]
    platforms += [f"--platform=manylinux{old}_{machine}" for old in ("1", "2010", "2014")]
    target = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *platforms]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, *target, "-c", pins, "-d", folder, *required], check=False).returncode:
        raise click.ClickException(f"pip could not download all wheels for Python {python} on {machine}. See above.")


if __name__ == "__main__":
    pack(prog_name="python -m bench.offline.pack")
