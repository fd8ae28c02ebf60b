"""Decodes one PNG file in memory. Everything but a plain 8-bit greyscale PNG is refused."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from data.digits import DataError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 2**22  # 2048 x 2048: far above any digit, far below what could exhaust memory
KINDS = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with alpha", 6: "RGB with alpha"}


def decode(png: bytes, name: str) -> tuple[tuple[int, int], bytes]:
    """Return ((height, width), pixels) of one PNG file, pixels as height * width bytes, 0..255.

    The header and every chunk's checksum are checked before any pixel is decoded: Pillow ignores the checksum of pixel
    data and leaves missing pixels black. It gets only pixel data.

    Raises:
        DataError: the file is empty, cut short, damaged, no PNG, not plain 8-bit greyscale, or claims more than
            MAX_PIXELS pixels. The message calls it `name`.
    """
    chunks = _chunks(png, name)
    height, width = _header(*next(chunks), name)
    packed = []
    for kind, body in chunks:
        if kind == b"tRNS":
            raise DataError(f"{name}: found greyscale with alpha, expected plain 8-bit greyscale; convert it")
        if kind == b"IDAT":
            packed.append(body)
    stream = b"".join(packed)
    expected = height * (1 + width)  # bytes of pixel data: each row begins with one byte, its filter
    try:
        size = len(zlib.decompressobj().decompress(stream, expected + 1))
        if size != expected:
            least = "at least " if size > expected else ""
            raise DataError(f"{name}: holds {least}{size} bytes of pixel data, expected {expected}; restore the file")
        pixels = Image.frombytes("L", (width, height), stream, "zip", "L").tobytes()
    except (zlib.error, OSError, ValueError) as error:  # the last two are how Pillow reports bad pixels
        what = f"pixels cannot be decoded ({error}), expected a whole PNG"
        raise DataError(f"{name}: {what}; restore the file") from error
    return (height, width), pixels


def _chunks(png: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and checked body of each chunk up to the end mark (PNG specification, third edition, section 5)."""
    if not png:
        raise DataError(f"{name}: the file is empty, expected a PNG image; restore or remove it")
    if not png.startswith(SIGNATURE):
        raise DataError(f"{name}: not a PNG file (it starts with {png[:8]!r}); convert or remove it")
    kind, position = b"", len(SIGNATURE)
    while kind != b"IEND":
        try:
            length, kind = struct.unpack_from(">I4s", png, position)
            (checksum,) = struct.unpack_from(">I", png, position + 8 + length)
        except struct.error:
            raise DataError(f"{name}: the PNG is cut short at {len(png)} bytes; restore the file") from None
        end = position + 8 + length
        if zlib.crc32(png[position + 4 : end]) != checksum:
            raise DataError(f"{name}: the PNG is damaged (checksum of its {kind!r} chunk); restore the file")
        yield kind, png[position + 8 : end]
        position = end + 4


def _header(kind: bytes, body: bytes, name: str) -> tuple[int, int]:
    """Return (height, width)."""
    if kind != b"IHDR" or len(body) != 13:
        raise DataError(f"{name}: not a PNG file (it starts with a {kind!r} chunk); restore the file")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
    if (depth, colour, interlaced) != (8, 0, 0):
        found = f"{'interlaced ' * bool(interlaced)}{depth}-bit {KINDS.get(colour, f'colour type {colour}')}"
        raise DataError(f"{name}: found {found}, expected plain 8-bit greyscale; convert it")
    if not 0 < width * height <= MAX_PIXELS:
        claim = f"claims {width} x {height} pixels, expected between 1 and {MAX_PIXELS:,} in all"
        raise DataError(f"{name}: {claim}; remove it")
    return height, width
