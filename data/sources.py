"""Where digits come from: a path, the published archive, or the project's own drawing."""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data import archives, drawn, png
from data.digits import DataError, Digits

VARIABLE = "MNIST_SAMPLE"
URL = "https://s3.amazonaws.com/fast-ai-sample/mnist_sample.tgz"
MD5 = "2dbc7ec6f9259b583af0072c55816a88"  # as fastai's own list of checksums has it
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 3, 30


def load(source: str | os.PathLike[str] = "auto", notify: Callable[[str], None] | None = None) -> Digits:
    """Load a data set.

    Args:
        source: a folder or a `.tgz`, `.tar` or `.zip` archive with `train/<class>/*.png` and `valid/<class>/*.png`;
            "mnist_sample", the published archive (downloaded once, its MD5 checked); "drawn", digits that the project
            draws; or "auto": the path in the environment variable MNIST_SAMPLE if that is set, else the published
            archive, else, with one notice, "drawn".
        notify: called with a notice of one sentence; it goes to standard error by default.

    Raises:
        DataError: the input is bad. A named source, or a set MNIST_SAMPLE, never falls back to another one.
    """
    notify = notify or (lambda notice: print(notice, file=sys.stderr))
    if source == "drawn":
        return _assemble("drawn", drawn.draw())
    if source == "mnist_sample":
        return _from_path(fetch(notify))
    if source != "auto":
        return _from_path(Path(source))
    if os.environ.get(VARIABLE):
        return _from_path(Path(os.environ[VARIABLE]))
    try:
        return _from_path(fetch(notify))
    except DataError as error:
        notify(f"These digits are drawn, not MNIST: {error}. For the real ones set {VARIABLE} to a copy of {URL}")
        return load("drawn")


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


def _from_path(path: Path) -> Digits:
    tree = archives.read(path)
    resolved = path.resolve()
    name = resolved.name if path.is_dir() else resolved.stem.removesuffix(".tar")
    return _assemble(name, tree, f"{path}: ")


def _assemble(name: str, tree: archives.Tree, where: str = "") -> Digits:
    classes = _classes(tree, where)
    size: tuple[int, int] | None = None
    first = ""
    stacks: dict[str, list[np.ndarray]] = {split: [] for split in archives.SPLITS}
    for split in archives.SPLITS:
        for digit in classes:
            pixels = []
            for file, content in sorted(tree[split][digit].items()):
                path = f"{where}{split}/{digit}/{file}"
                image_size, image = png.decode(content, path)
                if size is None:
                    size, first = image_size, path
                if image_size != size:
                    raise DataError(f"{path}: {_by(image_size)} pixels, expected {_by(size)} as in {first}; resize it")
                pixels.append(image)
            # An array over bytes stays read-only: it cannot be made writable.
            stack = np.frombuffer(b"".join(pixels), np.uint8)
            stacks[split].append(stack.reshape(len(pixels), *size))  # type: ignore[misc]  # no class is empty
    names = {split: tuple(tuple(sorted(tree[split][digit])) for digit in classes) for split in archives.SPLITS}
    return Digits(
        name=name,
        classes=classes,
        train=tuple(stacks["train"]),
        valid=tuple(stacks["valid"]),
        train_files=names["train"],
        valid_files=names["valid"],
    )


def _classes(tree: archives.Tree, where: str) -> tuple[str, ...]:
    """Return the sorted class names; raise DataError unless both splits hold the same two or more, none empty."""
    for split in archives.SPLITS:
        if split not in tree:
            raise DataError(f"{where}no folder {split}/, expected train/<class>/*.png and valid/<class>/*.png")
    train, valid = (set(tree[split]) for split in archives.SPLITS)
    for digit in sorted(train ^ valid):
        has, lacks = ("train", "valid") if digit in train else ("valid", "train")
        raise DataError(f"{where}class {digit} is in {has}/ but not in {lacks}/, expected it in both")
    if len(train) < 2:
        raise DataError(f"{where}found {len(train)} class(es), expected at least two folders in train/")
    for split in archives.SPLITS:
        for digit, pngs in sorted(tree[split].items()):
            if not pngs:
                raise DataError(f"{where}{split}/{digit} holds no .png file, expected at least one")
    return tuple(sorted(train))


def _by(size: tuple[int, int]) -> str:
    height, width = size
    return f"{width} x {height}"
