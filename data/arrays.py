"""Decodes arrays of images and of labels: IDX files, and the members of an npz file. Nothing is ever unpickled."""

import re
import struct
from math import prod
from typing import Literal

import numpy as np

from data.archives import gunzip
from data.digits import DataError
from data.layout import Entry
from data.limit import Limit

Stack = tuple[np.ndarray, tuple[str, ...]]  # images of one class, uint8 (n, height, width), and their file names
RANKS = {"images": 3, "labels": 1}
NPY_HEADER = re.compile(  # as numpy.save writes it for an array of integers
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|][iu][1248])', 'fortran_order': (False|True), "
    rb"'shape': \(((?:[0-9]{1,15},? ?)+)\), \} *\n",
    re.DOTALL,
)


def split_by_label(images: np.ndarray, labels: np.ndarray, name: str) -> dict[str, Stack]:
    """Return the images of each label, read-only and in their order, and their file names, which are `#index`.

    Raises:
        DataError: there are no images (n, height, width), or not one label (n,) per image; it names the images' file.
    """
    if not images.size or len(images) != len(labels):
        shape = " x ".join(map(str, images.shape))
        raise DataError(f"{name}: holds {shape} pixels and there are {len(labels):,} labels, expected one per image")
    order = np.argsort(labels, kind="stable")
    values, starts = np.unique(labels[order], return_index=True)
    # An array over bytes stays read-only: it cannot be made writable.
    whole = np.frombuffer(images[order].tobytes(), np.uint8).reshape(images.shape)
    parts = zip(values, np.split(whole, starts[1:]), np.split(order, starts[1:]), strict=True)
    return {str(value): (stack, tuple(f"#{index}" for index in indices)) for value, stack, indices in parts}


def decode(file: Entry, content: str, where: str, limit: Limit) -> np.ndarray:
    """Return the "images", uint8 (n, height, width), or the "labels", integers (n,), that a file holds.

    Raises:
        DataError: the file is damaged, of another form, or holds something else; or it unpacks to more than the limit.
    """
    name = f"{where}{file.path}"
    raw = gunzip(file.content or b"", name, limit)
    shape, start, dtype, order = _header(raw)
    if not shape:
        what = f"neither an IDX file of bytes nor an array of integers as numpy.save writes it (it starts {raw[:8]!r})"
        raise DataError(f"{name}: {what}; fetch it again")
    if len(shape) != RANKS[content] or (content == "images" and dtype != np.uint8):
        wanted = f"{content}: {'uint8' if content == 'images' else 'integers'} of rank {RANKS[content]}"
        raise DataError(f"{name}: found {dtype} of rank {len(shape)}, expected {wanted}")
    size, expected = len(raw) - start, prod(shape) * dtype.itemsize
    if size != expected:
        raise DataError(f"{name}: holds {size:,} bytes of {content}, expected {expected:,}; fetch it again")
    array: np.ndarray = np.frombuffer(raw, dtype, offset=start).reshape(shape, order=order)
    return array


def _header(raw: bytes) -> tuple[tuple[int, ...], int, np.dtype, Literal["C", "F"]]:
    """Return shape, position of the first element, dtype and order; the shape is () if it is no such file."""
    if match := NPY_HEADER.match(raw):
        shape = tuple(map(int, re.findall(rb"[0-9]+", match[3])))
        return shape, match.end(), np.dtype(match[1].decode()), "F" if match[2] == b"True" else "C"
    rank = raw[3] if raw.startswith(b"\0\0\x08") and len(raw) > 3 else 0  # 8 is the code of unsigned bytes
    sizes = raw[4 : 4 + 4 * rank]
    shape = struct.unpack(f">{rank}I", sizes) if len(sizes) == 4 * rank else ()
    return shape, 4 + len(sizes), np.dtype(np.uint8), "C"
