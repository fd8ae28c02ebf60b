"""A kernel's worker process while it is measured, its samples, and what is known of it."""

import math
from dataclasses import dataclass
from typing import Any

from bench.kernel import KernelSpec, why_unavailable
from bench.probes import nvml
from bench.records.sample import Sample
from bench.runner.checking import CheckResult, as_json, failed
from bench.runner.process import Failure, Reply, Worker
from bench.task.problem import Problem
from bench.task.scopes import images_read

SHORTEST_SAMPLE_S = 1e-2  # a faster call is repeated; waking threads took 0.4 ms, a quarter of a sample of 1.5 ms
MARGIN = 1.5  # planned above that, or of a call that takes ten milliseconds only the slower half would be kept
VERIFY_CALLS = 12  # so many calls make up a verification, and so much longer it may take
LONGEST_S = 5.0  # a kernel whose call would take longer at some size is skipped there
CROWDED, PER_PIXEL = 2**33, 12  # bytes of one kernel on a GPU, and of a pixel: as float32, with two temporaries
SLOW_S = 0.1  # from here on a call is no longer repeated but bracketed: the fast ones run before and after it


@dataclass(frozen=True)
class Setup:
    """What is alike for the processes of all kernels that run side by side.

    Attributes:
        folder: where `problem` is handed over.
        environment: of the workers (see `bench.runner.configuration`).
        order: the seed of the order of the validation images.
        process: how many processes of each kernel came before.
        timeout_s, memory_limit: as in `bench.runner.scheduler.Plan`.
        sized: whether the number of validation images changes, so that what fails at one has held at smaller ones.
    """

    problem: Problem
    folder: str
    environment: dict[str, str]
    order: int
    process: int
    timeout_s: float
    memory_limit: int
    sized: bool = False


class Executor:
    """One worker process and its books. A failure ends it here, and costs no other kernel its row."""

    def __init__(self, name: str, spec: KernelSpec, setup: Setup) -> None:
        self.name, self.spec, self.setup = name, spec, setup
        self.samples: list[Sample] = []
        self.threads = ""
        self.gpu: dict[str, Any] = {}  # the worst state of the GPU that a sample ended in
        self.distances: tuple[str, ...] = ()
        self.broadcasts = False  # whether `bench.probes.broadcasting` has something to ask it
        self.result = CheckResult(name, "agrees")
        self.worker: Worker | None = None
        self.skipped: dict[int, float | None] = {}  # size: seconds that one call would have taken; None: no images
        self._once_s: dict[tuple[str, str], float] = {}
        self._size = setup.problem.count  # validation images that it has prepared
        self._alone: dict[str, int] = {}  # how to prepare them again where a GPU cannot hold those of all kernels

    def offers(self, distance: str) -> bool:
        """Return whether it has not failed and predicts under this distance ("-": none in particular)."""
        return self.worker is not None and (distance == "-" or distance in self.distances)

    def enter(self, position: int) -> None:
        """Start the worker, take its first call, verified like every timed call, and prepare its stacks.

        first_call = import the kernel + prepare(one image) + the first baseline; preparing all images is not in it.
        """
        if reason := why_unavailable(self.spec):
            self.result = CheckResult(self.name, "unavailable", reason)
            return
        setup = self.setup
        self.worker = Worker(setup.environment, setup.memory_limit if self.spec.device == "cpu" else 0)
        started = self.ask("start", spec=as_json(self.spec), folder=setup.folder, order=setup.order)
        if prepared := self.ask("prepare"):
            self.distances, self.broadcasts = tuple(prepared["distances"]), prepared["broadcasts"]
        first = self.ask("time", scope="baseline", distance="l1", loops=1, warm=False)
        if started and first:
            self._once_s["baseline", "l1"] = first["seconds"]
            first["seconds"] += started["start_s"]
            images = images_read(setup.problem, "first_call")
            self._keep("first_call", "l1", images, 0, position, 1, first)

    def verify(self, seed: int) -> None:
        """Have it verified on inputs drawn from `seed`, which it has not seen."""
        if found := self.ask("verify", VERIFY_CALLS * self.setup.timeout_s, seed=seed):
            self.result = CheckResult(self.name, "agrees", None, found["correct"], found["mean_error"])

    def resize(self, size: int, seed: int, longest_s: float, in_reach: bool = True) -> None:
        """Prepare `size` validation images; skip this size where one call would take over `longest_s`.

        Also where the host does not hold so many (`in_reach`), which a GPU repeats by itself.
        """
        if self.worker is None:
            return
        if not in_reach and self.spec.device == "cpu":
            self.skipped[size] = None
        self.slow("predict", "l1")  # which measures how long a call takes
        expected_s = self._once_s.get(("predict", "l1"), 0) * size / self._size
        if expected_s > longest_s:
            self.skipped[size] = expected_s
        if size not in self.skipped:
            self._once_s.clear()
            self._size = size
            self.ask("prepare", valid_images=size, seed=seed)
        if self.spec.device != "cpu":
            crowded = size * self.setup.problem.valid[0].size * PER_PIXEL > CROWDED
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
        """Return whether one call takes so long that it is bracketed; a first call measures it."""
        cell = (scope, distance)
        if cell not in self._once_s and (
            reply := self.ask("time", scope=scope, distance=distance, loops=1, warm=False)
        ):
            self._once_s[cell] = reply["seconds"]
        return self._once_s.get(cell, 0) > SLOW_S

    def time(self, scope: str, distance: str, images: int, round: int, position: int) -> None:
        """Take one sample of at least ten milliseconds.

        Where a GPU has no room for the images of all kernels, this one has its own there as long as its sample lasts.
        """
        self.refill()
        warm = not self.slow(scope, distance)
        loops = math.ceil(MARGIN * SHORTEST_SAMPLE_S / self._once_s.get((scope, distance), 1))
        while reply := self.ask("time", scope=scope, distance=distance, loops=loops, warm=warm):
            self._once_s[scope, distance] = min(reply["seconds"], self._once_s.get((scope, distance), math.inf))
            if reply["seconds"] * loops >= SHORTEST_SAMPLE_S:
                self._keep(scope, distance, images, round, position, loops, reply)
                break
            loops = math.ceil(MARGIN * SHORTEST_SAMPLE_S / reply["seconds"])  # it was much faster than before
        self.make_room()

    def examine(self) -> dict[str, Any]:
        """Return what `bench.probes.broadcasting` learns on all images; a failure costs the kernel nothing else."""
        assert self.worker
        try:
            self.worker.ask("prepare", self.setup.timeout_s)
            found = self.worker.ask("broadcast", self.setup.timeout_s)
        except Failure as failure:
            return {"ranks_l1": f"fails: {failure.status}"}
        return {key: value for key, value in found.items() if key != "status"}

    def ask(self, do: str, timeout_s: float = 0, **arguments: Any) -> Reply | None:
        """Ask its worker; None where it has failed, or fails now, which is the end of it."""
        if self.worker is None:
            return None
        try:
            return self.worker.ask(do, timeout_s or self.setup.timeout_s, **arguments)
        except Failure as failure:
            self.result = failed(self.name, failure)
            if not self.setup.sized or failure.status == "disagrees":
                self.samples.clear()
            self.end()
            return None

    def end(self) -> None:
        """End the worker process."""
        if self.worker:
            self.worker.end()
        self.worker = None

    def _keep(
        self, scope: str, distance: str, images: int, round: int, position: int, loops: int, reply: Reply
    ) -> None:
        self.threads = reply["threads"]
        if scope != "first_call":  # which wakes the GPU
            self.gpu = nvml.worst([self.gpu, reply["gpu"]])
        usage = reply["minor_faults"], reply["context_switches"], reply["peak_rss_bytes"]
        place = self.setup.process, round, position
        self.samples.append(Sample(self.name, scope, distance, images, reply["seconds"], loops, *place, *usage))
