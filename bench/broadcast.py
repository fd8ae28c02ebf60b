"""What broadcasting does in a kernel's library: whether it copies, what its expression allocates, and whether one
function serves one image and a whole stack. Nothing is timed here; it runs in a worker of its own.

Asked of every kernel whose prepared stack is an array (n, height, width) and whose file defines `distance_l1(a, b)`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench import memory
from bench.kernel import Kernel
from bench.workload import Workload, offered


def concerns(kernel: Kernel, stack: Any) -> bool:
    """Return whether there is something to ask: a rank-3 array, and a function of two arrays."""
    return len(getattr(stack, "shape", ())) == 3 and callable(getattr(kernel, "distance_l1", None))


def examine(work: Workload) -> dict[str, Any]:
    """Return the findings, under the keys that `results/README.md` explains; memory in bytes, if the system tells."""
    stack, mean = work.valid, work.kernel.mean_images(work.train)[0]
    found: dict[str, Any] = {}
    if expand := _expansion(mean):
        expanded = expand(tuple(stack.shape))
        found["expansion_strides"] = ", ".join(map(str, _strides(expanded)))
        found["expansion_full_bytes"] = int(np.prod(stack.shape)) * mean.dtype.itemsize
        found |= _allocated("expansion_bytes", partial(expand, tuple(stack.shape)))
    for distance in offered(work.kernel):
        if function := getattr(work.kernel, f"distance_{distance}", None):
            found |= _ranks(distance, function, stack, mean)
            if "fails" not in found[f"ranks_{distance}"]:
                found |= _allocated(f"expression_bytes_{distance}", partial(function, stack, mean))
    return found


def _expansion(mean: Any) -> Callable[[tuple[int, ...]], Any] | None:
    """Return how the library broadcasts without computing: a method, or the array API's function of that name."""
    if namespace := getattr(mean, "__array_namespace__", None):
        return partial(namespace().broadcast_to, mean)
    return getattr(mean, "broadcast_to", None)  # torch


def _strides(array: Any) -> list[int]:
    """Return how many elements lie between neighbours along each axis: 0 where the same ones are read again."""
    if callable(getattr(array, "stride", None)):  # torch
        return [int(each) for each in array.stride()]
    return [each // array.dtype.itemsize for each in getattr(array, "strides", None) or ()]


def _ranks(distance: str, function: Callable[[Any, Any], Any], stack: Any, mean: Any) -> dict[str, str]:
    """Compare one call on the stack with one call per image, bit by bit: how many results are the same."""
    alone = [float(function(image, mean)) for image in stack]
    try:
        together = [float(each) for each in function(stack, mean)]
    except Exception as error:  # noqa: BLE001  whatever a library raises is its answer: this function serves rank 2 alone
        return {f"ranks_{distance}": f"fails on the stack: {type(error).__name__}"}
    same = sum(one == other for one, other in zip(alone, together, strict=True))
    return {f"ranks_{distance}": f"{same}/{len(alone)}"}


def _allocated(key: str, call: Callable[[], object]) -> dict[str, int]:
    call()  # what is set up once is no part of it
    size = memory.peak(call).temporaries_bytes
    return {} if size is None else {key: size}
