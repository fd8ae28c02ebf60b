"""What `data.load` promises of every good folder and archive."""

import tarfile

import numpy as np
import pytest

import data
from data.tests.builders import KINDS, grey, must_be_frozen, png, refusal, small_set, tar, write

PLACES = ("", "mnist_sample/")  # both splits are at the root or one folder below


def below(prefix, files):
    return {prefix + name: content for name, content in files.items()}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_place_gives_the_same_digits(tmp_path, plain, kind, place):
    digits = data.load(write(tmp_path / kind, below(place, small_set())))
    assert digits.digest == plain.digest
    assert (digits.train_files, digits.valid_files) == (plain.train_files, plain.valid_files)
    assert digits.name == kind.split(".")[0]


@pytest.mark.parametrize("train", ["train", "Train", "TRAINING"])
@pytest.mark.parametrize("valid", ["valid", "Valid", "validation", "val", "test", "Testing"])
@pytest.mark.parametrize("place", [*PLACES, "test/"])
def test_other_names_of_the_splits(tmp_path, plain, train, valid, place):
    names = {name: f"{place}{name.replace('train', train).replace('valid', valid)}" for name in small_set()}
    path = write(tmp_path / "set.tar", {names[name]: content for name, content in small_set().items()})
    assert data.load(path).digest == plain.digest
    path = write(tmp_path / "set.tar", {names[name]: content[:-1] for name, content in small_set().items()})
    assert refusal(path).startswith(f"{path}: {train}/3/1.png: the PNG is cut short")


def test_an_exact_name_counts_more_than_others(tmp_path, plain):
    other = {"test/3/1.png": b"", "Train/8/1.png": b"", "docs/test/notes.txt": b""}
    assert data.load(write(tmp_path / "set", {**small_set(), **other})).digest == plain.digest


@pytest.mark.parametrize("kind", KINDS)
def test_files_beside_the_images_change_nothing(tmp_path, plain, kind):
    """Extra files, hidden files and hidden folders are everywhere that an image could be."""
    beside = ("labels.csv", "models/deep/er/1.png", "models/train", "train/1.png", "train/3/notes.txt", "1.png")
    nested = ("train/3/old/1.png", "train/3/old/train/3/1.png", "train/3/png", "other/inner/train/3/1.png")
    hidden = (".DS_Store", "train/.DS_Store", "train/3/._1.png", ".cache/train/3/1.png", "train/.ipynb/1.png")
    junk = dict.fromkeys(beside + nested + hidden, b"no image")
    assert data.load(write(tmp_path / kind, {**junk, **small_set()})).digest == plain.digest


@pytest.mark.parametrize("kind", KINDS)
def test_classes_and_files_are_sorted_as_strings(tmp_path, kind):
    names = ("9.png", "10.png", "a.png", "B.PNG", "100.png")
    files = {f"{split}/{c}/{name}": grey(len(name)) for split in ("valid", "train") for c in "b9a" for name in names}
    files |= {f"{split}/10/{name}": grey(1) for split in ("train", "valid") for name in names}
    digits = data.load(write(tmp_path / kind, files))
    assert digits.classes == ("10", "9", "a", "b")
    assert digits.train_files == digits.valid_files == (("10.png", "100.png", "9.png", "B.PNG", "a.png"),) * 4


def test_arrays_are_contiguous_uint8_and_cannot_be_made_writable(plain):
    must_be_frozen(plain)


def test_the_digest_ignores_names_of_files_and_of_the_data_set_and_stays_what_it_is(tmp_path, plain):
    """Records hold digests, so that the same pixels must keep theirs."""
    digits = data.load(write(tmp_path / "another name", renamed("/1.png", "/0.png")))
    assert digits.name == "another name"
    assert digits.digest == plain.digest == "2731a27dd81fadb6bb587240aeafebf3ba720bf320e66e9e234b0136007c6681"


def renamed(old, new):
    return {name.replace(old, new): content for name, content in small_set().items()}


def swapped(one, other):
    files = small_set()
    return {**files, one: files[other], other: files[one]}


CHANGED = {
    "one pixel more": {**small_set(), "train/3/1.png": png(np.array([*range(1, 12), 13], np.uint8).reshape(4, 3))},
    "another class name": renamed("/7/", "/8/"),
    "moved to the other split": renamed("train/7/2", "valid/7/2"),
    "moved to the other class": renamed("train/3/2", "train/7/0"),
    "another shape of the same bytes": small_set(height=3, width=4),
    "two images of two classes swapped": swapped("train/3/1.png", "train/7/1.png"),
    "two images of two splits swapped": swapped("train/3/1.png", "valid/3/9.png"),
}


@pytest.mark.parametrize("change", CHANGED)
def test_the_digest_depends_on_content(tmp_path, plain, change):
    assert data.load(write(tmp_path / "set.zip", CHANGED[change])).digest != plain.digest


def test_the_digest_ignores_the_order_of_images_within_a_class(tmp_path, plain):
    digits = data.load(write(tmp_path / "set", swapped("train/3/1.png", "train/3/2.png")))
    assert not np.array_equal(digits.train[0], plain.train[0])
    assert digits.digest == plain.digest
    assert digits.first_of_each_class(1).digest != plain.first_of_each_class(1).digest


def test_archives_that_list_their_folders(tmp_path, plain):
    folders = [tarfile.TarInfo(f"./{name}") for name in ("train", "train/3", "train/7", "valid", "valid/3", "valid/7")]
    for member in folders:
        member.type = tarfile.DIRTYPE
    path = tmp_path / "set.tar"
    path.write_bytes(tar(below("./", small_set()), *folders, tarfile.TarInfo(".")))  # the last is a file
    assert data.load(path).digest == plain.digest
    folders = dict.fromkeys(("set/", "set/train/", "set/train/3/", "set/valid/"), b"")
    assert data.load(write(tmp_path / "set.zip", {**folders, **below("set/", small_set())})).digest == plain.digest


def test_a_tar_that_holds_a_zip_file_is_a_tar(tmp_path, plain):
    inner = write(tmp_path / "inner.zip", small_set("ab")).read_bytes()
    assert data.load(write(tmp_path / "set.tar", {**small_set(), "old.zip": inner})).digest == plain.digest


def test_a_folder_may_be_reached_through_links_and_hidden_files_are_not_even_opened(tmp_path, plain):
    """Emacs, for one, marks an open file by a hidden link that leads nowhere."""
    write(tmp_path / "set", small_set())
    (tmp_path / "linked").mkdir()
    for split in ("train", "valid"):
        (tmp_path / "linked" / split).symlink_to(tmp_path / "set" / split)
    (tmp_path / "set/train/3/loop").symlink_to(tmp_path / "set")
    (tmp_path / "set/train/3/.#1.png").symlink_to("somebody@somewhere")
    assert data.load(tmp_path / "linked").digest == plain.digest


def test_a_folder_keeps_the_point_in_its_name(tmp_path):
    assert data.load(write(tmp_path / "digits-1.5", small_set())).name == "digits-1.5"


# Small data sets, and some of the classes.


def test_chosen_classes_are_a_data_set_of_their_own(tmp_path):
    path = write(tmp_path / "all", small_set("3708"))
    chosen = data.load(path, classes=["7", "3", "7"])
    alone = data.load(write(tmp_path / "two", {n: c for n, c in small_set("3708").items() if n.split("/")[1] in "37"}))
    assert (chosen.name, chosen.classes, chosen.digest) == ("all[3,7]", ("3", "7"), alone.digest)
    assert (chosen.train_files, chosen.valid_files) == (alone.train_files, alone.valid_files)
    first = chosen.first_of_each_class(1)
    assert (first.name, first.dataset_of, first.digest) == (
        "all[3,7][1 per class]", alone.digest, alone.first_of_each_class(1).digest,
    )  # fmt: skip
    assert data.load(path, classes=list("8730")).name == "all"
    for names, message in ((["3", "9"], "all has no class 9"), (["3", "3"], "all: found 1 class.es. chosen")):
        with pytest.raises(data.DataError, match=f"{message}.*; choose at least two of 0, 3, 7, 8"):
            data.load(path, classes=names)


def test_a_small_data_set_is_the_first_images_of_each_class(tmp_path):
    """Of a class with fewer images it holds all; its digest is that of a folder with the same images."""
    names = {"train": {"3": "12345", "7": "12"}, "valid": {"3": "123", "7": "1234"}}
    files = {
        f"{split}/{digit}/{name}.png": grey(40 * int(digit) + int(name))
        for split, classes in names.items()
        for digit, numbers in classes.items()
        for name in numbers
    }
    whole = data.load(write(tmp_path / "whole", files))
    first = whole.first_of_each_class(3)
    same = data.load(write(tmp_path / "same", {name: files[name] for name in files if name[-5] in "123"}))
    assert (first.name, first.per_class, first.dataset_of) == ("whole[3 per class]", 3, whole.digest)
    assert (first.train_counts, first.valid_counts) == ([3, 2], [3, 3])
    assert (first.train_files, first.valid_files) == (same.train_files, same.valid_files)
    assert first.digest == same.digest != whole.digest
    assert (whole.per_class, whole.dataset_of) == (0, "")
    assert not any(stack.flags.writeable for stack in (*first.train, *first.valid))


def test_a_small_data_set_that_leaves_out_no_image_is_the_whole_one(plain):
    assert plain.first_of_each_class(2) is plain.first_of_each_class(99) is plain
    assert plain.first_of_each_class(1) is not plain
    with pytest.raises(ValueError, match="0 images per class, expected at least 1"):
        plain.first_of_each_class(0)
