"""The bandwidth bound in a record: how near a kernel is to reading every byte once, as fast as the machine can."""

from dataclasses import replace

from bench import formatting
from bench.analysis import speedup
from bench.analysis.speedup import Ratio, paired_ratio
from bench.records.model import Record
from bench.records.sample import ALL_CORES, BOUND, GPU_LAUNCH, GPU_READ, ONE_CORE, Sample


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
    return _share(record.samples_of(kernel, scope, distance), bound_samples(record, scope, device))


def share_of_own_bound(record: Record, kernel: str, scope: str, distance: str) -> Ratio | None:
    """Return the bound of the kernel's own bytes over its seconds; None where it holds one byte per pixel or more."""
    return _share(record.samples_of(kernel, scope, distance), record.samples_of(BOUND + kernel, scope, "-"))


def sentence(record: Record, scope: str, base: str, kernel: str) -> str:
    """Return how much faster than a base any kernel could be on the device of `kernel`."""
    whose, device = ("GPU", "cuda") if record.on_gpu(kernel) else ("machine", "cpu")
    share = share_of_bound(record, base, scope, "l1", device)
    if share is None:
        return f" The {whose}'s bound was not measured."
    launch = bound_samples(record, scope, device)[0].kernel == GPU_LAUNCH
    what = "launching one kernel" if launch else "every byte read once"
    return f" The {whose}'s bound, {what}, is at {formatting.ratio(1 / share.value)}."


def _share(samples: list[Sample], bound: list[Sample]) -> Ratio | None:
    if not bound:
        return None
    best = min(bound, key=lambda sample: sample.seconds)
    return paired_ratio([replace(best, process=sample.process, round=sample.round) for sample in samples], samples)
