"""A kernel's worker process while it is measured, its samples, and its status."""

import math
from dataclasses import dataclass, field
from typing import Any

from bench.kernel import KernelSpec, why_unavailable
from bench.probes import nvml
from bench.records.sample import AGAIN, Sample
from bench.runner.check_kernels import CheckResult, as_json, failed_result
from bench.runner.plan import Plan
from bench.runner.refusals import BUSY_CORES, STOLEN_CORES, WAITED_CORES
from bench.runner.worker_handle import Failure, Reply, Worker
from bench.task.problem import Problem
from bench.task.scopes import device_bytes, images_read

SHORTEST_SAMPLE_S = 1e-2  # a faster call is repeated; waking threads took 0.4 ms, a quarter of a sample of 1.5 ms
MARGIN = 1.5  # planned above that, or of a call that takes ten milliseconds only the slower half would be kept
VERIFY_CALLS = 16  # calls that one verification makes, which may take so many timeouts
CROWDED = 2**33  # bytes of one kernel on a GPU
RETAKES = 9  # of one process, which has about as many samples
SLOW_S = 0.1  # a call that takes longer is bracketed and not repeated: the fast kernels run before and after it
Others = dict[str, list[int]]  # the processes of other kernels, by name
Busy = dict[str, float]  # how many cores other kernels used that should have slept, by name; {} if all slept


@dataclass(frozen=True)
class Setup:
    """What the processes of all kernels that run side by side share."""

    plan: Plan
    problem: Problem
    folder: str  # where the problem was written for the workers
    environment: dict[str, str]  # of the workers (see `bench.runner.configuration`)
    order: int  # the seed of the order of the validation images
    process: int = 0  # how many processes of each kernel came before
    calls: dict[str, float] = field(default_factory=dict)  # by kernel, seconds of a call that needs no warm-up


class RunEnded(Exception):
    """A kernel of a plan with `against` has failed, as `result` says: there is nothing left to compare."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(result.reason)
        self.result = result


class Executor:
    """One worker process and what it measured. A failure ends it, and costs no other kernel its samples."""

    def __init__(self, name: str, spec: KernelSpec, setup: Setup) -> None:
        self.name, self.spec, self.setup, self.plan = name, spec, setup, setup.plan
        self.kernel = name.removesuffix(AGAIN)  # as errors and progress show it
        self.samples: list[Sample] = []
        self.threads = ""
        self.gpu: dict[str, Any] = {}  # the worst state that the GPU was in right after a sample
        self.distances: tuple[str, ...] = ()
        self.stack_bytes: list[float] = []  # per training image and per validation image (see `bench.task.stack_bytes`)
        self.bytes_to_read: list[float] = []  # likewise
        self.broadcasts = False  # whether `bench.probes.broadcasting` can examine the kernel
        self.result = CheckResult(self.kernel, "agrees")
        self.worker: Worker | None = None
        self.skipped: dict[int, float | None] = {}  # size: seconds that one call would have taken; None: no images
        self._call_s: dict[tuple[str, str], float] = {}  # the fastest call of a pair (scope, distance) so far
        self._size = 0  # how many validation images are prepared; 0: those of the problem
        self._start_s = 0.0  # of importing the kernel and preparing one image
        self._retakes = RETAKES
        self._processes: list[int] = []  # as its last sample found them
        self._refill: dict[str, int] = {}  # how to prepare them again where a GPU cannot hold those of all kernels

    def offers(self, distance: str) -> bool:
        """Return whether the kernel has not failed and predicts under this distance ("-": no distance)."""
        return self.worker is not None and (distance == "-" or distance in self.distances)

    def open(self) -> None:
        """Start the worker process. Only the main thread may: on Linux a worker ends with the thread that began it."""
        if reason := why_unavailable(self.spec):
            self.result = CheckResult(self.kernel, "unavailable", reason)
        else:
            memory_limit = self.plan.memory_limit if self.spec.device == "cpu" else 0
            self.worker = Worker(self.setup.environment, memory_limit)

    def read(self) -> None:
        self.ask("read_problem", folder=self.setup.folder, order=self.setup.order)

    def start(self) -> None:
        """Import the kernel and prepare one image, which are the beginning of a first call."""
        if started := self.ask("start", spec=as_json(self.spec)):
            self._start_s = started["start_s"]

    def prepare(self, **options: Any) -> None:
        """Prepare all stacks; the options are those of `bench.runner.worker.Session.prepare`."""
        if prepared := self.ask("prepare", **options):
            self.distances, self.broadcasts = tuple(prepared["distances"]), prepared["broadcasts"]
            self.stack_bytes, self.bytes_to_read = prepared["stack_bytes"], prepared["bytes_to_read"]

    def begin(self, **options: Any) -> None:
        """Read the problem, start the kernel and prepare all stacks."""
        self.read()
        self.start()
        self.prepare(**options)

    def first_call(self, position: int, others: Others | None = None) -> Busy:
        """Time the first call, verified like every timed call, and keep it unless another kernel disturbed it.

        first_call = import the kernel + prepare(one image) + the first baseline; preparing all images is not in it.
        """
        first = self.ask("time", scope="baseline", distance="l1", loops=1, warm=False, others=others or {})
        busy = _busy(first, 1) if first else {}
        if first and not busy:
            self._call_s["baseline", "l1"] = first["seconds"]
            first["seconds"] += self._start_s
            self._keep("first_call", "l1", 0, position, 1, first)
        return busy

    def warm_up(self) -> None:
        """Begin, and call every pair once, where first calls are not timed."""
        self.begin()
        if known := self.setup.calls.get(self.name):
            self._call_s["baseline", "l1"] = known
        for scope, distance in self.plan.pairs:
            if self.offers(distance):
                self.slow(scope, distance)

    @property
    def processes(self) -> list[int]:
        """The worker process and its descendants, as far as known; [] where it has ended."""
        return (self._processes or [self.worker.pid]) if self.worker else []

    def bytes_read(self, scope: str, size: int = 0) -> int:
        """Return how many bytes one call of the scope must read of what the kernel prepared: at most one per pixel."""
        problem = self.setup.problem
        counts = images_read(problem, "mean"), size or problem.count
        per_image = self.bytes_to_read or [problem.pixels] * 2
        of_scope = {"mean": (0,), "predict": (1,)}.get(scope, (0, 1))
        return int(sum(counts[i] * min(per_image[i], problem.pixels) for i in of_scope))

    def verify(self, seed: int) -> None:
        """Verify the kernel on inputs drawn from `seed`, which it has not seen."""
        if reply := self.ask("verify", VERIFY_CALLS * self.plan.timeout_s, seed=seed):
            self.result = CheckResult(self.kernel, "agrees", None, reply["correct"], reply["mean_error"])

    def resize(self, size: int, in_reach: bool = True) -> None:
        """Prepare `size` validation images; skip a size where one call would take over `Plan.longest_s`.

        A kernel for the CPU also skips a size that the host does not hold (`in_reach`); a GPU repeats the images.
        """
        if self.worker is None:
            return
        if not in_reach and self.spec.device == "cpu":
            self.skipped[size] = None
        self.slow("predict", "l1")  # which measures how long a call takes
        expected_s = self._call_s.get(("predict", "l1"), 0) * size / (self._size or self.setup.problem.count)
        if expected_s > self.plan.longest_s:
            self.skipped[size] = expected_s
        if size not in self.skipped:
            self._call_s.clear()
            self._size = size
            self.prepare(valid_images=size, seed=self.plan.seed)
        if self.spec.device != "cpu":
            crowded = device_bytes(self.setup.problem, size) > CROWDED
            self._refill = {"valid_images": size, "seed": self.plan.seed} if crowded else {}
            self.slow("predict", "l1")
            self.make_room()

    def make_room(self) -> None:
        """Release the images where a GPU cannot hold those of all kernels; JAX does so only as its process ends."""
        if self._refill and self.worker and "jax" in self.spec.packages:
            self.end()
            self.open()
            self.read()
            self.start()
        elif self._refill:
            self.ask("prepare", valid_images=1)

    def refill(self) -> None:
        """Prepare again what `make_room` released."""
        if self._refill:
            self.ask("prepare", **self._refill)

    def slow(self, scope: str, distance: str) -> bool:
        """Return whether a call takes so long that it is bracketed; measures one call where none was timed yet."""
        pair = (scope, distance)
        timed = pair in self._call_s
        if not timed and (reply := self.ask("time", scope=scope, distance=distance, loops=1, warm=False, others={})):
            self._call_s[pair] = reply["seconds"]
        return self._call_s.get(pair, 0) > SLOW_S

    def time(self, scope: str, distance: str, round: int, position: int, others: Others) -> Busy:
        """Take one sample of at least ten milliseconds, and keep it unless another kernel disturbed it.

        Where a GPU has no room for the images of all kernels, this kernel has its own there during its sample alone.
        """
        self.refill()
        loops, reply = self._sample(scope, distance, others)
        busy = _busy(reply, loops) if reply else {}
        if reply and not busy:
            self._keep(scope, distance, round, position, loops, reply)
        self.make_room()
        return busy

    def seconds(self, scope: str, distance: str) -> float | None:
        """Return the seconds per call of one sample, which is not kept; None where the kernel has failed."""
        _, reply = self._sample(scope, distance, {})
        return reply["seconds"] if reply else None

    def _sample(self, scope: str, distance: str, others: Others) -> tuple[int, Reply | None]:
        warm = not self.slow(scope, distance)
        loops = math.ceil(MARGIN * SHORTEST_SAMPLE_S / self._call_s.get((scope, distance), 1))
        while reply := self.ask("time", scope=scope, distance=distance, loops=loops, warm=warm, others=others):
            self._call_s[scope, distance] = min(reply["seconds"], self._call_s.get((scope, distance), math.inf))
            if reply["seconds"] * loops < SHORTEST_SAMPLE_S:
                loops = math.ceil(MARGIN * SHORTEST_SAMPLE_S / reply["seconds"])  # it was much faster than before
            elif warm and self._retakes and _disturbed(reply["usage"]):
                self._retakes -= 1
            else:
                break
        return loops, reply

    def examine(self) -> dict[str, Any]:
        """Return what `bench.probes.broadcasting` learns on all images; a failure costs the kernel nothing else."""
        assert self.worker
        try:
            self.worker.ask("prepare", self.plan.timeout_s, plain=True)
            return self.worker.ask("broadcast", self.plan.timeout_s)
        except Failure as failure:
            return {"ranks_l1": f"fails: {failure.status}"}

    def ask(self, do: str, timeout_s: float = 0, **arguments: Any) -> Reply | None:
        """Return the worker's reply to a request; None where the kernel has failed, or fails now, which ends it."""
        if self.worker is None:
            return None
        try:
            return self.worker.ask(do, timeout_s or self.plan.timeout_s, **arguments)
        except Failure as failure:
            # With sizes, what breaks at one size was verified at smaller ones.
            self.fail(failure, keep_samples=bool(self.plan.sizes) and failure.status != "disagrees")
            return None

    def fail(self, failure: Failure, *, keep_samples: bool = False) -> None:
        """End the worker process; the kernel has this failure as its result.

        Raises:
            RunEnded: the plan has `against`, and a kernel is wrong or broken, or the reference is unavailable.
        """
        self.result = failed_result(self.kernel, failure)
        if not keep_samples:
            self.samples.clear()
        self.end()
        if self.plan.against and (failure.status != "unavailable" or self.spec.name == self.plan.reference):
            raise RunEnded(self.result)

    def end(self) -> None:
        if self.worker:
            self.worker.end()
        self.worker, self._processes = None, []

    def _keep(self, scope: str, distance: str, round: int, position: int, loops: int, reply: Reply) -> None:
        self.threads = reply["threads"]
        if scope != "first_call":  # which wakes the GPU
            self.gpu = nvml.worst([self.gpu, reply["gpu"]])
        images = self._size or images_read(self.setup.problem, scope)
        values = images, reply["seconds"], loops, self.setup.process, round, position
        self.samples.append(Sample(self.name, scope, distance, *values, **reply["usage"]))
        self._processes = reply["processes"]


def _busy(reply: Reply, loops: int) -> Busy:
    """Return what used more than BUSY_CORES during a sample; a shorter first call counts as if it took as long."""
    share = max(1.0, SHORTEST_SAMPLE_S / (reply["seconds"] * loops))
    return {name: cores for name, cores in reply["others"].items() if cores > BUSY_CORES * share}


def _disturbed(usage: Reply) -> bool:
    """Return whether others kept a sample's threads from a core. Its time does not count, so no value is favoured."""
    return (usage["waited_cores"] or 0.0) > WAITED_CORES or (usage["steal_cores"] or 0.0) > STOLEN_CORES
