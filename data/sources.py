"""Where digits come from: a path, the published archive, or the project's own drawing."""

import os
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from data import archives, arrays, drawn, layout, png
from data.arrays import RANKS, Stack
from data.digits import DataError, Digits
from data.layout import SPLITS, Found
from data.limit import DEFAULT, Limit

VARIABLE = "MNIST_SAMPLE"
URL = "https://s3.amazonaws.com/fast-ai-sample/mnist_sample.tgz"
MD5 = "2dbc7ec6f9259b583af0072c55816a88"  # as fastai's own list of checksums has it
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 3, 30


def load(
    source: str | os.PathLike[str] = "auto",
    notify: Callable[[str], None] | None = None,
    *,
    classes: Sequence[str] = (),
    limit: int = DEFAULT,
) -> Digits:
    """Load a data set, of these classes (all by default).

    Args:
        source: a folder or archive, as the README lists them; "mnist_sample", the published archive (downloaded once,
            its MD5 checked); "drawn", digits that the project draws; or "auto": the path in the environment variable
            MNIST_SAMPLE if that is set, else the published archive, else, with one notice, "drawn".
        notify: called with a notice of one sentence; it goes to standard error by default.
        limit: bytes that the digits may take, packed ones when unpacked.

    Raises:
        DataError: the input is bad. A named source, or a set MNIST_SAMPLE, never falls back to another one.
    """
    notify = notify or (lambda notice: print(notice, file=sys.stderr))
    if source == "auto" and os.environ.get(VARIABLE):
        source = Path(os.environ[VARIABLE])
    elif source in ("auto", "mnist_sample"):
        try:
            source = fetch(notify)
        except DataError as error:
            if source != "auto":
                raise
            notify(f"These digits are drawn, not MNIST: {error}. For the real ones set {VARIABLE} to a copy of {URL}")
            source = "drawn"
    if source == "drawn":
        digits = _digits("drawn", Found(drawn.draw()), "", Limit(limit))
    else:
        digits = _from_path(Path(source), Limit(limit))
    return digits.of_classes(classes) if classes else digits


def at_hand() -> str | None:
    """Return what `auto` loads without the network; None where it would need the network."""
    if os.environ.get(VARIABLE):
        return os.environ[VARIABLE]
    return str(_cached()) if _cached().exists() else None


def fetch(notify: Callable[[str], None]) -> Path:
    """Return the path of the published archive, downloaded into the user's cache folder unless it is there.

    Raises:
        DataError: the archive cannot be reached, or its checksum is wrong.
    """
    import pooch  # both take 0.1 s to import, and most sources need neither
    import requests

    pooch.get_logger().setLevel("WARNING")
    cache, known = _cached().parent, _cached().exists()
    timeout = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=timeout)
    try:
        archive = Path(pooch.retrieve(URL, f"md5:{MD5}", _cached().name, cache, downloader=downloader))
    except requests.RequestException as error:
        raise DataError(f"{URL} cannot be reached ({type(error).__name__})") from error
    except (ValueError, OSError) as error:  # pooch: a wrong checksum, or a cache folder that cannot be written
        raise DataError(f"{URL}: {' '.join(str(error).split()).rstrip('.')}") from error
    if not known:
        notify(f"Downloaded {URL} to {cache}")
    return archive


def _cached() -> Path:
    import platformdirs

    name = "loops-vs-broadcasting"
    try:
        folder = Path(platformdirs.user_cache_dir(name))
    except RuntimeError:  # there is no home folder; an older platformdirs returns one below "~"
        folder = Path("~")
    folder = folder if folder.is_absolute() else Path(tempfile.gettempdir()) / name  # whose checksum is checked
    return folder / "mnist_sample.tgz"


def _from_path(path: Path, limit: Limit) -> Digits:
    found, where = layout.find(archives.entries(path, limit), path), f"{path}: "
    resolved = path.resolve()
    return _digits(resolved.name if path.is_dir() else resolved.stem.removesuffix(".tar"), found, where, limit)


def _digits(name: str, found: Found, where: str, limit: Limit) -> Digits:
    splits = _of_arrays(found, where, limit) if found.arrays else _of_tree(found, where, limit)
    _check_classes(splits, where)
    classes = tuple(sorted(splits["train"]))
    (train, train_files), (valid, valid_files) = (
        zip(*(splits[split][digit] for digit in classes), strict=True) for split in SPLITS
    )
    return Digits(name, classes, train, valid, train_files, valid_files)


def _of_arrays(found: Found, where: str, limit: Limit) -> dict[str, dict[str, Stack]]:
    splits, expected = dict[str, dict[str, Stack]](), ""
    for split in SPLITS:
        path = f"{where}{found.arrays[split, 'images'].path}"
        images, labels = (arrays.decode(found.arrays[split, content], content, where, limit) for content in RANKS)
        images = images.transpose(0, 2, 1) if found.transposed else images
        size = _by(images.shape[1:])
        expected = expected or size
        if size != expected:
            raise DataError(f"{path}: {size} pixels, expected {expected} as in training; take files of one set")
        splits[split] = arrays.split_by_label(images, labels, path)
    return splits


def _of_tree(found: Found, where: str, limit: Limit) -> dict[str, dict[str, Stack]]:
    _check_classes(found.tree, where)
    count = sum(len(pngs) for classes in found.tree.values() for pngs in classes.values())
    size, first = (0, 0), ""
    splits: dict[str, dict[str, Stack]] = {split: {} for split in SPLITS}
    for split in SPLITS:
        for digit, pngs in sorted(found.tree[split].items()):
            folder, files, pixels = f"{where}{found.spelled.get(split, split)}/{digit}", sorted(pngs), bytearray()
            if not files:
                raise DataError(f"{folder} holds no .png file, expected at least one")
            for file in files:
                image_size, image = png.decode(pngs[file], f"{folder}/{file}")
                if not first:
                    size, first = image_size, f"{folder}/{file}"
                    limit.take(count * len(image), f"{where}{count:,} images of {_by(size)} pixels")
                if image_size != size:
                    sizes = f"{_by(image_size)} pixels, expected {_by(size)} as in {first}"
                    raise DataError(f"{folder}/{file}: {sizes}; resize it")
                pixels += image
            # An array over read-only memory stays read-only: it cannot be made writable.
            stack = np.frombuffer(memoryview(pixels).toreadonly(), np.uint8)
            splits[split][digit] = stack.reshape(len(files), *size), tuple(files)
    return splits


def _check_classes(by_split: Mapping[str, Collection[str]], where: str) -> None:
    """Raise DataError unless both splits hold the same two or more classes."""
    train, valid = (set(by_split[split]) for split in SPLITS)
    for digit in sorted(train ^ valid):
        has, lacks = SPLITS if digit in train else reversed(SPLITS)
        raise DataError(f"{where}class {digit} is in {has}/ but not in {lacks}/, expected it in both")
    if len(train) < 2:
        raise DataError(f"{where}found {len(train)} class(es), expected at least two folders in train/")


def _by(size: Sequence[int]) -> str:
    height, width = size
    return f"{width} x {height}"
