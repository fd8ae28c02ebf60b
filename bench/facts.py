"""What a record must say about machine, software and source. Nothing here names a host, a user or a path."""

import ast
import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from bench.kernel import ROOT


def machine() -> dict[str, str | int]:
    """Return the facts of this machine and its software, under the keys that `results/README.md` explains."""
    facts: dict[str, str | int] = {
        "cpu_model_name": _cpu_model(),
        "cpu_count": cores(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python_version": f"{platform.python_version()} ({platform.python_implementation()})",
        "commit": _commit(),
    }
    for package in ("numpy", "torch", "pyperf"):
        try:
            facts[f"{package}_version"] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[f"{package}_version"] = "not installed"
    return facts


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def source_hash(path: Path) -> str:
    """Return a hash of a kernel's syntax tree without docstrings: comments and captions do not make it another one."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _cpu_model() -> str:
    if platform.system() == "Linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


def _commit() -> str:
    """Return the checkout's commit, marked where tracked files differ from it; "unknown" without git."""
    commit = _output("git", "rev-parse", "--short=12", "HEAD")
    if not commit or _output("git", "rev-parse", "--show-toplevel") != str(ROOT):
        return "unknown"
    return f"{commit}-modified" if _output("git", "status", "--porcelain", "--untracked-files=no") else commit


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no such program, or not a checkout
        return ""
