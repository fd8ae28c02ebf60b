"""Every image that is not a whole 8-bit greyscale PNG of the common size is refused by name."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import data
from data.tests.builders import chunk, grey, png, raw_png, refusal, saved, small_set, write

GREY = Image.new("L", (3, 4))
GOOD = grey(1)
ROWS = b"\0abc\0def"  # the unpacked pixel data of a 3 x 2 image

BAD = {
    "empty": (b"", "file is empty", "expected a PNG"),
    "cut short": (GOOD[:-6], "cut short", f"{len(GOOD) - 6} bytes"),
    "cut in its signature": (GOOD[:5], "not a PNG file", "PNG"),
    "signature alone": (GOOD[:8], "cut short", "8 bytes"),
    "without its end mark": (GOOD[:-12], "cut short", f"{len(GOOD) - 12} bytes"),
    "another format": (b"\xff\xd8\xff\xe0 JFIF", "not a PNG file", r"\xff\xd8\xff"),
    "text": (b"no image at all", "not a PNG file", "no image"),
    "no header": (GOOD[:8] + chunk(b"IEND", b""), "not a PNG file", "IEND"),
    "16-bit": (png(np.zeros((4, 3), np.uint16)), "found 16-bit greyscale", "expected plain 8-bit greyscale"),
    "RGB": (saved(GREY.convert("RGB")), "found 8-bit RGB,", "expected plain 8-bit greyscale"),
    "palette": (saved(GREY.convert("P"), bits=8), "found 8-bit palette", "expected plain 8-bit greyscale"),
    "grey with alpha": (
        saved(GREY.convert("LA")),
        "found 8-bit greyscale with alpha",
        "expected plain 8-bit greyscale",
    ),
    "RGBA": (saved(GREY.convert("RGBA")), "found 8-bit RGB with alpha", "expected plain 8-bit greyscale"),
    "1-bit": (saved(GREY.convert("1")), "found 1-bit greyscale", "expected plain 8-bit greyscale"),
    "transparent": (saved(GREY, transparency=0), "found greyscale with alpha", "expected plain 8-bit greyscale"),
    "no pixel data": (GOOD[:33] + chunk(b"IEND", b""), "0 bytes of pixel data", "expected 16"),
    "too few pixels": (raw_png(ROWS[:-3]), "holds 5 bytes of pixel data", "expected 8"),
    "too many pixels": (raw_png(ROWS * 2), "holds at least 9 bytes of pixel data", "expected 8"),
    "interlaced": (raw_png(ROWS, interlaced=1), "found interlaced 8-bit greyscale", "expected plain 8-bit greyscale"),
    "unknown filter": (raw_png(b"\x09abc\x09def"), "pixels cannot be decoded", "restore"),
    "no zlib": (GOOD[:33] + chunk(b"IDAT", b"abcdef") + chunk(b"IEND", b""), "pixels cannot be decoded", "restore"),
    "no pixels": (raw_png(b"", 0, 4), "claims 0 x 4 pixels", "expected between 1 and"),
}


@pytest.mark.parametrize("kind", ["folder", "set.tgz", "set.zip"])
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_image_is_refused_by_name(tmp_path, fault, kind):
    content, problem, expected = BAD[fault]
    path = write(tmp_path / kind, {**small_set(), "train/7/2.png": content})
    message = refusal(path)
    assert message.startswith(f"{path}: train/7/2.png: ")
    assert problem in message
    assert expected in message


def test_a_differing_size_names_both_files(tmp_path):
    path = write(tmp_path / "set.tar", {**small_set(), "valid/3/9.png": grey(1, 5, 5)})
    where = f"{path}: "
    assert refusal(path) == f"{where}valid/3/9.png: 5 x 5 pixels, expected 3 x 4 as in {where}train/3/1.png; resize it"


@pytest.mark.parametrize(("width", "height"), [(2**31 - 1, 2**31 - 1), (2**22 + 1, 1), (100_000, 100_000)])
def test_an_enormous_size_is_refused_before_any_pixel_is_decoded(tmp_path, monkeypatch, width, height):
    path = write(tmp_path / "folder", {**small_set(), "train/3/1.png": raw_png(ROWS, width, height)})
    monkeypatch.setattr(data.png.zlib, "decompressobj", lambda: pytest.fail("pixels were unpacked"))
    monkeypatch.setattr(data.png.Image, "frombytes", lambda *_: pytest.fail("pixels were decoded"))
    message = refusal(path)
    assert f"train/3/1.png: claims {width} x {height} pixels" in message
    assert "expected between 1 and 4,194,304" in message


def test_pixels_that_unpack_to_far_more_than_claimed_are_not_unpacked(monkeypatch):
    limits, unpack = [], SimpleNamespace(decompress=lambda stream, limit: limits.append(limit) or bytes(limit))
    monkeypatch.setattr(data.png.zlib, "decompressobj", lambda: unpack)
    with pytest.raises(data.png.DataError, match="at least 9 bytes"):
        data.png.decode(raw_png(bytes(10**7)), "1.png")
    assert limits == [9]


@pytest.mark.parametrize("kind", [b"tEXt", b"iCCP", b"acTL", b"fcTL", b"gAMA", b"abcd"])
def test_chunks_beside_the_pixels_change_nothing(kind):
    """Pillow would warn of some and fail for others; none of them holds pixels of this image."""
    size, pixels = data.png.decode(raw_png(ROWS, before=chunk(kind, b"\xff" * 26)), "1.png")
    assert (size, pixels) == ((2, 3), b"abcdef")
