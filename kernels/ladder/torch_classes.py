"""The classes broadcast too, in PyTorch: `(images[:, None] - means).abs()`, and no loop is left.

After torch_broadcast: the images are read once for all classes, but as much is written.
About as fast as `torch_broadcast`, at times a tenth slower.
Temporaries: the difference and its absolute value or square, (n, classes, height, width) float32 each.
Source: the blog posts' expressions with one more axis.
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
    return distance_l1(images[:, None], means).argmin(1).cpu().numpy()


def predict_l2(images, means):
    return distance_l2(images[:, None], means).argmin(1).cpu().numpy()


def to_host(means):
    return means.cpu().numpy()
