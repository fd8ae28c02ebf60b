"""Record on another machine, step by step in the order of their value: python3 bench/offline/record.py

It needs a folder that `python -m bench.offline.pack` made, a Python with torch, and no network; or a checkout with a
.venv. Every step has a limit, and leaves its output in recorded/STEP/ before the next one begins: its records, also
those of a run that was cut off, and that run itself, which the next start resumes. Exit status: 0 every step is done;
75 not yet, start it again; 1 a step or a kernel failed; 2 it cannot record here; 130 interrupted.
"""

from __future__ import annotations  # so that an older Python reaches the message below

import argparse
import fcntl
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
import venv
from importlib import metadata
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
WHEELS, ENVIRONMENT = ROOT / "wheels", ROOT / ".venv"
PYTHON = str(ENVIRONMENT / "bin" / "python")
RUN = [PYTHON, "-m", "bench", "run"]
GRACE_S = 15  # from an interrupt to a kill
RESERVE_S = 40  # before the deadline, for an interrupted run to end and `run --finish` to write its record

CPU, GPU = "python_loops,torch_broadcast@cpu,c_bytes", "torch_broadcast@cuda,triton_bytes@cuda,torch_graph@cuda"
OTHERS = "cupy_broadcast@cuda,jax_broadcast@cuda,torch_compiled@cuda"
VARIANTS = "torch_cdist@cuda,torch_classes@cuda,torch_in_place@cuda,torch_loss@cuda"
FACTS = r"""
nvidia-smi; nvidia-smi -q -d CLOCK,POWER,PERFORMANCE,MEMORY | grep -vE 'N/A|^$' | head -70
uname -a; nproc; head -3 /proc/meminfo; cat /proc/loadavg; df -h . /tmp; lscpu | grep -E 'Model name|Thread|L[123]'
ulimit -l; cat /sys/kernel/mm/transparent_hugepage/enabled; /sbin/ldconfig -p | grep -E 'libcuda.so|libnvidia-ml'
for tool in gcc g++ nvcc ptxas compute-sanitizer ncu git; do echo "$tool: $(command -v $tool || echo missing)"; done
env | grep -E '^(PATH|LD_LIBRARY_PATH|CUDA|NVIDIA|TRITON|TORCH|JAX|XLA|CUPY|NUMBA|OMP|CC|CXX)[A-Z_]*=' | cut -c1-300
"""
IMPORTS = {  # which reads gigabytes of libraries, so that no kernel has to, and tells what works at all
    "torch": "torch.ones(4, device='cuda').sum().item()",
    "cupy": "cupy.cuda.nvrtc.getVersion(), cupy.arange(4).sum().item()",
    "jax": "jax.devices('cuda'), jax.numpy.ones(4).sum().item()",
}
IMPORT = "import time; t = time.perf_counter(); import {0}; print({0}.__version__, {1}, time.perf_counter() - t, 's')"


class CannotRecord(Exception):
    """Nothing can be recorded here; the message says why, and what to do."""


class Log:
    """All output, with the time of day and the seconds so far, on standard output and in log.txt, which is locked."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file, self.began = (folder / "log.txt").open("a", encoding="utf-8"), time.monotonic()
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRecord(f"Another process records into {folder} already. Wait until it has ended.") from None

    def say(self, line: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {time.monotonic() - self.began:4.0f} s  {line}"
        for file in (sys.stdout, self.file):
            print(line, file=file, flush=True)


def call(commands: dict[str, list[str]], log: Log, seconds: float, local: Path = ROOT) -> int | None:
    """Run commands side by side, each with a prefix to its lines; return the worst exit status, None if out of time.

    After `seconds`, or when this process is ended, they are interrupted as by Ctrl-C, and GRACE_S later killed. Their
    records go to `local`. Nothing in their environment leads to other libraries, an index or other digits.
    """
    unwanted, path = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"), f"{os.environ['PATH']}:/usr/local/cuda/bin"
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment |= {"PATH": path, "BENCH_LOCAL": str(local), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    environment |= {"MNIST_SAMPLE": str(digits) for digits in (ROOT / "digits").glob("*")}  # noqa: B035  one or none
    environment["PYTHONUNBUFFERED"] = "1"
    limit = ["timeout", "--foreground", "--signal=INT", f"--kill-after={GRACE_S}", f"{seconds:.1f}"]
    # In a session of their own, so that Ctrl-C in a terminal reaches this process alone; with the lock of the log.
    how: dict[str, Any] = {"cwd": ROOT, "start_new_session": True, "pass_fds": [log.file.fileno()], "errors": "replace"}
    how |= {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": environment}
    running = []

    def copy(lines: IO[str], prefix: str) -> None:
        for line in lines:
            log.say(prefix + line.rstrip("\n"))

    try:
        for prefix, command in commands.items():
            process = subprocess.Popen([*limit, *command], **how)
            listener = threading.Thread(target=copy, args=(process.stdout, prefix), daemon=True)
            listener.start()
            running.append((process, listener))
        statuses = {process.wait() for process, _ in running}
        return None if statuses & {124, 137} else max(map(abs, statuses), default=0)
    finally:
        for process, _ in running:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process, listener in running:
            process.wait()
            listener.join(5)


def set_up(log: Log, seconds: float) -> int | None:
    """Make the environment from the wheels alone, unless .venv/done shows that this is done; None if out of time.

    Raises:
        CannotRecord: this is not the Python that the wheels are for, it has no torch, or a package is missing.
    """
    if (ENVIRONMENT / "done").exists():
        return 0
    if not WHEELS.exists():
        needs = "python -m bench.offline.pack makes a folder with wheels/, make setup makes a .venv."
        raise CannotRecord(f"{ROOT} has neither wheels/ nor a .venv. {needs}")
    packed, here = json.loads((ROOT / "packed.json").read_text(encoding="utf-8")), platform.machine()
    if (packed["python"], packed["machine"]) != (python := f"3.{sys.version_info[1]}", here):
        made = f"Python {packed['python']} on {packed['machine']}, and this is Python {python} on {here}"
        raise CannotRecord(f"The wheels are for {made}. Pack again with --python {python} --machine {here}.")
    try:
        torch = str(metadata.distribution("torch").locate_file(""))
    except metadata.PackageNotFoundError:
        raise CannotRecord(f"{sys.executable} has no torch. Start it with a Python that has torch.") from None
    import tomllib  # which an older Python lacks

    log.say(f"Setting up .venv from {WHEELS.name}/ and the packages of {sys.executable}")
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=False).create(ENVIRONMENT)
    # Folders in a .pth file come after the environment's own, and CuPy does not look for NVRTC there: it asks
    # `site.getsitepackages()`, which only the last line changes.
    folders = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    lines = [*dict.fromkeys([torch, *folders]), f"import site; site.PREFIXES.append({sys.prefix!r})"]
    (next(ENVIRONMENT.glob("lib/*/site-packages")) / "installed_torch.pth").write_text("\n".join([*lines, ""]), "utf-8")
    wheels = [str(path) for path in sorted(WHEELS.glob("*.whl"))]  # that of pip can be run; this Python may have none
    pip = [PYTHON, *(f"{path}/pip" for path in wheels if Path(path).name.startswith("pip-")), "install", "--no-deps"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    status = call({"": [*pip, "--no-cache-dir", "--quiet", *wheels, *project["dependencies"]]}, log, seconds)
    if status:
        why = f"pip failed (see above), or a package is neither in {WHEELS} nor, new enough, in {sys.executable}"
        raise CannotRecord(f"{why}. Pack again with --without and what this Python has, or with --without ''.")
    if status == 0:
        (ENVIRONMENT / "done").touch()
    return status


def steps(options: argparse.Namespace) -> dict[str, tuple[float, dict[str, list[str]]]]:
    """Return the steps, most valuable first: at most how many seconds each takes, and its commands by prefix."""
    timeout = ["--timeout", f"{options.timeout:g}"]

    def run(kernels: str, *arguments: str) -> dict[str, list[str]]:
        return {"": [*RUN, *arguments, *timeout, "--kernels", options.kernels or kernels]}

    names = (options.kernels or f"{GPU},{OTHERS},{VARIANTS}").split(",")
    check = [*RUN[:-1], "check", *timeout, "--json"]
    parts = {options.out / f"check-{i}.json": ",".join(names[i::3]) for i in range(min(3, len(names)))}
    return {
        "facts": (30, {"": ["sh", "-c", FACTS]}),
        "setup": (110, {}),
        "import": (100, {f"{name}: ": [PYTHON, "-c", IMPORT.format(name, use)] for name, use in IMPORTS.items()}),
        "check": (170, {f"{part.stem}: ": [*check, str(part), "--kernels", named] for part, named in parts.items()}),
        "first": (70, run("triton_bytes@cuda", "--quick")),
        "six": (300, run(f"{CPU},{GPU}")),
        "loops": (60, {"": [*RUN, "--quick", *timeout, "--kernels", "python_ndarray_elements,python_tensor_elements"]}),
        "sizes": (190, run(f"{GPU},c_bytes", "--sizes", options.sizes, "--quick")),
        "scopes": (190, run(f"{CPU},numpy_broadcast,{GPU},{OTHERS}", "--full", "--quick")),
        "memory": (150, run(f"torch_broadcast@cpu,{GPU},{OTHERS}", "--memory")),
    }


def do(folder: Path, limit_s: float, commands: dict[str, list[str]], log: Log) -> str:
    """Do a step, or go on with its unfinished run; return how it ended, which is also in its folder, in status.txt."""
    name, began = folder.name, time.monotonic()
    folder.mkdir(exist_ok=True)
    for old in (*folder.glob("*.json"), folder / "status.txt"):  # such as the record of a run that now goes on
        old.unlink(missing_ok=True)
    if [*folder.glob("*.unfinished/plan.json")]:
        commands = {"": [*RUN, "--resume"]}
    log.say(f"== {name}, at most {limit_s:.0f} s")
    status = set_up(log, limit_s) if name == "setup" else call(commands, log, limit_s, folder)
    if [*folder.glob("*.unfinished/*-*.json")]:  # finished processes
        call({"": [*RUN, "--finish"]}, log, RESERVE_S, folder)
    for digits in folder.glob("*.unfinished/digits-*"):  # large, and made again when the run goes on
        shutil.rmtree(digits)
    whole = [*folder.glob("*.json")] and not [*folder.glob("*.unfinished")]  # though a kernel or the checklist failed
    ended = "done" if status == 0 or (whole and status in (None, 1)) else "cut off" if status is None else "failed"
    ended += f" (exit status {status})" if status else ""
    (folder / "status.txt").write_text(ended, encoding="utf-8")
    log.say(f"== {name}: {ended} after {time.monotonic() - began:.0f} s")
    return ended


def record(options: argparse.Namespace, log: Log) -> int:
    """Do the steps that are chosen, else those that are not done, while there is time; return the exit status."""
    table, ended = steps(options), dict[str, str]()
    ends = log.began + options.deadline - min(RESERVE_S, options.deadline / 4)
    if unknown := [name for name in options.steps if name not in table]:
        raise CannotRecord(f"There is no step {unknown[0]}; there are {', '.join(table)}.")
    for name in options.steps or table:
        path, left_s = options.out / name / "status.txt", ends - time.monotonic()
        ended[name] = path.read_text(encoding="utf-8") if path.exists() else "not done"
        again = name in (*options.steps, "setup") or not ended[name].startswith("done")
        if again and left_s > min(8, options.deadline / 10):
            ended[name] = do(path.parent, min(table[name][0], left_s), table[name][1], log)
    log.say("; ".join(f"{name}: {how}" for name, how in ended.items()))
    log.say(f"Copy {options.out} to your checkout. Its folders have the records; python -m bench publish takes them.")
    if any("exit status" in how for how in ended.values()):
        return 1
    return 0 if {*ended.values()} == {"done"} else 75  # EX_TEMPFAIL of sysexits.h


def main() -> int:
    """Read the command line and record; return the exit status."""
    parser = argparse.ArgumentParser(description="Record step by step. Start it again to go on where it stopped.")
    for name, default, kind, text in (
        ("steps", [], lambda names: names.split(","), "Do these, separated by commas (default: what is not done)."),
        ("timeout", 200, float, "Timeout of one request to a kernel in seconds (default 200)."),
        ("deadline", 480, float, "Stop after so many seconds (default 480)."),
        ("kernels", "", str, "Record these kernels in every step but loops."),
        ("sizes", "2038,1000000,10000000", str, "Numbers of images in the step sizes (default %(default)s)."),
        ("out", ROOT / "recorded", lambda path: Path(path).resolve(), "Put the output there (default recorded/)."),
    ):
        parser.add_argument(f"--{name}", default=default, type=kind, help=text)
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal need not know every character
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:  # as a background job or by nohup
            signal.signal(number, signal.default_int_handler)
    try:
        return record(options, Log(options.out))
    except (CannotRecord, KeyboardInterrupt) as reason:
        print(str(reason) or "Interrupted. Start it again to go on from here.", file=sys.stderr)
        return 2 if isinstance(reason, CannotRecord) else 130


if __name__ == "__main__":
    sys.exit(main())
