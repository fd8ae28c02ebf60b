"""The drawn digits: as many as in MNIST_SAMPLE, always the same, almost all of them recognisable."""

import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import data

DIGEST = "836f46bf8c028fe38713ad29835929cd0d9d37b6f205cee54cacccd6d7052ab7"
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def test_drawn_digits_have_the_counts_of_mnist_sample(drawn):
    assert (drawn.name, drawn.classes, drawn.image_shape) == ("drawn", ("3", "7"), (28, 28))
    assert (drawn.train_counts, drawn.valid_counts) == ([6131, 6265], [1010, 1028])


def test_drawn_digits_have_the_pinned_digest(drawn):
    """A new digest is a new data set, and makes recorded accuracies of drawn digits void."""
    pinned = re.search(r"^pillow==(\S+)", CONSTRAINTS.read_text(), re.MULTILINE)[1]
    if version("pillow") != pinned:
        pytest.skip(f"the digest holds for pillow {pinned}; here is {version('pillow')}")
    assert drawn.digest == DIGEST


def test_the_nearest_mean_is_right_on_most_but_not_all(drawn):
    means = [stack.mean(0) for stack in drawn.train]
    shares = []
    for place, stack in enumerate(drawn.valid):
        distances = [np.abs(stack - mean).mean((1, 2)) for mean in means]
        shares.append((np.argmin(distances, 0) == place).mean())
    assert 0.85 <= np.mean(shares) <= 0.99


def test_no_two_drawn_images_are_equal_and_none_is_empty(drawn):
    images = np.concatenate([*drawn.train, *drawn.valid])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)
    assert images.max((1, 2)).min() > 200


def test_another_seed_draws_other_digits(monkeypatch):
    monkeypatch.setattr(data.sources.drawn, "COUNTS", {"train": {"3": 2, "7": 2}, "valid": {"3": 1, "7": 1}})
    draw = data.sources.drawn.draw
    assert draw(1) == draw(1) != draw(2)
