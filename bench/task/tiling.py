"""More validation images than a data set has: its own, repeated in a file that worker processes map."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench import atomic
from bench.task.problem import Problem
from bench.task.windows import SPARE, step, with_copies


def tile(problem: Problem, folder: Path, sizes: Sequence[int], seed: int, room: float = math.inf) -> None:
    """Write, for each size n above the number of validation images, n of them repeated, in an order of `seed`.

    Altered copies follow in the same file, for the windows of timed calls. They are never all in memory at once.
    Files that exist stay; a size that takes more than `room` bytes is left out.

    Raises:
        OSError: the folder's disk is full.
    """
    valid = problem.shuffled(seed).valid
    copies = with_copies(valid, SPARE * step(problem), np.random.default_rng(seed))[len(valid) :]
    for n in sizes:
        if n <= len(valid) or n * valid[0].size > room or _tiled(folder, n).exists():
            continue
        # A full disk is an error of write; in a mapped file it would end the process.
        with atomic.whole(_tiled(folder, n)) as partial, partial.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (n + len(copies), *valid.shape[1:])}
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, n, len(valid)):
                file.write(valid[: n - start].data)
            file.write(copies.data)
            file.flush()


def read_tiled(problem: Problem, folder: Path, n: int, seed: int) -> tuple[Problem, np.ndarray]:
    """Return the problem with n validation images, and all that `tile` wrote for them, mapped from their file."""
    return problem.shuffled(seed).tiled(n), np.asarray(np.load(_tiled(folder, n), mmap_mode="r"))


def in_reach(problem: Problem, folder: Path, n: int) -> bool:
    """Return whether the problem has n validation images, or `tile` wrote them."""
    return n <= len(problem.valid) or _tiled(folder, n).exists()


def _tiled(folder: Path, n: int) -> Path:
    return folder / f"valid-{n}.npy"
