"""Change prepared stacks in place: the same objects at the same addresses, with other images in them.

A kernel that looks its answer up by object or by address, or that took sums in `prepare`, then gives a wrong one. It
does not reach stacks that cannot be written, such as tuples, arrays of JAX and plans of Dask.
"""

import copy
import math
from array import array
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from bench.task.stack_bytes import of_numbers, reachable

DEPTH = 3  # attributes of attributes that are looked into
LISTS = (list, tuple, bytearray, array)
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
    n = len(stack)
    found = reachable(stack, lambda part: isinstance(part, LISTS) and len(part) == n, DEPTH, set())
    holders = [(part, axis) for part in found if (axis := _axis(part, n, pixels)) is not None]

    def whole(part: Any) -> bool:
        if isinstance(part, (list, tuple)):
            return n > 0 and not of_numbers(part)
        return math.prod(getattr(part, "shape", ())) >= n * pixels

    return holders if any(whole(part) for part, _ in holders) else []


def _axis(part: Any, n: int, pixels: int) -> int | None:
    """Return along which axis a list or array has one item for each of n images: 0, -1, or None if it has not."""
    if isinstance(part, LISTS):
        return 0 if len(part) == n else None
    if isinstance(part, bytes):
        return 0 if len(part) == n * pixels else None
    shape = part.shape if _in_memory(part) else ()
    if not (isinstance(shape, Sequence) and shape):
        return None
    elements = math.prod(shape)
    if elements == pixels and n > 1:  # one image, whose height or width is n
        return None
    if shape[0] == n:
        return 0
    return -1 if shape[-1] == n and elements >= n * pixels else None
