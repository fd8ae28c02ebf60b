"""Bytes in C: differences of bytes tell which mean image is nearest, and exact fractions decide the close calls.

After numba_bytes: images are summed several in one pass, two pixels to a number.
The exact mean is S / n; let r be that, rounded to a byte. The sum of |x - r| is off from that of |x - S/n| by at most
`slack`, the sum of |r - S/n|. Classes less than two slacks apart (23 of 2,038 images on MNIST_SAMPLE) are compared by
the fractions sum |x n - S| / n. The slack is exact for every r, so the rounding decides nothing. L2 counts in
double precision. Temporaries: r, a byte a class and pixel; per thread 8 bytes a class and pixel, and 8 a pixel.
Source: C11 with OpenMP, compiled for this CPU when imported (a quarter of a second); cffi's documentation, "ABI mode".
"""

import subprocess
import tempfile

import cffi
import numpy as np

SOURCE = r"""
#include <stdint.h>
#include <stdlib.h>
typedef uint16_t __attribute__((aligned(1), may_alias)) pair;  // two pixels, wherever they lie

// Adds up to 480 images, two pixels at a time: both = low + 256 high, modulo 2^16. Two images side by side make a row;
// four rows are added at a time, and the images left over one by one. No sum has more bytes than the 257 that fit.
static void add_block(const uint8_t *x, size_t images, size_t pixels, int64_t *sums) {
    uint16_t *both = calloc(4 * pixels, sizeof *both), *high = both + pixels, *row = high + pixels;
    size_t i = 0;
    for (; i + 8 <= images; i += 8)
        for (size_t j = 0; j < pixels; j++) {
            const pair *y = (const pair *)(x + i * pixels) + j;
            uint16_t a = y[0], b = y[pixels], c = y[2 * pixels], d = y[3 * pixels];
            both[j] += a + b + c + d;
            high[j] += (a >> 8) + (b >> 8) + (c >> 8) + (d >> 8);
        }
    for (size_t j = 0; j < pixels; j++) {
        row[2 * j] = both[j] - (high[j] << 8);
        row[2 * j + 1] = high[j];
    }
    for (; i < images; i++)
        for (size_t j = 0; j < pixels; j++) row[j] += x[i * pixels + j];
    for (size_t j = 0; j < pixels; j++) sums[j] += row[j] + row[pixels + j];
    free(both);
}

void add(uint8_t **x, int64_t *n, size_t classes, size_t pixels, int64_t *sums) {
    #pragma omp parallel
    {
        int64_t *mine = calloc(classes * pixels, sizeof *mine);
        for (size_t c = 0; c < classes; c++)
            #pragma omp for schedule(dynamic) nowait
            for (int64_t i = 0; i < n[c]; i += 480)
                add_block(x[c] + i * pixels, n[c] - i < 480 ? n[c] - i : 480, pixels, mine + c * pixels);
        #pragma omp critical
        for (size_t j = 0; j < classes * pixels; j++) sums[j] += mine[j];
        free(mine);
    }
}

static uint32_t byte_distance(const uint8_t *x, const uint8_t *r, size_t pixels) {
    uint32_t sum = 0;  // 32 bits, for which compilers take the processor's own instruction (psadbw)
    for (size_t j = 0; j < pixels; j++) sum += abs(x[j] - r[j]);
    return sum;
}

static int64_t exact_distance(const uint8_t *x, int64_t n, const int64_t *s, size_t pixels) {
    int64_t sum = 0;
    for (size_t j = 0; j < pixels; j++) sum += llabs(x[j] * n - s[j]);
    return sum;
}

static size_t nearest_exactly(const uint8_t *x, size_t pixels, int64_t *n, int64_t *sums, size_t classes) {
    size_t best = 0;
    __int128 least = exact_distance(x, n[0], sums, pixels);
    for (size_t c = 1; c < classes; c++) {
        __int128 distance = exact_distance(x, n[c], sums + c * pixels, pixels);
        if (distance * n[best] < least * n[c]) best = c, least = distance;
    }
    return best;
}

void nearest_l1(uint8_t *x, size_t images, size_t pixels, int64_t *n, int64_t *sums, size_t classes, int64_t *labels) {
    uint8_t *r = malloc(classes * pixels);
    int64_t slack = 0;
    for (size_t c = 0; c < classes; c++) {
        for (size_t j = c * pixels; j < (c + 1) * pixels; j++) r[j] = (double)sums[j] / n[c] + 0.5;
        int64_t own = exact_distance(r + c * pixels, n[c], sums + c * pixels, pixels) / n[c] + 1;
        slack = own > slack ? own : slack;
    }
    #pragma omp parallel for
    for (size_t i = 0; i < images; i++) {
        const uint8_t *y = x + i * pixels;
        int64_t least = INT64_MAX, second = INT64_MAX;
        size_t best = 0;
        for (size_t c = 0; c < classes; c++) {  // conditional values, no jumps: which class is nearer is a toss-up
            int64_t distance = byte_distance(y, r + c * pixels, pixels), other = distance < least ? least : distance;
            second = other < second ? other : second;
            best = distance < least ? c : best;
            least = distance < least ? distance : least;
        }
        int close = second - least <= 2 * slack || pixels >> 24;  // from 2^24 pixels on, 32 bits may not do
        labels[i] = close ? nearest_exactly(y, pixels, n, sums, classes) : best;
    }
    free(r);
}

void nearest_l2(uint8_t *x, size_t images, size_t pixels, int64_t *n, int64_t *sums, size_t classes, int64_t *labels) {
    #pragma omp parallel for
    for (size_t i = 0; i < images; i++) {
        double least = 0;
        for (size_t c = 0; c < classes; c++) {
            double sum = 0, count = n[c];
            #pragma omp simd reduction(+:sum)
            for (size_t j = 0; j < pixels; j++) {
                double d = x[i * pixels + j] * count - sums[c * pixels + j];
                sum += d * d;
            }
            sum /= count * count;
            if (c == 0 || sum < least) labels[i] = c, least = sum;
        }
    }
}
"""
FLAGS = (  # the first that work; 512 bits at a time would leave 16 of 784 bytes to be done one by one
    "-O3 -march=native -funroll-loops -fopenmp -mprefer-vector-width=256",
    "-O3 -march=native -fopenmp",
    "-O3",
)
FFI = cffi.FFI()
FFI.cdef("".join(line.replace(" {", ";") for line in SOURCE.splitlines() if line.startswith("void ")))


def build():
    with tempfile.TemporaryDirectory() as folder:  # its own, so processes may build at once; what is loaded stays
        for flags in FLAGS:
            command = ["cc", *flags.split(), "-shared", "-fPIC", "-xc", "-", "-o", f"{folder}/c_bytes.so"]
            try:
                subprocess.run(command, input=SOURCE.encode(), capture_output=True, check=True)
                return FFI.dlopen(command[-1]), None
            except (OSError, subprocess.CalledProcessError) as error:
                why_not = f"no C compiler that works as cc: install gcc or clang ({error})"
    return None, why_not


LIBRARY, WHY_NOT = build()


def unavailable(device):
    return WHY_NOT


def prepare(images, device):
    return images.copy()


def pointer(kind, array):
    return FFI.from_buffer(kind, np.ascontiguousarray(array))


def mean_images(stacks):
    counts = np.array([len(stack) for stack in stacks], np.int64)
    sums = np.zeros((len(stacks), *stacks[0].shape[1:]), np.int64)
    pixels = [pointer("uint8_t[]", stack) for stack in stacks]
    totals = len(sums), sums[0].size, pointer("int64_t[]", sums)
    LIBRARY.add(FFI.new("uint8_t*[]", pixels), pointer("int64_t[]", counts), *totals)
    return counts, sums


def predict(nearest, images, means):
    labels = np.empty(len(images), np.int64)
    counts, sums, answer = (pointer("int64_t[]", array) for array in (*means, labels))
    nearest(pointer("uint8_t[]", images), len(images), means[1][0].size, counts, sums, len(means[0]), answer)
    return labels


def predict_l1(images, means):
    return predict(LIBRARY.nearest_l1, images, means)


def predict_l2(images, means):
    return predict(LIBRARY.nearest_l2, images, means)


def to_host(means):
    counts, sums = means
    return sums / (255 * counts[:, None, None])
