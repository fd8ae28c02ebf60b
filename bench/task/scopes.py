"""The scopes: what one timed call contains. The clock itself is in `bench/runner/`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.kernel import Kernel
from bench.task.oracle import DISTANCES
from bench.task.problem import Problem

DEVICE_BYTES_PER_PIXEL = 12  # as float32, with two temporaries


class WrongAnswer(Exception):
    """A kernel's answer is wrong. The message says what it answered and what was expected."""


@dataclass(frozen=True, eq=False)
class PreparedKernel:
    """A kernel on one device, with its own prepared stacks of a problem.

    Attributes:
        train, valid: the kernel's stacks: one per class, and one of all validation images.
        fingerprint: of the problem's pixels, taken before the kernel saw them.
    """

    kernel: Kernel
    device: str
    problem: Problem
    train: list[Any]
    valid: Any
    fingerprint: bytes


def prepare(kernel: Kernel, device: str, problem: Problem) -> PreparedKernel:
    """Prepare every stack of the problem with the kernel's own `prepare`."""
    fingerprint = problem.fingerprint()
    train = [kernel.prepare(stack, device) for stack in problem.train]
    return PreparedKernel(kernel, device, problem, train, kernel.prepare(problem.valid, device), fingerprint)


def repeated(prepared: PreparedKernel, n: int) -> PreparedKernel:
    """Return the kernel with n validation images, all of them repeated by the device that holds them.

    The stack must take an array of indices, `stack[order]`, as the arrays of every GPU library do.
    """
    order = np.arange(n) % prepared.problem.count
    return replace(prepared, valid=prepared.valid[order], problem=prepared.problem.tiled(n, prepared.problem.valid))


def offered(kernel: Kernel) -> tuple[str, ...]:
    """Return the distances under which the kernel predicts: "l1", and "l2" unless it has no `predict_l2`."""
    return tuple(distance for distance in DISTANCES if hasattr(kernel, f"predict_{distance}"))


def call(prepared: PreparedKernel, scope: str, distance: str) -> tuple[Callable[[], Any], Callable[[Any], np.ndarray]]:
    """Return (views, call): `call(views())` is what a sample of the scope times. Its body is the scope's timing model.

    scope         time of one call                                                      starts from
    mean          copy(to_host(mean_images(train)))                                     prepared stacks
    predict       copy(predict(valid, means))                                           prepared stacks and means
    baseline      copy(predict(valid, mean_images(train)))                              prepared stacks
    end_to_end    copy(predict(prepare(valid), mean_images(prepare(train))))            uint8 arrays on the host

    Download and PNG decoding are in none of them. `copy` is the harness's: the answer must have arrived on the host.
    `views` is not timed. It gives every call new slices `[:]`, so that a kernel which remembers answers by the identity
    of a stack, as `functools.cache` does with a tensor, never finds one again.

    Args:
        distance: "l1" or "l2"; "-" in the scope mean, which has none.
    """
    kernel, problem, device = prepared.kernel, prepared.problem, prepared.device
    mean_images = kernel.mean_images
    predict = getattr(kernel, f"predict_{distance}", None)

    def slices() -> tuple[Any, list[Any]]:
        return prepared.valid[:], [stack[:] for stack in prepared.train]

    if scope == "mean":
        return slices, lambda stacks: host_means(kernel, mean_images(stacks[1]))
    assert predict is not None, f"the kernel offers no {distance}"
    if scope == "predict":
        means = mean_images(prepared.train)
        return lambda: prepared.valid[:], lambda valid: host_copy(predict(valid, means))
    if scope == "baseline":
        return slices, lambda stacks: host_copy(predict(stacks[0], mean_images(stacks[1])))
    if scope == "end_to_end":
        prepare = kernel.prepare
        return lambda: (problem.valid[:], [stack[:] for stack in problem.train]), lambda images: host_copy(
            predict(prepare(images[0], device), mean_images([prepare(stack, device) for stack in images[1]]))
        )
    raise ValueError(f"unknown scope {scope!r}")


def images_read(problem: Problem, scope: str) -> int:
    """Return how many images one call of the scope reads: training, validation, or both."""
    training, validation = sum(problem.train_counts), len(problem.valid)
    return {"mean": training, "predict": validation}.get(scope, training + validation)


def bytes_read(problem: Problem, scope: str, size: int = 0) -> int:
    """Return how many bytes one call of the scope must read: one per pixel; of `size` images where that is not 0."""
    return (size or images_read(problem, scope)) * problem.pixels


def answer_bytes(problem: Problem, scope: str, labels: int) -> int:
    """Return the bytes of the least that answers one call of the scope: one per label, or per pixel of the means."""
    return len(problem.classes) * problem.pixels if scope == "mean" else labels


def device_bytes(problem: Problem, size: int) -> int:
    """Return the bytes that a kernel may need on a GPU for `size` validation images."""
    return size * problem.pixels * DEVICE_BYTES_PER_PIXEL


def host_copy(labels: Any) -> np.ndarray:
    """Return a copy of labels (n,) on the host.

    Raises:
        WrongAnswer: the labels are neither a list nor a numpy.ndarray; an array on a device may not be finished.
    """
    if type(labels) is list or type(labels) is np.ndarray:
        return np.array(labels)
    kind = f"{type(labels).__module__}.{type(labels).__name__}"
    raise WrongAnswer(f"answered a {kind}, expected a list or a numpy.ndarray on the host")


def host_means(kernel: Kernel, means: Any) -> np.ndarray:
    """Return a copy of the kernel's means on the host, float (classes, height, width), by its `to_host` if any."""
    return np.array(getattr(kernel, "to_host", np.asarray)(means))
