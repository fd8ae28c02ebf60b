"""What a kernel is, which kernels exist, and why one is unavailable. Listing them imports none of them."""

import ast
import difflib
import importlib.util
import inspect
import keyword
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from bench import packages

ROOT = Path(__file__).resolve().parent.parent
LADDER = ROOT / "kernels" / "ladder"
PREDICT = ("images", "means")
ARGUMENTS = {"prepare": ("images", "device"), "mean_images": ("stacks",), "predict_l1": PREDICT, "predict_l2": PREDICT}
REFERENCE = "python_loops"  # the kernel that every speedup is measured against


class Kernel(Protocol):
    """A module that keeps the contract of the README. `Any` is the kernel's own form of stacks and means.

    `predict_l2`, `to_host`, `DEVICES`, `unavailable` and `release` are optional.
    """

    prepare: Callable[[Any, str], Any]  # uint8 (n, height, width), read-only, and a device -> a stack
    mean_images: Callable[[list[Any]], Any]  # one stack per class -> the means
    predict_l1: Callable[[Any, Any], Any]  # a stack, the means -> n labels on the host


class Unavailable(Exception):
    """The kernel cannot run here, through no fault of its own. The message says why."""


class BrokenKernel(Exception):
    """The kernel's file does not keep the contract."""


class UnknownKernel(Exception):
    """A name or a file on the command line is no kernel."""


@dataclass(frozen=True)
class KernelSpec:
    """One kernel on one device: `numpy_broadcast`, `torch_broadcast@cuda`."""

    name: str  # id, chart label and JSON key
    path: Path  # the kernel's file; its stem is the kernel's name
    device: str  # one of the kernel's DEVICES
    caption: str  # the first line of its docstring
    packages: tuple[str, ...]  # top-level packages that the file imports unconditionally
    images: int = 0  # its IMAGES, the images of each class in the small data set that it asks for; 0 for all
    on_ladder: bool = False  # whether it is in `kernels/ladder/`, which is timed on request
    after: str = ""  # from a sentence "After NAME: why." of its docstring, the kernel before it on the ladder
    why: str = ""  # from the same sentence, what makes the difference
    peer: str = ""  # from a sentence "Peer: whose.", whose own solution it is

    @property
    def kernel(self) -> str:
        """The kernel's name, without a device."""
        return self.path.stem


def discover(extra: Iterable[Path] = ()) -> list[KernelSpec]:
    """Return the kernels of `kernels/`, then of the ladder, by name, then of the extra files. None is imported.

    An extra file that is missing, or whose name is unusable or that of another kernel, is an UnknownKernel.
    """
    by_name = {path.stem: path for path in _files() if _is_kernel(path)}
    for path in extra:
        if path.suffix != ".py" or not path.is_file():
            problem = "is not a Python file" if path.exists() else "does not exist"
            name = " (--kernels takes names)" if path.name in by_name else ""
            raise UnknownKernel(f"{path} {problem}; --kernel takes the path of a kernel, such as mine.py{name}")
        if not re.fullmatch(r"[\w-]+", path.stem):
            raise UnknownKernel(f"{path}: the file name is the kernel's name; use only letters, digits, _ and - in it")
        known = by_name.setdefault(path.stem, path)
        if known.resolve() != path.resolve():
            raise UnknownKernel(f"{path}: there is a kernel {path.stem} already ({known}); rename the file")
    return [spec for path in by_name.values() for spec in _read(path)]


def misnamed() -> list[Path]:
    """Return what is named like a kernel's file in `kernels/` or on the ladder, and is none."""
    return [path for path in _files() if not _is_kernel(path)]


def _is_kernel(path: Path) -> bool:
    return path.stem.isidentifier() and not keyword.iskeyword(path.stem) and path.is_file()


def _files() -> list[Path]:
    """Return what may be a kernel; hidden files are an editor's or a system's, and those with _ are a package's."""
    found = [path for folder in (ROOT / "kernels", LADDER) for path in sorted(folder.glob("*.py"))]
    return [path for path in found if not path.name.startswith((".", "_"))]


def select(specs: Sequence[KernelSpec], names: Iterable[str]) -> list[KernelSpec]:
    """Return the named kernels in the order of `specs`, or raise UnknownKernel. NAME means all of its devices."""
    wanted, known = set(names), [spec.name for spec in specs]
    for name in sorted(wanted - {*known, *(spec.kernel for spec in specs)}):
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}."
        hint += f" Or name its file with --kernel {name}.py" if name.isidentifier() else ""
        raise UnknownKernel(f"no kernel is called {name!r}; {hint}")
    return [spec for spec in specs if wanted & {spec.name, spec.kernel}]


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the name itself if it is known, else one of the same kernel, else the nearest; "" if none is near."""
    if name in known:
        return name
    kernel = name.partition("@")[0]
    same = [other for other in known if other.partition("@")[0] == kernel]
    return next(iter(same or difflib.get_close_matches(name.lower(), known, 1)), "")


def _read(path: Path) -> list[KernelSpec]:
    """Read docstring, DEVICES, IMAGES and imports with `ast`. A file that cannot be read fails when it is loaded."""
    imported, literals = list[str](), dict[str, Any]()
    try:
        tree = ast.parse(path.read_bytes())
        docstring = ast.get_docstring(tree) or "(no docstring)"
    except OSError as error:
        tree, docstring = ast.Module([], []), f"(cannot be read: {error.strerror})"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree, docstring = ast.Module([], []), "(does not parse)"
    for node in tree.body:
        match node:
            case ast.Import(names):
                imported += [alias.name.partition(".")[0] for alias in names]
            case ast.ImportFrom(str(module), _, 0):
                imported.append(module.partition(".")[0])
            case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), _, value) if value:
                with suppress(ValueError, TypeError, RecursionError):  # no literal
                    literals[name] = ast.literal_eval(value)
    devices, images = literals.get("DEVICES"), literals.get("IMAGES")
    if not isinstance(devices, tuple | list) or sorted(map(str, devices)) not in (["cpu"], ["cuda"], ["cpu", "cuda"]):
        devices = ("cpu",)  # anything else does not load
    (after, why), (_, peer) = _sentence(r"After (\w+): ", docstring), _sentence(r"Peer(): ", docstring)
    return [
        KernelSpec(
            name=path.stem if [*devices] == ["cpu"] else f"{path.stem}@{device}",
            path=path,
            device=device,
            caption=docstring.partition("\n")[0],
            packages=tuple(imported),
            images=images if type(images) is int and images > 0 else 0,
            on_ladder=path.parent == LADDER,
            after=after,
            why=why,
            peer=peer,
        )
        for device in devices
    ]


def _sentence(beginning: str, docstring: str) -> tuple[str, str]:
    """Return the name in the beginning of a line, and the rest of its sentence on one line; ("", "") if none has it."""
    match = re.search(rf"^{beginning}(.+?\.)(?=\s|$)", docstring, flags=re.MULTILINE | re.DOTALL)
    return (match[1], " ".join(match[2].split())) if match else ("", "")


def why_unavailable(spec: KernelSpec) -> str | None:
    """Return why a kernel cannot run here, as far as that is known without importing anything; None if it may run.

    A broken kernel is never unavailable.
    """
    if why_broken(spec):
        return None
    if spec.device == "cuda" and not (os.path.exists("/dev/nvidiactl") or shutil.which("nvidia-smi")):
        return "no NVIDIA driver on this machine"  # first: no library would help
    return next(filter(None, map(packages.why_missing, spec.packages)), None)


def why_broken(spec: KernelSpec) -> str | None:
    """Return that a kernel imports a missing package that the project does not know; None if it imports none."""
    return next(filter(None, map(packages.why_unknown, spec.packages)), None)


def load(spec: KernelSpec) -> Kernel:
    """Import the kernel.

    Raises:
        Unavailable: a package that an extra of pyproject.toml names is missing, or its `unavailable(device)` says so.
        BrokenKernel: it imports any other missing package, or does not keep the contract.
        Exception: whatever else importing it raises is a mistake in the kernel.
    """
    name = _module_name(spec.path)
    module_spec = importlib.util.spec_from_file_location(name, spec.path)
    assert module_spec and module_spec.loader  # noqa: PT018
    module = sys.modules[name] = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if reason := why_broken(spec) or packages.why_unknown(package):
            raise BrokenKernel(reason) from error
        if reason := packages.why_missing(package):
            raise Unavailable(reason) from error
        raise
    _keep_contract(module, spec)
    if hasattr(module, "unavailable") and (reason := module.unavailable(spec.device)):
        raise Unavailable(str(reason))
    return cast(Kernel, module)


def _module_name(path: Path) -> str:
    """Return the name under which a process that the kernel starts can import its file, too.

    A file from elsewhere that is called as a library has a name that hides nothing, and no such process can import it.
    """
    if path.resolve().is_relative_to(ROOT / "kernels"):
        return ".".join(path.resolve().relative_to(ROOT).with_suffix("").parts)
    if importlib.util.find_spec(path.stem):
        return f"kernels.{path.stem}"
    sys.path.append(str(path.parent))  # last, so that it hides no library
    return path.stem


def _keep_contract(module: ModuleType, spec: KernelSpec) -> None:
    functions = {name: value for name, value in vars(module).items() if callable(value)}
    if missing := [name for name in [*ARGUMENTS][:3] if name not in functions]:
        raise BrokenKernel(f"{spec.path.name} has no function {' and no '.join(missing)}, which the contract requires")
    for name in functions.keys() & ARGUMENTS:
        try:
            inspect.signature(functions[name]).bind(*ARGUMENTS[name])
        except ValueError:  # a compiled function has none
            continue
        except TypeError:
            raise BrokenKernel(f"{spec.path.name}: {name} takes ({', '.join(ARGUMENTS[name])})") from None
    listed = _read(spec.path)
    devices = [spec.device for spec in listed]
    if devices != [*getattr(module, "DEVICES", devices)]:  # or a device would be missing from every table
        raise BrokenKernel(f"{spec.path.name}: DEVICES must be a literal tuple of 'cpu' and 'cuda', each at most once")
    if getattr(module, "IMAGES", None) != (listed[0].images or None):
        raise BrokenKernel(f"{spec.path.name}: IMAGES must be a literal number from 1, such as 20")
