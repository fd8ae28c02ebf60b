"""Where each kernel of a record stands: seconds, ratio to the reference, share of the limit.

All that is shown or judged about speed comes from here, so that table, picture and checklist cannot differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench import speedup
from bench.kernel import REFERENCE
from bench.records import Record
from bench.sample import AGAIN, ALL_CORES, GPU_LAUNCH, GPU_READ, ONE_CORE, PINNED, Sample
from bench.speedup import Mode, Ratio


@dataclass(frozen=True)
class Standing:
    """One kernel in one scope and distance of a record.

    Attributes:
        seconds: its one mode's; of two modes the median of all samples, to sort by.
        smallest: seconds per call of its fastest sample.
        images: how many images a call reads.
        modes: of its seconds: one, or two where its processes fall apart; then no single number stands for it.
        ratio: reference seconds / its seconds; None where no round holds both, or the record is unpaired.
        unpaired: the ratio of medians, where that is all there is.
        share: its device's limit / its seconds, 1.0 is the limit; None where that was not measured.
        first_call: seconds of the first call; None if not recorded.
    """

    kernel: str
    seconds: float
    smallest: float
    images: int
    modes: tuple[Mode, ...]
    ratio: Ratio | None
    unpaired: float | None
    share: Ratio | None
    first_call: float | None

    @property
    def times_faster(self) -> float | None:
        """The ratio's value, paired where it can be: to sort by. What is shown is `speedups`."""
        return self.ratio.value if self.ratio else self.unpaired

    @property
    def speedups(self) -> tuple[Mode, ...]:
        """The ratio, or both where its process sets fall apart, the faster first; nothing without a reference."""
        if self.ratio:
            return self.ratio.modes
        return (Mode(self.unpaired, 1),) if self.unpaired else ()


def standings(
    record: Record, scope: str = "baseline", distance: str = "l1", kernels: Sequence[str] | None = None
) -> list[Standing]:
    """Return where the kernels of a record stand, or those named, slowest first."""
    reference = record.of(REFERENCE, scope, distance)
    names = record.kernels(scope, distance) if kernels is None else kernels
    found = [_standing(record, name, reference, scope, distance) for name in names]
    return sorted(found, key=lambda each: -each.seconds)


def limit(record: Record, scope: str, device: str = "cpu") -> list[Sample]:
    """Return the samples of a device's limit; none where it was not measured.

    Of the CPU under the record's condition: one core's reading, or the faster of one's and all's. Of the GPU: what
    binds, the slower of reading and launching.
    """
    if device != "cpu":
        bounds = [samples for each in (GPU_READ, GPU_LAUNCH) if (samples := record.of(each, scope, "-"))]
        return max(bounds, key=lambda samples: speedup.seconds(samples)[0], default=[])
    candidates = [record.of(ONE_CORE, scope, "-")]
    if record.facts.get("threads") != "1":
        candidates.append(record.of(ALL_CORES, scope, "-"))
    measured = [samples for samples in candidates if samples]
    return min(measured, key=lambda samples: speedup.seconds(samples)[0], default=[])


def share(record: Record, name: str, scope: str, distance: str, device: str) -> Ratio | None:
    """Return a device's limit over a kernel's seconds: its own one's, 1.0 is the limit; or another's, to compare."""
    samples = record.of(name, scope, distance)
    return paired(_best_in_every_round(limit(record, scope, device), samples), samples)


def resolution(record: Record, scope: str = "baseline", distance: str = "l1") -> float | None:
    """Return the smallest difference that this recording can tell from none, as a fraction; None without a null."""
    if record.null is None or not record.paired:
        return None
    once = record.of(record.null.removesuffix(AGAIN), scope, distance)
    null = paired(once, record.of(record.null, scope, distance))
    return speedup.resolution(null) if null else None


def _standing(record: Record, name: str, reference: Sequence[Sample], scope: str, distance: str) -> Standing:
    samples = record.of(name, scope, distance)
    middle, smallest = speedup.seconds(samples)
    modes = speedup.modes(samples)
    first = record.of(name.removesuffix(PINNED), "first_call")
    return Standing(
        kernel=name,
        seconds=modes[0].value if len(modes) == 1 else middle,
        smallest=smallest,
        images=samples[0].images,
        modes=modes,
        ratio=paired(reference, samples) if record.paired else None,
        unpaired=speedup.unpaired(reference, samples) if reference and not record.paired else None,
        share=share(record, name, scope, distance, record.kernel_facts.get(name, {}).get("device", "")),
        first_call=speedup.seconds(first)[0] if first else None,
    )


def paired(reference: Sequence[Sample], samples: Sequence[Sample]) -> Ratio | None:
    """Return their ratio; None where no round holds both, as where one of them failed or sat a size out."""
    shared = {(each.process, each.round) for each in reference} & {(each.process, each.round) for each in samples}
    return speedup.ratio(reference, samples) if shared else None


def _best_in_every_round(bound: Sequence[Sample], samples: Sequence[Sample]) -> list[Sample]:
    """Return the limit as the partner of every round: the fastest reading of the recording, for light has one speed.

    What slows a reading down is other work on the machine, never luck; a slower one would flatter the kernels.
    """
    if not bound:
        return []
    best = min(bound, key=lambda each: each.seconds)
    rounds = {(each.process, each.round) for each in samples}
    return [replace(best, process=process, round=turn) for process, turn in sorted(rounds)]
