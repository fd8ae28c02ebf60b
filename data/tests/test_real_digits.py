"""MNIST's threes and sevens are loaded as every published number about them assumes."""

import pytest

pytestmark = pytest.mark.real_digits

PATCH = [
    [0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 29],
    [0, 0, 0, 48, 166, 224],
    [0, 93, 244, 249, 253, 187],
    [0, 107, 253, 253, 230, 48],
    [0, 3, 20, 20, 15, 0],
]


def test_counts(real_digits):
    assert (real_digits.classes, real_digits.image_shape) == (("3", "7"), (28, 28))
    assert (real_digits.train_counts, real_digits.valid_counts) == ([6131, 6265], [1010, 1028])
    assert [len(names) for names in real_digits.train_files] == [6131, 6265]
    assert [len(names) for names in real_digits.valid_files] == [1010, 1028]


def test_the_first_threes_by_name(real_digits):
    assert real_digits.train_files[0][:3] == ("10.png", "10000.png", "10011.png")


def test_the_patch_of_the_second_three(real_digits):
    assert real_digits.train[0][1, 4:10, 4:10].tolist() == PATCH


def test_the_digest(real_digits):
    assert real_digits.digest == "57604c9051980ad1ef6945ca2324a1216ef8c37df2e0093830e977ddbc062a33"
