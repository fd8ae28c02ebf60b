"""numexpr: NumPy's expression as a text, which it evaluates block by block, in the cache and on all cores.

After numpy_in_place: no temporary of the stack's size is left, as every block goes through the whole expression.
Peer: numexpr's own reduction of an expression over an axis, in double precision.
Temporaries: (n,) float64 per class, and blocks of 4,096 numbers.
Source: numexpr's user guide, "Supported reduction operations".
"""

import numexpr
import numpy as np


def prepare(images, device):
    return images.astype(np.float32) / 255


def mean_images(stacks):
    return np.stack([stack.mean(0, dtype=np.float64) for stack in stacks])


def rows(stack):
    return stack.reshape(len(stack), -1)


def nearest(expression, images, means):
    variables = [{"x": rows(images), "m": mean} for mean in rows(means)]
    return np.argmin([numexpr.evaluate(expression, one) for one in variables], axis=0)


def predict_l1(images, means):
    return nearest("sum(abs(x - m), axis=1)", images, means)


def predict_l2(images, means):
    return nearest("sum((x - m) ** 2, axis=1)", images, means)
