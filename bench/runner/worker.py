"""One process, one kernel, one clock. `bench.runner.worker_handle` starts it; requests and replies are lines of JSON.

Whatever a kernel raises becomes a reply. It costs this process and nothing else.
"""

import ctypes
import gc
import json
import os
import queue
import signal
import statistics
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench.kernel import KernelSpec, Unavailable, load
from bench.probes import broadcasting, device_memory, gpu_bandwidth, host_memory, nvml, read_bandwidth
from bench.runner import configuration
from bench.task import problem, scopes, tiling, verify
from bench.task.scopes import WrongAnswer

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]

Reply = dict[str, Any]
WARM_S = 0.01  # one call is not enough: two calls in a row then took 4% less than twice one (bench.tests.proof)


class Session:
    """One method per request of the parent; what it returns is the reply."""

    def start(self, spec: Reply, folder: str, order: int) -> Reply:
        """Import the kernel and start its device on one image; `start_s` is the seconds that took.

        The validation images come in an order drawn from `order`, which the kernel could not know.
        """
        self.folder = Path(folder)
        self.whole = problem.read(self.folder)
        self.problem = self.whole.shuffled(order)
        self.device = spec["device"]
        started = perf_counter()
        self.kernel = load(KernelSpec(**{**spec, "path": Path(spec["path"])}))
        self.kernel.prepare(self.problem.valid[:1], self.device)
        return {"start_s": perf_counter() - started}

    def prepare(self, valid_images: int = 0, seed: int = 0) -> Reply:
        """Prepare every stack, untimed.

        Args:
            valid_images: how many validation images; 0 for all, once. Fewer are the first of them. More are repeated:
                on the CPU they come from a file, in the order of `seed`; any other device repeats them itself.
        """
        self.__dict__.pop("prepared", None)  # the former stacks make room first
        self.calls: dict[tuple[str, str], tuple[Callable[[], Any], Callable[[Any], Any]]] = {}
        self.kept: list[Any] = []
        if hasattr(self.kernel, "release"):
            self.kernel.release()
        device_memory.release()
        resized, repeated = self.problem, valid_images > len(self.problem.valid)
        if repeated and self.device == "cpu":
            resized = tiling.read_tiled(self.whole, self.folder, valid_images, seed)
        elif valid_images and not repeated:
            resized = resized.tiled(valid_images)
        gc.disable()  # it went through ten million new objects again and again: half of what python_loops took here
        self.prepared = scopes.prepare(self.kernel, self.device, resized)
        if repeated and self.device != "cpu":
            self.prepared = scopes.repeated(self.prepared, valid_images)
        broadcasts = broadcasting.concerns(self.kernel, self.prepared.valid)
        return {"distances": scopes.offered(self.kernel), "broadcasts": broadcasts}

    def verify(self, seed: int) -> Reply:
        """Verify the kernel and return the findings, also when it is wrong."""
        findings = verify.Findings()
        try:
            verify.verify(self.prepared, seed, findings)
        except WrongAnswer as error:
            return {"status": "disagrees", "reason": str(error), **asdict(findings)}
        return asdict(findings)

    def time(self, scope: str, distance: str, loops: int, warm: bool) -> Reply:
        """Time one sample and verify the very array that its last call returned.

        Args:
            warm: make untimed calls for WARM_S first; other kernels ran in between, so caches and clocks went cold.

        Returns:
            `seconds`, `minor_faults` and `context_switches` per call, `peak_rss_bytes` of the process, `threads`, and
            `gpu`, the state right after the sample where a GPU was used (see `bench.probes.nvml`).
        """
        views, call = self._call(scope, distance)
        started = perf_counter()
        while warm and perf_counter() - started < WARM_S:
            call(self._fresh(views))
        inputs = [self._fresh(views) for _ in range(loops)]
        before = _usage()
        seconds, answer = clock(call, inputs)
        faults, switches, peak = _usage()
        gpu = nvml.state() if self.device == "cuda" else {}  # at once: it is about to be idle
        try:
            verify.check_answer(self.prepared, scope, distance, answer)
        except WrongAnswer as error:
            return {"status": "disagrees", "reason": str(error)}
        return {
            "threads": configuration.threads_in_force(),
            "seconds": seconds,
            "minor_faults": (faults - before[0]) / loops,
            "context_switches": (switches - before[1]) / loops,
            "peak_rss_bytes": peak,
            "gpu": gpu,
        }

    def memory(self, scope: str, distance: str) -> Reply:
        """Return the bytes of anonymous memory before one call of the scope, and how much more it needed at its peak.

        Where the kernel uses a GPU, another call measures the GPU's memory likewise.
        """
        views, call = self._call(scope, distance)
        call(views())
        inputs = views()
        footprint = asdict(host_memory.peak(lambda: call(inputs)))
        if self.device == "cuda":
            inputs = views()
            footprint |= asdict(device_memory.peak(lambda: call(inputs)))
        return footprint

    def broadcast(self) -> Reply:
        """Return what broadcasting does in the kernel's library (see `bench.probes.broadcasting`)."""
        return broadcasting.examine(self.prepared)

    def read(self, size: int, threads: int) -> Reply:
        """Read `size` bytes; `seconds` is that of the fastest way (see `bench.probes.read_bandwidth`)."""
        return {"seconds": size / read_bandwidth.measure(size, threads)}

    def gpu_bound(self, size: int, answer: int) -> Reply:
        """Return the seconds of `read`, `size` bytes by the GPU, and of `launch`, an empty answer of `answer` bytes."""
        return {"read": size / gpu_bandwidth.bandwidth(size), "launch": gpu_bandwidth.launch(answer)}

    def overhead(self, folder: str) -> Reply:
        """Return the `seconds` that the harness adds to a call: those of a kernel that does nothing."""
        nothing = np.zeros(0, dtype=np.int64)
        idle: Any = SimpleNamespace(mean_images=lambda stacks: None, predict_l1=lambda images, means: nothing)
        prepared = scopes.PreparedKernel(idle, "cpu", problem.read(Path(folder)), [], [], b"")
        views, call = scopes.call(prepared, "baseline", "l1")
        return {"seconds": statistics.median(clock(call, [views()])[0] for _ in range(1000))}

    def _fresh(self, views: Callable[[], Any]) -> Any:
        """Return fresh views of the stacks, kept alive: no two calls get the same object, nor one of the same id."""
        self.kept.append(views())
        return self.kept[-1]

    def _call(self, scope: str, distance: str) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
        if (scope, distance) not in self.calls:
            self.calls[scope, distance] = scopes.call(self.prepared, scope, distance)
        return self.calls[scope, distance]


def clock(call: Callable[[Any], Any], inputs: Sequence[Any]) -> tuple[float, Any]:
    """Return (seconds per call, the last call's answer).

    seconds = (time after one call for each item of `inputs` - time before) / len(inputs). The answer is on the host
    when a call returns.
    """
    started = perf_counter()
    for views in inputs:
        answer = call(views)
    return (perf_counter() - started) / len(inputs), answer


def _usage() -> tuple[int, int, int]:
    """Return (minor page faults, context switches, peak resident bytes) of this process so far; 0 on Windows."""
    if resource is None:
        return 0, 0, 0
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = used.ru_maxrss
    if sys.platform == "linux":  # where ru_maxrss starts from the parent's, from before the program was loaded
        status = Path("/proc/self/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return used.ru_minflt, used.ru_nvcsw + used.ru_nivcsw, peak


def _limit(memory_limit: int) -> None:
    """On Linux, limit this process's memory (0: no limit) and end it with its parent, even if a kernel hangs in C."""
    if sys.platform == "linux":
        if memory_limit:
            resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; elsewhere the end of the pipe must do


def _out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out; torch and JAX raise a RuntimeError with one of these texts."""
    texts = ("can't allocate memory", "not enough memory", "out of memory")
    known = any(text in str(error).lower() for text in texts)
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and known)


def _serve(session: Session, request: Reply, printed: Any) -> Reply:
    try:
        reply = {"status": "ok", **getattr(session, request.pop("do"))(**request)}
    except Unavailable as error:
        return {"status": "unavailable", "reason": str(error)}
    except BaseException as error:  # noqa: BLE001  a kernel may raise anything, SystemExit too; the parent reports it
        reason = f"out of memory: {error}" if _out_of_memory(error) else traceback.format_exc()
        return {"status": "broken", "reason": reason}
    sys.stdout.flush()
    if os.fstat(printed.fileno()).st_size:
        printed.seek(0)
        text = printed.read(200).decode(errors="replace")
        return {"status": "broken", "reason": f"wrote to standard output: {text!r}"}
    return reply


def main() -> None:
    """Answer requests until the parent closes the pipe or dies; then end at once, even in the middle of a call."""
    _limit(int(sys.argv[1]))
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
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
            if not gc.isenabled():  # after preparing
                gc.enable()
                gc.collect()  # or the first timed call would have to


if __name__ == "__main__":
    main()
