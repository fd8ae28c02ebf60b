"""One process, one kernel, one clock. `bench.runner.worker_handle` starts it; requests and replies are lines of JSON.

Whatever a kernel raises becomes a reply. It costs this process and nothing else.
"""

import ctypes
import gc
import json
import math
import os
import queue
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil

from bench.kernel import ROOT, BrokenKernel, KernelSpec, Unavailable, load
from bench.probes import broadcasting, cpu_time, device_memory, gpu_bandwidth, host_memory, nvml, read_bandwidth
from bench.runner import configuration
from bench.task import answers, problem, scopes, tiling, verify
from bench.task.scopes import WrongAnswer
from bench.task.stack_bytes import bytes_per_image
from bench.task.windows import COUNT, Window

Reply = dict[str, Any]
BENCH = f"{ROOT / 'bench'}{os.sep}"
MEMORY_TEXTS = ("can't allocate memory", "not enough memory", "out of memory")  # in a RuntimeError of torch or JAX
WARM_GPU_S, AGREE = 1.0, 0.03  # the longest warm-up of a GPU; how near two samples of it are that agree
WARM_S = 0.01  # one call is not enough: two calls in a row then took 4% less than twice one (bench.tests.proof)


class Session:
    """One method per request of the parent; what it returns is the reply."""

    path = ""  # of the kernel's file

    def read_problem(self, folder: str, order: int) -> Reply:
        """Read the problem; its validation images come in an order drawn from `order`, which no kernel could know."""
        self.folder = Path(folder)
        self.whole = problem.read(self.folder)
        self.problem = self.whole.shuffled(order)
        self.rng = np.random.default_rng(order)
        return {}

    def start(self, spec: Reply) -> Reply:
        """Import the kernel and start its device on one image; `start_s` is the seconds that took."""
        self.device, self.path = spec["device"], spec["path"]
        started = perf_counter()
        self.kernel = load(KernelSpec(**{**spec, "path": Path(spec["path"])}))
        self.kernel.prepare(self.problem.valid[:1], self.device)
        return {"start_s": perf_counter() - started}

    def prepare(self, valid_images: int = 0, seed: int = 0, plain: bool = False) -> Reply:
        """Prepare every stack, untimed.

        Args:
            valid_images: how many validation images; 0 for all, once. More than there are come from a file on the CPU,
                in the order of `seed`; any other device repeats them itself.
            plain: prepare just these images, for a pass that measures no time.
        """
        self.sized, self.renewed = self.problem, 0
        self.options: dict[str, Any] = {"predict_only": valid_images > 0}
        if valid_images > len(self.problem.valid) and self.device == "cpu":
            self.sized, self.options["tiled"] = tiling.read_tiled(self.whole, self.folder, valid_images, seed)
        elif valid_images:
            self.sized = self.problem.tiled(valid_images)
        self._prepare(0 if plain else COUNT)
        of_train = bytes_per_image(self.prepared.train, self.prepared.given[:-1])
        of_valid = bytes_per_image([self.prepared.valid], self.prepared.given[-1:])
        return {
            "distances": [*scopes.offered(self.kernel)],
            "broadcasts": broadcasting.concerns(self.kernel, self.prepared.valid),
            "stack_bytes": [of_train[0], of_valid[0]],
            "bytes_to_read": [of_train[1], of_valid[1]],
        }

    def _prepare(self, count: int) -> None:
        former = self.__dict__.pop("prepared", None)  # its stacks make room first
        self.__dict__.pop("call", None)
        options = self.options | {"count": count, "renewed": self.renewed}
        if former and self.renewed and self.options["predict_only"]:
            options["train"] = former.train
        del former
        if hasattr(self.kernel, "release"):
            self.kernel.release()
        device_memory.release()
        gc.disable()  # it went through ten million new objects again and again: half of what python_loops took here
        self.prepared = scopes.prepare(self.kernel, self.device, self.sized, self.rng, **options)
        self.call = cache(partial(scopes.call, self.prepared))  # from a pair (scope, distance)
        self.renewed += 1
        gc.enable()
        gc.collect()  # or the first timed call would have to

    def verify(self, seed: int) -> Reply:
        """Verify the kernel; return the findings, also when it is wrong."""
        findings = verify.Findings()
        try:
            verify.verify(self.prepared, seed, findings)
        except WrongAnswer as error:
            return {"status": "disagrees", "reason": str(error), **asdict(findings)}
        return asdict(findings)

    def time(self, scope: str, distance: str, loops: int, warm: bool, others: dict[str, list[int]]) -> Reply:
        """Time one sample and verify the very array that its last call returned.

        Args:
            warm: make untimed calls first; other kernels ran in between, so caches and clocks went cold.
            others: the processes of other kernels, by name, which should sleep.

        Returns:
            `seconds` per call, `usage` (further fields of a `Sample`), `others` (the cores that they used), `gpu` (its
            state right after the sample), `threads` (of each library), `processes` (this one and its descendants).
        """
        if self.prepared.windows.left < loops + warm:
            self._prepare(max(COUNT, loops + warm))
        call, windows = self.call(scope, distance), scopes.inputs(self.prepared, scope, loops + warm)
        children = cpu_time.descendants()
        if warm:
            warm_up(call, windows[-1], 0 if self.device == "cpu" else WARM_GPU_S)
        self.prepared.windows.before_clock()
        faults_before, waited, cpu_before = cpu_time.resources(), cpu_time.waited(), cpu_time.read(children, others)
        seconds, (answer, means) = clock(call, windows[:loops])
        cpu = cpu_time.between(cpu_before, cpu_time.read(children, others), seconds * loops)
        waited = [after - before for before, after in zip(waited, cpu_time.waited(), strict=False)]
        faults, switches, peak = cpu_time.resources()
        gpu = nvml.state() if self.device == "cuda" else {}  # at once: it is about to be idle
        new = [pid for pid in cpu_time.descendants() if pid not in children]
        own = cpu.own + cpu_time.seconds_of(new) / (seconds * loops)
        try:
            answers.check_answer(self.prepared, scope, distance, windows[loops - 1], answer, means)
        except WrongAnswer as error:
            return {"status": "disagrees", "reason": str(error)}
        usage = {
            "minor_faults": (faults - faults_before[0]) / loops,
            "context_switches": (switches - faults_before[1]) / loops,
            "peak_rss_bytes": peak,
            "cpu_cores": own,
            "other_cores": cpu.machine,
            "steal_cores": cpu.steal,
            "waited_cores": waited[0] / (seconds * loops) if waited else None,
        }
        reply = {"seconds": seconds, "usage": usage, "others": cpu.others, "gpu": gpu}
        return {**reply, "threads": configuration.threads_in_force(), "processes": [os.getpid(), *children, *new]}

    def memory(self, scope: str, distance: str) -> Reply:
        """Return the memory of one call of the scope (see `host_memory`), and on a GPU of another (`device_memory`)."""
        call, [window] = self.call(scope, distance), scopes.inputs(self.prepared, scope, 1)
        footprint = asdict(host_memory.peak(lambda: call(window)))
        if self.device == "cuda":
            footprint |= asdict(device_memory.peak(lambda: call(window)))
        return footprint

    def broadcast(self) -> Reply:
        return broadcasting.examine(self.prepared)

    def read(self, size: int, threads: int, answer: int = 0) -> Reply:
        """Return the `seconds` of reading `size` bytes the fastest way and copying `answer` bytes."""
        return {"seconds": size / read_bandwidth.measure(size, threads) + read_bandwidth.copy_seconds(answer)}

    def gpu_bound(self, size: int, answer: int) -> Reply:
        """Return the seconds of `read`, by the GPU, and of `launch`, an empty answer of `answer` bytes."""
        read = size / gpu_bandwidth.bandwidth(size) + read_bandwidth.copy_seconds(answer)
        return {"read": read, "launch": gpu_bandwidth.launch(answer)}

    def overhead(self, folder: str) -> Reply:
        """Return the `seconds` that the harness adds to a call: those of a kernel that does nothing."""
        idle: Any = SimpleNamespace(prepare=lambda images, _: images, mean_images=lambda _: None)
        nothing = np.zeros(0, dtype=np.int64)
        idle.predict_l1 = lambda images, means: nothing
        prepared = scopes.prepare(idle, "cpu", problem.read(Path(folder)), np.random.default_rng(0))
        call, windows = scopes.call(prepared, "baseline", "l1"), scopes.inputs(prepared, "baseline", COUNT)
        return {"seconds": float(np.median([clock(call, [window])[0] for window in windows * 16]))}


def warm_up(call: Callable[[Window], object], window: Window, at_most_s: float) -> None:
    """Make untimed calls for WARM_S, and again until the times of two such samples agree, for `at_most_s` in all.

    The clock rate of a GPU takes its time to rise; that of a CPU has done so within WARM_S.
    """
    began, before = perf_counter(), math.inf
    while True:
        started, calls = perf_counter(), 0
        while perf_counter() - started < WARM_S:
            call(window)
            calls += 1
        seconds = (perf_counter() - started) / calls
        if abs(seconds / before - 1) <= AGREE or perf_counter() - began >= at_most_s:
            return
        before = seconds


def clock(call: Callable[[Window], tuple[Any, Any]], windows: Sequence[Window]) -> tuple[float, tuple[Any, Any]]:
    """Return (seconds per call, what the last call returned).

    In the scope `baseline`, with L windows, of which window j begins at image o_j of every stack:

        seconds = 1/L * sum over j of the time of
                  copy(predict(valid[o_j : o_j + n], mean_images([train_c[o_j : o_j + n_c] for each class c])))

    The answer is on the host when a call returns.
    """
    started = perf_counter()
    for window in windows:
        answer = call(window)
    return (perf_counter() - started) / len(windows), answer


def _limit(memory_limit: int) -> None:
    """On Linux, limit this process's memory (0: no limit) and end it with its parent, even if a kernel hangs in C."""
    if sys.platform == "linux":
        if memory_limit:
            psutil.Process().rlimit(psutil.RLIMIT_DATA, (memory_limit, memory_limit))
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; elsewhere the end of the pipe must do


def _reason(error: BaseException, path: str) -> str:
    """Return an error, and the last line of the kernel's file that it came through, else the file and its contract.

    Without a kernel (`path` is "") it is the last line of this project.
    """
    if isinstance(error, BrokenKernel):
        return str(error)
    full = isinstance(error, RuntimeError) and any(text in str(error).lower() for text in MEMORY_TEXTS)
    if full or isinstance(error, MemoryError):
        return f"out of memory: {error}"
    sentence = "".join(traceback.format_exception_only(error)).strip()
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.line]
    own = [frame for frame in frames if frame.filename == path or (not path and frame.filename.startswith(BENCH))]
    if isinstance(error, SyntaxError) or not (own or path):
        return sentence.replace(path, Path(path).name)
    if not own:
        return f"{Path(path).name}: {sentence}; python -m bench kernels --template prints the contract"
    last = own[-1]
    function = "" if last.name == "<module>" else f", in {last.name}"
    return f"{Path(last.filename).name}, line {last.lineno}{function}: {last.line}\n{sentence}"


def _serve(session: Session, request: Reply, printed: Any) -> Reply:
    try:
        reply = {"status": "ok", **getattr(session, request.pop("do"))(**request)}
    except Unavailable as error:
        return {"status": "unavailable", "reason": str(error)}
    except BaseException as error:  # noqa: BLE001  a kernel may raise anything, SystemExit too; the parent reports it
        return {"status": "broken", "reason": _reason(error, session.path)}
    sys.stdout.flush()
    if os.fstat(printed.fileno()).st_size:
        printed.seek(0)
        text = printed.read(200).decode(errors="replace")
        return {"status": "broken", "reason": f"wrote to standard output: {text!r}; use standard error"}
    return reply


def main() -> None:
    """Answer requests until the parent closes the pipe or dies; then end at once, even in the middle of a call."""
    _limit(int(sys.argv[1]))
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    incoming = os.fdopen(os.dup(0), encoding="utf-8")
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  a forked child closes it, which must not wait
    os.dup2(sys.stdin.fileno(), 0)
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in incoming:
            requests.put(line)
        os._exit(0)

    with tempfile.TemporaryFile() as printed:  # standard output is the kernel's; the replies have a pipe of their own
        os.dup2(printed.fileno(), 1)
        threading.Thread(target=listen, daemon=True).start()
        session, process = Session(), os.getpid()
        while True:
            reply = _serve(session, json.loads(requests.get()), printed)
            if os.getpid() != process:  # a child's reply would be taken for the next one of its parent
                reply = {"status": "broken", "reason": "forked a process that came back from the kernel"}
            print(json.dumps(reply), file=channel, flush=True)


if __name__ == "__main__":
    main()
