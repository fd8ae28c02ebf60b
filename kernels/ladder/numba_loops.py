"""The same nested loops, compiled: `@numba.njit` above the loops of `python_loops`.

After python_loops: machine code on bare numbers, without an object per pixel; yet each distance is summed in its
order, so that no two of its pixels are added at once in a wide register.
Loops need not be slow: these are over sixty times faster than in Python, and as fast as broadcasting in NumPy, on one
core. Streaming: the stack stays uint8, and each pixel becomes a float64 when it is read. Means are in grey levels, 0 to
255. Temporaries: none. Compiling takes seconds, in the first call.
Source: Numba's documentation, "A 5 minute guide".
"""

import numpy as np
from numba import njit


def prepare(images, device):
    return images


@njit
def mean_image(stack):
    mean = np.zeros(stack.shape[1:])
    for image in stack:
        for total, row in zip(mean, image):
            for x, pixel in enumerate(row):
                total[x] += pixel
    return mean / len(stack)


@njit
def distance_l1(image, mean):
    total = 0.0
    for row, mean_row in zip(image, mean):
        for pixel, mean_pixel in zip(row, mean_row):
            total += abs(pixel - mean_pixel)
    return total / (255 * image.size)


@njit
def distance_l2(image, mean):
    total = 0.0
    for row, mean_row in zip(image, mean):
        for pixel, mean_pixel in zip(row, mean_row):
            difference = pixel - mean_pixel
            total += difference * difference
    return (total / image.size) ** 0.5 / 255


@njit
def predict(images, means, distance):
    labels = []
    for image in images:
        distances = [distance(image, mean) for mean in means]
        labels.append(distances.index(min(distances)))
    return labels


def mean_images(stacks):
    return np.stack([mean_image(stack) for stack in stacks])


def predict_l1(images, means):
    return predict(images, means, distance_l1)


def predict_l2(images, means):
    return predict(images, means, distance_l2)


def to_host(means):
    return means / 255
