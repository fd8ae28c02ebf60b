"""The oracle against fractions, exact comparisons of square roots, and the numbers of the documents."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.task import oracle
from data import Digits

STEP = Fraction(1, 2**20)


def solved(train: Sequence[np.ndarray], valid: np.ndarray) -> dict[str, oracle.Answer]:
    return oracle.solve([len(stack) for stack in train], oracle.pixel_sums(train), valid)


def squares_and_sums(train: list[np.ndarray], image: np.ndarray) -> tuple[list[Fraction], list[Fraction]]:
    """Return the L1 distance and the square of the L2 distance of one image to every mean image, pixel by pixel."""
    l1, l2 = [], []
    for stack in train:
        differences = []
        for place in np.ndindex(image.shape):
            mean = Fraction(sum(int(training[place]) for training in stack), 255 * len(stack))
            differences.append(Fraction(int(image[place]), 255) - mean)
        l1.append(sum(map(abs, differences)) / len(differences))
        l2.append(sum(d * d for d in differences) / len(differences))
    return l1, l2


def within_a_step(a: Fraction, b: Fraction) -> bool:
    """Return whether sqrt(a) - sqrt(b) <= 2^-20, for a >= b: sqrt(a b) >= (a + b - 2^-40) / 2."""
    half = (a + b - STEP**2) / 2
    return half <= 0 or a * b >= half**2


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw stacks of few grey levels, so that ties are common, and images of which some are training means."""
    height, width = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    levels = st.sampled_from(draw(st.sampled_from([[0, 255], [0, 1, 2], [0, 100, 200, 255], list(range(256))])))

    def draw_stack(least: int) -> np.ndarray:
        n = draw(st.integers(least, 5))
        pixels = draw(st.lists(levels, min_size=n * height * width, max_size=n * height * width))
        return np.array(pixels, np.uint8).reshape(n, height, width)

    train = [draw_stack(1) for _ in range(draw(st.integers(2, 4)))]
    if draw(st.booleans()):
        train[-1] = np.repeat(train[0], 2, axis=0)  # the same mean image of twice as many
    means = [stack.mean(0).round().astype(np.uint8) for stack in train]
    return train, np.concatenate([draw_stack(1), means[:2]])


@settings(max_examples=150, deadline=None)
@given(problems())
def test_fractions_agree(drawn: tuple[list[np.ndarray], np.ndarray]) -> None:
    train, valid = drawn
    answers = solved(train, valid)
    for place, image in enumerate(valid):
        l1, l2 = squares_and_sums(train, image)
        assert answers["l1"].labels[place] == l1.index(min(l1))
        assert answers["l2"].labels[place] == l2.index(min(l2))
        assert answers["l1"].acceptable[place].tolist() == [d - min(l1) <= STEP for d in l1]
        assert answers["l2"].acceptable[place].tolist() == [within_a_step(d, min(l2)) for d in l2]
        assert answers["l1"].distances[place] == pytest.approx([float(d) for d in l1], abs=1e-15)
        assert answers["l2"].distances[place] == pytest.approx([float(d) ** 0.5 for d in l2], abs=1e-8)
    for mean, stack in zip(oracle.mean_images(train), train, strict=True):
        exact = [Fraction(sum(map(int, pixels)), 255 * len(stack)) for pixels in stack.reshape(len(stack), -1).T]
        assert mean.ravel().tolist() == [float(value) for value in exact]


@pytest.mark.parametrize("blocks", [1, 3, 4, 100])
def test_blocks_change_nothing(blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    train = [rng.integers(0, 256, (n, 3, 2), np.uint8) for n in (4, 7)]
    valid = rng.integers(0, 256, (7, 3, 2), np.uint8)
    in_one_block = solved(train, valid)
    monkeypatch.setattr(oracle, "BLOCK", blocks)
    for distance, answer in solved(train, valid).items():
        assert answer.labels.tolist() == in_one_block[distance].labels.tolist()
        assert answer.distances.tolist() == in_one_block[distance].distances.tolist()


def one_pixel(further: int, image: int) -> dict[str, oracle.Answer]:
    """Compare a pixel with a black class and one of 2^20 pixels, whose distance is `further / 255` steps larger."""
    grey = np.full((2**20, 1, 1), 2 * image, np.uint8)
    grey[:further] += 1
    return solved([np.zeros((1, 1, 1), np.uint8), grey], np.full((1, 1, 1), image, np.uint8))


@pytest.mark.parametrize("distance", oracle.DISTANCES)
@pytest.mark.parametrize("image", [0, 10, 120])
def test_two_to_the_minus_20_is_the_border(distance: str, image: int) -> None:
    """One pixel, where both distances are the same: exactly one step apart is too close, a 255th more is not."""
    assert one_pixel(255, image)[distance].acceptable.tolist() == [[True, True]]
    assert one_pixel(256, image)[distance].acceptable.tolist() == [[True, False]]
    assert one_pixel(255, image)[distance].too_close == 1
    assert one_pixel(256, image)[distance].too_close == 0


@pytest.mark.parametrize("distance", oracle.DISTANCES)
def test_near_ties_are_decided(distance: str) -> None:
    """A difference of 3.7e-9, which float32 does not see, decides the label but makes both acceptable."""
    answer = one_pixel(1, 120)[distance]
    assert answer.labels.tolist() == [0]
    assert answer.acceptable.tolist() == [[True, True]]


def test_sums_that_would_overflow_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "sum", lambda *_, **__: pytest.fail("it began to sum"))
    images = np.broadcast_to(np.uint8(0), (2**32, 256, 256))  # no memory behind it
    with pytest.raises(OverflowError, match=r"4,294,967,296 training images of 65,536 pixels"):
        solved([images[:1], images], images[:1])


@pytest.mark.real_digits
def test_real_digits(real_digits: Digits) -> None:
    answers = solved(real_digits.train, np.concatenate(real_digits.valid))
    actual = np.repeat([0, 1], [1010, 1028])
    assert real_digits.valid_counts == [1010, 1028]
    for distance, correct, closest in (("l1", [926, 1013], 10.4), ("l2", [968, 1001], 2.5)):
        answer = answers[distance]
        assert np.bincount(actual[answer.labels == actual]).tolist() == correct
        assert answer.too_close == 0
        margins = abs(answer.distances[:, 0] - answer.distances[:, 1]) * 2**20
        assert margins.min() == pytest.approx(closest, abs=0.05)
