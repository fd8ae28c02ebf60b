"""What broadcasting does in a kernel's library: whether it copies, what its expression allocates, and whether one
function takes both one image and a whole stack. Nothing is timed here. It runs in a worker of its own.

It examines every kernel whose prepared stack is an array (n, height, width) and that defines `distance_l1(a, b)`.
"""

import math
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from bench.kernel import Kernel
from bench.probes import host_memory
from bench.task.scopes import PreparedKernel, offered

LONGEST_S = 5.0  # for calls image by image; what is not computed by then is not compared
LAST_BITS = 1e-4  # results whose relative difference is larger differ in more than their last bits


def concerns(kernel: Kernel, stack: Any) -> bool:
    """Return whether the kernel can be examined: its stack is an array of rank 3, and it has a `distance_l1`."""
    return len(getattr(stack, "shape", ())) == 3 and callable(getattr(kernel, "distance_l1", None))


def examine(prepared: PreparedKernel) -> dict[str, Any]:
    """Return the findings, under the keys that `results/README.md` explains, memory in bytes.

    Memory is left out on a GPU, and where the system does not report it.
    """
    train, stack = prepared.plain()
    mean, shape = prepared.kernel.mean_images(train)[0], tuple(stack.shape)
    findings: dict[str, Any] = {}
    calls: dict[str, Callable[[], object]] = {}  # whose memory is measured, by its key
    namespace = getattr(mean, "__array_namespace__", None)
    expand = partial(namespace().broadcast_to, mean) if namespace else getattr(mean, "broadcast_to", None)  # of torch
    if expand:
        findings["expansion_strides"] = ", ".join(map(str, _strides(expand(shape))))
        findings["expansion_full_bytes"] = math.prod(shape) * mean.dtype.itemsize
        calls["expansion_bytes"] = partial(expand, shape)
    for distance in offered(prepared.kernel):
        if function := getattr(prepared.kernel, f"distance_{distance}", None):
            findings[f"ranks_{distance}"] = _ranks(function, stack, mean)
            if "fails" not in findings[f"ranks_{distance}"]:
                # as an array of the host, so that a lazy library has to compute
                calls[f"expression_bytes_{distance}"] = partial(
                    lambda function: np.asarray(function(stack, mean)), function
                )
    for key, call in calls.items() if prepared.device == "cpu" else ():
        call()  # what is set up once does not count
        # Another thread may add its own pages, so the smallest of three measurements counts.
        sizes = [size for _ in range(3) if (size := host_memory.peak(call).temporaries_bytes) is not None]
        findings |= {key: min(sizes)} if sizes else {}
    return findings


def _strides(array: Any) -> list[int]:
    """Return the elements between neighbours along each axis: 0 where the same ones are read again."""
    if callable(getattr(array, "stride", None)):  # torch
        return [*array.stride()]
    return [in_bytes // array.dtype.itemsize for in_bytes in getattr(array, "strides", None) or ()]


def _ranks(function: Callable[[Any, Any], Any], stack: Any, mean: Any) -> str:
    """Compare one call on the stack with one call per image, bit by bit; return how many results are equal."""
    where, alone, until = "an image", list[float](), perf_counter() + LONGEST_S
    try:
        for image in stack:  # a lazy library takes milliseconds for each
            alone.append(float(function(image, mean)))
            if perf_counter() > until:
                break
        where = "the stack"
        results = function(stack, mean)
        together = np.array(results.tolist() if hasattr(results, "tolist") else results)
    except Exception as error:  # noqa: BLE001  whatever a library raises: its function takes one rank only
        return f"fails on {where}: {type(error).__name__}"
    if together.shape != (len(stack),):
        return f"fails on the stack: results {together.shape}, expected {(len(stack),)}"
    together = together[: len(alone)]
    if not np.allclose(together, alone, rtol=LAST_BITS, atol=0):
        return "fails on the stack: other results than image by image"
    return f"{int((together == alone).sum())}/{len(alone)}"
