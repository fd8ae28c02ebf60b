"""The classes broadcast too, `abs(images[:, None] - means)`: no loop is left, and nothing is gained.

After numpy_broadcast: each temporary is as many times larger as there are classes, so more of it falls out of the
cache, and all that is saved is one short Python loop.
Temporaries: the difference and its absolute value or square, (n, classes, height, width) float32 each, written to
memory and read again. It is a fifth slower than `numpy_broadcast`.
Source: NumPy's documentation, "Broadcasting", with one more axis.
"""

import numpy as np


def prepare(images, device):
    return images.astype(np.float32) / 255


def mean_image(stack):
    # In blocks: a single float32 sum is 2e-3 off at a million images.
    blocks = np.array_split(stack, len(stack) // 256 + 1)
    return np.sum([block.sum(0) for block in blocks], axis=0, dtype=np.float64) / len(stack)


def mean_images(stacks):
    return np.stack([mean_image(stack) for stack in stacks]).astype(np.float32)


def distance_l1(a, b):
    return np.abs(a - b).mean((-1, -2))


def distance_l2(a, b):
    return np.sqrt(((a - b) ** 2).mean((-1, -2)))


def predict_l1(images, means):
    return distance_l1(images[:, None], means).argmin(1)


def predict_l2(images, means):
    return distance_l2(images[:, None], means).argmin(1)
