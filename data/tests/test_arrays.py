"""IDX files and npz give the digits that were written, and say what is wrong with bad ones."""

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import data
from data.tests.builders import (
    IDX_NAMES,
    four_arrays,
    grey,
    idx,
    must_be_frozen,
    npy,
    refusal,
    small_set,
    write,
)  # fmt: skip

EMNIST = tuple(f"emnist-letters-{name.replace('t10k', 'test')}" for name in IDX_NAMES)


def idx_files(digits, names=IDX_NAMES):
    return {name: idx(array) for name, array in zip(names, four_arrays(digits), strict=True)}


def same(digits, expected):
    """Compare digits with others whose images may be in another order."""
    must_be_frozen(digits)
    return (digits.classes, digits.digest) == (expected.classes, expected.digest)


@pytest.mark.parametrize("place", ["", "raw/"])
@pytest.mark.parametrize("kind", ["folder", "set.tgz", "set.tar", "set.zip"])
@pytest.mark.parametrize("packed", ["none", "all", "some", "both"])
def test_idx_files(tmp_path, plain, kind, place, packed):
    files = idx_files(plain)
    for name in list(files):
        if packed in ("all", "both") or (packed == "some" and "images" in name):
            files[f"{name}.gz"] = gzip.compress(files[name]) if packed != "both" else b"never unpacked"
            if packed != "both":
                del files[name]
    junk = {"README": b"", "raw2/x.txt": b"", "test/notes.txt": b""}
    assert same(data.load(write(tmp_path / kind, {place + name: files[name] for name in files} | junk)), plain)


def test_file_names_are_the_index_in_their_file(tmp_path, plain):
    digits = data.load(write(tmp_path / "set", idx_files(plain)))
    (images, labels), _ = np.split(np.array(four_arrays(plain), dtype=object), 2)
    for name, stack, files in zip(digits.classes, digits.train, digits.train_files, strict=True):
        assert files == tuple(f"#{i}" for i in np.flatnonzero(labels == int(name)))
        np.testing.assert_array_equal(stack, images[labels == int(name)])


@pytest.mark.parametrize("spelling", [str.upper, str.title, lambda name: name.replace("-idx", ".idx")])
def test_other_spellings(tmp_path, plain, spelling):
    copies = {f"{name}/{name}": b"a copy" for name in IDX_NAMES}  # as in a copy of MNIST that many people have
    files = {spelling(name): content for name, content in idx_files(plain).items()}
    assert same(data.load(write(tmp_path / "set.zip", files | copies)), plain)


@pytest.mark.parametrize("kind", ["folder", "gzip.zip"])
def test_emnist_is_turned(tmp_path, kind):
    plain = data.load(write(tmp_path / "plain", small_set(height=5, width=5)))
    files = {
        f"gzip/{name}.gz": gzip.compress(idx(array.swapaxes(1, 2) if array.ndim == 3 else array))
        for name, array in zip(EMNIST, four_arrays(plain), strict=True)
    }
    other = {f"gzip/{EMNIST[0]}".replace("letters", "digits"): idx(np.zeros((1, 5, 5)))}
    assert same(data.load(write(tmp_path / kind, files | other)), plain)


@settings(max_examples=30)
@given(st.data(), st.booleans())
def test_npz_gives_back_what_was_written(random, packed):
    shape = random.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    written = {}
    for split in ("train", "test"):
        labels = [5, 10, 9, *random.draw(st.lists(st.sampled_from([5, 9, 10]), max_size=4))]
        written[f"y_{split}"] = np.array(labels, random.draw(st.sampled_from([np.uint8, ">i2", np.int64])))
        written[f"x_{split}"] = random.draw(arrays(np.uint8, (len(labels), *shape)))
    if random.draw(st.booleans()):
        written["x_test"] = np.asfortranarray(written["x_test"])
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "mnist.npz"
        (np.savez_compressed if packed else np.savez)(path, **written, more=np.zeros(3))
        digits = data.load(path)
    assert (digits.name, digits.classes) == ("mnist", ("10", "5", "9"))
    for split, stacks in (("train", digits.train), ("test", digits.valid)):
        for name, stack in zip(digits.classes, stacks, strict=True):
            np.testing.assert_array_equal(stack, written[f"x_{split}"][written[f"y_{split}"] == int(name)])


class Trap:
    """Fail when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("an array was unpickled",)


IMAGES, LABELS = np.zeros((2, 4, 3), np.uint8), np.array([3, 7], np.uint8)
BAD = {
    "cut short": (idx(IMAGES)[:-1], "holds 23 bytes of images, expected 24; fetch it again"),
    "too long": (idx(IMAGES) + b"!", "holds 25 bytes of images, expected 24"),
    "cut in its header": (idx(IMAGES)[:9], "neither an IDX file of bytes nor an array of integers"),
    "empty": (b"", "neither an IDX file"),
    "other numbers": (b"\0\0\x0d" + idx(IMAGES)[3:], "neither an IDX file of bytes"),
    "labels": (idx(LABELS), "found uint8 of rank 1, expected images: uint8 of rank 3"),
    "as many as no machine holds": (b"\0\0\x08\3" + b"\xff" * 12, "bytes of images, expected 79,228,162,458"),
    "no images": (idx(IMAGES[:0]), "holds 0 x 4 x 3 pixels and there are 4 labels, expected one per image"),
    "too few": (idx(IMAGES), "holds 2 x 4 x 3 pixels and there are 4 labels"),
    "damaged gzip": (gzip.compress(idx(IMAGES))[:-3], "cut short or damaged"),
    "objects": (npy(np.array([Trap()], object)), "neither an IDX file"),
    "a claim of gigabytes": (npy(IMAGES).replace(b"(2, 4, 3)", b"(2,4,9999999999)")[:99], "neither an IDX file"),
    "floats": (npy(IMAGES / 2), "neither an IDX file"),
    "signed": (npy(IMAGES.astype(np.int8)), "found int8 of rank 3, expected images: uint8"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_by_name(tmp_path, plain, fault):
    content, reason = BAD[fault]
    path = write(tmp_path / "set", {**idx_files(plain), IDX_NAMES[0]: content})
    message = refusal(path)
    assert message.startswith(f"{path}: {IDX_NAMES[0]}: ")
    assert reason in message


TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = IDX_NAMES


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({TRAIN_LABELS: None}, "expected images and labels for training and for test"),
        ({f"a/{name}": b"" for name in IDX_NAMES}, "expected one data set"),
        ({"train/3/1.png": grey(1)}, "train-images-idx3-ubyte and PNG files in the root"),
        ({TEST_IMAGES.replace("t10k", "test"): b""}, "expected one of them; remove the other"),
        ({TEST_IMAGES: idx(np.zeros((2, 3, 4)))}, "t10k-images-idx3-ubyte: 4 x 3 pixels, expected 3 x 4"),
        ({TEST_LABELS: idx(np.array([3, 8]))}, "class 7 is in train/ but not in valid/"),
    ],
)
def test_an_incomplete_or_second_set_is_refused(tmp_path, plain, more, reason):
    files = {name: content for name, content in {**idx_files(plain), **more}.items() if content is not None}
    assert reason in refusal(write(tmp_path / "set", files))


@pytest.mark.real_digits
def test_mnist_sample_as_idx_is_the_same_data_set(tmp_path, real_digits):
    digits = data.load(write(tmp_path / "set", idx_files(real_digits)))
    assert same(digits, real_digits)
    assert not np.array_equal(digits.train[0], real_digits.train[0])
