"""Bytes in Numba: the loops of `numba_parallel` in whole numbers that are no larger than they must be.

After numba_parallel: pixels stay bytes, sums are the smallest whole numbers that hold them, so that a register takes
several times as many, and as the order of whole numbers does not matter, they are added side by side.
As in `c_bytes`, r is the mean S / n rounded, and the sum of |x - r| differs from that of |x - S/n| by at most `slack`,
the sum of |r - S/n|; close calls compare sum |x n - S| / n. In 32 bits, which Numba needs spelled out, a byte distance
is one instruction (psadbw). The L2 distance is computed in double precision.
Temporaries: r; per thread 10 bytes per pixel. Source: Numba's documentation, "Automatic parallelization with @jit".
"""

import numpy as np
from numba import njit, prange


def prepare(images, device):
    return images.copy()


@njit(parallel=True)
def add(images):
    total = np.zeros(images.shape[1], np.int64)
    for b in prange(-(-len(images) // 257)):
        block = np.zeros(total.size, np.uint16)  # holds 257 white pixels
        for i in range(257 * b, min(257 * b + 257, len(images))):
            block += images[i]
        total += block
    return total


@njit
def byte_distance(x, r):
    total = np.int32(0)
    for j in range(x.size):
        total = np.int32(total + abs(np.int32(np.int32(x[j]) - np.int32(r[j]))))
    return np.int64(total)


@njit
def exact_distance(x, n, s):
    total = 0
    for j in range(x.size):
        total += abs(x[j] * n - s[j])
    return divmod(total, n)


@njit
def nearer(x, c, best, counts, sums):
    whole, rest = exact_distance(x, counts[c], sums[c])
    least, its_rest = exact_distance(x, counts[best], sums[best])
    return whole < least or (whole == least and rest * counts[best] < its_rest * counts[c])


@njit(parallel=True)
def nearest_l1(images, counts, sums):
    labels, r, slack = np.empty(len(images), np.int64), np.empty(sums.shape, np.uint8), 0
    for c in range(len(counts)):
        for j in range(r.shape[1]):
            r[c, j] = np.uint8(sums[c, j] / counts[c] + 0.5)
        slack = max(slack, exact_distance(r[c], counts[c], sums[c])[0] + 1)
    for i in prange(len(images)):
        best, least = 0, byte_distance(images[i], r[0])
        for c in range(1, len(counts)):
            distance = byte_distance(images[i], r[c])
            close = abs(distance - least) <= 2 * slack
            if nearer(images[i], c, best, counts, sums) if close else distance < least:
                best, least = c, distance
        labels[i] = best
    return labels


@njit(fastmath=True)
def square_distance(x, n, s):
    total = 0.0
    for j in range(x.size):
        total += (x[j] * float(n) - s[j]) ** 2
    return total / n**2


@njit(parallel=True)
def nearest_l2(images, counts, sums):
    labels = np.empty(len(images), np.int64)
    for i in prange(len(images)):
        x = images[i]
        labels[i] = np.argmin(np.array([square_distance(x, counts[c], sums[c]) for c in range(len(counts))]))
    return labels


def flat(images):
    return images.reshape(len(images), -1)


def mean_images(stacks):
    sums = [add(flat(stack)).reshape(stack.shape[1:]) for stack in stacks]
    return np.array([len(stack) for stack in stacks]), np.stack(sums)


def predict_l1(images, means):
    return nearest_l1(flat(images), means[0], flat(means[1]))


def predict_l2(images, means):
    return nearest_l2(flat(images), means[0], flat(means[1]))


def to_host(means):
    counts, sums = means
    return sums / (255 * counts[:, None, None])
