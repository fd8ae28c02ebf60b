"""A data set: the frozen `Digits` with its digest, and the error for bad input."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


class DataError(Exception):
    """The input is bad. The message names the file, what it holds, what was expected and the next step."""


@dataclass(frozen=True, eq=False)
class Digits:
    """Training and validation images, class by class, in sorted class order.

    Attributes:
        name: of the data set, as results show it.
        classes: class names, sorted as strings; at least two.
        train, valid: per class a read-only, C-contiguous uint8 array (n, height, width), 0..255,
            images in the sorted order of their file names.
        train_files, valid_files: per class those file names.
        per_class: the most images of each class and split in a small data set; 0 for a whole one.
        dataset_of: for a small data set the digest of the whole one, else "".
    """

    name: str
    classes: tuple[str, ...]
    train: tuple[np.ndarray, ...]
    valid: tuple[np.ndarray, ...]
    train_files: tuple[tuple[str, ...], ...]
    valid_files: tuple[tuple[str, ...], ...]
    per_class: int = 0
    dataset_of: str = ""

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of class names, split sizes, image size and pixels.

        A folder and an archive of the same pixels have the same digest.
        """
        head = {
            "classes": self.classes,
            "image": self.image_shape,
            "train": self.train_counts,
            "valid": self.valid_counts,
        }
        sha = hashlib.sha256(json.dumps(head).encode())
        for stack in (*self.train, *self.valid):
            sha.update(stack.data)
        return sha.hexdigest()

    @property
    def image_shape(self) -> tuple[int, int]:
        """(height, width) of every image, in pixels."""
        _, height, width = self.train[0].shape
        return height, width

    @property
    def train_counts(self) -> list[int]:
        """Training images per class."""
        return [len(stack) for stack in self.train]

    @property
    def valid_counts(self) -> list[int]:
        """Validation images per class."""
        return [len(stack) for stack in self.valid]

    def first_of_each_class(self, n: int) -> "Digits":
        """Return the small data set of the first n images of each class and split, or itself if no class has more.

        Raises:
            ValueError: n is less than 1.
        """
        if n < 1:
            raise ValueError(f"{n} images per class, expected at least 1")
        if max(*self.train_counts, *self.valid_counts) <= n:
            return self
        return replace(
            self,
            name=f"{self.name}[{n} per class]",
            train=tuple(stack[:n] for stack in self.train),
            valid=tuple(stack[:n] for stack in self.valid),
            train_files=tuple(names[:n] for names in self.train_files),
            valid_files=tuple(names[:n] for names in self.valid_files),
            per_class=n,
            dataset_of=self.digest,
        )
