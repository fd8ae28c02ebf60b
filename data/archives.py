"""Lists a folder or an archive, and reads the files in it that hold digits. Nothing is unpacked to disk.

Other files are not unpacked, except that a packed tar must be read through to its end.
"""

import bz2
import gzip
import importlib
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, Self

from data.digits import DataError
from data.layout import Entry, split_depth, wanted
from data.limit import Limit

# What zipfile, tarfile and the decompressors raise for damaged bytes; zipfile raises RuntimeError for encrypted ones.
DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError,
    OverflowError, MemoryError, RuntimeError,
)  # fmt: skip
GZIP, BZ2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"  # how packed files begin
ZSTD_MODULES = ("compression.zstd", "backports.zstd", "zstandard")
NAME_BYTES = 2**20  # the most that a tar may take for the names and other properties of one member
STEP = 2**12  # bytes to unpack at once, for bz2 and lzma can make thousands out of each


def entries(path: Path, limit: Limit) -> Iterator[Entry]:
    """Yield the files and folders of a folder or archive: `.zip`, or `.tar`, plain or packed by gzip, bz2, xz or zstd.

    Raises:
        DataError: the path cannot be read or is no archive; the archive is damaged, or has links, special files or
            paths that leave it; or its digits take more than the limit.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            yield from _folder(path, limit)
            return
        if not stat.S_ISREG(mode):
            raise DataError(f"{path}: a pipe, device or other special file; name a folder or archive of images")
        file = path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        name, reason = getattr(error, "filename", None) or path, getattr(error, "strerror", None) or error
        name = str(name).replace("\0", "\\0")
        raise DataError(f"{name}: cannot be read ({reason}); name a folder or archive of images") from error
    with file:
        start = file.read(6)
        file.seek(0)
        # zipfile.is_zipfile would also find a zip file inside a tar
        yield from _zip(file, path, limit) if start.startswith(b"PK") else _tar(file, start, path, limit)


def gunzip(content: bytes, name: str, limit: Limit) -> bytes:
    """Return the unpacked content of a file in memory if gzip packed it, else the content itself.

    Raises:
        DataError: it is damaged, or unpacks to more than the limit.
    """
    if not content.startswith(GZIP):
        return content
    try:
        return b"".join(_Unpacked(gzip.open(io.BytesIO(content)), limit, name))
    except DAMAGED as error:
        raise DataError(f"{name}: cut short or damaged ({error}); fetch it again") from error


class _Unpacked:
    """A file that is unpacked as it is read, and counted."""

    def __init__(self, file: Any, limit: Limit, name: str, zstd_error: type[Exception] = EOFError) -> None:
        self._file, self._limit, self._name, self._zstd_error = file, limit, name, zstd_error

    def read(self, size: int) -> bytes:
        try:
            content: bytes = self._file.read(size)
        except self._zstd_error as error:
            raise EOFError(str(error)) from error
        self._limit.take(len(content), self._name)
        return content

    def __iter__(self) -> Iterator[bytes]:
        return iter(partial(self.read, 2**20), b"")


def _folder(path: Path, limit: Limit) -> Iterator[Entry]:
    folders = [path]
    for child in chain.from_iterable(folder.iterdir() for folder in folders):  # which grow meanwhile
        parts = child.relative_to(path).parts
        depth = split_depth(parts)
        if child.name.startswith("."):
            continue
        if child.is_dir():
            yield Entry(parts)
            if len(parts) <= (1 if depth is None else depth + 2):
                folders.append(child)
        elif wanted(parts):
            if not child.is_file():
                raise DataError(f"{child}: a broken link or special file, expected a plain file; remove it")
            limit.take(child.stat().st_size, str(child))
            yield Entry.of(parts, child.read_bytes())
        else:
            yield Entry.of(parts)


def _safe_parts(name: str, path: Path) -> tuple[str, ...]:
    parts = tuple(part for part in name.split("/") if part not in ("", "."))  # pathlib would take 4 times as long
    if name.startswith("/") or ".." in parts:
        raise DataError(f"{path}: holds the path {name!r}, which leaves the archive; pack it again")
    return parts


def _zip(file: IO[bytes], path: Path, limit: Limit) -> Iterator[Entry]:
    try:
        with zipfile.ZipFile(file) as archive:
            if (len(archive.infolist()) - _members_at_the_end(file)) % 2**16:
                raise zipfile.BadZipFile("its list of members is not as long as its end record says")
            members = []
            for member in archive.infolist():  # all of them before any is unpacked
                _must_have_its_name(file, member)
                name = member.filename.replace("\\", "/")  # as Windows has it
                parts, is_folder = _safe_parts(name, path), name.endswith("/")
                if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise DataError(f"{path}: {name} is a link or special file, expected plain files")
                if not is_folder and wanted(parts):
                    limit.take(member.file_size, f"{path}: {name}")
                members.append((member, parts, is_folder))
            for member, parts, is_folder in members:
                if is_folder:
                    yield Entry(parts)
                elif wanted(parts):
                    with archive.open(member) as unpacked:
                        yield Entry.of(parts, b"".join(iter(partial(unpacked.read, STEP), b"")))
                else:
                    yield Entry.of(parts)
    except DAMAGED as error:
        raise DataError(f"{path}: the zip archive is cut short or damaged ({error}); fetch or pack it again") from error


def _members_at_the_end(file: IO[bytes]) -> int:
    """Return how many members a zip file has by its end record; some programs write only the lowest 16 bits."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2**16 - 100))  # the record, a comment after it, and the record of a large file before it
    tail = file.read()
    end = tail.rindex(b"PK\5\6")
    if tail[max(0, end - 20) :].startswith(b"PK\6\7"):  # where the number for more than 65,535 members is
        return int(struct.unpack_from("<Q", tail, end - 20 - 56 + 32)[0])
    return int(struct.unpack_from("<H", tail, end + 10)[0])


def _must_have_its_name(file: IO[bytes], member: zipfile.ZipInfo) -> None:
    """Compare a member's name in the list with the one before its data. zipfile does so only for what it unpacks."""
    file.seek(member.header_offset)
    signature, length = struct.unpack("<4s22xH2x", file.read(30))
    name = file.read(length)
    if signature != b"PK\3\4" or name != member.orig_filename.encode("utf-8" if member.flag_bits & 0x800 else "cp437"):
        raise zipfile.BadZipFile(f"{member.orig_filename!r} is called {name!r} at its data")


class _CutShort(tarfile.TarError):
    pass


class _Header(tarfile.TarInfo):
    """A tar's header. tarfile takes a damaged or missing one for the end of the archive, which is a block of zeros."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf == bytes(tarfile.BLOCKSIZE):
                raise
            raise _CutShort("cut short, the end mark is missing") from error
        if header.size < 0:
            raise _CutShort(f"cut short inside {header.name}")
        if header.size > NAME_BYTES and not header.isfile():
            raise _CutShort(f"damaged, {header.name} claims {header.size:,} bytes of names")
        return header


def _tar(file: IO[bytes], start: bytes, path: Path, limit: Limit) -> Iterator[Entry]:
    name = ""
    try:
        unpacked = _unpacked(file, start, path, limit)
        stream: Any = unpacked or file
        mode: Any = "r|" if unpacked else "r:"  # what is unpacked is read once
        with tarfile.open(fileobj=stream, mode=mode, tarinfo=_Header) as archive:
            while member := archive.next():
                archive.members = []  # type: ignore[attr-defined]  # it would grow with every member
                name, parts = member.name, _safe_parts(member.name, path)
                if not (member.isfile() or member.isdir()) or member.issparse():
                    raise DataError(f"{path}: {name} is a link or special file, expected plain files")
                if member.isdir():
                    yield Entry(parts)
                elif wanted(parts):
                    limit.take(member.size, f"{path}: {name}", counted=unpacked is not None)
                    content = archive.fileobj.read(member.size)
                    if len(content) < member.size:
                        raise _CutShort(f"cut short inside {name}")
                    yield Entry.of(parts, content)
                else:
                    yield Entry.of(parts)
        for _ in unpacked if unpacked and name else ():  # the check sum is at the end
            pass
    except tarfile.TarError as error:
        if not name:
            raise DataError(f"{path}: no .zip or .tar archive; name a folder or archive of images") from error
        what = error if isinstance(error, _CutShort) else f"cut short inside {name}"
        raise DataError(f"{path}: {what}; fetch or pack it again") from error
    except DAMAGED as error:
        raise DataError(f"{path}: the archive is cut short or damaged ({error}); fetch or pack it again") from error


def _unpacked(file: IO[bytes], start: bytes, path: Path, limit: Limit) -> _Unpacked | None:
    """Return a file that unpacks `file`, which begins with `start`; None if it is not packed."""
    for magic, opened in ((GZIP, gzip.open), (BZ2, bz2.open), (XZ, lzma.open)):
        if start.startswith(magic):
            return _Unpacked(opened(file), limit, str(path))
    if not start.startswith(ZSTD):
        return None
    for name in ZSTD_MODULES:
        try:
            module: Any = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        return _Unpacked(module.open(file, "rb"), limit, str(path), module.ZstdError)
    raise DataError(f"{path}: packed by zstd, which needs Python 3.14 or pip install zstandard; or unpack it: zstd -d")
