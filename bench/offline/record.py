"""Record all that a machine's page shows, unattended: python3 bench/offline/record.py

It takes a folder that `python -m bench.offline.pack` made, this Python with its torch, and no network; or a checkout
that `make setup` was run in. It stops in time, and goes on where it stopped when it is started again. What it leaves in
recorded/ is to be copied back and published. Exit status: 0 all is recorded; 75 not yet, start it again; 1 a kernel or
a step failed; 2 it cannot record here; 130 interrupted.
"""

from __future__ import annotations  # so that an older Python gets as far as being refused

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

if sys.version_info < (3, 11):  # noqa: UP036  it is started by whatever Python there is
    print("This needs Python 3.11 or newer: start it with python3.12, say.", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.files import whole  # noqa: E402  the standard library is all that it needs

LOCAL = ROOT / "results" / "local"
RECORDED = ROOT / "recorded"
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
WHEELS = ROOT / "wheels"

LATER = 75  # EX_TEMPFAIL of sysexits.h: start it again
FASTEST = ("c_bytes", "numba_bytes")  # of the kernels for a CPU: what a GPU is compared with
VARIANTS = tuple(f"torch_{each}@cuda" for each in ("cdist", "classes", "in_place", "loss"))  # of a lesson for CPUs
SIZES = "2038,100000,1000000,10000000,100000000"
KERNELS = "import json; from bench.kernel import discover; "
KERNELS += "print(json.dumps([[each.name, each.device, each.on_ladder] for each in discover()]))"


class CannotRecord(Exception):
    """Nothing can be recorded here; the message says why, and what to do."""


class Log:
    """Everything that is said, on standard output and in recorded/log.txt. As long as it is open, nobody else starts.

    A command that is running holds it too, should this process be killed.
    """

    def __init__(self) -> None:
        RECORDED.mkdir(exist_ok=True)
        self.file = (RECORDED / "log.txt").open("a", encoding="utf-8")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"A recording is at work in {ROOT} already; it ends by itself.", file=sys.stderr)
            sys.exit(LATER)

    def say(self, line: str) -> None:
        print(line, flush=True)
        print(line, file=self.file, flush=True)

    def take(self, lines: IO[str]) -> None:
        for line in lines:
            self.say(line.rstrip("\n"))


class Steps:
    """What has become of each step, kept in recorded/steps.json: what lay in results/local/ before it, and its status.

    A record that was not there before is the step's own, whatever happened to the process after it was written.
    """

    def __init__(self) -> None:
        self._path = RECORDED / "steps.json"
        self._known: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            self._known = json.loads(self._path.read_text(encoding="utf-8"))

    def begin(self, name: str) -> None:
        """Note what is there before a step, unless it was begun earlier and is not done."""
        if name not in self._known or self._known[name]["status"] is not None:
            self._write(name, before=sorted(path.name for path in LOCAL.glob("*")), status=None)

    def records(self, name: str) -> list[Path]:
        """Return a step's records, one for each data set; none as long as its recording is unfinished."""
        return [] if self.unfinished(name) else self._own(name, "*.json")

    def unfinished(self, name: str) -> bool:
        """Tell whether a step can be resumed."""
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
        return self._known.get(name, {}).get("status") if (RECORDED / name).exists() else None

    def _own(self, name: str, pattern: str) -> list[Path]:
        return [path for path in LOCAL.glob(pattern) if path.name not in self._known[name]["before"]]

    def _write(self, name: str, **known: Any) -> None:
        self._known[name] = {**self._known.get(name, {}), **known}
        with whole(self._path) as partial:
            partial.write_text(json.dumps(self._known, indent=1), encoding="utf-8")


def call(command: list[str], log: Log, until: float, grace: float) -> int | None:
    """Run a command until it ends, and return its exit status; None where it had not ended by then.

    Then, and when this process is told to end, it is interrupted once, as by Ctrl-C, and has `grace` seconds to end.
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
    listener = threading.Thread(target=log.take, args=(process.stdout,), daemon=True)
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
    """Return what commands are run with: nothing that would reach other libraries, an index, or other digits."""
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    digits = [str(path) for path in (ROOT / "digits").glob("*")]
    return {
        **{name: value for name, value in os.environ.items() if name not in unwanted},
        **{"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PYTHONUNBUFFERED": "1"},
        **({"MNIST_SAMPLE": digits[0]} if digits else {}),
    }


def answer(code: str) -> str:
    """Return what the environment's Python prints."""
    done = subprocess.run(
        [str(PYTHON), "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotRecord(f"{done.stderr.strip()}\n{PYTHON} cannot run this: remove {ENVIRONMENT} and start again.")
    return done.stdout


def set_up(log: Log, until: float, grace: float) -> None:
    """Make the environment from the wheels alone, unless it is there. Its last act is to write .venv/done.

    Raises:
        CannotRecord: this is not the Python that the wheels are for, or it has no torch.
    """
    if (ENVIRONMENT / "done").exists():
        return
    if not WHEELS.exists():
        raise CannotRecord(
            f"{ROOT} has neither wheels/ nor a .venv: python -m bench.offline.pack makes a folder that has the one, "
            "make setup the other."
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
    if status == 0:  # on all cores, so that no kernel's first call has to
        status = call([str(PYTHON), "-m", "compileall", "-q", "-j", "0", str(packages)], log, until, grace)
        status = None if status is None else 0  # some package's own tests may be of another Python
    if status is not None and status != 0:
        raise CannotRecord(f"pip could not install what lies in {WHEELS}; see above.")
    if status == 0:  # after its own packages, and after pip, which need not know of them
        (packages / "installed_torch.pth").write_text(f"{torch}\n", encoding="utf-8")
        (ENVIRONMENT / "done").touch()


def folder_of_torch() -> Path:
    """Return the folder in which this Python has torch.

    Raises:
        CannotRecord: it has none, or is another Python than the wheels are for.
    """
    needs = json.loads((ROOT / "packed.json").read_text(encoding="utf-8"))
    mine = {"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "machine": platform.machine()}
    if mine["python"] != needs["python"]:
        raise CannotRecord(
            f"The wheels are for Python {needs['python']}, and this is {mine['python']}: start it with "
            f"python{needs['python']}, or pack again with --python {mine['python']}."
        )
    if mine["machine"] != needs["machine"]:
        raise CannotRecord(
            f"The wheels are for {needs['machine']}, and this is {mine['machine']}: pack again with "
            f"--machine {mine['machine']}."
        )
    try:
        return Path(str(metadata.distribution("torch").locate_file("")))
    except metadata.PackageNotFoundError:
        raise CannotRecord(f"{sys.executable} has no torch: start it with the Python that has.") from None


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the arguments of `python -m bench run` for each step, which is called as the kind of its records."""
    every = json.loads(answer(KERNELS))
    fast = [name for name, device, _ in every if name in FASTEST or (device == "cuda" and name not in VARIANTS)]
    rest = [name for name, _, on_ladder in every if not on_ladder and name not in fast]
    processes = ["--processes", str(options.processes)]
    return {
        "scopes": ["--full", *processes, "--kernels", options.kernels or ",".join([*rest, *fast])],
        "memory": ["--memory", "--kernels", options.kernels or ",".join([*rest, *fast])],
        "sizes": ["--sizes", options.sizes, *processes, "--kernels", options.kernels or ",".join(fast)],
    }


def notes() -> list[str]:
    """Return what will be missing, which is no error: its kernels are recorded as unavailable."""
    found = []
    if not (os.path.exists("/dev/nvidiactl") or shutil.which("nvidia-smi")):
        found.append("Note: no NVIDIA driver, so kernels for a GPU are unavailable.")
    if not shutil.which("cc"):
        found.append("Note: no C compiler that answers to cc, so c_bytes is unavailable.")
    if not os.environ.get("MNIST_SAMPLE") and not (ROOT / "digits").exists():
        found.append("Note: MNIST_SAMPLE is not set: without a network the digits are drawn, not MNIST.")
    return found


def record(options: argparse.Namespace, log: Log, until: float, grace: float) -> int:
    """Set up, and do every step that is not done, as long as there is time; return the exit status."""
    set_up(log, until, grace)
    if not (ENVIRONMENT / "done").exists():
        log.say(f"The set-up was not done within {options.deadline:g} s. Start it again, with a longer --deadline.")
        return LATER
    for note in notes():
        log.say(note)
    steps, failed, todo = Steps(), [], commands(options)
    for name, arguments in todo.items():
        if steps.status(name) is not None:
            log.say(f"== {name}: recorded already")
            continue
        if until - time.monotonic() < 2 * grace:
            break
        late = _step(name, arguments, steps, log, until, grace)
        if steps.status(name) is None and late:
            break
        if steps.status(name) is None:
            failed.append(name)
    return _ending(list(todo), steps, failed, options, log)


def _step(name: str, arguments: list[str], steps: Steps, log: Log, until: float, grace: float) -> bool:
    """Do a step, or what is left of it, and keep its records; return whether it ran out of time."""
    steps.begin(name)
    status: int | None = 0
    if not steps.records(name):  # or it was ended after its records were written
        arguments = ["--resume"] if steps.unfinished(name) else arguments
        log.say(f"== {name}: python -m bench run {' '.join(arguments)}")
        started = time.monotonic()
        status = call([str(PYTHON), "-m", "bench", "run", *arguments], log, until, grace)
        how = "out of time" if status is None else f"exit status {status}"
        log.say(f"== {name}: {how} after {time.monotonic() - started:.0f} s")
    if steps.records(name):
        steps.end(name, status or 0)
    elif status is None and not steps.unfinished(name):
        log.say(f"Nothing of {name} was finished, so it starts from the beginning: give it a longer --deadline.")
    return status is None


def _ending(names: list[str], steps: Steps, failed: list[str], options: argparse.Namespace, log: Log) -> int:
    """Say what there is, what is left and what to do; return the exit status."""
    left = [name for name in names if steps.status(name) is None]
    doubtful = [name for name in names if steps.status(name)]
    for name in doubtful:
        log.say(f"{name}: a kernel failed or is wrong, or the checklist FAILs; recorded/log.txt says which.")
    if failed:
        log.say(f"Not recorded: {', '.join(failed)}; recorded/log.txt says why. Start it again to try again.")
        return 1
    if left:
        log.say(f"Not recorded within {options.deadline:g} s: {', '.join(left)}. Start it again; it goes on from here.")
        return LATER
    log.say("All is in recorded/. Copy that folder to your checkout, and there:")
    log.say("    python -m bench publish recorded/*/*.json")
    log.say("    python -m bench report --readme")
    return int(bool(doubtful))


def main() -> int:
    """Read the command line and record; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Record all that a machine's page shows, unattended; started again, go on from there."
    )
    parser.add_argument("--kernels", metavar="A,B", help="only these, in every step; else all of kernels/, those "
                        f"for a GPU but {', '.join(VARIANTS)}, {' and '.join(FASTEST)}")  # fmt: skip
    parser.add_argument("--sizes", default=SIZES, metavar="N,N", help=f"numbers of images; {SIZES}")
    parser.add_argument("--deadline", type=float, default=480, metavar="SECONDS", help="stop by then; 480")
    parser.add_argument("--processes", type=int, default=6, metavar="N", help="of each kernel; 6; 1 to try it")
    options = parser.parse_args()
    grace = min(15.0, options.deadline / 10)
    until = time.monotonic() + options.deadline - grace
    # Who starts it in the background may have it ignore Ctrl-C, which its commands must not; nohup keeps its meaning.
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
        log.say("Interrupted. Start it again; it goes on from here.")
        return int(getattr(ended, "code", 130))


if __name__ == "__main__":
    sys.exit(main())
