"""Nested loops with an index for every axis, `image[y][x]`: the way most people write them first.

After python_loops: every pixel costs a look-up per index, which an iterator saves.
About a fifth slower than the loops. Temporaries: only numbers.
Source: the triple loop of any first lesson on matrices, which the documents' tensors replace.
"""


def prepare(images, device):
    return [[[pixel / 255 for pixel in row] for row in image] for image in images.tolist()]


def mean_images(stacks):
    means = []
    for stack in stacks:
        height, width = len(stack[0]), len(stack[0][0])
        mean = [[0.0] * width for y in range(height)]
        for i in range(len(stack)):
            for y in range(height):
                for x in range(width):
                    mean[y][x] += stack[i][y][x]
        for y in range(height):
            for x in range(width):
                mean[y][x] /= len(stack)
        means.append(mean)
    return means


def distance_l1(image, mean):
    total = 0.0
    for y in range(len(image)):
        for x in range(len(image[0])):
            total += abs(image[y][x] - mean[y][x])
    return total / (len(image) * len(image[0]))


def distance_l2(image, mean):
    total = 0.0
    for y in range(len(image)):
        for x in range(len(image[0])):
            total += (image[y][x] - mean[y][x]) ** 2
    return (total / (len(image) * len(image[0]))) ** 0.5


def predict(images, means, distance):
    labels = []
    for i in range(len(images)):
        distances = [distance(images[i], means[c]) for c in range(len(means))]
        labels.append(distances.index(min(distances)))
    return labels


def predict_l1(images, means):
    return predict(images, means, distance_l1)


def predict_l2(images, means):
    return predict(images, means, distance_l2)
