"""The nested loops over a NumPy array, one element `a[i][j]` at a time: an array used as a list.

After python_indexed: every `a[i][j]` makes an array of the row and an object of the number, only to throw both away.
Some six times slower than the same loops over lists, several hundred times slower than broadcasting. It computes in
float64, as each sum takes one pixel after the other. Temporaries: only those objects.
Source: the documents' "loops", which index into arrays. Verified and timed on the first IMAGES images of each class.
"""

import numpy as np

IMAGES = 200


def prepare(images, device):
    return images / 255


def mean_images(stacks):
    means = []
    for stack in stacks:
        height, width = stack[0].shape
        mean = np.zeros((height, width), dtype=np.float64)
        for image in stack:
            for y in range(height):
                for x in range(width):
                    mean[y][x] += image[y][x] / len(stack)
        means.append(mean)
    return means


def distance_l1(image, mean):
    height, width = image.shape
    total = 0.0
    for y in range(height):
        for x in range(width):
            total += abs(image[y][x] - mean[y][x])
    return total / (height * width)


def distance_l2(image, mean):
    height, width = image.shape
    total = 0.0
    for y in range(height):
        for x in range(width):
            total += (image[y][x] - mean[y][x]) ** 2
    return (total / (height * width)) ** 0.5


def predict(images, means, distance):
    labels = []
    for image in images:
        distances = [float(distance(image, mean)) for mean in means]
        labels.append(distances.index(min(distances)))
    return labels


def predict_l1(images, means):
    return predict(images, means, distance_l1)


def predict_l2(images, means):
    return predict(images, means, distance_l2)
