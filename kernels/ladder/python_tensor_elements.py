"""The nested loops over a PyTorch tensor, one element `a[i][j]` at a time: every number is a tensor.

After python_indexed: every `a[i][j]`, every `-` and every `+=` makes a tensor and goes through PyTorch's dispatcher to
handle one number.
Over twenty times slower per image than over a NumPy array, and thousands of times slower than broadcasting in PyTorch.
It computes in float64, as each sum takes one pixel after the other. Temporaries: only those tensors.
Source: the documents' "loops", which index into tensors. Verified and timed on the first IMAGES images of each class.
"""

import torch

IMAGES = 10


def prepare(images, device):
    return torch.tensor(images).double() / 255


def mean_images(stacks):
    means = []
    for stack in stacks:
        height, width = stack[0].shape
        mean = torch.zeros((height, width), dtype=torch.float64)
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


def to_host(means):
    return torch.stack(means).numpy()
