"""A contestant in one process set: its worker while it is in the running, its samples, and what is known of it."""

import math
from typing import Any

from bench import nvml
from bench.checking import Verdict, as_json, failed
from bench.kernel import Contestant, why_unavailable
from bench.problem import Problem
from bench.process import Failure, Reply, Worker
from bench.sample import AGAIN, PINNED, Sample
from bench.workload import images_read

SHORTEST_SAMPLE_S = 1e-2  # a faster call is repeated; waking threads took 0.4 ms, a quarter of a sample of 1.5 ms
MARGIN = 1.5  # planned above that, or of a call that takes ten milliseconds only the slower half would be kept
VERIFY_CALLS = 12  # so many calls make up a verification, and so much longer it may take
LONGEST_S = 5.0  # a kernel whose call would take longer at some size sits that size out
CROWDED, PER_PIXEL = 2**33, 12  # bytes of one kernel on a GPU, and of a pixel: as float32, with two temporaries
SLOW_S = 0.1  # from here on a call is no longer repeated but bracketed: the fast ones run before and after it


class Entrant:
    """One worker process and its books. A failure ends it here, and costs nobody else."""

    def __init__(self, name: str, contestant: Contestant, process: int, timeout_s: float, sized: bool = False) -> None:
        self.name, self.contestant, self.process, self.timeout_s = name, contestant, process, timeout_s
        self.samples: list[Sample] = []
        self.threads = ""
        self.gpu: dict[str, Any] = {}  # the worst state of the GPU that a sample ended in
        self.distances: tuple[str, ...] = ()
        self.broadcasts = False  # whether `bench.broadcast` has something to ask it
        self.verdict = Verdict(name, "agrees")
        self.worker: Worker | None = None
        self._once_s: dict[tuple[str, str], float] = {}
        self.sized = sized
        self.skipped: dict[int, float | None] = {}  # size: seconds that one call would have taken; None: no images
        self.unpinned: str | None = None  # why page-locked memory was refused; "" where it was not, None: not asked
        self._size = self._pixels = 0  # validation images that it has prepared, and pixels of one
        self._alone: dict[str, int] = {}  # how to prepare them again where a GPU cannot hold those of all kernels

    @property
    def again(self) -> bool:
        """Whether it is the null: a contestant once more, against itself."""
        return self.name.endswith(AGAIN)

    def offers(self, distance: str) -> bool:
        """Return whether it is in the running and predicts under this distance ("-": none in particular)."""
        return self.worker is not None and (distance == "-" or distance in self.distances)

    def enter(
        self, environment: dict[str, str], memory_limit: int, folder: str, order: int, position: int, problem: Problem
    ) -> None:
        """Start the worker, take its first call, verified like every timed call, and prepare its stacks.

        first_call = import the kernel + prepare(one image) + the first baseline; preparing all images is not in it.
        """
        if reason := why_unavailable(self.contestant):
            self.verdict = Verdict(self.name, "unavailable", reason)
            return
        self.worker = Worker(environment, memory_limit if self.contestant.device == "cpu" else 0)
        started = self.ask("start", contestant=as_json(self.contestant), folder=folder, order=order)
        self._size, self._pixels = problem.part(self.contestant.images).count, problem.valid[0].size
        if prepared := self.ask("prepare"):
            self.distances, self.broadcasts = tuple(prepared["distances"]), prepared["broadcasts"]
        first = self.ask("time", scope="baseline", distance="l1", loops=1, warm=False)
        if started and first:
            self._once_s["baseline", "l1"] = first["seconds"]
            first["seconds"] += started["start_s"]
            images = images_read(problem.part(self.contestant.images), "first_call")
            place = {"round": 0, "position": position, "first": self.contestant.images}
            self._keep("first_call", "l1", first, loops=1, images=images, **place)

    def verify(self, seed: int) -> None:
        """Have it verified on inputs drawn from `seed`, which it has not seen."""
        timeout_s, self.timeout_s = self.timeout_s, VERIFY_CALLS * self.timeout_s
        found = self.ask("verify", seed=seed)
        self.timeout_s = timeout_s
        if found:
            images = self.contestant.images
            self.verdict = Verdict(self.name, "agrees", None, found["correct"], found["mean_error"], images)

    def restrict(self, first: int) -> None:
        """Prepare the first so many images of each class alone."""
        self._once_s.clear()
        self.ask("prepare", first=first)

    def resize(self, size: int, seed: int, longest_s: float, in_reach: bool = True) -> None:
        """Prepare `size` validation images; sit this size out where one call would take over `longest_s`.

        Also where the host does not hold so many (`in_reach`), which a GPU repeats by itself.
        """
        if self.worker is None:
            return
        if not in_reach and self.contestant.device == "cpu":
            self.skipped[size] = None
        self.slow("predict", "l1")  # which finds out how long a call takes
        once = self._once_s.get(("predict", "l1"), 0)
        if once * size / self._size > longest_s:
            self.skipped[size] = once * size / self._size
        if size not in self.skipped:
            self._once_s.clear()
            self._size = size
            self.ask("prepare", valid_images=size, seed=seed)
        if self.contestant.device != "cpu":
            crowded = size * self._pixels * PER_PIXEL > CROWDED
            self._alone = {"valid_images": size, "seed": seed} if crowded else {}
            self.slow("predict", "l1")
            self.make_room()

    def make_room(self) -> None:
        """Give the images back where a GPU cannot hold those of all kernels."""
        if self._alone:
            self.ask("prepare", valid_images=1)

    def refill(self) -> None:
        """Prepare again what `make_room` gave back."""
        if self._alone:
            self.ask("prepare", **self._alone)

    def slow(self, scope: str, distance: str) -> bool:
        """Return whether one call takes so long that it is bracketed; a first call finds out."""
        cell = (scope, distance)
        if cell not in self._once_s and (
            reply := self.ask("time", scope=scope, distance=distance, loops=1, warm=False)
        ):
            self._once_s[cell] = reply["seconds"]
        return self._once_s.get(cell, 0) > SLOW_S

    def time(self, scope: str, distance: str, images: int, **where: int) -> None:
        """Take one sample of at least ten milliseconds; `where` is its round and position.

        Of a GPU's `end_to_end` a second one, from page-locked memory. Where a GPU has no room for the images of all
        kernels, this one has its own there as long as its sample lasts.
        """
        self.refill()
        self._sample(scope, distance, images, **where)
        self.make_room()
        if scope == "end_to_end" and self.contestant.device == "cuda" and not self.again:
            if self.unpinned is None and (reply := self.ask("page_lock")):
                self.unpinned = reply["refused"]
            if self.unpinned == "":
                self._sample(scope + PINNED, distance, images, **where)

    def _sample(self, scope: str, distance: str, images: int, **where: int) -> None:
        warm = not self.slow(scope, distance)
        loops = math.ceil(MARGIN * SHORTEST_SAMPLE_S / self._once_s.get((scope, distance), 1))
        while reply := self.ask("time", scope=scope, distance=distance, loops=loops, warm=warm):
            self._once_s[scope, distance] = min(reply["seconds"], self._once_s.get((scope, distance), math.inf))
            if reply["seconds"] * loops >= SHORTEST_SAMPLE_S:
                self._keep(scope, distance, reply, loops, images, **where)
                break
            loops = math.ceil(MARGIN * SHORTEST_SAMPLE_S / reply["seconds"])  # it was much faster than before

    def examine(self) -> dict[str, Any]:
        """Return the findings of `bench.broadcast` on all images; no failure to give any costs the kernel its row."""
        assert self.worker
        try:
            self.worker.ask("prepare", self.timeout_s)
            found = self.worker.ask("broadcast", self.timeout_s)
        except Failure as failure:
            return {"ranks_l1": f"fails: {failure.status}"}
        return {key: value for key, value in found.items() if key != "status"}

    def ask(self, do: str, **arguments: Any) -> Reply | None:
        """Ask its worker; None where it is out, or is out from now on, because the answer was a failure."""
        if self.worker is None:
            return None
        try:
            return self.worker.ask(do, self.timeout_s, **arguments)
        except Failure as failure:
            self.verdict = failed(self.name, failure)
            if not self.sized or failure.status == "disagrees":  # what fails at one size has held at smaller ones
                self.samples.clear()
            self.end()
            return None

    def end(self) -> None:
        """Leave the running."""
        if self.worker:
            self.worker.end()
        self.worker = None

    def _keep(self, scope: str, distance: str, reply: Reply, loops: int, images: int, **where: int) -> None:
        self.threads = reply["threads"]
        if scope != "first_call":  # which wakes the GPU
            self.gpu = nvml.worst([self.gpu, reply["gpu"]])
        taken = {key: reply[key] for key in ("seconds", "minor_faults", "context_switches", "peak_rss_bytes")}
        bare, held, _ = scope.partition(PINNED)
        self.samples.append(
            Sample(self.name + held, bare, distance, images, loops=loops, process=self.process, **taken, **where)
        )
