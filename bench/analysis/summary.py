"""Each kernel's numbers in a record: seconds, ratio to the reference, share of the bound.

All numbers about speed that are shown or tested come from here, so that table, picture and checklist cannot differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench import formatting
from bench.analysis import speedup
from bench.analysis.speedup import Group, Ratio
from bench.kernel import REFERENCE
from bench.records.model import Record
from bench.records.sample import AGAIN, ALL_CORES, GPU_LAUNCH, GPU_READ, ONE_CORE, Sample


@dataclass(frozen=True)
class Summary:
    """One kernel in one scope and distance of a record.

    Attributes:
        seconds: the median of all its samples, per call.
        smallest: seconds per call of its fastest sample.
        images: how many images a call reads.
        ratio: reference seconds / its seconds; None where no round holds both, or the record is unpaired.
        unpaired: the ratio of medians, in an unpaired record.
        share_of_bound: its device's bound / its seconds, 1.0 is the bound; None where that was not measured.
        first_call: seconds of the first call; None if not recorded.
        groups: the two groups that its processes fall into; None where they are one.
    """

    kernel: str
    seconds: float
    smallest: float
    images: int
    ratio: Ratio | None
    unpaired: float | None
    share_of_bound: Ratio | None
    first_call: float | None
    groups: tuple[Group, Group] | None

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


def bound_samples(record: Record, scope: str, device: str = "cpu") -> list[Sample]:
    """Return the samples of a device's bound; [] where it was not measured.

    On the CPU with one thread it is one core's reading, with all threads the faster of one core's and all cores'. On
    the GPU it is the slower of reading and launching.
    """
    names = [GPU_READ, GPU_LAUNCH] if device != "cpu" else [ONE_CORE]
    if device == "cpu" and record.metadata.get("threads") != "1":
        names.append(ALL_CORES)
    measured = [samples for name in names if (samples := record.samples_of(name, scope, "-"))]
    binding = min if device == "cpu" else max
    return binding(measured, key=lambda samples: speedup.median_and_smallest(samples)[0], default=[])


def share_of_bound(record: Record, kernel: str, scope: str, distance: str, device: str) -> Ratio | None:
    """Return a device's bound over a kernel's seconds, 1.0 is the bound; the device may be another than the kernel's.

    Every round is paired with the fastest reading of the record: other work on the machine slows a reading down,
    nothing makes it faster than the machine is, and a slower one would flatter the kernels.
    """
    samples, bound = record.samples_of(kernel, scope, distance), bound_samples(record, scope, device)
    if not bound:
        return None
    best = min(bound, key=lambda sample: sample.seconds)
    return paired_ratio([replace(best, process=sample.process, round=sample.round) for sample in samples], samples)


def noise_floor(record: Record, scope: str = "baseline", distance: str = "l1") -> float | None:
    """Return the smallest difference that this record can tell from none, as a fraction; None without A/A control."""
    if record.control is None or not record.paired:
        return None
    once = record.samples_of(record.control.removesuffix(AGAIN), scope, distance)
    control = paired_ratio(once, record.samples_of(record.control, scope, distance))
    return speedup.noise_floor(control) if control else None


def paired_ratio(reference: Sequence[Sample], samples: Sequence[Sample]) -> Ratio | None:
    """Return their ratio; None where no round holds both, as where one of them failed or was skipped at a size."""
    rounds, others = ({(sample.process, sample.round) for sample in side} for side in (reference, samples))
    return speedup.ratio(reference, samples) if rounds & others else None


def _summary(record: Record, kernel: str, scope: str, distance: str) -> Summary:
    reference, samples = (record.samples_of(name, scope, distance) for name in (REFERENCE, kernel))
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
    )
