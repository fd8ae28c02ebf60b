"""Record all that a machine's page shows, unattended: python3 bench/offline/record.py

It needs a folder that `python -m bench.offline.pack` made, a Python with torch, and no network; or a checkout that
`make setup` was run in. It stops at its deadline; started again, it goes on from there. Copy recorded/ back and publish
what is in it. Exit status: 0 everything is recorded; 75 not yet, start it again; 1 a kernel or a step failed; 2 it
cannot record here; 130 interrupted.
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
from importlib import metadata
from pathlib import Path
from typing import IO, Any

if sys.version_info < (3, 11):  # noqa: UP036  any Python may be used to start it
    print("This needs Python 3.11 or newer. Start it with python3.12, for example.", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.atomic import whole  # noqa: E402  it needs the standard library alone

LOCAL = ROOT / "results" / "local"
RECORDED = ROOT / "recorded"
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
WHEELS = ROOT / "wheels"

LATER = 75  # EX_TEMPFAIL of sysexits.h: start it again
FASTEST = ("c_bytes", "numba_bytes")  # kernels for a CPU that a GPU is compared with
VARIANTS = tuple(f"torch_{name}@cuda" for name in ("cdist", "classes", "in_place", "loss"))  # they make a point on CPUs
SIZES = "2038,100000,1000000,10000000,100000000"
KERNELS = "import json; from bench.kernel import discover; "
KERNELS += "print(json.dumps([[spec.name, spec.device, spec.on_ladder] for spec in discover()]))"


class CannotRecord(Exception):
    """Nothing can be recorded here; the message says why, and what to do."""


class Log:
    """All output, on standard output and in recorded/log.txt, which also locks the folder while it is open.

    A command that is running holds the lock too, should this process be killed.
    """

    def __init__(self) -> None:
        RECORDED.mkdir(exist_ok=True)
        self.file = (RECORDED / "log.txt").open("a", encoding="utf-8")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another process records in {ROOT} already. Wait until it has ended.", file=sys.stderr)
            sys.exit(LATER)

    def say(self, line: str) -> None:
        print(line, flush=True)
        print(line, file=self.file, flush=True)

    def copy(self, lines: IO[str]) -> None:
        for line in lines:
            self.say(line.rstrip("\n"))


class Steps:
    """The state of each step, kept in recorded/steps.json: the content of results/local/ before it, and its status.

    A record that was not there before belongs to the step, whatever happened to the process after it was written.
    """

    def __init__(self) -> None:
        self._path = RECORDED / "steps.json"
        self._state: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            self._state = json.loads(self._path.read_text(encoding="utf-8"))

    def begin(self, name: str) -> None:
        """Note what is in results/local/ before a step, unless the step was begun earlier and is not done."""
        if name not in self._state or self._state[name]["status"] is not None:
            self._write(name, before=sorted(path.name for path in LOCAL.glob("*")), status=None)

    def records(self, name: str) -> list[Path]:
        """Return a step's records, one for each data set; none while its run is unfinished."""
        return [] if self.unfinished(name) else self._own(name, "*.json")

    def unfinished(self, name: str) -> bool:
        """Return whether a step can be resumed."""
        return any((folder / "plan.json").exists() for folder in self._own(name, "*.unfinished"))

    def end(self, name: str, status: int) -> None:
        """Copy a step's records to recorded/NAME/."""
        (RECORDED / name).mkdir(exist_ok=True)
        for path in self.records(name):
            with whole(RECORDED / name / path.name) as partial:
                shutil.copyfile(path, partial)
        self._write(name, status=status)

    def status(self, name: str) -> int | None:
        """Return a step's exit status; None where it is not done."""
        return self._state.get(name, {}).get("status") if (RECORDED / name).exists() else None

    def _own(self, name: str, pattern: str) -> list[Path]:
        return [path for path in LOCAL.glob(pattern) if path.name not in self._state[name]["before"]]

    def _write(self, name: str, **state: Any) -> None:
        self._state[name] = {**self._state.get(name, {}), **state}
        with whole(self._path) as partial:
            partial.write_text(json.dumps(self._state, indent=1), encoding="utf-8")


def call(command: list[str], log: Log, until: float, grace: float) -> int | None:
    """Run a command and return its exit status; None where it had not ended by the time `until`.

    Then, or when this process is ended, the command is interrupted once, as by Ctrl-C, and has `grace` seconds to end.
    """
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # Ctrl-C in a terminal reaches this process alone
        pass_fds=(log.file.fileno(),),
    )
    assert process.stdout
    listener = threading.Thread(target=log.copy, args=(process.stdout,), daemon=True)
    listener.start()
    try:
        return process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        listener.join(5)


def environment() -> dict[str, str]:
    """Return the environment of commands, without what would lead to other libraries, an index, or other digits."""
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    digits = [str(path) for path in (ROOT / "digits").glob("*")]
    own = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PYTHONUNBUFFERED": "1"}
    return {**kept, **own, **({"MNIST_SAMPLE": digits[0]} if digits else {})}


def set_up(log: Log, until: float, grace: float) -> None:
    """Make the environment from the wheels alone, unless .venv/done shows that this is done.

    Raises:
        CannotRecord: this is not the Python that the wheels are for, or it has no torch, or pip failed.
    """
    if (ENVIRONMENT / "done").exists():
        return
    if not WHEELS.exists():
        raise CannotRecord(
            f"{ROOT} has neither wheels/ nor a .venv. python -m bench.offline.pack makes a folder with wheels/, "
            "make setup makes a .venv."
        )
    torch = folder_of_torch()
    import venv

    log.say(f"Setting up .venv from {WHEELS.name}/, with the torch of {sys.executable}")
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=False).create(ENVIRONMENT)
    packages = next(ENVIRONMENT.glob("lib/python3*/site-packages"))
    wheels = sorted(str(path) for path in WHEELS.glob("*.whl"))
    pip = f"{next(WHEELS.glob('pip-*.whl'))}/pip"  # a wheel can be run; Python itself may have come without its pip
    options = ["--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
    status = call([str(PYTHON), pip, "install", *options, *wheels], log, until, grace)
    if status:
        raise CannotRecord(f"pip could not install the wheels of {WHEELS}; see above.")
    # Compile on all cores, or the first call of a kernel would. Some package's own tests may be of another Python, so
    # the exit status does not matter.
    if status is None or call([str(PYTHON), "-m", "compileall", "-qj0", str(packages)], log, until, grace) is None:
        return
    (packages / "installed_torch.pth").write_text(f"{torch}\n", encoding="utf-8")  # so that its own packages go first
    (ENVIRONMENT / "done").touch()


def folder_of_torch() -> Path:
    """Return the folder in which this Python has torch.

    Raises:
        CannotRecord: it has none, or is another Python than the wheels are for.
    """
    needs = json.loads((ROOT / "packed.json").read_text(encoding="utf-8"))
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for key, word, here in (("python", "Python ", python), ("machine", "", platform.machine())):
        if here != needs[key]:
            raise CannotRecord(
                f"The wheels are for {word}{needs[key]}, and this is {here}. Start it with the Python that they are "
                f"for, or pack again with --{key} {here}."
            )
    try:
        return Path(str(metadata.distribution("torch").locate_file("")))
    except metadata.PackageNotFoundError:
        raise CannotRecord(f"{sys.executable} has no torch. Start it with a Python that has torch.") from None


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the arguments of `python -m bench run` for each step, whose name is the kind of its records."""
    done = subprocess.run(
        [str(PYTHON), "-c", KERNELS], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotRecord(f"{done.stderr.strip()}\n{PYTHON} cannot run this. Remove {ENVIRONMENT} and start again.")
    kernels = json.loads(done.stdout)
    fast = [name for name, device, _ in kernels if name in FASTEST or (device == "cuda" and name not in VARIANTS)]
    rest = [name for name, _, on_ladder in kernels if not on_ladder and name not in fast]
    processes, names = ["--processes", str(options.processes)], options.kernels or ",".join([*rest, *fast])
    return {
        "scopes": ["--full", *processes, "--kernels", names],
        "memory": ["--memory", "--kernels", names],
        "sizes": ["--sizes", options.sizes, *processes, "--kernels", options.kernels or ",".join(fast)],
    }


def say_what_is_missing(log: Log) -> None:
    """Warn of what makes kernels unavailable, or the digits other ones; that is no error."""
    if not (os.path.exists("/dev/nvidiactl") or shutil.which("nvidia-smi")):
        log.say("Note: there is no NVIDIA driver, so kernels for a GPU are unavailable.")
    if not shutil.which("cc"):
        log.say("Note: there is no C compiler named cc, so c_bytes is unavailable.")
    if not os.environ.get("MNIST_SAMPLE") and not (ROOT / "digits").exists():
        log.say("Note: MNIST_SAMPLE is not set. Without a network the digits are drawn, not MNIST.")


def record(options: argparse.Namespace, log: Log, until: float, grace: float) -> int:
    """Set up, and do every step that is not done, as long as there is time; return the exit status."""
    set_up(log, until, grace)
    if not (ENVIRONMENT / "done").exists():
        log.say(f"The set-up was not done within {options.deadline:g} s. Start it again with a longer --deadline.")
        return LATER
    say_what_is_missing(log)
    steps, failed, arguments = Steps(), [], commands(options)
    for name in arguments:
        if steps.status(name) is not None:
            log.say(f"== {name}: recorded already")
            continue
        if until - time.monotonic() < 2 * grace:
            break
        late = _step(name, arguments[name], steps, log, until, grace)
        if steps.status(name) is None:
            if late:
                break
            failed.append(name)
    return _ending(list(arguments), steps, failed, options, log)


def _step(name: str, arguments: list[str], steps: Steps, log: Log, until: float, grace: float) -> bool:
    """Do or resume a step, and keep its records; return whether it ran out of time."""
    steps.begin(name)
    status: int | None = 0
    if not steps.records(name):  # else it was ended after its records were written
        arguments = ["--resume"] if steps.unfinished(name) else arguments
        log.say(f"== {name}: python -m bench run {' '.join(arguments)}")
        started = time.monotonic()
        status = call([str(PYTHON), "-m", "bench", "run", *arguments], log, until, grace)
        how = "out of time" if status is None else f"exit status {status}"
        log.say(f"== {name}: {how} after {time.monotonic() - started:.0f} s")
    if steps.records(name):
        steps.end(name, status or 0)
    elif status is None and not steps.unfinished(name):
        log.say(f"Nothing of {name} was finished, so it will start from the beginning. Use a longer --deadline.")
    return status is None


def _ending(names: list[str], steps: Steps, failed: list[str], options: argparse.Namespace, log: Log) -> int:
    """Print what is recorded, what is left and what to do next; return the exit status."""
    left = [name for name in names if steps.status(name) is None]
    doubtful = [name for name in names if steps.status(name)]
    for name in doubtful:
        log.say(f"{name}: a kernel failed or is wrong, or the checklist has a FAIL. See recorded/log.txt.")
    if failed:
        log.say(f"Not recorded: {', '.join(failed)}. See recorded/log.txt for the reason, then start it again.")
        return 1
    if left:
        log.say(f"Not recorded within {options.deadline:g} s: {', '.join(left)}. Start it again to go on from here.")
        return LATER
    log.say("Everything is in recorded/. Copy that folder to your checkout, and run there:")
    log.say("    python -m bench publish recorded/*/*.json")
    log.say("    python -m bench report --readme")
    return int(bool(doubtful))


def main() -> int:
    """Read the command line and record; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Record all that a machine's page shows, unattended. Start it again to go on where it stopped."
    )
    parser.add_argument(
        "--kernels",
        metavar="A,B",
        help="Record only these kernels, in every step. The default is all kernels of kernels/, "
        f"{', '.join(FASTEST)}, and every kernel for a GPU except the variants {', '.join(VARIANTS)}.",
    )
    parser.add_argument(
        "--sizes", default=SIZES, metavar="N,N", help="The numbers of images of the step sizes (default %(default)s)."
    )
    parser.add_argument(
        "--deadline", type=float, default=480, metavar="SECONDS", help="Stop after SECONDS (default %(default)s)."
    )
    parser.add_argument(
        "--processes", type=int, default=6, metavar="N", help="Start each kernel in N processes (default %(default)s)."
    )
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal need not know every character
    grace = min(15.0, options.deadline / 10)
    until = time.monotonic() + options.deadline - grace
    # A background job may ignore Ctrl-C, which its commands must not. SIGHUP stays ignored under nohup.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    log = Log()
    try:
        return record(options, log, until, grace)
    except CannotRecord as reason:
        log.say(str(reason))
        return 2
    except (KeyboardInterrupt, SystemExit) as ended:
        log.say("Interrupted. Start it again to go on from here.")
        return int(getattr(ended, "code", 130))


if __name__ == "__main__":
    sys.exit(main())
