"""From how many images on one kernel is faster than another: between two sizes, by confidence intervals of ratios.

At one size a kernel is faster, or slower, where the whole interval of its ratio says so; else the size is not resolved.
The new kernel overtakes the base between the largest size at which it is slower and the smallest from which on it is
faster at every larger resolved size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from bench.analysis import speedup
from bench.records.model import Record
from bench.records.sample import Sample

BySize = dict[int, list[Sample]]  # one kernel's samples by the number of images


@dataclass(frozen=True)
class Crossover:
    """Whether, and where, one kernel overtakes another as images become more."""

    base: str
    new: str
    signs: dict[int, int]  # by the number of images, rising: 1 where `new` is faster, -1 slower, 0 not resolved
    determined: bool  # whether any ratio has a confidence interval

    @property
    def last_slower(self) -> int:
        """The largest size at which `new` is slower; 0 where there is none."""
        return max(self._with(-1), default=0)

    @property
    def first_faster(self) -> int:
        """The smallest size from which on `new` is faster at every larger resolved one; 0 where there is none."""
        return min((size for size in self._with(1) if size > self.last_slower), default=0)

    @property
    def always(self) -> bool:
        """Whether `new` is faster at every size."""
        return bool(self.signs) and self._with(1) == [*self.signs]

    @property
    def crosses(self) -> bool:
        """Whether `base` is faster at small sizes and `new` at large ones."""
        return bool(self.last_slower and self.first_faster)

    def __str__(self) -> str:
        if not self.signs:
            return "undetermined: no number of images was timed with both"
        if not self.determined:
            return "undetermined: fewer than six processes per kernel, so no confidence interval"
        if self.always:
            return f"{self.new} is faster at every size: {_listed([*self.signs])}"
        if not self.first_faster:
            return f"{self.new} never overtakes {self.base}: {_listed([*self.signs])}"
        beyond = [size for size in self._with(0) if not self.last_slower or size > self.first_faster]
        unresolved = f"; not resolved at {_listed(beyond)}" if beyond else ""
        if not self.last_slower:
            return f"{self.new} is faster at {_listed(self._with(1))}, and slower at none{unresolved}"
        between = f"{self.last_slower:,} and {self.first_faster:,} images"
        return f"{self.new} overtakes {self.base} between {between}{unresolved}"

    def _with(self, wanted: int) -> list[int]:
        return [size for size, sign in self.signs.items() if sign == wanted]


def crossings(record: Record) -> list[Crossover]:
    """Return the crossovers of all pairs of kernels in a record of sizes, in the direction in which `new` leads.

    Those that cross come first, by size; then those in which one kernel leads, then the others, by name.
    """
    crossovers = []
    by_kernel = _by_kernel(record)
    for base, new in combinations(sorted(by_kernel), 2):
        there = _between(base, new, by_kernel)
        back = Crossover(new, base, {size: -sign for size, sign in there.signs.items()}, there.determined)
        crossovers.append(back if back.first_faster and not there.first_faster else there)
    crossovers.sort(key=lambda one: (not one.crosses, not one.first_faster, one.first_faster, one.new, one.base))
    return crossovers


def crossover(record: Record, base: str, new: str) -> Crossover:
    """Return where `new` overtakes `base` in a record of sizes."""
    return _between(base, new, _by_kernel(record))


def _by_kernel(record: Record) -> dict[str, BySize]:
    """Return the samples of each kernel by size: collected once, as pairs are many."""
    by_kernel: dict[str, BySize] = {}
    for name in record.kernels("predict", "l1"):
        for sample in record.samples_of(name, "predict", "l1"):
            by_kernel.setdefault(name, {}).setdefault(sample.images, []).append(sample)
    return by_kernel


def _between(base: str, new: str, by_kernel: dict[str, BySize]) -> Crossover:
    ours, theirs = by_kernel.get(base, {}), by_kernel.get(new, {})
    ratios = {size: speedup.paired_ratio(ours[size], theirs[size]) for size in sorted({*ours} & {*theirs})}
    paired = {size: ratio for size, ratio in ratios.items() if ratio}
    determined = any(ratio.low is not None for ratio in paired.values())
    return Crossover(base, new, {size: ratio.sign for size, ratio in paired.items()}, determined)


def _listed(sizes: Sequence[int]) -> str:
    return f"{', '.join(f'{size:,}' for size in sizes)} image{'s' if sizes[-1] > 1 else ''}"
