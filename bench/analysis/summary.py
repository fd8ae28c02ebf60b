"""Each kernel's numbers in a record: seconds, ratio to the reference, share of the bound.

All numbers about speed that are shown or tested come from here, so that table, picture and checklist cannot differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bench import formatting
from bench.analysis import speedup
from bench.analysis.bandwidth_bound import share_of_bound, share_of_own_bound
from bench.analysis.speedup import Group, Ratio, paired_ratio
from bench.records.model import Record
from bench.records.sample import AGAIN


@dataclass(frozen=True)
class Summary:
    """One kernel in one scope and distance of a record."""

    kernel: str
    seconds: float  # the median of all its samples, per call
    smallest: float  # seconds per call of its fastest sample
    images: int  # how many images a call reads
    ratio: Ratio | None  # reference seconds / its seconds; None where no round holds both, or the record is unpaired
    unpaired: float | None  # the ratio of medians, in an unpaired record
    share_of_bound: Ratio | None  # its device's bound / its seconds, 1.0 is the bound; None where not measured
    first_call: float | None  # seconds of the first call; None if not recorded
    groups: tuple[Group, Group] | None  # the two groups that its processes fall into; None where they are one
    is_reference: bool = False  # whether the ratios are over this kernel
    share_of_own: Ratio | None = None  # as `share_of_bound`, of the bytes that it holds where fewer than one per pixel

    @property
    def share(self) -> str:
        """Its share of the bound as text, with that of its own bytes where it holds fewer; "" where not measured."""
        own = f" ({formatting.share_of_bound(self.share_of_own.value)} of its own bytes)" if self.share_of_own else ""
        return f"{formatting.share_of_bound(self.share_of_bound.value)}{own}" if self.share_of_bound else ""

    @property
    def speedup(self) -> float | None:
        """The ratio's value, paired where possible; None without a reference."""
        return self.ratio.value if self.ratio else self.unpaired

    @property
    def median(self) -> str:
        """Its median seconds as text: 3.61 ms, or 3.61 ms† where its processes fall into two groups."""
        return f"{formatting.time(self.seconds)}{'†' if self.groups else ''}"

    @property
    def two_groups(self) -> str:
        """Both groups of its processes as text: 1.20 ms (4 processes) and 7.90 ms (2 processes); "" for one."""
        groups = self.groups or ()
        return " and ".join(f"{formatting.time(group.seconds)} ({group.processes} processes)" for group in groups)

    @property
    def interval(self) -> str:
        """The confidence interval of its ratio as text; "" without one."""
        return self.ratio.interval() if self.ratio else ""


def summaries(
    record: Record, scope: str = "baseline", distance: str = "l1", kernels: Sequence[str] | None = None
) -> list[Summary]:
    """Return the summaries of a record's kernels, or of those named, slowest first."""
    names = record.kernels(scope, distance) if kernels is None else kernels
    rows = [_summary(record, name, scope, distance) for name in names]
    return sorted(rows, key=lambda row: -row.seconds)


def noise_floor(record: Record, scope: str = "baseline", distance: str = "l1") -> float | None:
    """Return the smallest difference that this record can tell from none, as a fraction; None without A/A control."""
    if record.control is None or not record.paired:
        return None
    once = record.samples_of(record.control.removesuffix(AGAIN), scope, distance)
    control = paired_ratio(once, record.samples_of(record.control, scope, distance))
    return speedup.noise_floor(control) if control else None


def cores_used(record: Record, name: str) -> float | None:
    """Return the mean of a sample's `other_cores` or `steal_cores` over all sampled seconds; None if not measured."""
    measured = [sample for sample in record.samples if getattr(sample, name) is not None]
    seconds = sum(sample.seconds * sample.loops for sample in measured)
    used = sum(getattr(sample, name) * sample.seconds * sample.loops for sample in measured)
    return max(0.0, used / seconds) if measured else None


@lru_cache(maxsize=4096)  # a page shows most of them several times
def _summary(record: Record, kernel: str, scope: str, distance: str) -> Summary:
    reference, samples = (record.samples_of(name, scope, distance) for name in (record.reference, kernel))
    first_calls = record.samples_of(kernel, "first_call")
    device = record.kernel_metadata.get(kernel, {}).get("device", "")
    median, smallest = speedup.median_and_smallest(samples)
    return Summary(
        kernel=kernel,
        seconds=median,
        smallest=smallest,
        images=samples[0].images,
        ratio=paired_ratio(reference, samples) if record.paired else None,
        unpaired=speedup.unpaired(reference, samples) if reference and not record.paired else None,
        share_of_bound=share_of_bound(record, kernel, scope, distance, device),
        first_call=speedup.median_and_smallest(first_calls)[0] if first_calls else None,
        groups=speedup.two_groups(samples),
        is_reference=kernel == record.reference,
        share_of_own=share_of_own_bound(record, kernel, scope, distance),
    )
