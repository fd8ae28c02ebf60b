"""What broadcasting does in a kernel's library: whether it copies, what its expression allocates, and whether one
function serves one image and a whole stack. Nothing is timed here; it runs in a worker of its own.

Asked of every kernel whose prepared stack is an array (n, height, width) and whose file defines `distance_l1(a, b)`.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from bench.kernel import Kernel
from bench.probes import host_memory
from bench.task.scopes import PreparedKernel, offered

LONGEST_S = 5.0  # that a distance is asked for image by image; a kernel that is through earlier is compared in full
LAST_BITS = 1e-4  # results further apart, as a part of one, differ in more than their last bits


def concerns(kernel: Kernel, stack: Any) -> bool:
    """Return whether there is something to ask: a rank-3 array, and a function of two arrays."""
    return len(getattr(stack, "shape", ())) == 3 and callable(getattr(kernel, "distance_l1", None))


def examine(prepared: PreparedKernel) -> dict[str, Any]:
    """Return the findings, under the keys that `results/README.md` explains.

    Memory in bytes, of the CPU's alone, and where the system tells: what a call takes on a GPU is not seen from here.
    """
    stack, mean = prepared.valid, prepared.kernel.mean_images(prepared.train)[0]
    on_host = prepared.device == "cpu"
    found: dict[str, Any] = {}
    if expand := _expansion(mean):
        expanded = expand(tuple(stack.shape))
        found["expansion_strides"] = ", ".join(map(str, _strides(expanded)))
        found["expansion_full_bytes"] = math.prod(stack.shape) * mean.dtype.itemsize
        if on_host:
            found |= _allocated("expansion_bytes", partial(expand, tuple(stack.shape)))
    for distance in offered(prepared.kernel):
        if function := getattr(prepared.kernel, f"distance_{distance}", None):
            found[f"ranks_{distance}"] = _ranks(function, stack, mean)
            if on_host and "fails" not in found[f"ranks_{distance}"]:
                found |= _allocated(f"expression_bytes_{distance}", partial(_computed, function, stack, mean))
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


def _ranks(function: Callable[[Any, Any], Any], stack: Any, mean: Any) -> str:
    """Compare one call on the stack with one call per image, bit by bit: how many results are the same."""
    where = "an image"
    try:
        alone = np.array(list(_one_by_one(function, stack, mean)))
        where = "the stack"
        together = np.array(_on_host(function(stack, mean)))
    except Exception as error:  # noqa: BLE001  whatever a library raises is its answer: this function serves one rank
        return f"fails on {where}: {type(error).__name__}"
    if together.shape != (len(stack),):
        return f"fails on the stack: results {together.shape}, expected {(len(stack),)}"
    together = together[: len(alone)]
    if not np.allclose(together, alone, rtol=LAST_BITS, atol=0):
        return "fails on the stack: other results than image by image"
    return f"{int((together == alone).sum())}/{len(alone)}"


def _one_by_one(function: Callable[[Any, Any], Any], stack: Any, mean: Any) -> Iterator[float]:
    """Yield one result per image, for as long as that may take; a lazy library takes milliseconds for each."""
    until = perf_counter() + LONGEST_S
    for image in stack:
        yield float(function(image, mean))
        if perf_counter() > until:
            break


def _on_host(results: Any) -> Any:
    """Return results as numbers on the host."""
    return results.tolist() if hasattr(results, "tolist") else np.asarray(results)


def _computed(function: Callable[[Any, Any], Any], stack: Any, mean: Any) -> np.ndarray:
    """Return the results as an array of the host, which no library can give before it has computed them."""
    return np.asarray(function(stack, mean))


def _allocated(key: str, call: Callable[[], object]) -> dict[str, int]:
    call()  # what is set up once is no part of it
    sizes = [host_memory.peak(call).temporaries_bytes for _ in range(3)]
    told = [size for size in sizes if size is not None]
    return {key: min(told)} if told else {}  # another thread's pages may come on top of the call's own
