"""Reads a folder or an archive: the bytes of its PNG files, in memory. Nothing is decoded or unpacked to disk."""

import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data.digits import DataError

SPLITS = ("train", "valid")
# What zipfile and its decompressors raise for damaged bytes, and (RuntimeError) for encrypted ones.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, RuntimeError)
Entry = tuple[tuple[str, ...], bytes | None]  # the path's parts; bytes of a file, None for a folder
Tree = dict[str, dict[str, dict[str, bytes]]]  # split -> class -> file name -> PNG bytes


def read(path: Path) -> Tree:
    """Return the PNG files below `train/<class>/` and `valid/<class>/` of a folder or archive.

    Both splits are at the root or one folder below it. Hidden files and folders, and files whose names do not end in
    `.png` (in any case), are ignored.

    Raises:
        DataError: the path is missing, unreadable or no archive; the archive is damaged, or has links, special files or
            paths that leave it; or there is more than one data set.
    """
    try:
        if path.is_dir():
            return _arrange(_folder(path), path)
        raw = path.read_bytes()
    except OSError as error:
        name = error.filename or path
        raise DataError(f"{name}: cannot be read ({error.strerror}); name a folder or archive of PNG files") from error
    if raw.startswith(b"PK"):  # zipfile.is_zipfile would also find a zip file inside a tar
        return _arrange(_zip(raw, path), path)
    return _arrange(_tar(raw, path), path)


def _arrange(entries: Iterator[Entry], path: Path) -> Tree:
    roots: dict[tuple[str, ...], Tree] = {}
    for parts, content in entries:
        if any(part.startswith(".") for part in parts):
            continue
        folder = parts if content is None else parts[:-1]
        depth = _depth(folder)
        if depth is None:
            continue
        classes = roots.setdefault(folder[:depth], {}).setdefault(folder[depth], {})
        if len(folder) == depth + 1:
            continue
        files = classes.setdefault(folder[depth + 1], {})
        if content is not None and len(folder) == depth + 2 and parts[-1].lower().endswith(".png"):
            if parts[-1] in files:
                raise DataError(f"{path}: holds {'/'.join(parts)} twice, expected every file once; pack it again")
            files[parts[-1]] = content
    if len(roots) > 1:
        places = " and ".join("/".join(root) or "the root" for root in sorted(roots))
        raise DataError(f"{path}: holds train/ or valid/ in {places}, expected one data set; name one of them")
    return next(iter(roots.values()), {})


def _depth(folder: tuple[str, ...]) -> int | None:
    """Return the position of train or valid in a folder's path: 0, 1 or None."""
    return next((i for i, part in enumerate(folder[:2]) if part in SPLITS), None)


def _folder(path: Path) -> Iterator[Entry]:
    def below(folder: Path) -> Iterator[Entry]:
        for child in folder.iterdir():
            parts = child.relative_to(path).parts
            depth = _depth(parts)
            if child.name.startswith("."):
                continue
            if child.is_dir():
                yield parts, None
                if len(parts) <= (1 if depth is None else depth + 2):
                    yield from below(child)
            elif depth is not None and len(parts) == depth + 3 and child.suffix.lower() == ".png":
                if not child.is_file():
                    raise DataError(f"{child}: a broken link or special file, expected a plain file; remove it")
                yield parts, child.read_bytes()

    return below(path)


def _safe_parts(name: str, path: Path) -> tuple[str, ...]:
    member = PurePosixPath(name)
    if member.is_absolute() or ".." in member.parts:
        raise DataError(f"{path}: holds the path {name!r}, which leaves the archive; pack it again")
    return member.parts


def _zip(raw: bytes, path: Path) -> Iterator[Entry]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for member in archive.infolist():
                parts = _safe_parts(member.filename, path)
                if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise DataError(f"{path}: {member.filename} is a link or special file, expected plain files")
                content = archive.read(member)  # also of a folder: reading compares its name with the one in the list
                yield parts, None if member.is_dir() else content
    except ZIP_ERRORS as error:
        raise DataError(f"{path}: the zip archive is cut short or damaged ({error}); fetch or pack it again") from error


def _tar(raw: bytes, path: Path) -> Iterator[Entry]:
    try:
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.decompress(raw)
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            for member in archive:
                parts = _safe_parts(member.name, path)
                if not (member.isfile() or member.isdir()):
                    raise DataError(f"{path}: {member.name} is a link or special file, expected plain files")
                if not member.offset_data <= archive.offset <= len(raw):  # where the next header begins
                    raise DataError(f"{path}: cut short inside {member.name}; fetch or pack it again")
                yield parts, None if member.isdir() else raw[member.offset_data : member.offset_data + member.size]
            # tarfile takes a truncated header for the end; a complete archive ends in a block of zeros.
            if raw[archive.offset : archive.offset + tarfile.BLOCKSIZE] != bytes(tarfile.BLOCKSIZE):
                raise DataError(f"{path}: cut short, the end mark is missing; fetch or pack it again")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the archive is cut short or damaged ({error}); fetch or pack it again") from error
    except tarfile.TarError as error:
        raise DataError(f"{path}: no .tgz, .tar or .zip archive ({error}); name a folder or archive") from error
