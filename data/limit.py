"""The limit of what loading takes into memory, so that a small file cannot fill a machine."""

from data.digits import DataError

DEFAULT = 2**31  # bytes in all: what is unpacked, read from plain files or decoded
IMAGE_FILE = 2**26  # bytes of one PNG file


class Limit:
    """Counts the bytes of one data set."""

    def __init__(self, total: int = DEFAULT) -> None:
        self._total = self._left = total

    def take(self, size: int, name: str, *, counted: bool = False) -> None:
        """Count the bytes of a file or image, if possible before they are read; `counted` ones were when unpacked.

        Raises:
            DataError: it is a PNG file of more than IMAGE_FILE bytes, or there is more than the limit.
        """
        if size > IMAGE_FILE and name.lower().endswith(".png"):
            raise DataError(f"{name}: an image file of {size:,} bytes, expected at most {IMAGE_FILE:,}; remove it")
        self._left -= 0 if counted else size
        if self._left < 0:
            what = f"the digits take more than {self._total / 1e9:.3g} GB when unpacked, which is the limit"
            raise DataError(f"{name}: {what}; name a smaller data set, or allow more with --data-limit GB")
