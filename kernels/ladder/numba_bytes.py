"""Bytes in Numba: the loops of `numba_parallel` in whole numbers that are no larger than they must be.

The bound is that of `c_bytes`: r are bytes near the exact mean S / n, and the sum of |x - r| is off from that of
|x - S/n| by at most the sum of |r - S/n|, the class's `slack`. Where another class is within reach of both slacks, the
sum of |x n - S| / n decides. In 32 bits a byte distance is one instruction of the processor's (psadbw); Numba counts in
64 where it is not told. L2 rounds means to 1/8192 of a grey level: distances are off by 2.4e-7 of full scale at most,
up to 2^21 pixels an image.
Temporaries: per thread a sum, 8 bytes a pixel, and one of 257 images at most, 2 bytes a pixel; r.
Source: Numba's documentation, "Automatic parallelization with @jit".
"""

import numpy as np
from numba import get_num_threads, njit, prange

UNIT = 2**13  # of a grey level, under L2


def prepare(images, device):
    return images.copy()


@njit(parallel=True)
def add(images):
    n, pixels = images.shape
    threads = get_num_threads()
    parts = np.zeros((threads, pixels), np.int64)
    for t in prange(threads):
        block = np.empty(pixels, np.uint16)
        for start in range(n * t // threads, n * (t + 1) // threads, 257):
            stop = min(start + 257, n * (t + 1) // threads)
            block[:] = 0
            for i in range(start, stop):
                for j in range(pixels):
                    block[j] += images[i, j]
            parts[t] += block
    return parts.sum(0)


@njit
def byte_distance(x, r):
    total = np.int32(0)
    for j in range(x.size):
        total = np.int32(total + abs(np.int32(np.int32(x[j]) - np.int32(r[j]))))
    return total


@njit
def exact_distance(x, n, s):
    total = 0
    for j in range(x.size):
        total += abs(x[j] * n - s[j])
    return total


@njit
def nearest_exactly(x, counts, sums):
    best, best_whole, best_rest = 0, np.int64(2**62), np.int64(0)
    for c in range(len(counts)):
        whole, rest = divmod(exact_distance(x, counts[c], sums[c]), counts[c])
        if whole < best_whole or (whole == best_whole and rest * counts[best] < best_rest * counts[c]):
            best, best_whole, best_rest = c, whole, rest
    return best


@njit(parallel=True)
def nearest_l1(images, counts, sums):
    r = np.empty(sums.shape, np.uint8)
    slack = np.empty(len(counts), np.int64)
    for c in range(len(counts)):
        for j in range(sums.shape[1]):
            r[c, j] = np.uint8(sums[c, j] / counts[c] + 0.5)
        slack[c] = -(-exact_distance(r[c], counts[c], sums[c]) // counts[c])
    labels = np.empty(len(images), np.int64)
    for i in prange(len(images)):
        best, least, second = 0, np.int64(2**62), np.int64(2**62)
        for c in range(len(counts)):
            low = byte_distance(images[i], r[c]) - slack[c]
            second = min(second, max(low, least))
            best = c if low < least else best
            least = min(least, low)
        labels[i] = best if least + 2 * slack[best] < second else nearest_exactly(images[i], counts, sums)
    return labels


@njit(parallel=True)
def nearest_l2(images, means):
    labels = np.empty(len(images), np.int64)
    for i in prange(len(images)):
        best, least = 0, np.int64(2**62)
        for c in range(len(means)):
            total = np.int64(0)
            for j in range(means.shape[1]):
                difference = np.int32(np.int32(images[i, j]) * np.int32(UNIT) - means[c, j])
                total += np.int64(difference) * np.int64(difference)
            best = c if total < least else best
            least = min(least, total)
        labels[i] = best
    return labels


def mean_images(stacks):
    sums = np.stack([add(stack.reshape(len(stack), -1)) for stack in stacks])
    return np.array([len(stack) for stack in stacks]), sums.reshape(len(stacks), *stacks[0].shape[1:])


def predict_l1(images, means):
    counts, sums = means
    return nearest_l1(images.reshape(len(images), -1), counts, sums.reshape(len(sums), -1))


def predict_l2(images, means):
    counts, sums = means
    rounded = np.rint(sums.reshape(len(sums), -1) / counts[:, None] * UNIT).astype(np.int32)
    return nearest_l2(images.reshape(len(images), -1), rounded)


def to_host(means):
    counts, sums = means
    return sums / (255 * counts[:, None, None])
