"""Bytes in C, read ahead: the processor fetches what it needs next while it still adds what is there.

After numba_bytes: memory is asked for 2,048 bytes in advance, so fewer additions wait for it.
The exact mean is S / n; r is that, rounded to a byte. The sum of |x - r| differs from that of |x - S/n| by at most
`slack`, the sum of |r - S/n|. Classes no more than two slacks apart (23 of 2,038 images on MNIST_SAMPLE) are compared
by the fractions sum |x n - S| / n, so rounding decides no label. The L2 distance is computed in double precision.
Temporaries: r, a byte per class and pixel; per thread 8 bytes per class and pixel, and 2 per pixel.
Source: C11 with OpenMP, compiled for this CPU when imported (a quarter of a second); cffi's documentation, "ABI mode".
"""

import platform
import subprocess
import tempfile

import cffi
import numpy as np

SOURCE = r"""
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
static void read_ahead(const uint8_t *y, int64_t pixels) {
    for (int64_t j = 0; j < pixels; j += 64) __builtin_prefetch(y + j + 2048);
}
void add(uint8_t **x, int64_t *n, int64_t classes, int64_t pixels, int64_t *sums) {
    #pragma omp parallel
    for (int64_t c = 0; c < classes; c++)
        #pragma omp for schedule(dynamic) nowait
        for (int64_t start = 0; start < n[c]; start += 257) {  // images: so many white pixels fit 16 bits
            uint16_t *block = calloc(pixels, sizeof *block);
            for (int64_t i = start; i < start + 257 && i < n[c]; i++) {
                const uint8_t *y = x[c] + i * pixels;
                read_ahead(y, pixels);
                for (int64_t j = 0; j < pixels; j++) block[j] += y[j];
            }
            #pragma omp critical
            for (int64_t j = 0; j < pixels; j++) sums[c * pixels + j] += block[j];
            free(block);
        }
}
static int64_t byte_distance(const uint8_t *x, const uint8_t *r, int64_t pixels) {
    uint32_t sum = 0;  // 32 bits, for which compilers take the processor's own instruction (psadbw)
    for (int64_t j = 0; j < pixels; j++) sum += abs(x[j] - r[j]);
    return sum;
}
static int nearer(const uint8_t *x, const int64_t *s, double n, const int64_t *t, double m, int64_t pixels) {
    double a = 0, b = 0;  // n and m times the distances from s / n and t / m: whole numbers, exact below 2^53
    #pragma omp simd reduction(+ : a, b)
    for (int64_t j = 0; j < pixels; j++) a += fabs(x[j] * n - s[j]), b += fabs(x[j] * m - t[j]);
    return (__int128)a * (int64_t)m < (__int128)b * (int64_t)n;
}
void nearest_l1(uint8_t *x, int64_t images, int64_t *n, int64_t *sums, int64_t classes, int64_t pixels, int64_t *out) {
    uint8_t *r = malloc(classes * pixels);
    double slack = pixels >> 24 ? INFINITY : 0;  // where 32 bits may not do, every call is close
    for (int64_t c = 0; c < classes; c++) {
        double own = 1;
        for (int64_t j = c * pixels; j < (c + 1) * pixels; j++) {
            r[j] = (double)sums[j] / n[c] + 0.5;
            own += fabs(r[j] - (double)sums[j] / n[c]);
        }
        slack = fmax(own, slack);
    }
    #pragma omp parallel for schedule(dynamic, 128)  // images: close calls are not evenly spread
    for (int64_t i = 0; i < images; i++) {
        const uint8_t *y = x + i * pixels;
        read_ahead(y, pixels);
        int64_t best = 0, least = byte_distance(y, r, pixels);
        for (int64_t c = 1; c < classes; c++) {
            int64_t distance = byte_distance(y, r + c * pixels, pixels), is_nearer = distance < least;
            if (llabs(distance - least) <= 2 * slack)
                is_nearer = nearer(y, sums + c * pixels, n[c], sums + best * pixels, n[best], pixels);
            if (is_nearer) best = c, least = distance;
        }
        out[i] = best;
    }
    free(r);
}
void nearest_l2(uint8_t *x, int64_t images, int64_t *n, int64_t *sums, int64_t classes, int64_t pixels, int64_t *out) {
    #pragma omp parallel for
    for (int64_t i = 0; i < images; i++) {
        double least = 0;
        for (int64_t c = 0; c < classes; c++) {
            double sum = 0, count = n[c];
            #pragma omp simd reduction(+ : sum)
            for (int64_t j = 0; j < pixels; j++) {
                double d = x[i * pixels + j] * count - sums[c * pixels + j];
                sum += d * d;
            }
            sum /= count * count;
            if (c == 0 || sum < least) out[i] = c, least = sum;
        }
    }
}
"""
# 512 bits at a time would leave 16 of 784 bytes, to be added one by one.
WIDTH = "-mprefer-vector-width=256" if platform.machine() == "x86_64" else ""
COMMAND = f"cc -O3 -march=native {WIDTH} -funroll-loops -fopenmp -shared -fPIC -xc - -o"
FFI, WHY_NOT = cffi.FFI(), None
FFI.cdef("".join(line.replace(" {", ";") for line in SOURCE.splitlines() if line.startswith("void ")))
with tempfile.TemporaryDirectory() as folder:  # its own, so that processes may compile at once; a loaded library stays
    command = [*COMMAND.split(), f"{folder}/c_bytes.so"]
    try:
        subprocess.run(command, input=SOURCE.encode(), capture_output=True, check=True)
        LIBRARY = FFI.dlopen(command[-1])
    except (OSError, subprocess.CalledProcessError) as error:
        WHY_NOT = f"no C compiler that works as cc, with OpenMP: install gcc or clang ({error})"


def unavailable(device):
    return WHY_NOT


def prepare(images, device):
    return images.copy()


def pointer(kind, array):
    return FFI.from_buffer(kind, np.ascontiguousarray(array))


def mean_images(stacks):
    counts = FFI.new("int64_t[]", [len(stack) for stack in stacks])
    sums = np.zeros((len(stacks), *stacks[0].shape[1:]), np.int64)
    pixels = [pointer("uint8_t[]", stack) for stack in stacks]
    LIBRARY.add(FFI.new("uint8_t*[]", pixels), counts, len(pixels), sums[0].size, pointer("int64_t[]", sums))
    return counts, sums


def predict(nearest, images, means):
    counts, sums = means
    labels = np.empty(len(images), np.int64)
    totals = counts, pointer("int64_t[]", sums), len(sums), sums[0].size
    nearest(pointer("uint8_t[]", images), len(images), *totals, pointer("int64_t[]", labels))
    return labels


def predict_l1(images, means):
    return predict(LIBRARY.nearest_l1, images, means)


def predict_l2(images, means):
    return predict(LIBRARY.nearest_l2, images, means)


def to_host(means):
    counts, sums = means
    return sums / (255 * np.array(list(counts))[:, None, None])
