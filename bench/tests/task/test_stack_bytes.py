"""The bytes of a stack are measured, wherever they are; what hides them counts as dense."""

from array import array
from types import SimpleNamespace

import numpy as np
import pytest

from bench.task.stack_bytes import bytes_per_image

RNG = np.random.default_rng(0)
IMAGES = np.where(RNG.random((40, 8, 8)) < 0.2, RNG.integers(1, 256, (40, 8, 8)), 0).astype(np.uint8)
PART = np.zeros(40 * 30, np.uint8)  # 30 bytes per image, more than zlib needs


class Slots:
    __slots__ = ("inner", "missing")

    def __init__(self, inner):
        self.inner = inner

    def __len__(self):
        return 40


class Attributes(SimpleNamespace):
    def __len__(self):
        return 40


@pytest.mark.parametrize(
    ("stack", "held"),
    [
        (IMAGES, 64),
        (IMAGES.astype(np.float32), 256),
        (Attributes(a=PART), 30),
        (Attributes(a=PART, again=PART), 30),
        (Attributes(a=PART, other=PART.copy()), 60),
        (Slots({"a": [PART], "b": (PART.copy(),)}), 60),
        (Attributes(a=Slots(memoryview(PART)), b=array("B", bytes(40)), c=bytes(80)), 33),
        ([image.tobytes() for image in IMAGES], 64),
        (IMAGES.tolist(), 512),
    ],
)
def test_the_bytes_of_reachable_arrays_are_added_once(stack, held):
    measured, read = bytes_per_image([stack], [IMAGES])
    assert measured == held
    assert read == min(held, 64)


def test_a_stack_that_shares_an_array_with_another_holds_it_once():
    assert bytes_per_image([Attributes(a=PART), Attributes(a=PART)], [IMAGES] * 2) == (15, 64)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5])
def test_images_without_their_zeros_hold_their_images(share):
    """Zlib packs noise less tightly than a bit per pixel and the other bytes."""
    images = np.where(RNG.random((40, 8, 8)) < share, RNG.integers(1, 256, (40, 8, 8)), 0).astype(np.uint8)
    packed = np.concatenate([np.packbits(images != 0), images[images != 0]])
    assert bytes_per_image([Attributes(a=packed)], [images]) == (packed.nbytes / 40, packed.nbytes / 40)


@pytest.mark.parametrize(
    "hidden", [lambda: PART, iter([PART]), 0, np.zeros(40 * 5, np.uint8)], ids=["closure", "iterator", "nothing", "few"]
)
def test_a_stack_that_hides_its_bytes_counts_as_dense(hidden):
    measured, read = bytes_per_image([Attributes(a=hidden)], [IMAGES])
    assert measured < 6
    assert read == 64


def test_a_stack_that_contains_itself_ends():
    stack = Attributes(a=PART)
    stack.itself = [stack]
    assert bytes_per_image([stack], [IMAGES]) == (30, 30)
