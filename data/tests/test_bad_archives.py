"""Archives are refused that are cut short, damaged, no archive, or hold more than plain files."""

import gzip
import io
import re
import sys
import tarfile
import zipfile
from types import SimpleNamespace

import pytest

import data
from data import archives
from data.tests.builders import refusal, small_set, tar, write

FILES = small_set()
TAR = tar(FILES)
with tarfile.open(fileobj=io.BytesIO(TAR)) as _archive:
    MEMBERS = [(member.offset, member.offset_data, member.size) for member in _archive]
    END = _archive.offset  # where the end mark begins
LAST_HEADER, LAST_DATA, LAST_SIZE = MEMBERS[-1]


def refused(path, content):
    path.write_bytes(content)
    message = refusal(path)
    assert message.startswith(f"{path}: ")
    return message


@pytest.mark.parametrize("kind", ["set.tgz", "set.zip"])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 1])
def test_a_packed_archive_that_is_cut_short(tmp_path, kind, share):
    whole = write(tmp_path / kind, FILES).read_bytes()
    message = refused(tmp_path / kind, whole[: int(share * len(whole)) - 1])
    assert re.search("archive is cut short or damaged .*; fetch or pack it again", message)


CUTS = {
    "in its first header": (100, "no .zip or .tar archive"),
    "after its first header": (512, "cut short inside train/3/1.png"),
    "in the last file": (LAST_DATA + LAST_SIZE - 1, "cut short inside valid/7/9.png"),
    "after the last file, before its padding": (LAST_DATA + LAST_SIZE, "cut short inside valid/7/9.png"),
    "between two files": (LAST_HEADER, "cut short, the end mark is missing"),
    "in a later header": (LAST_HEADER + 300, "cut short, the end mark is missing"),
    "before the end mark": (END, "cut short, the end mark is missing"),
    "in the end mark": (END + 511, "cut short, the end mark is missing"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("cut", CUTS)
def test_a_tar_that_is_cut_short(tmp_path, cut, packed):
    """Also packed after the cut: then the compression is complete, and only the tar inside shows the cut."""
    size, reason = CUTS[cut]
    assert reason in refused(tmp_path / "set.tar", gzip.compress(TAR[:size]) if packed else TAR[:size])


def test_a_later_header_that_is_damaged_or_claims_a_negative_size(tmp_path):
    """`tarfile` of some Pythons would walk backwards for ever."""
    damaged = TAR[:LAST_HEADER] + b"x" + TAR[LAST_HEADER + 1 :]
    assert "the end mark is missing" in refused(tmp_path / "set.tar", damaged)
    member = tarfile.TarInfo("train/3/3.png")
    member.size = -1024
    header = member.tobuf(tarfile.GNU_FORMAT)
    assert "cut short inside train/3/3.png" in refused(tmp_path / "set.tar", TAR[:END] + header + TAR[END:])


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x89PNG\r\n\x1a\n", b"<html>404</html>" * 99])
@pytest.mark.parametrize("name", ["set.tgz", "set.zip", "1.png"])
def test_what_is_no_archive(tmp_path, name, content):
    assert "no .zip or .tar archive; name a folder or archive" in refused(tmp_path / name, content)


@pytest.mark.parametrize("name", [b"train/3/2.pn/", b"train/3/\0.png", b"\0rain/3/2.png"])
def test_a_zip_whose_list_of_members_hides_one(tmp_path, name):
    whole = write(tmp_path / "set.zip", FILES).read_bytes()
    listed = whole.rindex(b"train/3/2.png")
    assert "damaged" in refused(tmp_path / "set.zip", whole[:listed] + name + whole[listed + len(name) :])


def test_every_flipped_bit_in_the_lengths_of_a_zip_is_refused_or_harmless(tmp_path):
    """After one, zipfile may skip the members that follow."""
    path = write(tmp_path / "set.zip", {name: FILES[name] for name in FILES if not name.endswith("2.png")})
    whole, digest = path.read_bytes(), data.load(path).digest
    listed = [match.start() for match in re.finditer(b"PK\1\2", whole)]
    lengths = [start + place for start in listed for place in range(28, 34)]
    for position in (*lengths, *range(whole.index(b"PK\5\6"), len(whole))):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                assert data.load(path).digest == digest
            except data.DataError as error:
                assert "damaged" in str(error)  # noqa: PT017


def test_a_zip_with_more_members_than_its_end_record_can_count(tmp_path, monkeypatch):
    path = write(tmp_path / "set.zip", FILES)
    whole, digest = bytearray(path.read_bytes()), data.load(path).digest
    whole[-12:-10] = whole[-14:-12] = b"\x09\0"
    assert "not as long as its end record says" in refused(path, whole)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)  # so that this many need the record of a large file
    whole = bytearray(write(path, FILES).read_bytes())
    assert data.load(path).digest == digest
    whole[whole.index(b"PK\6\6") + 32] ^= 1
    assert "not as long as its end record says" in refused(path, whole)


def test_a_zip_whose_names_are_marked_as_utf_8_in_its_list_alone(tmp_path):
    whole = bytearray(write(tmp_path / "set.zip", {**FILES, "é.txt": b""}).read_bytes())
    at = whole.index("é.txt".encode()) - 30
    whole[at + 7] &= ~0x08
    (tmp_path / "other.zip").write_bytes(whole)
    assert data.load(tmp_path / "other.zip").digest == data.load(tmp_path / "set.zip").digest


def test_a_zip_from_windows(tmp_path):
    files = {name.replace("/", "\\"): content for name, content in FILES.items()}
    expected = data.load(write(tmp_path / "set", FILES))
    assert data.load(write(tmp_path / "set.zip", {"train\\": b"", **files})).digest == expected.digest
    assert "'../1.png'" in refusal(write(tmp_path / "bad.zip", {**files, "..\\1.png": b""}))


def test_a_tar_packed_by_zstd(tmp_path, monkeypatch):
    """A stand-in unpacks it, for Python has the module from 3.14 on."""
    path = write(tmp_path / "set.tar.gz", FILES).rename(tmp_path / "set.tar.zst")
    expected, packed = data.load(path), path.read_bytes()
    path.write_bytes(b"\x28\xb5\x2f\xfd" + packed)
    for name in archives.ZSTD_MODULES:
        monkeypatch.setitem(sys.modules, name, None)
    assert "packed by zstd, which needs Python 3.14 or pip install zstandard" in refusal(path)

    class Error(Exception):
        pass

    def unpack(file, mode):
        file.seek(4)
        return gzip.open(io.BytesIO(file.read()), mode)

    monkeypatch.setitem(sys.modules, "zstandard", SimpleNamespace(open=unpack, ZstdError=Error))
    digits = data.load(path)
    assert (digits.digest, digits.name) == (expected.digest, "set")

    def fail(*_):
        raise Error("no such frame")

    monkeypatch.setattr(sys.modules["zstandard"], "open", lambda *_: SimpleNamespace(read=fail))
    assert "damaged (no such frame)" in refusal(path)


def test_an_encrypted_zip(tmp_path):
    whole = bytearray(write(tmp_path / "set.zip", FILES).read_bytes())
    for flags in (6, whole.index(b"PK\x01\x02") + 8):
        whole[flags] |= 1
    assert "encrypted" in refused(tmp_path / "set.zip", whole)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_compression_of_zip_whole_and_damaged(tmp_path, method):
    path = write(tmp_path / "set.zip", FILES, method)
    assert data.load(path).train_counts == [2, 2]
    whole = bytearray(path.read_bytes())
    whole[45:80] = bytes(35)
    assert "damaged" in refused(path, whole)


@pytest.mark.parametrize("name", ["train/3/3.png", "set/link", "labels.csv"])
@pytest.mark.parametrize("kind", ["SYMTYPE", "LNKTYPE", "CHRTYPE", "BLKTYPE", "FIFOTYPE"])
def test_a_tar_with_a_link_or_device(tmp_path, kind, name):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = getattr(tarfile, kind), "train/3/1.png"
    message = refused(tmp_path / "set.tar", tar(FILES, member))
    assert f"{name} is a link or special file, expected plain files" in message


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o060666, 0o010666])
def test_a_zip_with_a_link_or_device(tmp_path, mode):
    path = write(tmp_path / "set.zip", FILES)
    member = zipfile.ZipInfo("train/3/3.png")
    member.external_attr = mode << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "1.png")
    assert refusal(path) == f"{path}: train/3/3.png is a link or special file, expected plain files"


@pytest.mark.parametrize("kind", ["set.tar", "set.zip"])
@pytest.mark.parametrize("name", ["/etc/1.png", "../1.png", "train/3/../../../1.png", "a/..", "/train/3/1.png"])
def test_a_path_that_leaves_the_archive(tmp_path, kind, name):
    path = write(tmp_path / kind, {**FILES, name: b""})
    assert refusal(path) == f"{path}: holds the path {name!r}, which leaves the archive; pack it again"


@pytest.mark.parametrize("kind", ["set.tar", "set.zip"])
def test_a_file_that_is_there_twice(tmp_path, kind):
    path = write(tmp_path / kind, {**FILES, "./train/3/1.png": FILES["train/3/2.png"]})
    assert refusal(path) == f"{path}: holds train/3/1.png twice, expected every file once; pack it again"
