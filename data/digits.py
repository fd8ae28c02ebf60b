"""A data set: the frozen `Digits` with its digest, and the error for bad input."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

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
        """SHA-256 (hex) of class names, split sizes, image size and images, whatever their form and their order.

        The order of classes and splits counts, that of the images within a class does not.
        """
        counts = {"train": self.train_counts, "valid": self.valid_counts}
        sha = hashlib.sha256(json.dumps({"classes": self.classes, "image": self.image_shape, **counts}).encode())
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
        classes = tuple(name for name in self.classes if name in names)
        if classes == self.classes:
            return self
        chosen = [self.classes.index(name) for name in classes]
        name = f"{self.name}[{','.join(classes)}]"
        return self._with(lambda parts: tuple(parts[index] for index in chosen), name=name, classes=classes)

    def first_of_each_class(self, n: int) -> "Digits":
        """Return the small data set of the first n images of each class and split, or itself if no class has more.

        Raises:
            ValueError: n is less than 1.
        """
        if n < 1:
            raise ValueError(f"{n} images per class, expected at least 1")
        if max(*self.train_counts, *self.valid_counts) <= n:
            return self
        small = {"name": f"{self.name}[{n} per class]", "per_class": n, "dataset_of": self.digest}
        return self._with(lambda parts: tuple(part[:n] for part in parts), **small)

    def _with(self, chosen: Callable[[Any], Any], **changes: Any) -> "Digits":
        """Return digits with what `chosen` takes from images and file names, both of which are tuples by class."""
        parts = ("train", "valid", "train_files", "valid_files")
        return replace(self, **{part: chosen(getattr(self, part)) for part in parts}, **changes)
