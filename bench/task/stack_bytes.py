"""How many bytes a prepared stack holds, measured by the harness: a kernel that leaves bytes out need not read them.

Only arrays that can be reached from the stack count. One that is hidden, in a closure or a global, makes the sum too
small and a check against it too lax; so a stack that holds less than its images compressed counts as dense.
"""

import zlib
from array import array
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

SAMPLED = 4096  # images of each stack that are compressed


def bytes_per_image(stacks: Sequence[Any], given: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return how many bytes of an image the stacks hold, as measured, and how many a call must read.

    The latter is the former where it lies between the size of the images compressed by zlib, and one byte per pixel;
    else one byte per pixel: a wider stack could hold bytes, and a smaller one does not hold its images.

    Args:
        given: the uint8 stacks that they were prepared from.
    """
    seen, pixels = set[int](), float(given[0][0].size)
    total: int = sum(_reachable(stack, seen) for stack in stacks)
    held = total / max(1, sum(map(len, stacks)))
    if held >= pixels:
        return held, pixels
    sampled = [stack[:SAMPLED] for stack in given]
    fewest = sum(len(zlib.compress(stack.tobytes(), 1)) for stack in sampled) / sum(map(len, sampled))
    return held, held if held >= fewest else pixels


def _reachable(thing: Any, seen: set[int]) -> int:
    """Return the bytes of the arrays reachable from a thing: every array once, 8 bytes for a number in a list."""
    if id(thing) in seen or isinstance(thing, (str, int, float, type, ModuleType)) or thing is None:
        return 0
    seen.add(id(thing))
    if isinstance(thing, (bytes, bytearray, memoryview, array)):
        return memoryview(thing).nbytes
    if isinstance(thing, (list, tuple, set, frozenset)):
        inside = [*thing]
        if inside and isinstance(inside[0], (int, float)):
            return 8 * len(inside)
    elif isinstance(thing, dict):
        inside = [*thing.values()]
    elif isinstance(size := _nbytes(thing), int):
        return size
    else:
        slots = [name for one in type(thing).__mro__ for name in _names(getattr(one, "__slots__", ()))]
        inside = [*getattr(thing, "__dict__", {}).values(), *(getattr(thing, name, None) for name in slots)]
    return sum(_reachable(part, seen) for part in inside)


def _nbytes(thing: Any) -> Any:
    try:
        return getattr(thing, "nbytes", None)
    except RuntimeError:  # torch cannot tell it of a sparse tensor, whose bytes then do not count
        return 0


def _names(slots: Any) -> Sequence[str]:
    return [slots] if isinstance(slots, str) else [name for name in slots if name[:2] != "__"]
