"""Metadata of machine, software and source. Nothing here names a host, a user or a path."""

import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from bench.kernel import ROOT
from bench.offline import manifest
from bench.probes import nvml
from bench.records.model import NOT_MEASURED

NVIDIA = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")


def metadata() -> dict[str, str | int]:
    """Return the metadata of this machine and its software, under the keys that `results/README.md` explains."""
    known: dict[str, str | int] = {
        "cpu_model_name": _cpu_model(),
        "cpu_count": cores(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python_version": f"{platform.python_version()} ({platform.python_implementation()})",
        "memory_bytes": memory_bytes(),
        "caches": caches(),
        "governor": _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or "unknown",
        **_gpu(),
        "commit": _commit(),
    }
    for package in ("numpy", "torch", "pyperf", "threadpoolctl"):
        try:
            known[f"{package}_version"] = version(package)
        except PackageNotFoundError:
            known[f"{package}_version"] = "not installed"
    return known


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def caches() -> str:
    """Return the sizes of the first core's caches, such as "L1 48K, L2 1024K, L3 32768K"; "unknown" without them."""
    sizes = {}
    for level, key in (("1", "l1dcachesize"), ("2", "l2cachesize")) if platform.system() == "Darwin" else ():
        if size := _output("sysctl", "-n", f"hw.perflevel0.{key}"):
            sizes[level] = f"{int(size) // 1024}K"
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind, level, size = (_read(index / name) for name in ("type", "level", "size"))
        if kind != "Instruction" and level and size:
            sizes[level] = size
    return ", ".join(f"L{level} {size}" for level, size in sizes.items()) or "unknown"


def memory_bytes() -> int:
    """Return the size of this machine's memory in bytes."""
    return int(psutil.virtual_memory().total)


def load_average() -> float:
    """Return how many processes wanted a core in the last minute; 0.0 where the system does not report it."""
    with suppress(AttributeError, OSError):  # Windows; a sandbox
        return os.getloadavg()[0]
    return 0.0


def _cpu_model() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    apple = platform.system() == "Darwin" and _output("sysctl", "-n", "machdep.cpu.brand_string")
    return apple or platform.processor() or platform.machine()


def _gpu() -> dict[str, str | int]:
    """Return the metadata of NVIDIA GPUs; without the binding of their driver, those that nvidia-smi prints."""
    try:
        return nvml.metadata()
    except nvml.Unreadable as error:
        why = f"{NOT_MEASURED}{error}"
    if not (gpus := _output(*NVIDIA).splitlines()):
        return {"gpu": "none"}
    return {**dict.fromkeys(nvml.METADATA, why), "gpu": "; ".join(gpus), "gpu_driver": gpus[0].rpartition(", ")[2]}


def _read(path: Path) -> str:
    """Return what the system tells in a file; "" where it has no such file, or a sandbox refuses it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _commit() -> str:
    """Return the commit of the checkout or of a packed one, marked where files differ; "unknown" without either."""
    if not _has_git():
        return manifest.commit(ROOT) or "unknown"
    commit = _output("git", "rev-parse", "--short=12", "HEAD")
    return f"{commit}-modified" if _output("git", "status", "--porcelain", "--untracked-files=no") else commit


def kernels_in_commit() -> set[str] | None:
    """Return the kernels' files, relative to the checkout, that are as the commit has them; None without one."""
    if not _has_git():
        return manifest.unchanged(ROOT)
    held = _output("git", "ls-tree", "-r", "-z", "--name-only", "HEAD", "kernels").split("\0")
    return {*held} - {*_output("git", "diff", "-z", "--name-only", "HEAD", "--", "kernels").split("\0")}


def _has_git() -> bool:
    """Return whether this checkout has a git repository of its own, with a commit."""
    return bool(_output("git", "rev-parse", "HEAD")) and _output("git", "rev-parse", "--show-toplevel") == str(ROOT)


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no such program, or not a checkout
        return ""
