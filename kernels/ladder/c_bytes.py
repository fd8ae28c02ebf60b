"""Bytes in C, read ahead: the processor fetches what it needs next while it still adds what is there.

After numba_bytes: memory is asked for 2,048 bytes in advance, so fewer additions wait for it.
The exact mean is S / n; r is that, rounded to a byte. The sum of |x - r| differs from that of |x - S/n| by at most
the sum of |r - S/n|. Classes no further apart than these sums of all classes (23 of 2,038 images on MNIST_SAMPLE) are
compared by the fractions sum |x n - S| / n, so rounding decides no label. L2 is a matrix product in double precision.
Temporaries: r, a byte per class and pixel; per thread 2 bytes per pixel.
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
#include <string.h>
#define READ_AHEAD(y) for (int64_t j = 0; j < pixels; j += 64) __builtin_prefetch(y + j + 2048)
void add(uint8_t **x, int64_t *n, int64_t classes, int64_t pixels, int64_t *sums) {
    int64_t size = (pixels + 31) / 32 * 64;
    #pragma omp parallel
    for (int64_t c = 0; c < classes; c++)
        #pragma omp for schedule(dynamic) nowait
        for (int64_t start = 0; start < n[c]; start += 257) {  // images: so many white pixels fit 16 bits
            uint16_t *block = memset(aligned_alloc(64, size), 0, size);
            for (int64_t i = start; i < start + 257 && i < n[c]; i++) {
                const uint8_t *y = x[c] + i * pixels;
                READ_AHEAD(y);
                for (int64_t j = 0; j < pixels; j++) block[j] += y[j];
            }
            #pragma omp critical
            for (int64_t j = 0; j < pixels; j++) sums[c * pixels + j] += block[j];
            free(block);
        }
}
static int64_t exact_distance(const uint8_t *x, int64_t n, const int64_t *s, int64_t pixels) {
    int64_t sum = 0;
    for (int64_t j = 0; j < pixels; j++) sum += llabs(x[j] * n - s[j]);
    return sum;  // n times the distance from s / n
}
static int64_t byte_distance(const uint8_t *x, const uint8_t *r, int64_t pixels) {
    uint32_t sum = 0;  // 32 bits, for which compilers take the processor's own instruction (psadbw)
    for (int64_t j = 0; j < pixels; j++) sum += abs(x[j] - r[j]);
    return sum;
}
void nearest_l1(uint8_t *x, int64_t images, int64_t *n, int64_t *sums, int64_t classes, int64_t pixels, int64_t *out) {
    uint8_t *r = malloc(classes * pixels);
    double slack = pixels >> 24 ? INFINITY : 1;  // where 32 bits may not do, every call is close
    for (int64_t c = 0; c < classes; c++)
        for (int64_t j = c * pixels; j < (c + 1) * pixels; j++)
            r[j] = (double)sums[j] / n[c] + 0.5, slack += fabs(r[j] - (double)sums[j] / n[c]);
    #pragma omp parallel for schedule(dynamic, 128)  // images: close calls are not evenly spread
    for (int64_t i = 0; i < images; i++) {
        const uint8_t *y = x + i * pixels;
        READ_AHEAD(y);
        int64_t best = 0, least = byte_distance(y, r, pixels);
        for (int64_t c = 1; c < classes; c++) {
            int64_t distance = byte_distance(y, r + c * pixels, pixels), nearer = distance < least;
            if (llabs(distance - least) <= slack)
                nearer = (__int128)exact_distance(y, n[c], sums + c * pixels, pixels) * n[best]
                       < (__int128)exact_distance(y, n[best], sums + best * pixels, pixels) * n[c];
            if (nearer) best = c, least = distance;
        }
        out[i] = best;
    }
    free(r);
}
"""
WIDTH = "-mprefer-vector-width=256" if platform.machine() == "x86_64" else ""  # 512 would leave 16 of 784 bytes
COMMAND = f"cc -O3 -march=native {WIDTH} -funroll-loops -fopenmp -shared -fPIC -xc - -o"
FFI, WHY_NOT = cffi.FFI(), None
FFI.cdef("".join(line.replace(" {", ";") for line in SOURCE.splitlines() if line.startswith("void ")))
with tempfile.TemporaryDirectory() as folder:  # its own, so that processes may compile at once
    try:
        command = [*COMMAND.split(), f"{folder}/c_bytes.so"]
        subprocess.run(command, input=SOURCE.encode(), capture_output=True, check=True)
        LIBRARY = FFI.dlopen(command[-1], FFI.RTLD_NODELETE)  # its threads need it until the process has ended
    except (OSError, subprocess.CalledProcessError):
        WHY_NOT = "no C compiler that works as cc, with OpenMP: install gcc or clang"


def unavailable(device):
    return WHY_NOT


def prepare(images, device):
    return images.copy()


def mean_images(stacks):
    counts, sums = FFI.new("int64_t[]", [*map(len, stacks)]), np.zeros((len(stacks), *stacks[0].shape[1:]), np.int64)
    pixels = [FFI.from_buffer("uint8_t[]", np.ascontiguousarray(stack)) for stack in stacks]
    LIBRARY.add(FFI.new("uint8_t*[]", pixels), counts, len(stacks), sums[0].size, FFI.from_buffer("int64_t[]", sums))
    return counts, sums


def predict_l1(images, means):
    (counts, sums), labels = means, np.empty(len(images), np.int64)
    arrays = np.ascontiguousarray(images), sums, labels
    pixels, totals, out = (FFI.from_buffer(f"{array.dtype}_t[]", array) for array in arrays)
    LIBRARY.nearest_l1(pixels, len(images), counts, totals, len(sums), sums[0].size, out)
    return labels


def predict_l2(images, means):
    centres = (to_host(means) * 255).reshape(len(means[1]), -1)
    parts = (images[start : start + 1024].reshape(-1, centres.shape[1]) for start in range(0, len(images), 1024))
    return np.concatenate([((centres**2).sum(1) - 2 * (part @ centres.T)).argmin(1) for part in parts])


def to_host(means):
    counts, sums = means
    return sums / (255 * np.array([*counts])[:, None, None])
