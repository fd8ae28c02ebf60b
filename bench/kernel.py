"""What a kernel is, which exist, and why one is unavailable. Listing them imports none of them."""

import ast
import importlib.util
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

ROOT = Path(__file__).resolve().parent.parent
LADDER = ROOT / "kernels" / "ladder"
REFERENCE = "python_loops"  # the kernel that every speedup is measured against


class Kernel(Protocol):
    """A module that keeps the contract of the README. `Any` is the kernel's own form of stacks and means.

    `predict_l2`, `to_host`, `DEVICES`, `unavailable` and `release` are optional.
    """

    prepare: Callable[[Any, str], Any]  # uint8 (n, height, width), read-only, and a device -> a stack
    mean_images: Callable[[list[Any]], Any]  # one stack per class -> the means
    predict_l1: Callable[[Any, Any], Any]  # a stack, the means -> n labels on the host


class Unavailable(Exception):
    """The kernel cannot run here, through no fault of its own; the message says why."""


class BrokenKernel(Exception):
    """The file does not keep the contract."""


class UnknownKernel(Exception):
    """A name or file on the command line that is no kernel."""


@dataclass(frozen=True)
class KernelSpec:
    """One kernel on one device: `numpy_broadcast`, `torch_broadcast@cuda`.

    Attributes:
        name: id, chart label and JSON key.
        path: the kernel's file; its stem is the kernel's name.
        device: one of the kernel's DEVICES.
        caption: the first line of its docstring.
        packages: top-level packages that its first-level imports name.
        images: the kernel's IMAGES: the images of each class in the small data set that it asks for; 0 is all.
        rung: whether it belongs to the ladder, `kernels/ladder/`, which is timed on request.
        after, why: the kernel that it climbs from and what makes the difference, where its docstring has a sentence
            "After NAME: why."; "" where it has none.
        peer: whose own solution it is, where its docstring has a sentence "Peer: whose."
    """

    name: str
    path: Path
    device: str
    caption: str
    packages: tuple[str, ...]
    images: int = 0
    on_ladder: bool = False
    after: str = ""
    why: str = ""
    peer: str = ""

    @property
    def kernel(self) -> str:
        return self.path.stem


def discover(extra: Iterable[Path] = ()) -> list[KernelSpec]:
    """Return every contestant of `kernels/`, then of its ladder, by name, then of the extra files. Imports nothing.

    Raises:
        UnknownKernel: an extra file is missing, has an unusable name, or that of another kernel.
    """
    folders = (ROOT / "kernels", LADDER)
    paths = [path for folder in folders for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")]
    for path in extra:
        if path.suffix != ".py" or not path.is_file():
            what = "is not a Python file" if path.exists() else "does not exist"
            raise UnknownKernel(f"{path} {what}; --kernel takes the path of a kernel, such as mine.py")
        if not re.fullmatch(r"[\w-]+", path.stem):
            raise UnknownKernel(f"{path}: a kernel is called by its file name; use letters, digits, _ and - alone")
        twin = next((other for other in paths if other.stem == path.stem), None)
        if twin and twin.resolve() != path.resolve():
            raise UnknownKernel(f"{path}: there is a kernel {path.stem} already ({twin}); rename the file")
        if not twin:
            paths.append(path)
    return [spec for path in paths for spec in _read(path)]


def select(specs: Sequence[KernelSpec], names: Iterable[str]) -> list[KernelSpec]:
    """Return the named contestants in the order of `contestants`; NAME alone means all of its devices.

    Raises:
        UnknownKernel: a name fits none.
    """
    wanted = set(names)
    for name in sorted(wanted):
        if not any(name in (each.name, each.kernel) for each in specs):
            known = ", ".join(each.name for each in specs)
            raise UnknownKernel(f"no kernel is called {name!r}; there are {known}")
    return [each for each in specs if wanted & {each.name, each.kernel}]


def _read(path: Path) -> list[KernelSpec]:
    """Read docstring, DEVICES and imports with `ast`; what does not parse is found broken when it is loaded."""
    devices: tuple[str, ...] = ("cpu",)
    docstring, packages, images = "(does not parse)", [], 0
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        tree = ast.Module([], [])
    else:
        docstring = ast.get_docstring(tree) or "(no docstring)"
    after, why = _sentence(r"After (\w+): ", docstring)
    _, peer = _sentence(r"Peer(): ", docstring)
    for node in tree.body:
        match node:
            case ast.Import(names):
                packages += [alias.name.partition(".")[0] for alias in names]
            case ast.ImportFrom(str(module), _, 0):
                packages.append(module.partition(".")[0])
            case ast.Assign([ast.Name("DEVICES")], value) | ast.AnnAssign(ast.Name("DEVICES"), _, value):
                named = [each.value for each in getattr(value, "elts", []) if isinstance(each, ast.Constant)]
                devices = tuple(each for each in named if isinstance(each, str)) or devices
            case ast.Assign([ast.Name("IMAGES")], ast.Constant(int(value))) | ast.AnnAssign(
                ast.Name("IMAGES"), _, ast.Constant(int(value))
            ) if value is not True and value > 0:
                images = value
    called = [path.stem if devices == ("cpu",) else f"{path.stem}@{device}" for device in devices]
    return [
        KernelSpec(
            name, path, device, docstring.partition("\n")[0], tuple(packages), images, path.parent == LADDER,
            after=after, why=why, peer=peer,
        )
        for name, device in zip(called, devices, strict=True)
    ]  # fmt: skip


def _sentence(beginning: str, docstring: str) -> tuple[str, str]:
    """Return what a line's beginning names and the rest of its sentence, however many lines that has; or "" twice."""
    found = re.search(rf"^{beginning}(.+?\.)(?=\s|$)", docstring, flags=re.MULTILINE | re.DOTALL)
    return (found[1], " ".join(found[2].split())) if found else ("", "")


def why_unavailable(spec: KernelSpec) -> str | None:
    """Return why a contestant cannot run here, as far as can be known without importing anything."""
    if spec.device == "cuda" and not (os.path.exists("/dev/nvidiactl") or shutil.which("nvidia-smi")):
        return "no NVIDIA driver on this machine"  # first: no library would help
    return next(filter(None, map(_why_missing, spec.packages)), None)


def load(spec: KernelSpec) -> Kernel:
    """Import the kernel.

    Raises:
        Unavailable: a third-party package it imports is not installed, or its `unavailable(device)` says so.
        BrokenKernel: it lacks a required function, or DEVICES is not a literal tuple of names.
        Exception: whatever else importing it raises is a mistake in it, and is not caught here.
    """
    name = f"kernels.{spec.kernel}"
    found = importlib.util.spec_from_file_location(name, spec.path)
    assert found is not None
    assert found.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except ModuleNotFoundError as error:
        if reason := _why_missing((error.name or "").partition(".")[0]):
            raise Unavailable(reason) from error
        raise
    _keep_contract(module, spec)
    if hasattr(module, "unavailable") and (reason := module.unavailable(spec.device)):
        raise Unavailable(str(reason))
    return cast(Kernel, module)


def _keep_contract(module: ModuleType, spec: KernelSpec) -> None:
    for function in ("prepare", "mean_images", "predict_l1"):
        if not callable(getattr(module, function, None)):
            raise BrokenKernel(f"{spec.path.name} has no function {function}, which the contract requires")
    read = _read(spec.path)
    devices = [each.device for each in read]
    if devices != [*getattr(module, "DEVICES", devices)]:  # or a device would be missing without a word
        raise BrokenKernel(f"{spec.path.name}: DEVICES must be a literal tuple, such as ('cpu', 'cuda')")
    if getattr(module, "IMAGES", None) != (read[0].images or None):
        raise BrokenKernel(f"{spec.path.name}: IMAGES must be a literal number from 1, such as 20")


def _why_missing(package: str) -> str | None:
    """Return why a package is absent and how to install it, or None if it is there or is not third-party."""
    if not package or package in {*sys.stdlib_module_names, "bench", "data", "kernels"}:
        return None
    if importlib.util.find_spec(package):
        return None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if package in project["optional-dependencies"]:  # an extra is named as its package is imported
        requirement = re.split(r"[<>=; ]", project["optional-dependencies"][package][0])[0]
        quoted = f'"{requirement}"' if "[" in requirement else requirement
        return f"{package} is not installed: python -m pip install -c constraints.txt {quoted}"
    return f"{package} is not installed, and this project does not know it: install it, or correct its name"
