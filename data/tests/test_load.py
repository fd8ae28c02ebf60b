"""What `data.load` promises of every good folder and archive."""

import tarfile

import numpy as np
import pytest

import data
from data.tests.builders import KINDS, grey, png, small_set, tar, write

PLACES = ("", "mnist_sample/")  # the splits stand at the root or one folder down


def below(prefix, files):
    return {prefix + name: content for name, content in files.items()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return data.load(write(tmp_path_factory.mktemp("plain") / "plain", small_set()))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_place_gives_the_same_digits(tmp_path, plain, kind, place):
    digits = data.load(write(tmp_path / kind, below(place, small_set())))
    assert digits.digest == plain.digest
    assert (digits.train_files, digits.valid_files) == (plain.train_files, plain.valid_files)
    assert digits.name == kind.split(".")[0]


@pytest.mark.parametrize("kind", KINDS)
def test_files_beside_the_images_change_nothing(tmp_path, plain, kind):
    """Extra files, hidden files and hidden folders, which are no images, stand everywhere an image could."""
    beside = ("labels.csv", "models/deep/er/1.png", "models/train", "train/1.png", "train/3/notes.txt", "1.png")
    nested = ("train/3/old/1.png", "train/3/old/train/3/1.png", "train/3/png", "other/inner/train/3/1.png")
    hidden = (".DS_Store", "train/.DS_Store", "train/3/._1.png", ".cache/train/3/1.png", "train/.ipynb/1.png")
    junk = dict.fromkeys(beside + nested + hidden, b"no image")
    assert data.load(write(tmp_path / kind, {**junk, **small_set()})).digest == plain.digest


@pytest.mark.parametrize("kind", KINDS)
def test_a_suffix_in_capitals_is_a_png(tmp_path, plain, kind):
    files = small_set()
    files["train/7/2.PNG"] = files.pop("train/7/2.png")
    assert data.load(write(tmp_path / kind, files)).digest == plain.digest


@pytest.mark.parametrize("kind", KINDS)
def test_classes_and_files_are_sorted_as_strings(tmp_path, kind):
    names = ("9.png", "10.png", "a.png", "B.png", "100.png")
    files = {f"{split}/{c}/{name}": grey(len(name)) for split in ("valid", "train") for c in "b9a" for name in names}
    files |= {f"{split}/10/{name}": grey(1) for split in ("train", "valid") for name in names}
    digits = data.load(write(tmp_path / kind, files))
    assert digits.classes == ("10", "9", "a", "b")
    assert digits.train_files == digits.valid_files == (("10.png", "100.png", "9.png", "B.png", "a.png"),) * 4


@pytest.mark.parametrize("kind", KINDS)
def test_every_image_stands_where_its_file_name_does(tmp_path, kind):
    files = dict(reversed(small_set("cab").items()))
    digits = data.load(write(tmp_path / kind, files))
    for place, name in enumerate("abc"):
        start = 20 * "cab".index(name)
        assert digits.train[place][:, 0, 0].tolist() == [start + 1, start + 2]
        assert digits.valid[place][:, 0, 0].tolist() == [start + 9]


def test_arrays_are_contiguous_uint8_and_can_not_be_made_writable(plain):
    for stack in (*plain.train, *plain.valid):
        assert stack.dtype == np.uint8
        assert stack.flags.c_contiguous
        assert not stack.flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            stack.flags.writeable = True
        with pytest.raises(ValueError, match="read-only"):
            stack[0, 0, 0] = 1


def test_digits_are_frozen(plain):
    with pytest.raises(AttributeError):
        plain.name = "another"


@pytest.mark.parametrize(("classes", "height", "width"), [("37", 28, 28), ("abc", 5, 9), ("0123456789", 1, 17)])
def test_any_number_of_classes_and_any_size(tmp_path, classes, height, width):
    digits = data.load(write(tmp_path / "set.zip", small_set(classes, height, width)))
    assert digits.classes == tuple(classes)
    assert digits.image_shape == (height, width)
    assert [stack.shape for stack in digits.train] == [(2, height, width)] * len(classes)
    assert [stack.shape for stack in digits.valid] == [(1, height, width)] * len(classes)
    assert (digits.train_counts, digits.valid_counts) == ([2] * len(classes), [1] * len(classes))


def test_the_digest_ignores_names_of_files_and_of_the_data_set(tmp_path, plain):
    renamed = {name.replace("/1.png", "/0.png"): content for name, content in small_set().items()}
    digits = data.load(write(tmp_path / "another name", renamed))
    assert digits.name == "another name"
    assert digits.digest == plain.digest


def _one_pixel_more(files):
    pixels = np.arange(1, 13, dtype=np.uint8).reshape(4, 3)
    pixels[3, 2] += 1
    files["train/3/1.png"] = png(pixels)


def _another_class_name(files):
    for name in [name for name in files if "/7/" in name]:
        files[name.replace("/7/", "/8/")] = files.pop(name)


def _moved_to_the_other_split(files):
    files["valid/7/2.png"] = files.pop("train/7/2.png")


def _moved_to_the_other_class(files):
    files["train/7/0.png"] = files.pop("train/3/2.png")


def _another_shape_of_the_same_bytes(files):
    for name, content in small_set(height=3, width=4).items():
        files[name] = content


def _swapped(files):
    files["train/3/1.png"], files["train/3/2.png"] = files["train/3/2.png"], files["train/3/1.png"]


CHANGES = (_one_pixel_more, _another_class_name, _moved_to_the_other_split, _moved_to_the_other_class)
CHANGES += (_another_shape_of_the_same_bytes, _swapped)


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_depends_on_content(tmp_path, plain, change):
    files = small_set()
    change(files)
    assert data.load(write(tmp_path / "set.zip", files)).digest != plain.digest


def test_the_digest_stays_what_it_is(plain):
    """Records name it: another digest for the same pixels would orphan them."""
    assert plain.digest == "6b063deae200d00769f05d405898c56f7086ca8c14b3882f9a3d6cdf78ea6307"


def test_archives_that_list_their_folders(tmp_path, plain):
    folders = [tarfile.TarInfo(f"./{name}") for name in ("train", "train/3", "train/7", "valid", "valid/3", "valid/7")]
    for member in folders:
        member.type = tarfile.DIRTYPE
    path = tmp_path / "set.tar"
    path.write_bytes(tar(below("./", small_set()), *folders))
    assert data.load(path).digest == plain.digest
    folders = dict.fromkeys(("set/", "set/train/", "set/train/3/", "set/valid/"), b"")
    assert data.load(write(tmp_path / "set.zip", {**folders, **below("set/", small_set())})).digest == plain.digest


def test_a_tar_that_holds_a_zip_file_is_a_tar(tmp_path, plain):
    inner = write(tmp_path / "inner.zip", small_set("ab")).read_bytes()
    assert data.load(write(tmp_path / "set.tar", {**small_set(), "old.zip": inner})).digest == plain.digest


def test_a_folder_may_be_reached_through_links(tmp_path, plain):
    write(tmp_path / "set", small_set())
    (tmp_path / "linked").mkdir()
    for split in ("train", "valid"):
        (tmp_path / "linked" / split).symlink_to(tmp_path / "set" / split)
    (tmp_path / "set/train/3/loop").symlink_to(tmp_path / "set")
    assert data.load(tmp_path / "linked").digest == plain.digest


def test_hidden_files_of_a_folder_are_not_even_opened(tmp_path, plain):
    """Emacs, for one, marks an open file by a hidden link that leads nowhere."""
    path = write(tmp_path / "set", small_set())
    (path / "train/3/.#1.png").symlink_to("somebody@somewhere")
    assert data.load(path).digest == plain.digest


def test_folders_that_cannot_hold_images_are_not_walked(tmp_path, monkeypatch):
    files = dict.fromkeys(("set/train/3/old/1.png", "docs/deep/er/1.png", ".git/objects/1.png"), b"")
    path = write(tmp_path / "set", {**files, **{f"set/{name}": content for name, content in small_set().items()}})
    iterdir, walked = type(path).iterdir, []
    monkeypatch.setattr(type(path), "iterdir", lambda folder: walked.append(folder) or iterdir(folder))
    data.load(path)
    below = ("set", "set/train", "set/train/3", "set/train/7", "set/valid", "set/valid/3", "set/valid/7", "docs")
    assert sorted(walked) == sorted([path, *(path / name for name in below)])


def test_a_folder_keeps_the_point_in_its_name(tmp_path):
    assert data.load(write(tmp_path / "digits-1.5", small_set())).name == "digits-1.5"


def test_nothing_is_written(tmp_path):
    path = write(tmp_path / "set.tgz", small_set())
    data.load(path)
    assert list(tmp_path.iterdir()) == [path]
