"""Bytes in C: differences of bytes prove which mean image is nearest, and exact fractions decide where they cannot.

The exact mean is S / n; let r be a byte image near it. The sum of |x - r| is off from that of |x - S/n| by at most the
sum of |r - S/n|, which is the class's own: its `slack`, rounded up. A byte distance below all others by more than both
slacks is that of the nearest mean; the other images (23 of 2,038 on MNIST_SAMPLE) compare the fractions
sum |x n - S| / n. The slack is exact for every r, so the float that rounds r decides nothing. L2 rounds means to 1/8192
of a grey level: distances are off by 2.4e-7 of full scale at most, up to 2^21 pixels an image.
Temporaries: per thread 8 bytes a pixel, and the sums, 8 bytes a class and pixel; r, a byte a class and pixel.
Source: C11 with OpenMP, compiled for this CPU when first imported; cffi's documentation, "ABI mode".
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import cffi
import numpy as np
import platformdirs

SOURCE = r"""
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#else
#define omp_get_max_threads() 1
#endif
typedef unsigned __int128 uint128_t;
typedef uint16_t __attribute__((aligned(1), may_alias)) pair;  // two pixels, wherever they lie

// Adds up to 480 images, two pixels at a time: both = low + 256 high, modulo 2^16. Two images side by side make a row;
// four rows are added at a time, and the images left over one by one. No sum has more bytes than the 257 that fit.
static void add_block(const uint8_t *x, size_t images, size_t pixels, uint64_t *restrict sums, uint16_t *both) {
    uint16_t *high = both + pixels, *row = high + pixels;
    size_t i = 0;
    memset(both, 0, 2 * pixels * sizeof *both);
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
    for (size_t j = 0; j < pixels; j++) sums[j] += (uint32_t)row[j] + row[pixels + j];
}

void add(uint8_t **stacks, size_t *n, size_t classes, size_t pixels, uint64_t *sums) {
    size_t threads = omp_get_max_threads(), size = classes * pixels;
    uint64_t *parts = malloc(threads * size * sizeof *parts);
    #pragma omp parallel for schedule(static, 1)
    for (size_t t = 0; t < threads; t++) {
        uint64_t *part = memset(parts + t * size, 0, size * sizeof *parts);
        uint16_t *scratch = aligned_alloc(64, (4 * pixels * sizeof *scratch / 64 + 1) * 64);
        for (size_t c = 0; c < classes; c++)
            for (size_t i = n[c] * t / threads, end = n[c] * (t + 1) / threads; i < end; i += 480)
                add_block(stacks[c] + i * pixels, end - i < 480 ? end - i : 480, pixels, part + c * pixels, scratch);
        free(scratch);
    }
    for (size_t t = 0; t < threads; t++)
        for (size_t j = 0; j < size; j++) sums[j] += parts[t * size + j];
    free(parts);
}
static uint64_t byte_distance(const uint8_t *x, const uint8_t *r, size_t pixels) {
    const size_t most = 1 << 24;  // so that 32 bits hold the sum, and compilers take their instruction for it (psadbw)
    if (pixels > most) return byte_distance(x, r, most) + byte_distance(x + most, r + most, pixels - most);
    uint32_t sum = 0;
    for (size_t j = 0; j < pixels; j++) sum += abs(x[j] - r[j]);
    return sum;
}

static uint64_t exact_distance(const uint8_t *x, uint64_t n, const uint64_t *s, size_t pixels) {
    uint64_t sum = 0;
    for (size_t j = 0; j < pixels; j++) sum += llabs((int64_t)(x[j] * n) - (int64_t)s[j]);
    return sum;
}

static size_t nearest_exactly(const uint8_t *x, size_t pixels, size_t *n, uint64_t *sums, size_t classes) {
    size_t best = 0;
    uint64_t least = exact_distance(x, n[0], sums, pixels);
    for (size_t c = 1; c < classes; c++) {
        uint64_t distance = exact_distance(x, n[c], sums + c * pixels, pixels);
        if ((uint128_t)distance * n[best] < (uint128_t)least * n[c]) best = c, least = distance;
    }
    return best;
}

void nearest_l1(uint8_t *x, size_t images, size_t pixels, size_t *n, uint64_t *sums, size_t classes, int32_t *labels) {
    uint8_t *r = malloc(classes * pixels);
    int64_t *slack = malloc(classes * sizeof *slack);
    for (size_t c = 0; c < classes; c++) {
        float scale = 1.0f / n[c];
        for (size_t j = c * pixels; j < (c + 1) * pixels; j++) r[j] = sums[j] * scale + 0.5f;
        slack[c] = (exact_distance(r + c * pixels, n[c], sums + c * pixels, pixels) + n[c] - 1) / n[c];
    }
    #pragma omp parallel for
    for (size_t i = 0; i < images; i++) {
        const uint8_t *y = x + i * pixels;
        int64_t least = INT64_MAX, second = INT64_MAX;  // the two lowest of the lower bounds
        size_t best = 0;
        for (size_t j = 0; j < pixels; j += 64) __builtin_prefetch(y + 2 * pixels + j);  // the image after the next
        for (size_t c = 0; c < classes; c++) {  // conditional values, no jumps: which class is nearer is a toss-up
            int64_t low = byte_distance(y, r + c * pixels, pixels) - slack[c], other = low < least ? least : low;
            second = other < second ? other : second;
            best = low < least ? c : best;
            least = low < least ? low : least;
        }
        labels[i] = least + 2 * slack[best] < second ? best : nearest_exactly(y, pixels, n, sums, classes);
    }
    free(r);
    free(slack);
}

void nearest_l2(uint8_t *x, size_t images, size_t pixels, size_t *n, uint64_t *sums, size_t classes, int32_t *labels) {
    int32_t *means = malloc(classes * pixels * sizeof *means);  // in 1/8192 of a grey level
    for (size_t c = 0; c < classes; c++)
        for (size_t j = c * pixels; j < (c + 1) * pixels; j++) means[j] = sums[j] * 8192.0 / n[c] + 0.5;
    #pragma omp parallel for
    for (size_t i = 0; i < images; i++) {
        uint64_t least = UINT64_MAX;
        size_t best = 0;
        for (size_t c = 0; c < classes; c++) {
            uint64_t sum = 0;
            for (size_t j = 0; j < pixels; j++) {
                int32_t difference = x[i * pixels + j] * 8192 - means[c * pixels + j];
                sum += (int64_t)difference * difference;
            }
            best = sum < least ? c : best;
            least = sum < least ? sum : least;
        }
        labels[i] = best;
    }
    free(means);
}
"""
FFI = cffi.FFI()
FFI.cdef("".join(f"{signature};" for signature in re.findall(r"^void .*\)", SOURCE, re.MULTILINE)))
FLAGS = (  # the first that compile; 512 bits at a time would leave 16 of 784 bytes to be done one by one
    "-O3 -march=native -funroll-loops -fopenmp -mprefer-vector-width=256",
    "-O3 -march=native -funroll-loops -fopenmp",
    "-O3 -march=native",
    "-O3",
)


def build():
    """Return the library and None, compiled unless the cache folder has it for this source and CPU; or None and why."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if not compiler:
        return None, "no C compiler (cc, gcc or clang): install one"
    cache = Path(platformdirs.user_cache_dir("loops-vs-broadcasting"))
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for flags in FLAGS:
            command = [compiler, *flags.split(), "-xc", "-"]
            target = subprocess.run([*command, "-dM", "-E"], input=b"", capture_output=True, check=False).stdout
            key = hashlib.sha256(f"{SOURCE}{flags}".encode() + target).hexdigest()[:16]
            library, mine = cache / f"c_bytes-{key}.so", cache / f"c_bytes-{key}-{os.getpid()}.so"
            if not library.exists():
                command += ["-shared", "-fPIC", "-o", str(mine)]
                made = subprocess.run(command, input=SOURCE.encode(), capture_output=True, check=False)
                if made.returncode:
                    continue
                os.replace(mine, library)  # in one step: other processes may be at it too
            return FFI.dlopen(str(library)), None
    except OSError as error:
        return None, f"cannot keep or load its library ({error}): make {cache} a folder that is yours"
    return (
        None,
        f"{compiler} does not compile it; install gcc or clang with its headers: {made.stderr.decode().strip()[:300]}",
    )


LIBRARY, WHY_NOT = build()


def unavailable(device):
    return WHY_NOT


def prepare(images, device):
    roomy = np.empty(images.size + 63, np.uint8)
    stack = roomy[-roomy.ctypes.data % 64 :][: images.size].reshape(images.shape)  # from a cache line on
    stack[:] = images
    return stack


def pointer(kind, array):
    return FFI.from_buffer(kind, np.ascontiguousarray(array))


def mean_images(stacks):
    counts = FFI.new("size_t[]", [len(stack) for stack in stacks])
    sums = np.zeros((len(stacks), *stacks[0].shape[1:]), np.uint64)
    pointers = [pointer("uint8_t[]", stack) for stack in stacks]
    LIBRARY.add(FFI.new("uint8_t*[]", pointers), counts, len(stacks), sums[0].size, pointer("uint64_t[]", sums))
    return counts, sums


def predict(nearest, images, means):
    counts, sums = means
    labels = np.empty(len(images), np.int32)
    given, asked = (pointer("uint8_t[]", images), len(images), sums[0].size), pointer("int32_t[]", labels)
    nearest(*given, counts, pointer("uint64_t[]", sums), len(sums), asked)
    return labels


def predict_l1(images, means):
    return predict(LIBRARY.nearest_l1, images, means)


def predict_l2(images, means):
    return predict(LIBRARY.nearest_l2, images, means)


def to_host(means):
    counts, sums = means
    return sums / (255 * np.array(list(counts)))[:, None, None]
