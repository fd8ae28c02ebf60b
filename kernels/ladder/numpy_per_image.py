"""NumPy, one image at a time: a loop over images, and one expression for the pixels of each.

After python_loops: the loops over pixels run inside NumPy, on numbers without objects, several to a register; what is
left is the cost of each call.
Each call into NumPy costs more than its 784 pixels: some six times slower than the whole stack at once. Streaming: the
stack stays uint8, and each subtraction makes a float image. Means are in grey levels, 0 to 255.
Temporaries: the difference and its absolute value or square, (height, width) float32 each.
Source: the blog posts' distance of one image, before they give it the whole stack.
"""

import numpy as np


def prepare(images, device):
    return images


def mean_image(stack):
    total = np.zeros(stack.shape[1:])
    for image in stack:
        total += image
    return total / len(stack)


def mean_images(stacks):
    return np.stack([mean_image(stack) for stack in stacks]).astype(np.float32)


def distance_l1(a, b):
    return np.abs(a - b).mean((-1, -2)) / 255


def distance_l2(a, b):
    return np.sqrt(((a - b) ** 2).mean((-1, -2))) / 255


def predict_l1(images, means):
    return [int(np.argmin([distance_l1(image, mean) for mean in means])) for image in images]


def predict_l2(images, means):
    return [int(np.argmin([distance_l2(image, mean) for mean in means])) for image in images]


def to_host(means):
    return means / 255
