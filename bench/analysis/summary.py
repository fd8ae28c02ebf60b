"""Where each kernel of a record stands: seconds, ratio to the reference, share of the limit.

All that is shown or judged about speed comes from here, so that table, picture and checklist cannot differ.
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
        unpaired: the ratio of medians, where that is all there is.
        share: its device's limit / its seconds, 1.0 is the limit; None where that was not measured.
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
        """The ratio's value, paired where it can be; None without a reference."""
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
        """The confidence interval of its ratio as text; "" where there is none."""
        return self.ratio.interval() if self.ratio else ""


def summaries(
    record: Record, scope: str = "baseline", distance: str = "l1", kernels: Sequence[str] | None = None
) -> list[Summary]:
    """Return where the kernels of a record stand, or those named, slowest first."""
    reference = record.of(REFERENCE, scope, distance)
    names = record.kernels(scope, distance) if kernels is None else kernels
    rows = [_summary(record, name, reference, scope, distance) for name in names]
    return sorted(rows, key=lambda row: -row.seconds)


def limit(record: Record, scope: str, device: str = "cpu") -> list[Sample]:
    """Return the samples of a device's limit; none where it was not measured.

    Of the CPU: one core's reading, or with all threads the faster of one core's and all cores'. Of the GPU: what binds,
    the slower of reading and launching.
    """
    names = [GPU_READ, GPU_LAUNCH] if device != "cpu" else [ONE_CORE]
    if device == "cpu" and record.metadata.get("threads") != "1":
        names.append(ALL_CORES)
    measured = [samples for name in names if (samples := record.of(name, scope, "-"))]
    binding = min if device == "cpu" else max
    return binding(measured, key=lambda samples: speedup.seconds(samples)[0], default=[])


def share_of_bound(record: Record, name: str, scope: str, distance: str, device: str) -> Ratio | None:
    """Return a device's limit over a kernel's seconds: of its own device, 1.0 is the limit; or of another, to compare.

    The fastest reading of the recording is the partner of every round: other work on the machine slows a reading down,
    nothing makes it faster than the machine is, and a slower one would flatter the kernels.
    """
    samples, bound = record.of(name, scope, distance), limit(record, scope, device)
    if not bound:
        return None
    best = min(bound, key=lambda sample: sample.seconds)
    return paired([replace(best, process=each.process, round=each.round) for each in samples], samples)


def noise_floor(record: Record, scope: str = "baseline", distance: str = "l1") -> float | None:
    """Return the smallest difference that this recording can tell from none, as a fraction; None without a null."""
    if record.control is None or not record.paired:
        return None
    once = record.of(record.control.removesuffix(AGAIN), scope, distance)
    control = paired(once, record.of(record.control, scope, distance))
    return speedup.noise_floor(control) if control else None


def paired(reference: Sequence[Sample], samples: Sequence[Sample]) -> Ratio | None:
    """Return their ratio; None where no round holds both, as where one of them failed or was skipped at a size."""
    shared = {(each.process, each.round) for each in reference} & {(each.process, each.round) for each in samples}
    return speedup.ratio(reference, samples) if shared else None


def _summary(record: Record, name: str, reference: Sequence[Sample], scope: str, distance: str) -> Summary:
    samples, first = record.of(name, scope, distance), record.of(name, "first_call")
    middle, smallest = speedup.seconds(samples)
    return Summary(
        kernel=name,
        seconds=middle,
        smallest=smallest,
        images=samples[0].images,
        ratio=paired(reference, samples) if record.paired else None,
        unpaired=speedup.unpaired(reference, samples) if reference and not record.paired else None,
        share_of_bound=share_of_bound(
            record, name, scope, distance, record.kernel_metadata.get(name, {}).get("device", "")
        ),
        first_call=speedup.seconds(first)[0] if first else None,
        groups=speedup.two_groups(samples),
    )
