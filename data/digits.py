"""A data set: the frozen `Digits` with its digest, and the error for bad input."""

import hashlib
import json
from collections.abc import Sequence
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
            images in the sorted order of their file names, or in the order of the file that holds them all.
        train_files, valid_files: per class those file names, or `#index` in the file that holds them all.
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
        """SHA-256 (hex) of class names, split sizes, image size and images; their order within a class is irrelevant.

        So a folder, an archive and an IDX file of the same images have the same digest.
        """
        head = {
            "classes": self.classes,
            "image": self.image_shape,
            "train": self.train_counts,
            "valid": self.valid_counts,
        }
        sha = hashlib.sha256(json.dumps(head).encode())
        for stack in (*self.train, *self.valid):
            sha.update(b"".join(sorted(hashlib.sha256(image.data).digest() for image in stack)))
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

    def of_classes(self, names: Sequence[str]) -> "Digits":
        """Return the data set of some of the classes, or itself if these are all.

        Raises:
            DataError: there is no class of a name, or there are fewer than two names.
        """
        has = f"choose at least two of {', '.join(self.classes)}"
        if unknown := [name for name in names if name not in self.classes]:
            raise DataError(f"{self.name} has no class {unknown[0]}; {has}")
        if len(set(names)) < 2:
            raise DataError(f"{self.name}: found {len(set(names))} class(es) chosen, expected at least two; {has}")
        chosen = [index for index, name in enumerate(self.classes) if name in names]
        if len(chosen) == len(self.classes):
            return self
        return replace(
            self,
            name=f"{self.name}[{','.join(self.classes[index] for index in chosen)}]",
            classes=tuple(self.classes[index] for index in chosen),
            train=tuple(self.train[index] for index in chosen),
            valid=tuple(self.valid[index] for index in chosen),
            train_files=tuple(self.train_files[index] for index in chosen),
            valid_files=tuple(self.valid_files[index] for index in chosen),
        )

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
