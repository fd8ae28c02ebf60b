"""The one loader: a folder or archive of PNG files, IDX files or an npz becomes frozen arrays.

    digits = data.load("mnist_sample")     # or a path, "drawn", or the default "auto"
    digits.train[0].shape                  # (6131, 28, 28), uint8, read-only

This package imports nothing of `bench` or `kernels`.
"""

from data.digits import DataError, Digits
from data.sources import at_hand, load

__all__ = ["DataError", "Digits", "at_hand", "load"]
