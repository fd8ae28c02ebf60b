"""What a prepared stack holds, measured by the harness: a kernel that leaves bytes out need not read them.

Only arrays that can be reached from the stack count. One that is hidden, in a closure or a global, makes the sum too
small and a check against it too lax; so a stack that holds less than its images compressed counts as dense.
"""

import math
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType, NoneType
from typing import Any

import numpy as np

SAMPLED = 4096  # images of each stack that are compressed


def bytes_per_image(stacks: Sequence[Any], given: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return how many bytes of an image the stacks hold, as measured, and how many a call must read.

    The latter is the former where it lies between the size of the images compressed, and one byte per pixel; else one
    byte per pixel: a wider stack could hold bytes, and a smaller one does not hold its images.

    Args:
        given: the uint8 stacks that they were prepared from.
    """
    seen, pixels = set[int](), float(given[0][0].size)
    parts = (
        part for stack in stacks for part in reachable(stack, lambda part: _size(part) is not None, math.inf, seen)
    )
    held = sum(_size(part) or 0 for part in parts) / max(1, sum(map(len, stacks)))
    if held >= pixels:
        return held, pixels
    sampled = [stack[:SAMPLED] for stack in given]
    fewest = sum(map(_fewest, sampled)) / sum(map(len, sampled))
    return held, held if held >= fewest else pixels


def _fewest(images: np.ndarray) -> float:
    """Return the bytes of uint8 images compressed: by zlib, or a bit per pixel and the bytes that are not zero."""
    return min(len(zlib.compress(images.tobytes(), 1)), images.size / 8 + np.count_nonzero(images))


def _size(thing: Any) -> int | None:
    """Return the bytes of an array, 8 for each number in a list; None if it is neither."""
    if isinstance(thing, (bytes, bytearray, memoryview, array)):
        return memoryview(thing).nbytes
    if of_numbers(thing):
        return 8 * len(thing)
    try:
        size = getattr(thing, "nbytes", None)
    except RuntimeError:  # torch cannot tell it of a sparse tensor, whose bytes then do not count
        return 0
    return size if isinstance(size, int) else None


def reachable(thing: Any, entire: Callable[[Any], bool], depth: float, seen: set[int]) -> Iterator[Any]:
    """Yield a thing and what can be reached from it in `depth` steps, each once; nothing inside what is `entire`.

    A step leads to an attribute or to an item of a container. Numbers and texts are left out.
    """
    if id(thing) in seen or isinstance(thing, (str, int, float, type, ModuleType, NoneType)):
        return
    seen.add(id(thing))
    yield thing
    if not depth or entire(thing):
        return
    items = thing.values() if isinstance(thing, dict) else thing
    inside = [*items] if isinstance(thing, (dict, list, tuple, set, frozenset)) and not of_numbers(thing) else []
    inside += getattr(thing, "__dict__", {}).values()
    for slots in (getattr(one, "__slots__", ()) for one in type(thing).__mro__):
        names = [slots] if isinstance(slots, str) else [name for name in slots if name[:2] != "__"]
        inside += [getattr(thing, name, None) for name in names]
    for part in inside:
        yield from reachable(part, entire, depth - 1, seen)


def of_numbers(thing: Any) -> bool:
    """Return whether a thing is a list or tuple of numbers."""
    return isinstance(thing, (list, tuple)) and bool(thing) and isinstance(thing[0], (int, float))
