"""Metadata of the digits: each number is computed in a second way, and compared with the documents' numbers."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import claims
from bench.stats import sign_test
from bench.task.digits_metadata import exact, metadata, relative_margins, signed_labels
from bench.task.problem import make_problem
from bench.tests import builders
from bench.tests.builders import digits


@given(st.integers(0, 6), st.integers(0, 6))
def test_the_sign_test_is_the_share_of_all_tosses_that_are_as_uneven(ours, theirs):
    heads = np.array([toss.bit_count() for toss in range(2 ** (ours + theirs))])
    uneven = abs(2 * heads - ours - theirs) >= abs(ours - theirs)
    assert sign_test(ours, theirs) == sign_test(theirs, ours) == pytest.approx(float(uneven.mean()))


def test_the_sign_test_of_many_images_does_not_overflow():
    assert 0 < sign_test(1000, 500) < 1e-30
    assert sign_test(700, 701) == 1
    assert 0 < sign_test(600, 400) < sign_test(560, 440) < 0.001


# Margins.


def test_the_margin_is_the_difference_over_the_sum_of_the_two_smallest_distances():
    distances = np.array([[5, 1, 3], [0, 9, 0], [9, 0, 2], [2, 2, 9]], float)
    assert relative_margins(distances).tolist() == [2 / 4, 0, 1, 0]


# The signed difference.


def flat(*levels):
    """Return a stack of 2 × 2 images, each of one grey level."""
    return np.array([np.full((2, 2), level) for level in levels])


def signed(train, valid):
    return signed_labels(make_problem(digits(train, valid))).tolist()


def test_without_abs_only_the_sum_of_an_image_counts():
    cross, frame = np.array([[[200, 0], [0, 200]]]), np.array([[[0, 100], [100, 0]]])
    mirrored = np.array([[[0, 200], [200, 0]]])  # like the frame in every pixel, like the cross in its sum
    problem = make_problem(digits([cross, frame], [mirrored, frame]))
    assert signed_labels(problem).tolist() == [0, 1]
    assert problem.answers["l1"].labels.tolist() == [1, 1]


def test_signed_ties_go_to_the_lowest_class_exactly():
    # Means 20/3 and 10/3 are equally far from 5; in floating point the second is nearer by one unit in the last place.
    assert abs(5 - 20 / 3) > abs(5 - 10 / 3)
    assert signed([flat(6, 7, 7), flat(3, 3, 4)], [flat(5), flat(5, 7, 3)]) == [0, 0, 0, 1]
    assert signed([flat(3, 3, 4), flat(6, 7, 7)], [flat(5), flat(5, 7, 3)]) == [0, 0, 1, 0]


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_the_signed_answer_is_the_nearest_fraction(seed, classes):
    rng = np.random.default_rng(seed)
    train = [rng.integers(0, 256, (int(rng.integers(1, 5)), 3, 2)) for _ in range(classes)]
    valid = [rng.integers(0, 256, (2, 3, 2)) for _ in range(classes)]
    means = [Fraction(int(stack.sum()), len(stack)) for stack in train]
    expected = []
    for image in np.concatenate(valid):
        differences = [abs(int(image.sum()) - mean) for mean in means]
        expected.append(differences.index(min(differences)))
    assert signed(train, valid) == expected


# Metadata.


@pytest.mark.parametrize("classes", [2, 3])
def test_what_a_record_keeps(classes):
    problem = builders.problem(classes=classes)
    kept = metadata(problem)
    right = {key: problem.answers[key].labels == problem.actual for key in ("l1", "l2")}
    for key in ("l1", "l2"):
        scores = [f"{right[key][problem.actual == c].sum()}/{n}" for c, n in enumerate(problem.valid_counts)]
        assert kept[f"exact_{key}"] == exact(problem, key) == ", ".join(scores)
        nearest = np.sort(problem.answers[key].distances, axis=1)
        margins = (nearest[:, 1] - nearest[:, 0]) / (nearest[:, 1] + nearest[:, 0])
        assert kept[f"margin_{key}"] == pytest.approx(np.median(margins))
    assert kept["exact_signed"] == problem.score(problem.correct(signed_labels(problem)))
    assert kept["only_l1_right"] == (right["l1"] & ~right["l2"]).sum()
    assert kept["only_l2_right"] == (right["l2"] & ~right["l1"]).sum()
    assert kept["only_l1_right"] + kept["only_l2_right"] > 0  # or nothing was tested
    assert kept["margin_change_low"] < kept["margin_change_high"]
    assert 0.95 <= kept["margin_change_level"] < 0.96
    assert json.loads(json.dumps(kept)) == kept


def test_the_change_of_the_margin_is_under_l2_less_under_l1():
    # On images of two pixels the L2 distance sees the one large difference, the L1 distance only the sum of both.
    train = [np.array([[[0, 0]]]), np.array([[[100, 100]]])]
    valid = [np.array([[[0, 90]]] * 4), np.array([[[100, 10]]] * 4)]
    kept = metadata(make_problem(digits(train, valid)))
    l1 = (110 - 90) / (110 + 90)  # of [0, 90]: 90 from the first mean, 110 from the second
    l2 = ((100**2 + 10**2) ** 0.5 - 90) / ((100**2 + 10**2) ** 0.5 + 90)
    assert (kept["margin_l1"], kept["margin_l2"]) == (pytest.approx(l1), pytest.approx(l2))
    assert kept["margin_change_low"] == pytest.approx(l2 - l1) == kept["margin_change_high"]
    assert kept["margin_change"] == pytest.approx(l2 - l1)
    assert kept["margin_change_by_class"] == f"{l2 - l1:+.4f} {l2 - l1:+.4f}"


def test_five_images_are_too_few_for_an_interval():
    five = metadata(make_problem(digits([flat(1), flat(9)], [flat(1, 2, 3), flat(9, 8)])))
    assert not {"margin_change_low", "margin_change_high", "margin_change_level"} & five.keys()
    assert "margin_change" in five
    six = metadata(make_problem(digits([flat(1), flat(9)], [flat(1, 2, 3), flat(9, 8, 7)])))
    assert six["margin_change_level"] == pytest.approx(1 - 2 / 64)


@pytest.mark.real_digits
def test_the_documents_digits(real_digits):
    kept = metadata(make_problem(real_digits))
    assert real_digits.digest == claims.MNIST_SAMPLE
    assert {key: kept[key] for key in kept if key.startswith(("exact", "only"))} == {
        "exact_l1": "926/1010, 1013/1028",
        "exact_l2": "968/1010, 1001/1028",
        "exact_signed": "626/1010, 717/1028",
        "only_l1_right": 12,
        "only_l2_right": 42,
    }
    assert (round(kept["margin_l1"], 3), round(kept["margin_l2"], 3)) == (0.151, 0.141)
    assert kept["margin_change_low"] < kept["margin_change_high"] < 0
