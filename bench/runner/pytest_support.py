"""What the two pytest entry points, test_accuracy and test_speed, share: a kernel that was verified in this process."""

import secrets
from dataclasses import dataclass
from functools import cache
from math import ceil
from time import perf_counter
from typing import Any

import numpy as np

from bench.kernel import KernelSpec, Unavailable, load, why_unavailable
from bench.probes import cpu_time, machine, read_bandwidth
from bench.records.model import PROTOCOL
from bench.runner import configuration, refusals
from bench.task import scopes
from bench.task.problem import Problem
from bench.task.scopes import PreparedKernel, WrongAnswer
from bench.task.stack_bytes import bytes_per_image
from bench.task.verify import Findings, verify
from bench.task.windows import COUNT, Window

SHORTEST_S = 0.02  # of the calls over which cores are counted
_bandwidth = cache(read_bandwidth.measure)


@dataclass
class Verified:
    """A kernel that was verified in this process, with its prepared stacks."""

    spec: KernelSpec
    prepared: PreparedKernel
    findings: Findings
    renewed: int = 0

    def offers(self, distance: str) -> bool:
        """Return whether the kernel predicts under this distance ("-": no distance, always True)."""
        return distance == "-" or distance in scopes.offered(self.prepared.kernel)

    def inputs(self, scope: str, n: int) -> list[Window]:
        """Return n windows that no call has had; the stacks are prepared anew where too few are left."""
        if self.prepared.windows.left < n:
            old = self.prepared
            self.renewed += 1
            self.prepared = scopes.prepare(
                old.kernel, old.device, old.problem, np.random.default_rng(), count=max(COUNT, n), renewed=self.renewed
            )
        return scopes.inputs(self.prepared, scope, n)

    def extra_info(self, scope: str, distance: str) -> dict[str, Any]:
        """Return what pytest-benchmark's JSON has beside the times, under the keys of `results/README.md`."""
        problem = self.prepared.problem
        return {
            **machine.metadata(),
            **{f"correct_{key}": problem.score(value) for key, value in self.findings.correct.items()},
            "kernel": self.spec.name,
            "device": self.spec.device,
            "scope": scope,
            "distance": distance,
            "images": scopes.images_read(problem, scope),
            "dataset": problem.name,
            "dataset_digest": problem.digest,
            **({"per_class": problem.per_class, "dataset_of": problem.dataset_of} if problem.per_class else {}),
            **configuration.in_force(),
            "protocol": PROTOCOL,
        }


def verified_in_process(spec: KernelSpec, problem: Problem) -> Verified:
    """Load, prepare and verify a kernel, with validation images in an order drawn anew.

    Raises:
        Unavailable: the kernel cannot run here.
        WrongAnswer, Exception: the kernel is wrong or broken.
    """
    if reason := why_unavailable(spec):
        raise Unavailable(reason)
    rng = np.random.default_rng()
    prepared = scopes.prepare(load(spec), spec.device, problem.shuffled(secrets.randbits(32)), rng)
    findings = Findings()
    verify(prepared, secrets.randbits(32), findings)
    return Verified(spec, prepared, findings)


def must_be_possible(verified: Verified, scope: str, distance: str, seconds: float) -> None:
    """Raise WrongAnswer for more than a core under one thread, and for mean images that are faster than reading.

    `seconds` are those of the fastest call.
    """
    if verified.spec.device != "cpu":
        return
    if configuration.in_force()["threads"] == "1":
        windows = verified.inputs(scope, ceil(SHORTEST_S / seconds))
        call = scopes.call(verified.prepared, scope, distance)
        before, started = cpu_time.read([], {}), perf_counter()
        for window in windows:
            call(window)
        used = cpu_time.between(before, cpu_time.read([], {}), perf_counter() - started).own
        if reason := refusals.too_many_cores(used):
            raise WrongAnswer(reason)
    prepared = verified.prepared
    _, per_image = bytes_per_image(prepared.train, prepared.given[:-1])
    size = int(scopes.images_read(prepared.problem, "mean") * min(per_image, prepared.problem.pixels))
    if scope == "mean" and (reason := refusals.too_fast(seconds, size, size / _bandwidth(size, machine.cores()))):
        raise WrongAnswer(reason)
