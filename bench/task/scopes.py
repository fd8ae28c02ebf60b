"""The scopes: what one timed call contains. The clock itself is in `bench/runner/`."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import getitem
from typing import Any

import numpy as np

from bench.kernel import Kernel
from bench.task import in_place
from bench.task.oracle import DISTANCES
from bench.task.problem import Problem
from bench.task.windows import COUNT, Fixed, Window, Windows

DEVICE_BYTES_PER_PIXEL = 12  # as float32, with two temporaries


class WrongAnswer(Exception):
    """A kernel's answer is wrong. The message says what it answered and what was expected."""


@dataclass(frozen=True, eq=False)
class PreparedKernel:
    """A kernel on one device, with its own prepared stacks, which have more images than the problem."""

    kernel: Kernel
    device: str
    problem: Problem
    train: list[Any]  # the kernel's stacks, one per class
    valid: Any  # and one of validation images
    windows: Windows | Fixed  # those that no call has had yet
    given: tuple[np.ndarray, ...]  # the uint8 stacks that `prepare` was given, in the same order
    fingerprint: bytes  # a hash of these, taken before; b"" of repeated images

    def plain(self) -> tuple[list[Any], Any]:
        """Return the stacks of the problem's own images: of each class, and of all validation images."""
        counts = self.problem.train_counts
        return [stack[:n] for stack, n in zip(self.train, counts, strict=True)], self.valid[: self.problem.count]


def prepare(
    kernel: Kernel,
    device: str,
    problem: Problem,
    rng: np.random.Generator,
    *,
    count: int = COUNT,
    renewed: int = 0,
    tiled: np.ndarray | None = None,
    predict_only: bool = False,
    train: list[Any] | None = None,
) -> PreparedKernel:
    """Prepare every stack with the kernel's own `prepare`; its other arguments are those of `Windows`.

    On a GPU the stacks have no further images where they can be changed in place (see `Fixed`). Where there are more
    validation images than the problem has, and no file of them, the device repeats them: `stack[order]`. `train` are
    prepared training stacks to use again, with `predict_only`.
    """
    if device != "cpu":
        plain = _prepare(kernel, device, problem, Windows(problem, 0, rng))
        if count == 0 or in_place.writable([*plain.train, plain.valid], problem.pixels):
            return plain if count == 0 else replace(plain, windows=Fixed(problem, plain.train, plain.valid, rng))
        del plain  # before the next stacks need its room
    return _prepare(kernel, device, problem, Windows(problem, count, rng, renewed, tiled, predict_only), train)


def _prepare(
    kernel: Kernel, device: str, problem: Problem, windows: Windows, train: list[Any] | None = None
) -> PreparedKernel:
    given = *windows.train, windows.valid
    before = b"" if problem.repeated else fingerprint(given)
    train = train or [kernel.prepare(stack, device) for stack in windows.train]
    valid = kernel.prepare(windows.valid, device)
    if windows.repeats is not None:
        valid = valid[windows.repeats]
    return PreparedKernel(kernel, device, problem, train, valid, windows, given, before)


def fingerprint(stacks: Sequence[np.ndarray]) -> bytes:
    """Return a hash of all pixels of uint8 stacks as they are now."""
    sha = hashlib.sha256()
    for stack in stacks:
        sha.update(stack.data)
    return sha.digest()


def offered(kernel: Kernel) -> dict[str, Callable[[Any, Any], Any]]:
    """Return how the kernel predicts, by distance: "l1", and "l2" unless it has no `predict_l2`."""
    predicts = {distance: getattr(kernel, f"predict_{distance}", None) for distance in DISTANCES}
    return {distance: predict for distance, predict in predicts.items() if predict}


def call(prepared: PreparedKernel, scope: str, distance: str) -> Callable[[Window], tuple[np.ndarray, Any]]:
    """Return what a sample of the scope times: a function from a window to (answer, means).

    scope         time of one call, on the window w of every stack                      starts from
    mean          copy(to_host(mean_images(train[w])))                                  prepared stacks
    predict       copy(predict(valid[w], means))                                        prepared stacks and means
    baseline      copy(predict(valid[w], mean_images(train[w])))                        prepared stacks
    end_to_end    copy(predict(prepare(valid[w]), mean_images(prepare(train[w]))))      uint8 arrays on the host

    Slicing is part of the call. Download and PNG decoding are in none of them. `copy` is the harness's: the answer must
    have arrived on the host. The distance is "l1" or "l2"; "-" in the scope mean, which has none.
    """
    kernel, device, train, valid = prepared.kernel, prepared.device, prepared.train, prepared.valid
    mean_images, prepare, windows = kernel.mean_images, kernel.prepare, prepared.windows

    def mean(w: Window) -> tuple[np.ndarray, Any]:
        return host_means(kernel, mean_images([*map(getitem, train, w.train)])), None

    if scope == "mean":
        return mean
    predict = offered(kernel)[distance]

    def predict_alone(w: Window) -> tuple[np.ndarray, Any]:
        return host_copy(predict(valid[w.valid], w.means)), w.means

    def baseline(w: Window) -> tuple[np.ndarray, Any]:
        means = mean_images([*map(getitem, train, w.train)])
        return host_copy(predict(valid[w.valid], means)), means

    def end_to_end(w: Window) -> tuple[np.ndarray, Any]:
        means = mean_images([prepare(images[i], device) for images, i in zip(windows.train, w.train, strict=True)])
        return host_copy(predict(prepare(windows.valid[w.valid], device), means)), means

    return {"predict": predict_alone, "baseline": baseline, "end_to_end": end_to_end}[scope]


def inputs(prepared: PreparedKernel, scope: str, n: int) -> list[Window]:
    """Return n windows that no call has had; in the scope `predict` with means that no call has had."""
    windows = prepared.windows.take(n)
    if scope != "predict":
        return windows
    train, mean_images = prepared.train, prepared.kernel.mean_images

    def with_means(w: Window) -> Window:
        return replace(w, means=mean_images([*map(getitem, train, w.sampled)]))

    # A fixed window has one for all: a graph depends on the address of the means, too.
    return [with_means(windows[0])] * n if isinstance(prepared.windows, Fixed) else [*map(with_means, windows)]


def images_read(problem: Problem, scope: str) -> int:
    """Return how many images one call of the scope reads: training, validation, or both."""
    training, validation = sum(problem.train_counts), problem.count
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
    """Return a copy of labels (n,); raise WrongAnswer unless they are a list or numpy.ndarray, which is finished."""
    if type(labels) is list or type(labels) is np.ndarray:
        return np.array(labels)
    kind = f"{type(labels).__module__}.{type(labels).__name__}"
    raise WrongAnswer(f"answered a {kind}, expected a list or a numpy.ndarray on the host")


def host_means(kernel: Kernel, means: Any) -> np.ndarray:
    """Return a copy of the kernel's means on the host, float (classes, height, width), by its `to_host` if any."""
    return np.array(getattr(kernel, "to_host", np.asarray)(means))
