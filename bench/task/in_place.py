"""Change prepared stacks in place: the same objects at the same addresses, with other images in them.

A kernel that looks its answer up by object or by address, or that took sums in `prepare`, then gives a wrong one. It
does not reach stacks that cannot be written, such as tuples, arrays of JAX and plans of Dask.
"""

import copy
import math
from array import array
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

import numpy as np

DEPTH = 3  # attributes of attributes that are looked into
LONGEST = 64  # items of a list of other things than images that are looked into
MEMORY = ("__array_interface__", "__cuda_array_interface__", "data_ptr")  # the type of an array in memory has one
UNWRITABLE = (TypeError, ValueError, RuntimeError, IndexError)  # from tuples and JAX, from NumPy, from torch


def exchange(first: Any, i: int, second: Any, j: int, pixels: int) -> bool:
    """Exchange image i of one prepared stack with image j of another, or of the same one; return whether that was done.

    Lists and arrays of a stack that have one item per image take part, also inside wrappers, along their first axis or
    their last; read-only NumPy arrays too. It is not done where a stack cannot be written, nor where no list or array
    has whole images, of that many pixels.
    """
    firsts, seconds = _holders(first, pixels), _holders(second, pixels)
    if not firsts or len(firsts) != len(seconds):
        return False
    before, after = [], []
    try:  # every image is copied before any is written, as two arrays may share their memory
        for (a, axis), (b, _) in zip(firsts, seconds, strict=True):
            at, to = (..., i) if axis else i, (..., j) if axis else j
            one, other = (copy.deepcopy(x[y]) if _in_memory(x) else x[y] for x, y in ((a, at), (b, to)))
            before += [(a, at, one), (b, to, other)]
            after += [(a, at, other), (b, to, one)]
        for place in after:
            _write(*place)
    except UNWRITABLE:
        for place in before:
            with suppress(*UNWRITABLE):  # torch raises after it has written
                _write(*place)
        return False
    return True


def writable(stacks: Sequence[Any], pixels: int) -> bool:
    """Return whether `exchange` can change prepared stacks of images of that many pixels."""
    return all(exchange(stack, 0, stack, 0, pixels) for stack in stacks)


def _write(holder: Any, at: Any, image: Any) -> None:
    """Write an image, meanwhile making a read-only NumPy array writable, unless its memory is somebody else's."""
    arrays, base = [], holder
    while isinstance(base, np.ndarray) and not base.flags.writeable:
        arrays.append(base)
        base = base.base
    try:
        for one in reversed(arrays):
            one.flags.writeable = True
        holder[at] = image
    finally:
        for one in arrays:
            one.flags.writeable = False


def _in_memory(thing: Any) -> bool:
    return any(hasattr(type(thing), name) for name in MEMORY)


def _holders(stack: Any, pixels: int) -> list[tuple[Any, int]]:
    """Return the lists and arrays with one item per image, and along which axis (0 or -1); [] if none has whole images.

    A list of numbers, a vector and an encoding in fewer bytes have something of each image, and not the image. A tuple
    or bytes with all images are among them, so that a stack which has both is known not to be writable.
    """
    parts, n = list[tuple[Any, int]](), len(stack)
    _collect(stack, n, pixels, DEPTH, parts, set())

    def whole(part: Any) -> bool:
        if isinstance(part, (list, tuple)):
            return n > 0 and not isinstance(part[0], (int, float))
        return math.prod(getattr(part, "shape", ())) >= n * pixels

    return parts if any(whole(part) for part, _ in parts) else []


def _axis(shape: Sequence[int], n: int, pixels: int) -> int | None:
    """Return along which axis an array has one item for each of n images: 0, -1, or None if it has not."""
    elements = math.prod(shape)
    if elements == pixels and n > 1:  # one image, whose height or width is n
        return None
    if shape and shape[0] == n:
        return 0
    return -1 if shape and shape[-1] == n and elements >= n * pixels else None


def _collect(thing: Any, n: int, pixels: int, depth: int, parts: list[tuple[Any, int]], seen: set[int]) -> None:
    if id(thing) in seen or isinstance(thing, (str, int, float, type, ModuleType)):
        return
    seen.add(id(thing))
    if _in_memory(thing) and isinstance(thing.shape, Sequence):
        axis = _axis(thing.shape, n, pixels)
        if axis is not None:
            parts.append((thing, axis))
    elif isinstance(thing, (list, tuple, bytearray, array)) and len(thing) == n:
        parts.append((thing, 0))
        return
    elif isinstance(thing, bytes):
        if len(thing) == n * pixels:
            parts.append((thing, 0))
        return
    if depth:
        inside = [*getattr(thing, "__dict__", {}).values()]
        slots = [name for name in getattr(type(thing), "__slots__", ()) if name[:2] != "__"]
        inside += [getattr(thing, name) for name in slots if hasattr(thing, name)]
        inside += [*thing.values()] if isinstance(thing, dict) else []
        inside += [*thing[:LONGEST]] if isinstance(thing, (tuple, list)) else []
        for part in inside:
            _collect(part, n, pixels, depth - 1, parts, seen)
