"""Damage archives, PNG, IDX and npz files in every way that one can think of: they are loaded or refused.

    python -m data.tests.test_mutations 100000 --seed 1

No other exception may come, nothing may take longer than TIMEOUT_S, and the process at most MEMORY bytes.
"""

import argparse
import gzip
import random
import signal
import struct
import sys
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import data
from data.tests.builders import IDX_NAMES, NPY_NAMES, chunk, four_arrays, idx, npy, png, small_set, tar, write, zipped

TIMEOUT_S, MEMORY = 20, 300_000_000
TYPES = b"\0" + b"0123456789DKLMNSVxgXZ"  # of a tar's members, known and unknown
NUMBERS = [struct.pack(form, n) for form in ("<H", "<I", ">I", "<Q") for n in (0, 1, 0x7FFF, 0xFFFF)]
NUMBERS += [struct.pack(form, n) for form in ("<I", ">I") for n in (2**31 - 1, 2**31, 2**32 - 1)]
NUMBERS += [b"77777777777\0", b"00000000000\0", b"\x80" + b"\xff" * 11, b"-0000000001\0", struct.pack("<Q", 2**63)]
Change = Callable[[bytes, random.Random], bytes]


class Hang(BaseException):
    """No `except Exception` and no list of errors catches it."""


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return the content after one to four changes of bits, bytes, numbers and places."""
    whole = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        start = rng.randrange(len(whole) + 1)
        end = min(len(whole), start + rng.choice((1, 2, 4, 30, 512)))
        part, number = whole[start:end], rng.choice(NUMBERS)
        changes = [b"", part + part, bytes(len(part)), rng.randbytes(len(part)), number + part[len(number) :]]
        changes += [bytes([byte ^ 1 << rng.randrange(8)]) + part[1:] for byte in part[:1]]
        changes += [rng.randbytes(rng.choice((1, 4, 512))) + part]
        whole[start:end] = rng.choice(changes)
        if rng.randrange(8) == 0:
            del whole[start:]
    return bytes(whole)


def damaged_headers(content: bytes, rng: random.Random) -> bytes:
    """Return a tar with a damaged header that has the right check sum."""
    whole = bytearray(content)
    start = 512 * rng.randrange(len(whole) // 512)
    header = bytearray(damaged(bytes(whole[start : start + 512]), rng)[:512].ljust(512, b"\0"))
    if rng.random() < 0.5:
        header[156] = rng.choice(TYPES)
    if rng.random() < 0.3:  # properties of a member, of which tarfile understands some
        header[512:] = b"%d GNU.sparse.%s=%s\n" % (rng.randrange(99), rng.choice((b"map", b"size", b"major")), b"1,2")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    whole[start : start + 512] = header
    return bytes(whole)


def damaged_chunk(content: bytes, rng: random.Random) -> bytes:
    """Return a PNG file with a damaged chunk that has the right check sum."""
    kind, place = rng.choice((b"IHDR", b"IDAT", b"tRNS")), len(b"\x89PNG\r\n\x1a\n")
    header, pixels = content[place + 8 : place + 21], content[place + 25 : -12]
    body = {b"IHDR": header, b"IDAT": pixels[8:-4], b"tRNS": b"\0\0"}[kind]
    if kind == b"IDAT" and rng.random() < 0.5:
        body = zlib.compress(damaged(zlib.decompress(body), rng))
    else:
        body = damaged(body, rng)
    parts = chunk(b"IHDR", body if kind == b"IHDR" else header), chunk(kind, body) if kind != b"IHDR" else pixels
    return content[:place] + b"".join(parts) + content[-12:]


def forms() -> dict[str, tuple[bytes, Change]]:
    """Return whole files by name, each with the function that damages it."""
    files = small_set()
    with tempfile.TemporaryDirectory() as place:
        arrays = four_arrays(data.load(write(Path(place) / "set", files)))
    of_idx, of_npy = (
        {name: encode(array) for name, array in zip(names, arrays, strict=True)}
        for names, encode in ((IDX_NAMES, idx), (NPY_NAMES, npy))
    )
    plain, image = tar(files), png(np.arange(12, dtype=np.uint8).reshape(4, 3))
    outer = {f"set.{kind}": tar(files, packed=kind) for kind in ("gz", "bz2", "xz")} | {"set.tar": plain}
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    outer |= {f"set{method}.zip": zipped(files, method) for method in methods}
    outer |= {"mnist.npz": zipped(of_npy, zipfile.ZIP_STORED), "idx.zip": zipped(of_idx), "idx.tar": tar(of_idx)}

    def packed_after(change: Change) -> Change:
        return lambda content, rng: gzip.compress(change(content, rng), 1)

    def in_a_set(change: Change, files: dict[str, bytes], names: tuple[str, ...]) -> Change:
        def changed(_: bytes, rng: random.Random) -> bytes:
            name = rng.choice(names)
            content = change(files[name], rng)
            return zipped({**files, name: gzip.compress(content, 1) if rng.random() < 0.2 else content})

        return changed

    inner: dict[str, Change] = {
        "header.tar": damaged_headers,
        "header.tgz": packed_after(damaged_headers),
        "inner.tgz": packed_after(damaged),
        "chunk.zip": in_a_set(damaged_chunk, {**files, "train/3/1.png": image}, ("train/3/1.png",)),
        "image.zip": in_a_set(damaged, files, tuple(files)),
        "inner-idx.zip": in_a_set(damaged, of_idx, IDX_NAMES),
        "inner.npz": in_a_set(damaged, of_npy, NPY_NAMES),
    }
    return {name: (content, damaged) for name, content in outer.items()} | {
        name: (plain, change) for name, change in inner.items()
    }


def mutate(count: int, seed: int, place: Path) -> Counter[str]:
    """Load so many damaged files; return how many were loaded and refused, by form.

    Raises:
        AssertionError: any other exception came, or it took too long or too much memory; the file is left in `place`.
    """
    whole, outcomes = forms(), Counter[str]()
    for name, (content, _) in whole.items():
        (place / name).write_bytes(content)
        data.load(place / name)

    def hang(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, hang)
    try:
        for number in range(count):
            rng = random.Random(f"{seed}-{number}")
            name = rng.choice([*whole])
            content, change = whole[name]
            (place / name).write_bytes(change(content, rng))
            signal.alarm(TIMEOUT_S)
            try:
                data.load(place / name)
                outcomes[f"{name} loaded"] += 1
            except data.DataError as error:
                assert str(error).startswith(str(place))  # noqa: PT017
                outcomes[f"{name} refused"] += 1
            except (Exception, Hang) as error:
                raise AssertionError(f"seed {seed}, number {number}, {place / name}: {error!r}") from error
            finally:
                signal.alarm(0)
    finally:
        signal.signal(signal.SIGALRM, before)
    return outcomes


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="this system has no alarm")
def test_damaged_files_are_loaded_or_refused(tmp_path):
    outcomes = mutate(600, 0, tmp_path)
    assert outcomes.total() == 600
    assert {outcome.partition(" ")[2] for outcome in outcomes} == {"loaded", "refused"}


if __name__ == "__main__":
    import resource  # which Windows lacks

    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = mutate(options.count, options.seed, Path(tempfile.mkdtemp()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print("\n".join(f"{outcome}: {n:,}" for outcome, n in sorted(found.items())))
    print(f"{options.count:,} mutations of seed {options.seed}, at most {peak / 1e6:.0f} MB")
    sys.exit(peak > MEMORY)
