"""Small files that unpack to more than a machine holds are refused before they do; other members are never unpacked."""

import gzip
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

import data
from data.limit import DEFAULT, IMAGE_FILE
from data.tests.builders import IDX_NAMES, chunk, idx, raw_png, refusal, small_set, tar, write

MIB = 2**20
LIMIT = "which is the limit; name a smaller data set, or allow more with --data-limit GB"


def peak_of(function):
    """Return the most bytes that a call takes."""
    tracemalloc.start()
    function()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_gzip_file_of_zeros(tmp_path):
    path, packer = tmp_path / "set.tgz", zlib.compressobj(9, wbits=31)
    path.write_bytes(b"".join([*(packer.compress(bytes(MIB)) for _ in range(99)), packer.flush()]))
    messages = []
    assert peak_of(lambda: messages.append(refusal(path, limit=16 * MIB))) < 8 * MIB
    assert messages[0].endswith("; it is empty")  # a tar begins with its end mark, and the rest is not read


@pytest.mark.parametrize("where", ["before the digits", "after the digits", "after the end mark"])
def test_a_packed_tar_that_unpacks_to_too_much(tmp_path, where):
    """A tar must be read through, so that all of it counts."""
    notes, path = {"notes.txt": bytes(2 * MIB)}, tmp_path / "set.tgz"
    files = {**notes, **small_set()} if where.startswith("before") else {**small_set(), **notes}
    whole = tar(files) if "digits" in where else tar(small_set()) + bytes(2 * MIB)
    path.write_bytes(gzip.compress(whole))
    assert refusal(path, limit=MIB) == f"{path}: the digits take more than 0.00105 GB when unpacked, {LIMIT}"
    assert data.load(path, limit=3 * MIB).train_counts == [2, 2]


@pytest.mark.parametrize("kind", ["set.zip", "set.tar", "folder"])
def test_members_that_are_no_images_are_never_unpacked(tmp_path, kind):
    others = dict.fromkeys(("notes.txt", "labels/3/1.png", "train/3/notes.txt", "train/1.png"), bytes(2 * MIB))
    assert data.load(write(tmp_path / kind, {**others, **small_set()}), limit=MIB).train_counts == [2, 2]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_member_that_claims_less_than_it_unpacks_to(tmp_path, method):
    path = write(tmp_path / "set.zip", {"train/3/1.png": bytes(16 * MIB)}, method)
    claimed = bytearray(path.read_bytes())
    place = claimed.rindex(b"PK\1\2") + 24
    claimed[place : place + 4] = (99).to_bytes(4, "little")
    path.write_bytes(claimed)
    # zipfile unpacks at least 4096 bytes at once, and bz2 and lzma make all of these zeros out of that
    assert peak_of(lambda: refusal(path)) < (MIB if method == zipfile.ZIP_DEFLATED else 64 * MIB)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("kind", ["set.zip", "set.tgz", "set.tar", "folder"])
def test_an_image_file_of_more_than_64_mib(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("data.limit.IMAGE_FILE", MIB)
    path = write(tmp_path / kind, {**small_set(), "train/3/3.png": bytes(MIB + 1)})
    assert "train/3/3.png: an image file of 1,048,577 bytes, expected at most 1,048,576; remove it" in refusal(path)
    assert (IMAGE_FILE, DEFAULT) == (64 * MIB, 2 * 1024 * MIB)


def test_many_large_images_in_small_files(tmp_path, monkeypatch):
    """Six thousand bytes each; together five gigabytes, which are refused when the first one is decoded."""
    image = raw_png(bytes(2048 * 2049), 2048, 2048)
    decoded, decode = [], data.png.decode
    monkeypatch.setattr("data.png.decode", lambda *arguments: decoded.append(1) or decode(*arguments))
    files = {
        f"{split}/{name}/{number}.png": image for split in ("train", "valid") for name in "37" for number in range(300)
    }
    path = write(tmp_path / "set.zip", files)
    assert "1,200 images of 2048 x 2048 pixels: the digits take more than 2.15 GB when unpacked" in refusal(path)
    assert len(decoded) == 1


def test_idx_files_count_towards_the_limit_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("data.limit.IMAGE_FILE", MIB)
    images, labels = np.zeros((4 * MIB // 256, 16, 16)), np.arange(4 * MIB // 256) % 2
    files = {name: idx(images if "images" in name else labels) for name in IDX_NAMES}
    packed = write(tmp_path / "packed.zip", {f"{name}.gz": gzip.compress(content) for name, content in files.items()})
    for path in (write(tmp_path / "plain", files), packed):
        assert LIMIT in refusal(path, limit=8 * MIB)
        assert data.load(path, limit=9 * MIB).image_shape == (16, 16)


def test_names_in_a_tar_that_claim_gigabytes(tmp_path):
    header = bytearray(tar({"train/3/1.png": b""})[:512])
    header[156:157], header[124:136] = b"x", b"%011o\0" % (2**31)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "set.tar"
    path.write_bytes(tar(small_set())[: 512 * 2] + header)
    assert "damaged, train/3/1.png claims 2,147,483,648 bytes of names" in refusal(path)


def test_the_text_of_a_png_is_not_unpacked():
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(16 * MIB)))
    image = raw_png(bytes(8), before=text)
    assert peak_of(lambda: data.png.decode(image, "1.png")) < MIB
