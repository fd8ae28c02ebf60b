"""One process, one kernel, one clock. Started by `bench.process`; answers requests in lines of JSON.

Whatever a kernel raises ends here, as a reply that says so: it costs this process and nothing else.
"""

import json
import os
import queue
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.kernel import Contestant, Unavailable, load

Reply = dict[str, Any]


class Session:
    """What the parent can ask for, one method per request."""

    def start(self, contestant: Reply, folder: str, order: int) -> Reply:
        """Import the kernel and start its device on one image; gives `start_s`, the seconds that took.

        Validation images come in an order drawn from `order`, which the kernel could not know.
        """
        from bench import problem  # with NumPy, before the clock starts: every kernel gets an array

        self.problem = problem.read(Path(folder)).shuffled(order)
        self.device = contestant["device"]
        started = perf_counter()
        self.kernel = load(Contestant(**{**contestant, "path": Path(contestant["path"])}))
        self.kernel.prepare(self.problem.valid[:1], self.device)
        return {"start_s": perf_counter() - started}

    def prepare(self) -> Reply:
        """Prepare every stack, untimed."""
        from bench import workload

        self.work = workload.prepare(self.kernel, self.device, self.problem)
        return {}

    def verify(self, seed: int) -> Reply:
        """Verify the kernel; gives its findings, also when it is wrong."""
        from bench.verify import Findings, verify
        from bench.workload import WrongAnswer

        findings = Findings()
        try:
            verify(self.work, seed, findings)
        except WrongAnswer as error:
            return {"status": "disagrees", "reason": str(error), **asdict(findings)}
        return asdict(findings)

    def time(self, scope: str, distance: str, loops: int) -> Reply:
        """Time one sample and verify the very array that its last call returned; gives `seconds` per call."""
        from bench import oracle, verify, workload

        call = workload.call(self.work, scope, distance)
        seconds, answer = _clock(call, loops)
        try:
            if scope == "mean":
                verify.check_means(answer, oracle.mean_images(self.work.problem.train), "in a timed call: ")
            else:
                verify.check_labels(answer, self.work.problem, distance, "in a timed call: ")
        except workload.WrongAnswer as error:
            return {"status": "disagrees", "reason": str(error)}
        return {"seconds": seconds}


def _clock(call: Callable[[], Any], loops: int) -> tuple[float, Any]:
    """Return (seconds per call, the last call's answer): (time after loops calls - time before) / loops."""
    rounds = range(loops)
    started = perf_counter()
    for _ in rounds:
        answer = call()
    return (perf_counter() - started) / loops, answer


def _serve(session: Session, request: Reply, printed: Any) -> Reply:
    try:
        reply = {"status": "ok", **getattr(session, request.pop("do"))(**request)}
    except Unavailable as error:
        return {"status": "unavailable", "reason": str(error)}
    except BaseException:  # noqa: BLE001  a kernel may raise anything, SystemExit too; the parent is told
        return {"status": "broken", "reason": traceback.format_exc()}
    sys.stdout.flush()
    if os.fstat(printed.fileno()).st_size:
        printed.seek(0)
        said = printed.read(200).decode(errors="replace")
        return {"status": "broken", "reason": f"wrote to standard output: {said!r}"}
    return reply


def main() -> None:
    """Serve until the parent closes the pipe or dies; then end at once, even in the middle of a call."""
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
            if os.getpid() != process:  # or its reply would be taken for the next one of its parent
                reply = {"status": "broken", "reason": "forked a process that came back from the kernel"}
            print(json.dumps(reply), file=channel, flush=True)


if __name__ == "__main__":
    main()
