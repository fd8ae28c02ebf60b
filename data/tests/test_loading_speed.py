"""How long loading takes, under `pytest --benchmark-only`: at most a second for the real archive on two cores."""

import os

import pytest

import data


@pytest.mark.real_digits
@pytest.mark.benchmark(group="data")
def test_load_real_digits(benchmark, real_digits):
    digits = benchmark.pedantic(data.load, args=(os.environ["MNIST_SAMPLE"],), rounds=3)
    assert digits.digest == real_digits.digest
    benchmark.extra_info.update(dataset=digits.name, digest=digits.digest, images=_images(digits))


@pytest.mark.benchmark(group="data")
def test_load_drawn_digits(benchmark):
    digits = benchmark.pedantic(data.load, args=("drawn",), rounds=3)
    benchmark.extra_info.update(dataset=digits.name, digest=digits.digest, images=_images(digits))


def _images(digits):
    return sum(digits.train_counts) + sum(digits.valid_counts)
