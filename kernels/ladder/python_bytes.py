"""Flat `bytes` and `sum(map(abs, map(sub, ...)))`: pure Python whose loops run inside the interpreter.

After python_loops: the loops run inside the interpreter's own C, and pixels are small whole numbers that Python keeps
ready-made, where a float is a new object each time.
An image is (bytes, width), its pixels in one row. The mean takes a quarter of the loops' time. The distances take as
long as the loops, as each difference is a new float, in C or not. Means are in grey levels, 0 to 255.
Temporaries: a tuple of n numbers per pixel position in the mean; for an L2 distance a list of height * width numbers.
Source: the itertools recipes of the Python documentation.
"""

from operator import mul, sub


def prepare(images, device):
    return [(image.tobytes(), image.shape[1]) for image in images]


def mean_image(stack):
    sums = map(sum, zip(*(pixels for pixels, width in stack)))
    return [pixel_sum / len(stack) for pixel_sum in sums], stack[0][1]


def mean_images(stacks):
    return [mean_image(stack) for stack in stacks]


def distance_l1(image, mean):
    return sum(map(abs, map(sub, image[0], mean[0]))) / (255 * len(image[0]))


def distance_l2(image, mean):
    differences = list(map(sub, image[0], mean[0]))
    return (sum(map(mul, differences, differences)) / len(differences)) ** 0.5 / 255


def nearest(distances):
    return distances.index(min(distances))


def predict_l1(images, means):
    return [nearest([distance_l1(image, mean) for mean in means]) for image in images]


def predict_l2(images, means):
    return [nearest([distance_l2(image, mean) for mean in means]) for image in images]


def to_host(means):
    return [[[p / 255 for p in mean[i : i + width]] for i in range(0, len(mean), width)] for mean, width in means]
