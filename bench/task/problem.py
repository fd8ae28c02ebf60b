"""The problem that a kernel solves: digits in an order that it cannot know, each with its exact answer."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.atomic import printable
from bench.task import oracle
from bench.task.oracle import Answer

if TYPE_CHECKING:
    from data import Digits  # which imports PIL, as a worker process need not

FEW_CLASSES = 4  # as many scores as fit beside each other


@dataclass(frozen=True, eq=False)
class Problem:
    """A data set as kernels see it: training images by class, validation images in one stack.

    Attributes:
        name, digest, classes, per_class, dataset_of: as `data.Digits` has them; in all names, control characters and
            bytes that are no UTF-8 are escaped.
        train: per class read-only uint8 (n_c, height, width).
        valid: read-only uint8 (n, height, width), all classes together.
        actual: int64 (n,), the class index that each validation image belongs to.
        files: n names, `valid/<class>/<file>`.
        answers: the exact answer, per distance, in the order of `valid`.
        sums: per class the pixel sums of `train`, int64 (height, width).
        repeated: the number of validation images where those in `valid` are repeated, else 0. The answer to image i is
            then the answer to image i modulo len(actual).
    """

    name: str
    digest: str
    classes: tuple[str, ...]
    train: tuple[np.ndarray, ...]
    valid: np.ndarray
    actual: np.ndarray
    files: tuple[str, ...]
    answers: dict[str, Answer]
    sums: tuple[np.ndarray, ...]
    per_class: int = 0
    dataset_of: str = ""
    repeated: int = 0

    @property
    def count(self) -> int:
        """Validation images."""
        return self.repeated or len(self.actual)

    @property
    def pixels(self) -> int:
        """Pixels of one image."""
        return int(self.valid[0].size)

    @property
    def train_counts(self) -> list[int]:
        """Training images per class."""
        return [len(stack) for stack in self.train]

    @property
    def valid_counts(self) -> list[int]:
        """Validation images per class."""
        return [int(n) for n in np.bincount(self.actual, minlength=len(self.classes))]

    def correct(self, labels: np.ndarray) -> list[int]:
        """Return per class how many of its validation images have the right label; labels (n,)."""
        return [int(n) for n in np.bincount(self.actual[labels == self.actual], minlength=len(self.classes))]

    def accuracy(self, correct: Sequence[int]) -> float:
        """Return the mean of the per-class accuracies, as the blog post does it (not the pooled one)."""
        return float(np.mean([right / n for right, n in zip(correct, self.valid_counts, strict=True)]))

    def short_score(self, correct: Sequence[int]) -> str:
        """Return the score; of more than FEW_CLASSES only the sums, such as "8203/10000"."""
        few = len(self.classes) <= FEW_CLASSES
        return self.score(correct) if few else f"{sum(correct)}/{sum(self.valid_counts)}"

    def score(self, correct: Sequence[int]) -> str:
        """Return right labels per class as they are always shown: "926/1010, 1013/1028"."""
        return ", ".join(f"{right}/{n}" for right, n in zip(correct, self.valid_counts, strict=True))

    def shuffled(self, seed: int) -> "Problem":
        """Return the same problem with its validation images in another order."""
        return self.taken(np.random.default_rng(seed).permutation(len(self.valid)))

    def tiled(self, n: int) -> "Problem":
        """Return the same problem with n validation images: the first n, or all of them repeated as often as needed.

        Repeated, `valid` has each image once: a file or a device has the others.
        """
        return self.taken(np.arange(n)) if n <= len(self.actual) else replace(self, repeated=n)

    def taken(self, order: np.ndarray) -> "Problem":
        """Return the same problem with only these validation images, in this order; indices, int64."""
        valid, files = self.valid[order], tuple(self.files[i] for i in order)
        valid.setflags(write=False)
        answers = {
            distance: Answer(answer.labels[order], answer.acceptable[order], answer.distances[order])
            for distance, answer in self.answers.items()
        }
        return replace(self, valid=valid, actual=self.actual[order], files=files, answers=answers)


def make_problem(digits: "Digits") -> Problem:
    """Return the problem of a data set, solved exactly.

    Raises:
        DataError: the data set is too large to be solved exactly.
    """
    from data import DataError

    valid = np.concatenate(digits.valid)
    valid.setflags(write=False)
    try:
        sums = oracle.pixel_sums(digits.train)
    except OverflowError as error:
        raise DataError(f"{digits.name}: {error}; use fewer or smaller images") from error
    return Problem(
        name=printable(digits.name, keep=""),
        digest=digits.digest,
        classes=tuple(printable(name, keep="") for name in digits.classes),
        train=digits.train,
        valid=valid,
        actual=np.repeat(np.arange(len(digits.classes)), digits.valid_counts),
        files=tuple(
            printable(f"valid/{digit}/{file}", keep="")
            for digit, names in zip(digits.classes, digits.valid_files, strict=True)
            for file in names
        ),
        answers=oracle.solve(digits.train_counts, sums, valid),
        sums=sums,
        per_class=digits.per_class,
        dataset_of=digits.dataset_of,
    )


def write(problem: Problem, folder: Path) -> None:
    """Write a problem where worker processes can map its pixels instead of decoding them again."""
    for index, stack in enumerate(problem.train):
        np.save(folder / f"train{index}.npy", stack)
    np.save(folder / "valid.npy", problem.valid)
    (folder / "rest.pickle").write_bytes(pickle.dumps(replace(problem, train=(), valid=np.empty(0))))


def read(folder: Path) -> Problem:
    """Return the problem written to `folder`. Its pixels are mapped, one copy for all workers, and read-only.

    A kernel that writes to them nevertheless changes a copy of its own, which verification detects.
    """

    def mapped(name: str) -> np.ndarray:
        stack = np.asarray(np.load(folder / name, mmap_mode="c"))
        stack.setflags(write=False)
        return stack

    rest: Problem = pickle.loads((folder / "rest.pickle").read_bytes())
    train = tuple(mapped(f"train{index}.npy") for index in range(len(rest.classes)))
    return replace(rest, train=train, valid=mapped("valid.npy"))
