"""One PNG file in memory to its pixels; everything that is not an 8-bit greyscale PNG is refused."""

import io
import struct
import zlib

from PIL import Image

from data.digits import DataError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 2**22  # 2048 x 2048: far above any digit, far below what could exhaust memory
KINDS = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with alpha", 6: "RGB with alpha"}


def decode(png: bytes, name: str) -> tuple[tuple[int, int], bytes]:
    """Return ((height, width), pixels) of one PNG file, pixels as height * width bytes, 0..255.

    The header is judged, and every chunk's checksum proven, before any pixel is decoded: Pillow itself does
    not look at the checksum of pixel data, so a flipped bit could otherwise become a different digit.

    Raises:
        DataError: the file is empty, cut short, damaged, no PNG, not 8-bit greyscale, or claims
            more than MAX_PIXELS pixels. `name` is the file's name in the message.
    """
    size = _inspect(png, name)
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            pixels = image.tobytes()
    except (OSError, SyntaxError, ValueError) as error:  # all three are how Pillow reports a bad PNG
        raise DataError(f"{name}: pixels cannot be decoded ({error}); restore the file") from error
    return size, pixels


def _inspect(png: bytes, name: str) -> tuple[int, int]:
    """Walk the chunks (PNG specification, third edition, section 5); return (height, width)."""
    if not png:
        raise DataError(f"{name}: the file is empty, expected a PNG image; restore or remove it")
    if not png.startswith(SIGNATURE):
        raise DataError(f"{name}: not a PNG file (it starts with {png[:8]!r}); convert or remove it")
    size = None
    kind, position = b"", len(SIGNATURE)
    while kind != b"IEND":
        try:
            length, kind = struct.unpack_from(">I4s", png, position)
            (checksum,) = struct.unpack_from(">I", png, position + 8 + length)
        except struct.error:
            raise DataError(f"{name}: the PNG is cut short at {len(png)} bytes; restore the file") from None
        body = position + 8
        if zlib.crc32(png[position + 4 : body + length]) != checksum:
            raise DataError(f"{name}: the PNG is damaged (checksum of its {kind!r} chunk); restore the file")
        if size is None:
            size = _header(kind, png[body : body + length], name)
        elif kind == b"tRNS":
            raise DataError(f"{name}: found greyscale with alpha, expected plain 8-bit greyscale; convert it")
        position = body + length + 4
    assert size is not None
    return size


def _header(kind: bytes, body: bytes, name: str) -> tuple[int, int]:
    if kind != b"IHDR" or len(body) != 13:
        raise DataError(f"{name}: not a PNG file (it starts with a {kind!r} chunk); restore the file")
    width, height, depth, colour = struct.unpack_from(">IIBB", body)
    if (depth, colour) != (8, 0):
        found = f"{depth}-bit {KINDS.get(colour, f'colour type {colour}')}"
        raise DataError(f"{name}: found {found}, expected 8-bit greyscale; convert it")
    if not 0 < width * height <= MAX_PIXELS:
        raise DataError(
            f"{name}: claims {width} x {height} pixels, expected between 1 and {MAX_PIXELS:,} in all; remove it"
        )
    return height, width
