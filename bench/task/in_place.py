"""Change prepared stacks in place: the same objects at the same addresses, with other images in them.

A kernel that looks its answer up by object or by address, or that took sums in `prepare`, then gives a wrong one.
"""

import copy
import math
from array import array
from collections.abc import Sequence
from types import ModuleType
from typing import Any

DEPTH = 3  # attributes of attributes that are looked into
MEMORY = ("__array_interface__", "__cuda_array_interface__", "data_ptr")  # an array in memory has one of them


def exchange(first: Any, i: int, second: Any, j: int, pixels: int) -> bool:
    """Exchange image i of one prepared stack with image j of another, or of the same one.

    Every list or array of a stack that has one item per image takes part, also inside wrappers, along its first axis
    or its last.

    Returns:
        Whether that was done. It is not where a stack cannot be written, as a tuple, an array of JAX or a plan of
        Dask, nor where no list or array has whole images, of that many pixels.
    """
    firsts, seconds = _holders(first, pixels), _holders(second, pixels)
    if not firsts or len(firsts) != len(seconds):
        return False
    done = []
    for (a, axis), (b, _) in zip(firsts, seconds, strict=True):
        at, to = ((..., i), (..., j)) if axis else (i, j)
        one, other = copy.deepcopy(a[at]), copy.deepcopy(b[to])
        done.append((a, at, one, b, to, other))
        try:
            a[at], b[to] = other, one
        except (TypeError, ValueError, RuntimeError):  # from JAX, NumPy and torch where an array is read-only
            for x, at, one, y, to, other in done[:-1]:
                x[at], y[to] = one, other
            return False
    return True


def writable(stacks: Sequence[Any], pixels: int) -> bool:
    """Return whether `exchange` can change prepared stacks of images of that many pixels."""
    return all(exchange(stack, 0, stack, 0, pixels) for stack in stacks)


def _holders(stack: Any, pixels: int) -> list[tuple[Any, int]]:
    """Return the lists and arrays with one item per image, and along which axis (0 or -1); [] if none has whole images.

    A list of numbers, a vector and an encoding in fewer bytes have something of each image, and not the image.
    """
    parts = list[tuple[Any, int]]()
    _collect(stack, len(stack), pixels, DEPTH, parts, set())
    return parts if any(_whole(part, len(stack), pixels) for part, _ in parts) else []


def _whole(part: Any, n: int, pixels: int) -> bool:
    if isinstance(part, list):
        return n > 0 and not isinstance(part[0], (int, float))
    return math.prod(getattr(part, "shape", ())) >= n * pixels


def _axis(shape: Sequence[int], n: int, pixels: int) -> int | None:
    """Return along which axis an array has one item for each of n images: 0, -1, or None if it has not."""
    elements = math.prod(shape)
    if elements == pixels and n > 1:  # one image, whose height or width is n
        return None
    if shape and shape[0] == n:
        return 0
    return -1 if shape and shape[-1] == n and elements >= n * pixels else None


def _collect(thing: Any, n: int, pixels: int, depth: int, parts: list[tuple[Any, int]], seen: set[int]) -> None:
    if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type, ModuleType)):
        return
    seen.add(id(thing))
    shape = getattr(thing, "shape", None)
    if isinstance(thing, (list, bytearray, array)):
        if len(thing) == n:
            parts.append((thing, 0))
            return
    elif isinstance(shape, Sequence) and any(hasattr(thing, name) for name in MEMORY):
        axis = _axis(shape, n, pixels)
        if axis is not None:
            parts.append((thing, axis))
    if depth:
        inside = [*getattr(thing, "__dict__", {}).values()]
        inside += [
            getattr(thing, name)
            for name in getattr(thing, "__slots__", ())
            if name[:2] != "__" and hasattr(thing, name)
        ]
        inside += [*thing.values()] if isinstance(thing, dict) else []
        inside += [*thing[:8]] if isinstance(thing, (tuple, list)) and len(thing) != n else []
        for part in inside:
            _collect(part, n, pixels, depth - 1, parts, seen)
