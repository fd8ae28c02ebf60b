"""The device logic of the torch kernel without a GPU: on torch's `meta` device, which has no numbers."""

from functools import partial
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")

TRAIN = [np.arange(n * 6, dtype=np.uint8).reshape(n, 2, 3) for n in (4, 7)]
VALID = np.arange(5 * 6, dtype=np.uint8)[::-1].reshape(5, 2, 3)


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest, kernel: ModuleType) -> str:
    if reason := kernel.unavailable(request.param):
        pytest.skip(reason)
    return request.param


@pytest.fixture
def kernel() -> ModuleType:
    from kernels import torch_broadcast

    return torch_broadcast


def frozen(images: np.ndarray) -> np.ndarray:
    images = np.ascontiguousarray(images)
    images.setflags(write=False)
    return images


def test_everything_stays_on_the_device_that_prepare_was_given_until_it_is_copied(kernel: ModuleType) -> None:
    stacks = [kernel.prepare(frozen(images), "meta") for images in TRAIN]
    means = kernel.mean_images(stacks)
    images = kernel.prepare(frozen(VALID), "meta")
    distances = [distance(images, means[0]) for distance in (kernel.distance_l1, kernel.distance_l2)]
    assert [stack.shape for stack in stacks] == [(4, 2, 3), (7, 2, 3)]
    assert means.shape == (2, 2, 3)
    assert [distance.shape for distance in distances] == [(5,), (5,)]
    for tensor in (*stacks, means, images, *distances):
        assert (tensor.device.type, tensor.dtype) == ("meta", torch.float32)
    # Copying from `meta` fails, so a kernel that does not raise did not copy its answer.
    for answer in (partial(kernel.predict_l1, images), partial(kernel.predict_l2, images), kernel.to_host):
        with pytest.raises(NotImplementedError, match=r"[Mm]eta"):
            answer(means)


def test_prepare_copies(kernel: ModuleType, device: str) -> None:
    images = VALID.copy()
    stack = kernel.prepare(images, device)
    images[:] = 0
    assert float(stack.max()) == pytest.approx(VALID.max() / 255)


@pytest.mark.parametrize(
    ("visible", "device", "reason"),
    [(False, "cuda", "torch sees no CUDA device"), (True, "cuda", None), (False, "cpu", None), (True, "cpu", None)],
)
def test_cuda_is_unavailable_where_torch_sees_none(
    visible: bool, device: str, reason: str | None, kernel: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: visible)
    assert kernel.unavailable(device) == reason
