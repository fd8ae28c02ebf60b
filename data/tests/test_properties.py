"""Random data sets and random damage: what was written is loaded, or it is refused."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import data
from data.tests.builders import KINDS, png, raw_png, small_set, write

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


def outcome(function, name, *arguments):
    """Return what the function returns, None if it raises a DataError about `name`; any other error is a failure."""
    try:
        return function(*arguments)
    except data.DataError as error:
        assert str(error).startswith(f"{name}: ")  # noqa: PT017


@settings(deadline=None, max_examples=300)
@given(PIXELS, st.data())
def test_a_damaged_png_is_refused_or_decodes_to_the_same_pixels(pixels, random):
    for damaged in damages(png(pixels), random):
        result = outcome(data.png.decode, "1.png", damaged, "1.png")
        assert result in (None, (pixels.shape, pixels.tobytes()))


def damages(whole, random):
    """Yield the content cut short, and the content with one other byte."""
    position = random.draw(st.integers(0, len(whole) - 1))
    byte = bytes([random.draw(st.integers(0, 255))])
    yield whole[:position]
    yield whole[:position] + byte + whole[position + 1 :]


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60), st.integers(0, 9), st.integers(0, 9))
def test_pixel_data_of_the_wrong_amount_is_refused(stream, width, height):
    """Every checksum is right; only the amount and the filters can be wrong."""
    result = outcome(data.png.decode, "1.png", raw_png(stream, width, height), "1.png")
    assert not result or (result[0] == (height, width) and len(result[1]) == height * width < len(stream))


@settings(deadline=None, max_examples=600)
@given(st.sampled_from(["set.zip", "set.tar", "set.tgz"]), st.data())
def test_a_damaged_archive_is_refused_or_gives_the_same_digits(kind, random):
    with tempfile.TemporaryDirectory() as place:
        path = write(Path(place) / kind, small_set())
        whole, digest = path.read_bytes(), data.load(path).digest
        for damaged in damages(whole, random):
            path.write_bytes(damaged)
            result = outcome(data.load, path, path)
            assert not result or result.digest == digest
