"""From how many images on one kernel is faster than another: between two sizes, by confidence intervals of ratios.

At one size a kernel is faster, or slower, where the whole interval of its ratio says so; else the size is not resolved.
The new kernel overtakes the base between the largest size at which it is slower and the smallest from which on it is
faster at every larger resolved size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from bench.analysis import speedup
from bench.analysis.speedup import Ratio
from bench.records.model import Record
from bench.records.sample import Sample

BySize = dict[int, list[Sample]]  # one kernel's samples by the number of images


@dataclass(frozen=True)
class Crossover:
    """Whether, and where, one kernel overtakes another as images become more.

    Attributes:
        base, new: the kernels' names.
        signs: by the number of images, rising: 1 where `new` is faster, -1 where it is slower, 0 where not resolved.
        determined: whether any ratio has a confidence interval.
    """

    base: str
    new: str
    signs: dict[int, int]
    determined: bool

    @property
    def last_slower(self) -> int | None:
        """The largest size at which `new` is slower; None where there is none."""
        return max(self._with(-1), default=None)

    @property
    def first_faster(self) -> int | None:
        """The smallest size from which on `new` is faster at every larger resolved one; None where there is none."""
        return min((size for size in self._with(1) if size > (self.last_slower or 0)), default=None)

    @property
    def always(self) -> bool:
        """Whether `new` is faster at every size."""
        return bool(self.signs) and self._with(1) == [*self.signs]

    @property
    def crosses(self) -> bool:
        """Whether `base` is faster at small sizes and `new` at large ones."""
        return self.last_slower is not None and self.first_faster is not None

    def __str__(self) -> str:
        if not self.signs:
            return "undetermined: no number of images was timed with both"
        if not self.determined:
            return "undetermined: fewer than six processes per kernel, so no confidence interval"
        if self.always:
            return f"{self.new} is faster at every size: {_listed([*self.signs])}"
        if self.first_faster is None:
            return f"{self.new} never overtakes {self.base}: {_listed([*self.signs])}"
        beyond = [size for size in self._with(0) if self.last_slower is None or size > self.first_faster]
        unresolved = f"; not resolved at {_listed(beyond)}" if beyond else ""
        if self.last_slower is None:
            return f"{self.new} is faster at {_listed(self._with(1))}, and slower at none{unresolved}"
        between = f"{self.last_slower:,} and {self.first_faster:,} images"
        return f"{self.new} overtakes {self.base} between {between}{unresolved}"

    def _with(self, wanted: int) -> list[int]:
        return [size for size, sign in self.signs.items() if sign == wanted]


def crossings(record: Record) -> list[Crossover]:
    """Return the crossovers of all pairs of kernels in a record of sizes, in the direction in which `new` leads.

    Those that cross come first, by size; then those in which one kernel leads, then the others, by name.
    """
    by_kernel = _by_kernel(record)
    crossovers = []
    for base, new in combinations(sorted(by_kernel), 2):
        there = _between(base, new, by_kernel)
        back = Crossover(new, base, {size: -sign for size, sign in there.signs.items()}, there.determined)
        crossovers.append(back if there.first_faster is None and back.first_faster is not None else there)

    def order(crossover: Crossover) -> tuple[bool, bool, int, str, str]:
        first = crossover.first_faster
        return not crossover.crosses, first is None, first or 0, crossover.new, crossover.base

    return sorted(crossovers, key=order)


def crossover(record: Record, base: str, new: str) -> Crossover:
    """Return where `new` overtakes `base` in a record of sizes."""
    return _between(base, new, _by_kernel(record))


def _by_kernel(record: Record) -> dict[str, BySize]:
    """Return the samples of each kernel by size: collected once, as pairs are many."""
    by_kernel: dict[str, BySize] = {name: {} for name in record.kernels("predict", "l1")}
    for sample in record.samples:
        if (sample.scope, sample.distance) == ("predict", "l1") and sample.kernel in by_kernel:
            by_kernel[sample.kernel].setdefault(sample.images, []).append(sample)
    return by_kernel


def _between(base: str, new: str, by_kernel: dict[str, BySize]) -> Crossover:
    ours, theirs = by_kernel.get(base, {}), by_kernel.get(new, {})
    ratios = {size: speedup.paired_ratio(ours[size], theirs[size]) for size in sorted({*ours} & {*theirs})}
    paired = {size: ratio for size, ratio in ratios.items() if ratio}
    determined = any(ratio.low is not None for ratio in paired.values())
    return Crossover(base, new, {size: _sign(ratio) for size, ratio in paired.items()}, determined)


def _sign(ratio: Ratio) -> int:
    if ratio.low is None or ratio.high is None:
        return 0
    return 1 if ratio.low > 1 else -1 if ratio.high < 1 else 0


def _listed(sizes: Sequence[int]) -> str:
    return f"{', '.join(f'{size:,}' for size in sizes)} image{'s' if sizes[-1] > 1 else ''}"
