"""Finds the digits among the files of a folder or archive: folders of PNG files, or arrays of images and of labels.

Arrays are IDX files (the form in which MNIST is published) or the members of `mnist.npz`.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from data.digits import DataError

SPLITS = ("train", "valid")
SPLIT_OF = {"train": "train", "training": "train"}  # by its spelling in lower case
SPLIT_OF |= dict.fromkeys(("valid", "validation", "val", "test", "testing", "t10k"), "valid")
ARRAY = re.compile(
    r"(?P<set>emnist-[a-z]+-|)(?P<split>train|t10k|test)-(?P<content>images|labels)[-.]idx[13]-ubyte(\.gz)?"
    r"|(?P<letter>[xy])_(?P<npy_split>train|test)\.npy",
    re.IGNORECASE,
)
EXPECTED = "expected train/<class>/*.png and valid/<class>/*.png, or four IDX files or mnist.npz"
SHOWN = 6  # names in a message

Tree = Mapping[str, Mapping[str, Mapping[str, bytes]]]  # split -> class -> file name -> PNG bytes


class Entry(NamedTuple):
    """A file, or a folder (then `name` is ""). Only a file that is `wanted` has its content."""

    folder: tuple[str, ...]
    name: str = ""
    content: bytes | None = None

    @classmethod
    def of(cls, parts: tuple[str, ...], content: bytes | None = None) -> "Entry":
        """Return the entry of the file with this path; of the root where it has no parts."""
        return cls(parts[:-1], "".join(parts[-1:]), content)

    @property
    def path(self) -> str:
        """The path from the root, with slashes."""
        return "/".join((*self.folder, self.name))

    @property
    def packed(self) -> bool:
        """Whether its name says that gzip packed it."""
        return self.name.lower().endswith(".gz")


Arrays = Mapping[tuple[str, str], Entry]  # (split, "images" or "labels") -> file


@dataclass(frozen=True)
class Found:
    """The digits of a folder or archive, undecoded: either `tree` or `arrays` is empty."""

    tree: Tree
    spelled: Mapping[str, str] = field(default_factory=dict)  # how the splits are spelled there, such as "Training"
    arrays: Arrays = field(default_factory=dict)
    transposed: bool = False  # whether the images of `arrays` are stored column by column, as EMNIST's are


def wanted(parts: tuple[str, ...]) -> bool:
    """Return whether the file with this path holds an image of a class, or an array."""
    if hidden(parts):
        return False
    depth, name = split_depth(parts[:-1]), "".join(parts[-1:])
    image = depth is not None and len(parts) == depth + 3 and name.lower().endswith(".png")
    return image or (len(parts) < 3 and ARRAY.fullmatch(name) is not None)


def hidden(parts: tuple[str, ...]) -> bool:
    """Return whether a file or folder, or one above it, is hidden."""
    return any(part[:1] == "." for part in parts)


@lru_cache
def split_depth(folder: tuple[str, ...]) -> int | None:
    """Return the position of the split in a folder's path: 0, 1 or None.

    A data set may itself be called `test`, so a split in the second place counts more than in the first, unless the
    first is exactly `train` or `valid`.
    """
    first, second = (folder[i].lower() in SPLIT_OF if len(folder) > i else False for i in (0, 1))
    if first and (folder[0] in SPLITS or not second):
        return 0
    return 1 if second else None


def find(entries: Iterable[Entry], path: Path) -> Found:
    """Return the one data set among the entries of `path`, at its root or one folder below.

    Hidden files and folders, and files that are not `wanted`, are ignored.

    Raises:
        DataError: there is no data set, or more than one, or a part of it is missing; the message says what was found.
    """
    roots: dict[str, dict[str, dict[str, dict[str, bytes]]]] = {}
    sets: dict[str, dict[tuple[str, str], Entry]] = {}
    seen: set[tuple[str, ...]] = set()
    for entry in entries:
        folder, name, content = entry
        if hidden((*folder, name)):
            continue
        seen.add(folder[:2] if len(folder) > 1 else (*folder, name))
        depth = split_depth(folder)
        if content is not None and ARRAY.fullmatch(name):
            _add_array(sets, entry, path)
        elif depth is not None:
            classes = roots.setdefault("/".join(folder[:depth]), {}).setdefault(folder[depth], {})
            if len(folder) > depth + 1:
                files = classes.setdefault(folder[depth + 1], {})
                if content is not None and name in files:
                    raise DataError(f"{path}: holds {entry.path} twice, expected every file once; pack it again")
                if content is not None:
                    files[name] = content
    return _only_one(roots, sets, seen, path)


def _add_array(sets: dict[str, dict[tuple[str, str], Entry]], file: Entry, path: Path) -> None:
    """Add a file to its set: one folder, and one name of EMNIST's. A plain file counts more than its packed copy."""
    match = ARRAY.fullmatch(file.name)
    assert match
    split = SPLIT_OF[(match["split"] or match["npy_split"]).lower()]
    content = (match["content"] or {"x": "images", "y": "labels"}[match["letter"].lower()]).lower()
    files = sets.setdefault("/".join([*file.folder, (match["set"] or "").lower()]), {})
    other = files.get((split, content))
    if other and other.packed == file.packed:
        raise DataError(f"{path}: holds {other.path} and {file.path}, expected one of them; remove the other")
    if not other or other.packed:
        files[split, content] = file


def _only_one(
    roots: Mapping[str, Tree], sets: Mapping[str, Arrays], seen: Collection[tuple[str, ...]], path: Path
) -> Found:
    filled = {root: tree for root, tree in roots.items() if any(any(classes.values()) for classes in tree.values())}
    whole = {name: files for name, files in sets.items() if len(files) == len(SPLITS) * 2}
    if len(whole) + len(filled) > 1:
        places = [files["train", "images"].path for files in whole.values()]
        places += [f"PNG files in {root or 'the root'}" for root in sorted(filled)]
        raise DataError(f"{path}: holds {' and '.join(places)}, expected one data set; move the others elsewhere")
    for name, files in whole.items():
        return Found({}, arrays=files, transposed="emnist-" in name.rpartition("/")[2])
    if sets and not filled:
        have = " and ".join(file.path for file in max(sets.values(), key=len).values())
        what = f"found only {have}, expected images and labels for training and for test"
        raise DataError(f"{path}: {what}; add the others")
    tree = next(iter((filled or roots).values()), {})
    spelled = {}
    for split in SPLITS:  # an exact name counts more than the others
        names = [split] if split in tree else sorted(name for name in tree if SPLIT_OF[name.lower()] == split)
        if not names:
            raise DataError(f"{path}: no folder {split}/, {EXPECTED}; {_what_was_seen(seen)}")
        if len(names) > 1:
            holds = " and ".join(f"{name}/" for name in names)
            raise DataError(f"{path}: holds {holds}, expected one of them; rename the right one to {split}/")
        spelled[split] = names[0]
    return Found({split: tree[spelled[split]] for split in SPLITS}, spelled)


def _what_was_seen(seen: Collection[tuple[str, ...]]) -> str:
    """Return the names at the root or, where this is a single folder, the names in it."""
    names = sorted({first + "/" * bool(rest) for first, *rest in seen})
    if len(names) == 1:
        names = sorted("/".join(parts) for parts in seen if parts[-1]) or names
    if not names:
        return "it is empty"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"found {', '.join(names[:SHOWN])}{more}; rename or move what holds the digits"
