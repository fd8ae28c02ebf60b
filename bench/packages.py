"""Which packages are missing, and what to do about it. Nothing is imported to find out."""

import difflib
import importlib.util
import re
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def why_missing(package: str) -> str | None:
    """Return that a package which an extra names is missing, and how to install it; None for any other."""
    if _found(package) or package not in _extras():
        return None
    requirement = re.split(r"[<>=; ]", _extras()[package])[0]
    quoted = f'"{requirement}"' if "[" in requirement else requirement
    return f"{package} is not installed: python -m pip install -c constraints.txt {quoted}"


def why_unknown(package: str) -> str | None:
    """Return that a package is missing which no extra names, with the nearest name that is known; None otherwise."""
    if package in ("", "bench", "data", "kernels") or _found(package) or package in _extras():
        return None
    known = [*_extras(), *(re.split(r"[<>=\[]", line)[0] for line in _project()["dependencies"])]
    near = [difflib.get_close_matches(package, names, 1) for names in (known, sorted(sys.stdlib_module_names))]
    hint = next((f"did you mean {name}?" for name in (*near[0], *near[1])), "install it, or correct its name")
    return f"{package} is not installed, and no extra of pyproject.toml names it: {hint}"


def _found(package: str) -> bool:
    return package in sys.stdlib_module_names or bool(package and importlib.util.find_spec(package))


def _extras() -> dict[str, str]:
    """Return the requirement of every extra that is named as its package is imported."""
    extras = _project()["optional-dependencies"]
    return {name: lines[0] for name, lines in extras.items() if len(lines) == 1 and _project()["name"] not in lines[0]}


@cache
def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    return project
