"""The numbers that the documents print, from every kernel's own functions, on the real digits."""

import pytest

from bench.runner.pytest_support import Verified
from data import Digits

pytestmark = pytest.mark.real_digits


@pytest.fixture
def on_real_digits(real_digits: Digits, verified: Verified) -> Verified:
    """A kernel verified on the real digits; skip where `--data` names others."""
    if verified.prepared.problem.digest != real_digits.digest:
        pytest.skip("--data names other digits than MNIST_SAMPLE")
    return verified


def test_accuracies(on_real_digits: Verified) -> None:
    problem, correct = on_real_digits.prepared.problem, on_real_digits.findings.correct
    assert problem.train_counts == [6131, 6265]
    for distance, expected, per_class, average in (
        ("l1", [926, 1013], [0.9168, 0.9854], 0.9511),
        ("l2", [968, 1001], [0.9584, 0.9737], 0.9661),
    ):
        if on_real_digits.offers(distance):
            assert correct[distance] == expected
            assert [round(k / n, 4) for k, n in zip(correct[distance], (1010, 1028), strict=True)] == per_class
            assert round(problem.accuracy(correct[distance]), 4) == average


def test_distances(on_real_digits: Verified, real_digits: Digits) -> None:
    """Distances of single images to mean images, where a kernel has the blog posts' functions."""
    prepared = on_real_digits.prepared
    kernel = prepared.kernel
    l1, l2 = getattr(kernel, "distance_l1", None), getattr(kernel, "distance_l2", None)
    if not (l1 and l2):
        pytest.skip("the kernel has no function of one image and one mean image")
    train, _ = prepared.plain()
    three, seven = kernel.mean_images(train)
    assert real_digits.train_files[0][1] == "10000.png"
    training = train[0][1]
    assert [round(float(l1(training, mean)), 4) for mean in (three, seven)] == [0.1114, 0.1586]
    for images, index, expected in (
        (real_digits.valid[0], 5, (0.1188, 0.2160)),
        (real_digits.valid[1], 3, (0.1702, 0.3053)),
    ):
        image = kernel.prepare(images[index : index + 1], prepared.device)[0]
        assert tuple(round(float(distance(image, three)), 4) for distance in (l1, l2)) == expected
