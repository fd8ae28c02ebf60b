"""Small data sets and single PNG files, good and bad, made in memory."""

import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import data

Files = dict[str, bytes]  # a path such as "train/3/1.png" -> its content
KINDS = ("folder", "set.tgz", "set.tar.gz", "set.tar.bz2", "set.tar.xz", "set.tar", "set.zip")
IDX_NAMES = tuple(
    f"{split}-{what}" for split in ("train", "t10k") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
)
NPY_NAMES = ("x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy")


def png(pixels: np.ndarray) -> bytes:
    """Encode one image, in the mode that Pillow infers from the array."""
    return saved(Image.fromarray(pixels))


def saved(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def grey(value: int, height: int = 4, width: int = 3) -> bytes:
    """Encode an image whose pixels count upwards from `value`."""
    pixels = (value + np.arange(height * width)) % 256
    return png(pixels.reshape(height, width).astype(np.uint8))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(stream: bytes, width: int = 3, height: int = 2, interlaced: int = 0, before: bytes = b"") -> bytes:
    """Encode an 8-bit greyscale PNG of any claimed size, with right checksums, around unpacked pixel data."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlaced))
    pixels = chunk(b"IDAT", zlib.compress(stream))
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + chunk(b"IEND", b"")


def small_set(classes: str = "37", height: int = 4, width: int = 3) -> Files:
    """Return two training images and one validation image per class; no two images are equal."""
    files = {}
    for place, name in enumerate(classes):
        for number in (1, 2):
            files[f"train/{name}/{number}.png"] = grey(20 * place + number, height, width)
        files[f"valid/{name}/9.png"] = grey(20 * place + 9, height, width)
    return files


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def write(path: Path, files: Files, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write the files, in the given order, as a folder or as the archive that the path's suffix names."""
    if path.suffix == ".zip":
        path.write_bytes(zipped(files, method))
    elif path.suffix in PACKED:
        path.write_bytes(tar(files, packed=PACKED[path.suffix]))
    else:
        for name, content in files.items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return path


PACKED = {".tar": "", ".tgz": "gz", ".gz": "gz", ".bz2": "bz2", ".xz": "xz"}


def tar(files: Files, *extra: tarfile.TarInfo, packed: str = "") -> bytes:
    """Pack the files, then the extra members, which are empty."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{packed}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in extra:
            archive.addfile(member)
    return file.getvalue()


def idx(array: np.ndarray) -> bytes:
    """Encode unsigned bytes as an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def four_arrays(digits: data.Digits, seed: int = 0) -> list[np.ndarray]:
    """Return training images and labels and validation images and labels, with the classes mixed."""
    arrays = []
    for stacks in (digits.train, digits.valid):
        labels = np.repeat([int(name) for name in digits.classes], [len(stack) for stack in stacks])
        order = np.random.default_rng(seed).permutation(len(labels))
        arrays += [np.concatenate(stacks)[order], labels[order].astype(np.uint8)]
    return arrays


def must_be_frozen(digits: data.Digits) -> None:
    for stack in (*digits.train, *digits.valid):
        assert (stack.dtype, stack.flags.c_contiguous, stack.flags.writeable) == (np.uint8, True, False)
        with pytest.raises(ValueError, match="WRITEABLE"):
            stack.flags.writeable = True
        with pytest.raises(ValueError, match="read-only"):
            stack[0, 0, 0] = 1


def refusal(source: str | Path, **options) -> str:
    """Load bad input; return the error's message, which is one line."""
    with pytest.raises(data.DataError) as caught:
        data.load(source, **options)
    message = str(caught.value)
    assert message.isprintable()
    return message
