"""The blog posts' own expressions: broadcasting in PyTorch, the same lines on a CPU and on a GPU.

After numpy_broadcast: every operation is shared among all threads, and the mean is one operation; the temporaries, and
the page faults that they may cost, stay the same.
Temporaries: the difference and its absolute value or square, (n, height, width) float32 each.
`torch.mean` sums in blocks, so float32 is enough. `.cpu()` waits for the device.
Source: chapter 4 of the fastai book, `(a - b).abs().mean((-1, -2))`.
"""

import torch

DEVICES = ("cpu", "cuda")


def unavailable(device):
    if device == "cuda" and not torch.cuda.is_available():
        return "torch sees no CUDA device"


def prepare(images, device):
    return torch.tensor(images, device=device).float() / 255


def mean_images(stacks):
    return torch.stack([stack.mean(0) for stack in stacks])


def distance_l1(a, b):
    return (a - b).abs().mean((-1, -2))


def distance_l2(a, b):
    return ((a - b) ** 2).mean((-1, -2)).sqrt()


def predict_l1(images, means):
    return torch.stack([distance_l1(images, mean) for mean in means]).argmin(0).cpu().numpy()


def predict_l2(images, means):
    return torch.stack([distance_l2(images, mean) for mean in means]).argmin(0).cpu().numpy()


def to_host(means):
    return means.cpu().numpy()
