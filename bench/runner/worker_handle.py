"""A worker process as its parent sees it: start it, send it requests with a timeout, end it and its children."""

import json
import math
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import AbstractContextManager, suppress
from typing import Any

import psutil

from bench.atomic import printable
from bench.kernel import ROOT
from bench.probes.machine import memory_bytes

LONGEST_REASON = 4000  # characters of a kernel's error that are kept
Reply = dict[str, Any]
MEMORY_LIMIT = memory_bytes() // 2  # bytes of anonymous memory that one kernel may take by default


class Failure(Exception):
    """A kernel has failed; the others go on. `status` is "unavailable", "disagrees" or "broken"."""

    def __init__(self, status: str, reason: str, reply: Reply | None = None) -> None:
        clean = printable(reason)
        if len(clean) > LONGEST_REASON:
            clean = f"{clean[: LONGEST_REASON // 2]}\n[...]\n{clean[-LONGEST_REASON // 2 :]}"
        super().__init__(clean)
        self.status, self.reason, self.reply = status, clean, reply or {}


class Worker(AbstractContextManager["Worker"]):
    """One worker process, in a process group of its own. Use it as a context manager.

    `environment` is the whole of it; `memory_limit` are bytes of anonymous memory (0: no limit), on Linux alone.
    """

    def __init__(self, environment: dict[str, str], memory_limit: int) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the worker
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "bench.runner.worker", str(memory_limit)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C in a terminal reaches the parent alone, which then ends the workers
        )
        self.pid = self._process.pid
        self._path = ""  # the kernel's file
        self._replies: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(self, do: str, timeout_s: float, **arguments: Any) -> Reply:
        """Call a method of `bench.runner.worker.Session` in the worker and return its reply.

        Raises:
            Failure: the kernel is unavailable, wrong or broken, the process died, or took over `timeout_s` seconds.
        """
        assert self._process.stdin
        self._path = arguments.get("spec", {}).get("path", self._path)
        with suppress(OSError):  # it died since its last reply; the end of its replies shows that below
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        try:
            line = self._replies.get(timeout=timeout_s)
        except queue.Empty:
            started = psutil.Process(self.pid).children()
            self.end()
            why = "; it had started processes: start them in a call, not when it is imported" if started else ""
            raise Failure("broken", f"gave no answer within {timeout_s:g} s and was ended{why}") from None
        if not line:
            self._process.wait()
            raise Failure("broken", f"its process {self._how_it_ended()}")
        reply: Reply = json.loads(line)
        if (status := reply.pop("status")) != "ok":
            self.end()
            raise Failure(status, reply["reason"], reply)
        if not 0 < reply.get("seconds", 1) < math.inf:
            self.end()
            raise Failure("broken", f"its clock gave {reply['seconds']} s for a call, expected a time above 0")
        return reply

    def kill(self) -> None:
        """Kill the worker and what its kernel started in its process group, from any thread; `end` must follow."""
        if self._errors.closed:  # it has ended, and its number may be another process's by now
            return
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):  # it is gone already; macOS raises the latter
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()

    def end(self) -> None:
        """Kill the worker as `kill` does, and close what it held. A second call does nothing."""
        if self._errors.closed:
            return
        self.kill()
        self._process.wait()
        self._listener.join(timeout=5)  # a daemon that the kernel detached could hold the pipe open
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(OSError):  # a request that the dead worker never read
                pipe.close()  # type: ignore[union-attr]  # both pipes were asked for

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._replies.put(line)
        self._replies.put("")

    def _how_it_ended(self) -> str:
        code = self._process.returncode
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - LONGEST_REASON))
        errors = self._errors.read().decode(errors="replace").strip()
        crash, _, frames = errors.partition("\n\n")
        if "Fatal Python error" in crash:  # of its threads' frames only the kernel's last one
            own = [line.strip() for line in frames.splitlines() if f'File "{self._path}"' in line]
            errors = "\n".join([crash, *own[:1]]).replace(self._path, os.path.basename(self._path))
        how = f"exited with status {code}"
        if code < 0:
            how = f"died of {signal.Signals(-code).name if -code in {*signal.Signals} else f'signal {-code}'}"
        return f"{how}\n{errors}".strip()
