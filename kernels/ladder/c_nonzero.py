"""Zeros left out: of an image the bytes that are not zero, and a bit per pixel that says where they belong.

After c_bytes: four of five pixels of MNIST are zero, so a third of the bytes is read, and blocks of zeros are skipped.
Every 832 pixels, column by column as digits are taller than wide, become 13 masks of 64 bits and the other bytes; an
instruction expands 64 pixels. Their column sums stay in registers, as 16-bit sums of even and of odd pixels.
Close calls are those of `c_bytes`. It offers no L2.
Temporaries: r, a byte per class and pixel. A dense image takes 14 % more bytes than it has pixels.
Source: Intel Intrinsics Guide, VPEXPANDB (AVX-512 VBMI2); an image of MNIST_SAMPLE takes 259 bytes instead of 784.
"""

import subprocess
import tempfile

import cffi
import numpy as np

COMMAND = "cc -O3 -march=native -fopenmp -shared -fPIC -xc - -o"
SOURCE = r"""
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#ifndef __AVX512VBMI2__
#error "this processor has no AVX-512 VBMI2"
#endif
typedef uint64_t __attribute__((aligned(1), may_alias)) mask;
typedef uint16_t __attribute__((vector_size(64))) pairs;  // 64 pixels, an even and an odd one in each number
#define EACH_BLOCK _Pragma("GCC unroll 13") for (int b = 0; b < 13; b++)

static inline pairs expand(mask m, const uint8_t **bytes) {  // zeroes first: Zen 4 waits for what it replaces
    __m512i x, next = _mm512_loadu_si512(*bytes);
    __asm__("vpxord %0, %0, %0; vpexpandb %1, %0%{%2%}" : "=&v"(x) : "v"(next), "Yk"((__mmask64)m));
    *bytes += __builtin_popcountll(m);
    return (pairs)x;
}
static inline void decode(const mask *strip, pairs *pixels) {
    const uint8_t *bytes = (uint8_t *)(strip + 13);
    EACH_BLOCK pixels[b] = strip[b] ? expand(strip[b], &bytes) : (pairs){0};
}
void add(mask ***x, int64_t *n, int64_t classes, int64_t strips, int64_t *sums) {
    #pragma omp parallel
    for (int64_t c = 0; c < classes; c++)
        #pragma omp for schedule(dynamic) nowait
        for (int64_t k = 0; k < (n[c] + 256) / 257 * strips; k++) {  // 257 images: so many white pixels fit 16 bits
            pairs even[13] = {0}, odd[13] = {0};
            for (int64_t i = k / strips * 257, stop = i + 257 < n[c] ? i + 257 : n[c]; i < stop; i++) {
                const mask *strip = x[c][i * strips + k % strips];
                const uint8_t *bytes = (uint8_t *)(strip + 13);
                EACH_BLOCK if (strip[b]) {
                    pairs both = expand(strip[b], &bytes);
                    even[b] += both & 255, odd[b] += both >> 8;
                    __asm__("" : "+v"(even[b]), "+v"(odd[b]));  // or some would be moved to memory
                }
            }
            #pragma omp critical
            EACH_BLOCK {
                pairs low = even[b], high = odd[b];
                int64_t *sum = sums + (c * strips + k % strips) * 832 + 64 * b;
                for (int j = 0; j < 32; j++) sum[2 * j] += low[j], sum[2 * j + 1] += high[j];
            }
        }
}
static int nearer(mask **x, const int64_t *s, int64_t n, const int64_t *t, int64_t m, int64_t strips) {
    int64_t a = 0, b = 0;  // n and m times the distances from s / n and t / m
    for (int64_t k = 0; k < strips; k++) {
        uint8_t y[832] __attribute__((aligned(64)));
        decode(x[k], (pairs *)y);
        for (int j = 0; j < 832; j++) a += llabs(y[j] * n - s[832 * k + j]), b += llabs(y[j] * m - t[832 * k + j]);
    }
    return (__int128)a * m < (__int128)b * n;
}
void nearest_l1(mask **x, int64_t images, int64_t *n, int64_t *sums, int64_t classes, int64_t strips, int64_t *out) {
    int64_t pixels = 832 * strips;
    uint8_t *r = aligned_alloc(64, classes * pixels);
    double slack = 1;
    for (int64_t c = 0; c < classes; c++)
        for (int64_t j = c * pixels; j < (c + 1) * pixels; j++)
            r[j] = (double)sums[j] / n[c] + 0.5, slack += fabs(r[j] - (double)sums[j] / n[c]);
    #pragma omp parallel for schedule(dynamic, 128)
    for (int64_t i = 0; i < images; i++) {
        int64_t best = 0, distance[classes];
        for (int64_t s = 0; s < strips; s++) {
            pairs image[13];
            decode(x[i * strips + s], image);
            for (int64_t c = 0; c < classes; c++) {
                __m512i sum = _mm512_setzero_si512(), *mean = (__m512i *)(r + c * pixels + 832 * s);
                EACH_BLOCK sum += _mm512_sad_epu8((__m512i)image[b], mean[b]);
                distance[c] = (s ? distance[c] : 0) + _mm512_reduce_add_epi64(sum);
            }
        }
        for (int64_t c = 1; c < classes; c++) {
            int64_t further = distance[c] - distance[best], *s = sums + c * pixels, *t = sums + best * pixels;
            if (llabs(further) <= slack) further = -nearer(x + i * strips, s, n[c], t, n[best], strips);
            best = further < 0 ? c : best;
        }
        out[i] = best;
    }
    free(r);
}
"""
FFI, WHY_NOT = cffi.FFI(), None
lines = [line.replace(" {", ";") for line in SOURCE.splitlines() if line.startswith("void ")]
FFI.cdef("typedef uint64_t mask;" + "".join(lines))
with tempfile.TemporaryDirectory() as folder:
    command = [*COMMAND.split(), f"{folder}/c_nonzero.so"]
    try:
        subprocess.run(command, input=SOURCE, capture_output=True, check=True, text=True)
        LIBRARY = FFI.dlopen(command[-1], FFI.RTLD_NODELETE)  # as in c_bytes
    except (OSError, subprocess.CalledProcessError):
        WHY_NOT = "no processor with AVX-512 VBMI2, or no C compiler that works as cc, with OpenMP"


def unavailable(device):
    return WHY_NOT


class Stack:
    def __init__(self, encoded, starts, shape):
        self.encoded, self.starts, self.shape = encoded, starts, shape  # starts: addresses in encoded, (n, strips)

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, window):
        return Stack(self.encoded, np.ascontiguousarray(self.starts[window]), self.shape)


def prepare(images, device):
    n, height, width = images.shape
    pixels = np.zeros((n, -(-height * width // 832), 832), np.uint8)
    pixels.reshape(n, -1)[:, : height * width] = images.transpose(0, 2, 1).reshape(n, -1)
    strips = np.concatenate([np.packbits(pixels != 0, 2, "little"), pixels], 2)
    kept = strips != 0
    kept[..., :104] = True  # the masks
    lengths = kept.sum(2)
    encoded = np.append(strips[kept], np.zeros(64, np.uint8))  # of which 64 bytes are read at a time
    return Stack(encoded, np.cumsum(lengths).reshape(lengths.shape) - lengths + encoded.ctypes.data, (height, width))


def mean_images(stacks):
    counts, strips = FFI.new("int64_t[]", [*map(len, stacks)]), stacks[0].starts.shape[1]
    sums = np.zeros((len(stacks), 832 * strips), np.int64)
    starts = [FFI.from_buffer("mask*[]", stack.starts) for stack in stacks]
    LIBRARY.add(FFI.new("mask**[]", starts), counts, len(stacks), strips, FFI.from_buffer("int64_t[]", sums))
    return counts, sums, stacks[0].shape


def predict_l1(images, means):
    (counts, sums, _), (n, strips) = means, images.starts.shape
    labels = np.empty(n, np.int64)
    totals, out = (FFI.from_buffer("int64_t[]", array) for array in (sums, labels))
    LIBRARY.nearest_l1(FFI.from_buffer("mask*[]", images.starts), n, counts, totals, len(sums), strips, out)
    return labels


def to_host(means):
    counts, sums, (height, width) = means
    columns = sums[:, : height * width].reshape(-1, width, height)
    return columns.transpose(0, 2, 1) / (255 * np.array([*counts])[:, None, None])
