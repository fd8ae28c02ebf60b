"""From how many images on one kernel is faster than another: an interval of sizes, where intervals of ratios say so.

At one size a kernel is faster, or slower, where the whole interval of its ratio says so; else the size is not resolved.
The new kernel overtakes the base between the largest size at which it is slower and the smallest from which on it is
faster at every larger resolved size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from bench import standing
from bench.records import Record
from bench.sample import Sample

Timed = dict[int, list[Sample]]  # of one kernel, by size


@dataclass(frozen=True)
class Crossover:
    """Whether, and where, one kernel overtakes another as images become more.

    Attributes:
        base, new: the kernels' names.
        sizes: the numbers of images at which both took turns, rising.
        last_slower: the largest of them at which `new` is slower; None where it is at none.
        first_faster: the smallest from which on it is faster at every larger resolved one; None where there is none.
        always: whether it is faster at each of them.
        determined: whether any of them has an interval.
        unresolved: those at which it is not resolved which one is faster.
    """

    base: str
    new: str
    sizes: tuple[int, ...]
    last_slower: int | None = None
    first_faster: int | None = None
    always: bool = False
    determined: bool = False
    unresolved: tuple[int, ...] = ()

    @property
    def crosses(self) -> bool:
        """Whether one is faster on one side and the other on the other side."""
        return self.last_slower is not None and self.first_faster is not None

    def __str__(self) -> str:
        if not self.sizes:
            return "undetermined: no number of images was timed with both"
        if not self.determined:
            return "undetermined: fewer than six process sets, so no interval"
        if self.always:
            return f"{self.new} is faster at every size, {_span(self.sizes)}"
        if self.first_faster is None:
            return f"{self.new} never overtakes {self.base} in the range, {_span(self.sizes)}"
        beyond = [size for size in self.unresolved if self.last_slower is None or size > self.first_faster]
        open_at = f"; not resolved at {_listed(beyond)}" if beyond else ""
        if self.last_slower is None:
            faster = [size for size in self.sizes if size not in self.unresolved]
            return f"{self.new} is faster at {_listed(faster)}, and slower at none{open_at}"
        between = f"{self.last_slower:,} and {self.first_faster:,} images"
        return f"{self.new} overtakes {self.base} between {between}{open_at}"


def crossover(record: Record, base: str, new: str) -> Crossover:
    """Return where `new` overtakes `base` in a record of sizes."""
    timed = _timed(record)
    return _between(base, new, timed.get(base, {}), timed.get(new, {}))


def crossings(record: Record) -> list[Crossover]:
    """Return the crossovers of all pairs of kernels, each in the direction in which one overtakes or leads.

    Those that cross come first, by where; then who leads from some size on, at every size, or never; by name.
    """
    timed = _timed(record)
    found = []
    for one, other in combinations(sorted(timed), 2):
        directions = (_between(*pair, timed[pair[0]], timed[pair[1]]) for pair in ((one, other), (other, one)))
        found.append(max(directions, key=lambda each: each.first_faster is not None))
    return sorted(found, key=lambda each: (_rank(each), each.first_faster or 0, each.new, each.base))


def _rank(found: Crossover) -> tuple[bool, bool, bool, bool]:
    return not found.crosses, not found.determined, found.first_faster is None, found.always


def _timed(record: Record) -> dict[str, Timed]:
    """Return the samples of each kernel by size: looked for once, as pairs are many."""
    found: dict[str, Timed] = {name: {} for name in record.kernels("predict", "l1")}
    for each in record.samples:
        if (each.scope, each.distance) == ("predict", "l1") and each.kernel in found:
            found[each.kernel].setdefault(each.images, []).append(each)
    return found


def _between(base: str, new: str, base_timed: Timed, new_timed: Timed) -> Crossover:
    ratios = {size: standing.paired(base_timed[size], new_timed[size]) for size in sorted({*base_timed} & {*new_timed})}
    sides = {size: _side(each.low, each.high) for size, each in ratios.items() if each}
    slower = [size for size, side in sides.items() if side == -1]
    faster = [size for size, side in sides.items() if side == 1 and size > max(slower, default=0)]
    return Crossover(
        base,
        new,
        sizes=tuple(sides),
        last_slower=max(slower, default=None),
        first_faster=min(faster, default=None),
        always=bool(faster) and len(faster) == len(sides),
        determined=any(each.low is not None for each in ratios.values() if each),
        unresolved=tuple(size for size, side in sides.items() if not side),
    )


def _side(low: float | None, high: float | None) -> int:
    """Return 1 where the new kernel is faster, -1 where it is slower, 0 where that is not resolved."""
    if low is None or high is None:
        return 0
    return 1 if low > 1 else -1 if high < 1 else 0


def _listed(sizes: Sequence[int]) -> str:
    return f"{', '.join(f'{size:,}' for size in sizes)} image{'s' if sizes[-1] > 1 else ''}"


def _span(sizes: Sequence[int]) -> str:
    least, most = (f"{size:,} image{'s' if size > 1 else ''}" for size in (sizes[0], sizes[-1]))
    return most if len(sizes) == 1 else f"{least.partition(' ')[0]} to {most}"
