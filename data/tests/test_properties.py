"""Random data sets and random damage: what was written is loaded, or it is refused."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import data
from data.tests.builders import KINDS, png, raw_png, small_set, tar, write

NAMES = st.text("abcXYZ0189_- é", min_size=1, max_size=5)
PIXELS = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@st.composite
def data_sets(draw):
    """Draw a data set: (split, class) -> file name -> pixels."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    classes = draw(st.sets(NAMES, min_size=2, max_size=4))
    stacks = st.dictionaries(NAMES.map("{}.png".format), arrays(np.uint8, shape), min_size=1, max_size=3)
    return {(split, name): draw(stacks) for split in ("valid", "train") for name in sorted(classes, reverse=True)}


@settings(deadline=None, max_examples=25)
@given(data_sets())
def test_every_kind_gives_back_what_was_written(images):
    files = {f"{split}/{c}/{file}": png(a) for (split, c), stack in images.items() for file, a in stack.items()}
    digests = set()
    with tempfile.TemporaryDirectory() as place:
        for kind in KINDS:
            digits = data.load(write(Path(place) / kind, files))
            digests.add(digits.digest)
            for split in ("train", "valid"):
                names, stacks = getattr(digits, f"{split}_files"), getattr(digits, split)
                for c, files_found, stack in zip(digits.classes, names, stacks, strict=True):
                    expected = sorted(images[split, c].items())
                    assert files_found == tuple(file for file, _ in expected)
                    np.testing.assert_array_equal(stack, [pixels for _, pixels in expected])
    assert len(digests) == 1


def outcome(function, *arguments):
    """Return what the function returns, or the message of its DataError; anything else it raises is a failure."""
    try:
        return function(*arguments)
    except data.DataError as error:
        return str(error)


def refused(result, name):
    return isinstance(result, str) and result.startswith(f"{name}: ")


@settings(deadline=None, max_examples=300)
@given(PIXELS, st.data())
def test_a_damaged_png_is_refused_or_decodes_to_the_same_pixels(pixels, random):
    whole = png(pixels)
    for damaged in damages(whole, random):
        result = outcome(data.png.decode, damaged, "1.png")
        assert refused(result, "1.png") or result == (pixels.shape, pixels.tobytes())


def damages(whole, random):
    """Yield the content cut short, and the content with one other byte."""
    position = random.draw(st.integers(0, len(whole) - 1))
    byte = bytes([random.draw(st.integers(0, 255))])
    yield whole[:position]
    yield whole[:position] + byte + whole[position + 1 :]


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60), st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_pixel_data_of_the_wrong_amount_is_refused(stream, width, height, interlaced):
    """Every checksum is right; only the amount and the filters can be wrong."""
    result = outcome(data.png.decode, raw_png(stream, width, height, interlaced), "1.png")
    if not refused(result, "1.png"):
        assert result[0] == (height, width)
        assert len(result[1]) == height * width < len(stream)


@settings(deadline=None, max_examples=300)
@given(st.booleans(), st.data())
def test_a_damaged_archive_is_refused_or_gives_the_same_digits(compressed, random):
    whole = tar(small_set(), packed="gz" if compressed else "")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "set.tar"
        path.write_bytes(whole)
        digest = data.load(path).digest
        for damaged in damages(whole, random):
            path.write_bytes(damaged)
            result = outcome(data.load, path)
            assert refused(result, path) or result.digest == digest


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_zip_is_refused_or_gives_the_same_digits(random):
    with tempfile.TemporaryDirectory() as place:
        path = write(Path(place) / "set.zip", small_set())
        whole, digest = path.read_bytes(), data.load(path).digest
        for damaged in damages(whole, random):
            path.write_bytes(damaged)
            result = outcome(data.load, path)
            assert refused(result, path) or result.digest == digest
