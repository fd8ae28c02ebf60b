"""A selection that has everything a page can show, with planted times: a GPU, sizes that cross, memory, digits."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.records import writer
from bench.records.model import Measurements, NotTimed
from bench.records.sample import Footprint, Sample
from bench.report import page_records
from bench.report.page_records import Selection
from bench.task import digits_metadata
from bench.task.problem import Problem, make_problem
from bench.tests.builders import digits
from bench.tests.builders_records import KERNEL_METADATA, METADATA, record, samples, small

PAIRS = (("mean", "-"), ("predict", "l1"), ("predict", "l2"), ("baseline", "l1"), ("end_to_end", "l1"))
KERNELS = {
    "numpy_per_image": 0.05, "numpy_broadcast": 0.004, "torch_broadcast@cpu": 0.003, "torch_broadcast@cuda": 0.00002,
}  # fmt: skip
BROADCAST = {
    "code_lines": 9, "code_tokens": 100, "ranks_l1": "40/40", "ranks_l2": "39/40", "expansion_strides": "0, 28, 1",
    "expansion_full_bytes": 10**6, "expansion_bytes": 0, "expression_bytes_l1": 2 * 10**6, "expression_bytes_l2": 10**6,
}  # fmt: skip
BY_KERNEL = {
    "python_loops": {"code_lines": 27, "code_tokens": 224},
    "numpy_per_image": {},
    "numpy_broadcast": BROADCAST,
    "torch_broadcast@cpu": BROADCAST,
    "torch_broadcast@cuda": {**BROADCAST, "device": "cuda"},
}


def problem(classes: str = "37", n: int = 20, height: int = 28, width: int = 28) -> Problem:
    """Return the problem of random digits: `n` training and `n` validation images of each class."""
    rng = np.random.default_rng(7)
    train, valid = ([rng.integers(0, 256, (n, height, width)) for _ in classes] for _ in range(2))
    return make_problem(replace(digits(train, valid), name="random", classes=tuple(classes)))


def full_selection(folder: Path) -> Selection:
    """Write records of all scopes, a small data set, sizes and memory, and return their selection."""
    made = problem()
    metadata = {
        **METADATA, **digits_metadata.metadata(made), "loading_s": 0.5,
        "image_pixels": 784, "valid_counts": "20 20", "train_counts": "20 20", "gpu": "A Fine GPU, 1.0",
    }  # fmt: skip
    not_timed = (NotTimed("jax_broadcast@cuda", "unavailable", "jax is not installed"),)
    taken = samples(pairs=PAIRS, quick=0, **KERNELS)
    speed = record(folder, taken, not_timed, BY_KERNEL, **{**metadata, "kind": "scopes"})
    few = samples(quick=0, python_tensor_elements=8.0, **{"torch_broadcast@cpu": 0.002})
    ten = small(folder, 10, taken=few, kernel_metadata=BY_KERNEL, dataset_of=made.digest, gpu=metadata["gpu"])
    by_size = [
        Sample(name, "predict", "l1", size, fixed + per_image * size, 3, process, number, place)
        for size in (1, 100, 10_000)
        for process in range(6)
        for number in range(3)
        for place, (name, (fixed, per_image)) in enumerate(
            {"python_loops": (0, 1e-4), "numpy_broadcast": (5e-6, 1e-6), "torch_broadcast@cuda": (5e-5, 1e-9)}.items()
        )
    ]
    sizes = record(folder, by_size, (), BY_KERNEL, **{**metadata, "kind": "sizes"})
    footprints = [Footprint(name, *pair, 40, 10**7, 10**6) for name in ("python_loops", *KERNELS) for pair in PAIRS]
    by_kernel = {name: {**KERNEL_METADATA, **more} for name, more in BY_KERNEL.items()}
    [memory] = writer.write([Measurements((), (), {**metadata, "kind": "memory"}, by_kernel, footprints)], folder)
    return page_records.from_records(
        [[file] for file in (speed, ten, sizes, memory)], folder / "report.html"
    ).with_problem(made)
