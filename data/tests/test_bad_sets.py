"""A folder or archive with a wrong layout, or that cannot be read, is refused with what is missing."""

import os
import re

import pytest

from data.tests.builders import grey, refusal, small_set, write

LAYOUT = "expected train/<class>/*.png and valid/<class>/*.png"


def without(start):
    return {name: content for name, content in small_set("378").items() if not name.startswith(start)}


ONE_CLASS = {name: content for name, content in small_set().items() if "/3/" in name}
EMPTY = {"train/8/notes.txt": b"", "valid/8/1.png": grey(1)}
BAD = {
    "no valid": (without("valid"), "no folder valid/", LAYOUT),
    "no train": (without("train"), "no folder train/", LAYOUT),
    "neither": ({"3/1.png": grey(1)}, "no folder train/", LAYOUT),
    "two folders down": ({f"a/b/{name}": c for name, c in small_set().items()}, "no folder train/", LAYOUT),
    "class in train alone": (without("valid/8"), "class 8 is in train/ but not in valid/", "expected it in both"),
    "class in valid alone": (without("train/8"), "class 8 is in valid/ but not in train/", "expected it in both"),
    "one class": (ONE_CLASS, "found 1 class(es)", "expected at least two"),
    "no class": ({"train/a.png": grey(1), "valid/a.png": grey(1)}, "found 0 class(es)", "expected at least two"),
    "empty training class": ({**small_set(), **EMPTY}, "train/8 holds no .png file", "expected at least one"),
    "empty validation class": (
        {**small_set(), "train/8/1.png": grey(1), "valid/8/._1.png": grey(1), "valid/8/1.jpg": b""},
        "valid/8 holds no .png file",
        "expected at least one",
    ),
    "two sets": (
        {f"{place}{name}": c for place in ("a/", "b/") for name, c in small_set().items()},
        "holds PNG files in a and PNG files in b",
        "expected one data set",
    ),
    "two validation folders": (
        {name.replace("valid", place): c for place in ("test", "val") for name, c in small_set().items()},
        "holds test/ and val/",
        "expected one of them; rename the right one to valid/",
    ),
    "other names": (
        {name.replace("train", "a").replace("valid", "b"): c for name, c in {**small_set(), "c.txt": b""}.items()},
        "no folder train/",
        "found a/, b/, c.txt; rename or move what holds the digits",
    ),
    "other names one folder below": (
        {f"set/{name}".replace("train/", "a"): c for name, c in small_set("12345").items()},
        "no folder train/",
        "found set/a1, set/a2, set/a3, set/a4, set/a5, set/valid; rename",
    ),
    "one within the other": (
        {**small_set(), "old/train/3/1.png": grey(1)},
        "in the root and PNG files in old",
        "expected one",
    ),
}


@pytest.mark.parametrize("kind", ["folder", "set.tgz", "set.zip"])
@pytest.mark.parametrize("fault", BAD)
def test_a_wrong_layout_is_refused(tmp_path, fault, kind):
    files, problem, expected = BAD[fault]
    path = write(tmp_path / kind, dict(sorted(files.items())))
    message = refusal(path)
    assert message.startswith(f"{path}: ")
    assert problem in message
    assert expected in message


def test_an_empty_folder_is_refused(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path}: no folder train/, {LAYOUT}, or four IDX files or mnist.npz; it is empty"


@pytest.mark.parametrize("name", ["nowhere", "nowhere.tgz", "drawn.zip", "set.tgz/inside", "loop", "a\0"])
def test_a_missing_path_is_refused(tmp_path, name):
    write(tmp_path / "set.tgz", small_set())
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    shown = str(tmp_path / name).replace("\0", "\\0")
    assert re.match(rf"{re.escape(shown)}: cannot be read \(.*\); name a folder or archive", refusal(tmp_path / name))


def test_a_refused_file_of_a_folder_is_named(tmp_path, monkeypatch):
    """The superuser may read every file, so that a mode would not do."""
    path = write(tmp_path / "folder", small_set())
    bad = path / "valid/7/9.png"
    read_bytes = type(path).read_bytes

    def refuse(file):
        if file == bad:
            raise PermissionError(13, "Permission denied", str(file))
        return read_bytes(file)

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    assert refusal(path).startswith(f"{bad}: cannot be read (Permission denied)")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_special_file_as_a_source_or_among_the_images_is_refused_and_not_read(tmp_path):
    folder = write(tmp_path / "folder", small_set())
    pipe = folder / "train/3/3.png"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero"):
        assert refusal(path) == f"{path}: a pipe, device or other special file; name a folder or archive of images"
    assert refusal(folder).startswith(f"{pipe}: a broken link or special file, expected a plain file")
