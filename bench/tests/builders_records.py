"""Records with planted ratios: what they must say is known, and no clock is needed."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.analysis.claims import MNIST_SAMPLE
from bench.kernel import REFERENCE
from bench.records import writer
from bench.records.model import Measurements, NotTimed, Record
from bench.records.sample import AGAIN, ALL_CORES, ONE_CORE, Footprint, Sample

METADATA: dict[str, Any] = {
    "kind": "ladder", "protocol": 2, "run": "20261121T000000Z", "commit": "c0ffee", "order_seed": 7,
    "cpu_model_name": "A Fine(R) CPU", "cpu_count": 2, "platform": "Linux x86_64", "memory_bytes": 2**34,
    "caches": "L1 48K, L2 1024K, L3 32768K", "governor": "performance", "load_average": 0.5, "overhead_s": 3e-7,
    "python_version": "3.11.7 (CPython)", "numpy_version": "2.4.6", "torch_version": "not installed",
    "pyperf_version": "2.10.0", "threadpoolctl_version": "3.8.0",
    "dataset": "drawn", "dataset_digest": "ab" * 32, "classes": "3 7", "image_pixels": 784,
    "train_counts": "12 15", "valid_counts": "40 41",
    "threads": "all", "allocator": "default", "allocator_in_force": "default", "memory_limit_bytes": 2**33,
}  # fmt: skip
DOCUMENTS: dict[str, Any] = {  # exact answers on the documents' own digits
    "dataset": "mnist_sample", "dataset_digest": MNIST_SAMPLE,
    "train_counts": "6131 6265", "valid_counts": "1010 1028",
    "exact_l1": "926/1010, 1013/1028", "exact_l2": "968/1010, 1001/1028", "exact_signed": "626/1010, 717/1028",
    "only_l1_right": 12, "only_l2_right": 42, "margin_l1": 0.1514, "margin_l2": 0.1407,
    "margin_change": -0.0234, "margin_change_low": -0.0322, "margin_change_high": -0.0145, "margin_change_level": 0.951,
}  # fmt: skip
KERNEL_METADATA = {
    "device": "cpu", "source_hash": "0123456789abcdef", "threads_in_force": "openblas 2",
    "mean_error": 1e-7, "correct_l1": "30/40, 31/41", "correct_l2": "32/40, 33/41",
}  # fmt: skip
REFERENCE_S, QUICK_S, ALL_CORES_S = 0.4, 0.004, 0.001  # so quick is 100 times as fast, and at 25 % of the bound
AGAIN_FACTORS = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0)  # quick~again / quick, by process: a noise floor of 1 %


def samples(
    *,
    processes: int = 6,
    rounds: int = 3,
    slower: dict[str, tuple[float, ...]] | None = None,
    pairs: tuple[tuple[str, str], ...] = (("baseline", "l1"),),
    **seconds: float,
) -> list[Sample]:
    """Return samples of the reference, quick, the A/A control and the bounds; rounds of a process are exactly alike.

    Args:
        slower: by kernel, the factors that its times take from process to process, over and over.
        seconds: more kernels, or other times for these; 0 leaves one out.
    """
    times = {REFERENCE: REFERENCE_S, "quick": QUICK_S, "quick" + AGAIN: seconds.get("quick", QUICK_S), **seconds}
    factors = {"quick" + AGAIN: AGAIN_FACTORS, **(slower or {})}

    def sample(kernel: str, scope: str, distance: str, value: float, process: int, number: int, place: int) -> Sample:
        own = factors.get(kernel, (1.0,))
        value *= own[process % len(own)]
        return Sample(kernel, scope, distance, 108, value, 3, process, number, place, 12.0, 1.0, 2**27)

    taken = []
    for process in range(processes):
        for place, (kernel, value) in enumerate(times.items()):
            if value:
                taken.append(sample(kernel, "first_call", "l1", value + 0.1, process, 0, place))
                for scope, distance in pairs:
                    taken += [
                        sample(kernel, scope, distance, value, process, number, place) for number in range(rounds)
                    ]
        for place, (kernel, value) in enumerate(((ONE_CORE, 2 * ALL_CORES_S), (ALL_CORES, ALL_CORES_S))):
            taken += [sample(kernel, scope, "-", value, process, 0, place) for scope in dict(pairs)]
    return taken


def changed(taken: Sequence[Sample], kernel: str, change: Callable[[Sample], Sample]) -> list[Sample]:
    """Return the samples with those of one kernel changed, in the scope `baseline`."""
    return [change(sample) if (sample.kernel, sample.scope) == (kernel, "baseline") else sample for sample in taken]


def measurements(
    taken: Sequence[Sample] | None = None,
    not_timed: tuple[NotTimed, ...] = (),
    kernel_metadata: dict[str, dict[str, Any]] | None = None,
    **metadata: Any,
) -> Measurements:
    """Return measurements of `taken`, by default `samples()`; `kernel_metadata` and `metadata` replace the defaults."""
    taken = samples() if taken is None else taken
    names = {sample.kernel for sample in taken if not sample.kernel.startswith("bound@")}
    by_kernel = {name: KERNEL_METADATA | (kernel_metadata or {}).get(name, {}) for name in names}
    return Measurements(taken, not_timed, METADATA | metadata, by_kernel)


def write(folder: Path, *arguments: Any, **options: Any) -> Path:
    """Write a record of `measurements`, and return its path."""
    return record(folder, *arguments, **options).path


def record(folder: Path, *arguments: Any, **options: Any) -> Record:
    """Write a record of `measurements`, and return it."""
    return writer.write([measurements(*arguments, **options)], folder)[0]


def configurations(folder: Path, *names: str, **options: Any) -> list[Record]:
    """Write one record under several configurations, such as "1/keep", and return it under each."""
    taken = options.pop("taken", None) or samples()
    split = [name.split("/") for name in names]
    return writer.write(
        [
            measurements(
                [replace(sample, threads=threads, allocator=allocator) for sample in taken],
                **options, threads=threads, allocator=allocator, allocator_in_force=allocator,
            )
            for threads, allocator in split
        ],
        folder,
    )  # fmt: skip


def small(folder: Path, n: int = 10, **options: Any) -> Record:
    """Write a record of a small data set of the default digits, n images of each class, and return it."""
    options = {"dataset": f"{METADATA['dataset']}[{n} per class]", "dataset_digest": f"{n:064x}", **options}
    return record(folder, per_class=n, **{"dataset_of": METADATA["dataset_digest"], **options})


def memory(
    folder: Path, footprints: Sequence[Footprint] = (), not_timed: Sequence[NotTimed] = (), **metadata: Any
) -> Record:
    """Write a record of memory, with one footprint by default; `metadata` replaces the default."""
    footprints = footprints or [Footprint("quick", "mean", "-", 1, 1, 1)]
    by_kernel = {footprint.kernel: KERNEL_METADATA for footprint in footprints}
    metadata = {**METADATA, "kind": "memory", **metadata}
    return writer.write([Measurements((), not_timed, metadata, by_kernel, footprints)], folder)[0]


def pytest_benchmark(folder: Path, **seconds: list[float]) -> Path:
    """Write a file as `pytest --benchmark-json` does, of the kernels named, and return its path."""
    rows: list[dict[str, Any]] = [{"extra_info": {}, "stats": {}}]  # a benchmark that times no kernel
    for kernel, times in seconds.items():
        info = {**METADATA, **KERNEL_METADATA, "kernel": kernel, "scope": "baseline", "distance": "l1", "images": 108}
        rows.append({"extra_info": info, "stats": {"data": times, "iterations": 1}})
    path = folder / "pytest.json"
    path.write_text(json.dumps({"machine_info": {}, "datetime": "2026-11-21", "benchmarks": rows}), encoding="utf-8")
    return path
