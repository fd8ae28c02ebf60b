"""More validation images than there are: they are repeated in a file, in an order that the seed draws."""

from dataclasses import replace

import numpy as np
import pytest

from bench.analysis import claims
from bench.task import digits_metadata
from bench.task.problem import make_problem
from bench.task.tiling import read_tiled, tile
from bench.task.windows import SPARE, step
from bench.tests.builders import noise, problem
from bench.tests.builders_records import record


@pytest.fixture(scope="module")
def tiny():
    return problem(train=3, valid=4)


def test_repeated_images_are_read_from_a_file_in_the_order_of_the_seed(tiny, tmp_path):
    count = len(tiny.valid)
    tile(tiny, tmp_path, (1, count, count + 1, 3 * count), seed=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"valid-{count + 1}.npy", f"valid-{3 * count}.npy"]
    for n in (count + 1, 3 * count):
        from_file, images = read_tiled(tiny, tmp_path, n, seed=5)
        shuffled = tiny.shuffled(5)
        assert from_file.count == n
        assert np.array_equal(from_file.valid, shuffled.valid)
        assert from_file.files == shuffled.files
        assert len(images) == n + SPARE * step(tiny)
        assert np.array_equal(images[:n], shuffled.valid[np.arange(n) % count])
        assert len({image.tobytes() for image in images[n:]}) > 1000  # of nine images
        assert not images.flags.writeable
        assert isinstance(images.base, np.memmap)


def test_names_of_folders_may_be_anything(tmp_path):
    odd = make_problem(replace(noise(), name="tiny\x1b[31m", classes=("a b", "new\nline \udcff")))
    assert (odd.name, odd.classes) == (r"tiny\x1b[31m", ("a b", r"new\nline \udcff"))
    assert {file.rpartition("/")[0] for file in odd.files} == {"valid/a b", r"valid/new\nline \udcff"}
    shown = record(tmp_path, **digits_metadata.metadata(odd))
    assert shown.metadata["classes"] == r"a␣b new\nline␣\udcff"
    signal = next(verdict.why for verdict in claims.verdicts(shown) if verdict.about == "signal")
    assert r"(a␣b), " in signal
