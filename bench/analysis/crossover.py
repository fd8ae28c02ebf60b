"""From how many images on one kernel is faster than another: between two sizes, by confidence intervals of ratios.

At one size a kernel is faster, or slower, where the whole interval of its ratio says so; else the size is not resolved.
The new kernel overtakes the base between the largest size at which it is slower and the smallest from which on it is
faster at every larger resolved size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from bench.analysis import summary
from bench.analysis.speedup import Ratio
from bench.records.model import Record
from bench.records.sample import Sample

Timed = dict[int, list[Sample]]  # of one kernel, by size


@dataclass(frozen=True)
class Crossover:
    """Whether, and where, one kernel overtakes another as images become more.

    Attributes:
        base, new: the kernels' names.
        sides: by the number of images, rising: 1 where `new` is faster, -1 where it is slower, 0 where neither is
            resolved.
        determined: whether any of them has a confidence interval.
    """

    base: str
    new: str
    sides: dict[int, int]
    determined: bool

    @property
    def last_slower(self) -> int | None:
        """The largest size at which `new` is slower; None where it is at none."""
        return max(self._at(-1), default=None)

    @property
    def first_faster(self) -> int | None:
        """The smallest size from which on `new` is faster at every larger resolved one; None where there is none."""
        return min((size for size in self._at(1) if size > (self.last_slower or 0)), default=None)

    @property
    def always(self) -> bool:
        """Whether `new` is faster at every size."""
        return bool(self.sides) and self._at(1) == [*self.sides]

    @property
    def crosses(self) -> bool:
        """Whether one is faster on one side and the other on the other side."""
        return self.last_slower is not None and self.first_faster is not None

    def __str__(self) -> str:
        if not self.sides:
            return "undetermined: no number of images was timed with both"
        if not self.determined:
            return "undetermined: fewer than six processes per kernel, so no confidence interval"
        if self.always:
            return f"{self.new} is faster at every size: {_listed([*self.sides])}"
        if self.first_faster is None:
            return f"{self.new} never overtakes {self.base}: {_listed([*self.sides])}"
        beyond = [size for size in self._at(0) if self.last_slower is None or size > self.first_faster]
        unresolved = f"; not resolved at {_listed(beyond)}" if beyond else ""
        if self.last_slower is None:
            return f"{self.new} is faster at {_listed(self._at(1))}, and slower at none{unresolved}"
        between = f"{self.last_slower:,} and {self.first_faster:,} images"
        return f"{self.new} overtakes {self.base} between {between}{unresolved}"

    def _at(self, side: int) -> list[int]:
        return [size for size, there in self.sides.items() if there == side]


def crossover(record: Record, base: str, new: str) -> Crossover:
    """Return where `new` overtakes `base` in a record of sizes."""
    timed = _timed(record)
    return _between(base, new, timed.get(base, {}), timed.get(new, {}))


def crossings(record: Record) -> list[Crossover]:
    """Return the crossovers of all pairs of kernels, each in the direction in which one overtakes or leads.

    Those that cross come first, by where; then those of which one leads, then the others, by name.
    """
    timed = _timed(record)
    found = []
    for base, new in combinations(sorted(timed), 2):
        there = _between(base, new, timed[base], timed[new])
        back = Crossover(new, base, {size: -side for size, side in there.sides.items()}, there.determined)
        found.append(max(there, back, key=lambda each: each.first_faster is not None))
    by_size = sorted(found, key=lambda each: (each.first_faster is None, each.first_faster or 0, each.new, each.base))
    return sorted(by_size, key=lambda each: not each.crosses)


def _timed(record: Record) -> dict[str, Timed]:
    """Return the samples of each kernel by size: looked for once, as pairs are many."""
    found: dict[str, Timed] = {name: {} for name in record.kernels("predict", "l1")}
    for sample in record.samples:
        if (sample.scope, sample.distance) == ("predict", "l1") and sample.kernel in found:
            found[sample.kernel].setdefault(sample.images, []).append(sample)
    return found


def _between(base: str, new: str, base_timed: Timed, new_timed: Timed) -> Crossover:
    ratios = {size: summary.paired(base_timed[size], new_timed[size]) for size in sorted({*base_timed} & {*new_timed})}
    held = {size: ratio for size, ratio in ratios.items() if ratio}
    determined = any(ratio.low is not None for ratio in held.values())
    return Crossover(base, new, {size: _side(ratio) for size, ratio in held.items()}, determined)


def _side(ratio: Ratio) -> int:
    if ratio.low is None or ratio.high is None:
        return 0
    return 1 if ratio.low > 1 else -1 if ratio.high < 1 else 0


def _listed(sizes: Sequence[int]) -> str:
    return f"{', '.join(f'{size:,}' for size in sizes)} image{'s' if sizes[-1] > 1 else ''}"
