"""Bytes in Triton: every pixel is read once, as a byte, and only the labels are written.

After torch_compiled: a quarter as much is read, in whole numbers, so that nothing is rounded; differences, their sums
and the smallest of them stay in registers, from the first pixel to the label.
The mean S / n of a class stays two whole numbers. An image's distance to it is sum |x n - S| / n, compared as whole
part and remainder; 32 bits hold the sum where 255 n times the pixels is below 2^31, as on MNIST_SAMPLE, else 64. The
L2 distance is computed in double precision.
Temporaries: S, 8 bytes per class and pixel. Source: Triton's tutorials, "Fused Softmax".
"""

import shutil
import sysconfig
from pathlib import Path

import torch
import triton
import triton.language as tl

DEVICES = ("cuda",)


def unavailable(device):
    if device == "cuda" and not torch.cuda.is_available():
        return "torch sees no CUDA device"
    if not (shutil.which("gcc") or shutil.which("clang")):
        return "no C compiler (gcc or clang), which Triton needs to launch anything"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "Python.h is missing, which Triton needs to launch anything"


def prepare(images, device):
    return torch.from_dlpack(images).to(device)


@triton.jit
def add(images, n, pixels, sums, ROWS: tl.constexpr, PIXELS: tl.constexpr):
    pixel = tl.arange(0, PIXELS)
    total = tl.zeros([PIXELS], tl.int32)
    for start in range(tl.program_id(0) * ROWS, n, tl.num_programs(0) * ROWS):
        row = start + tl.arange(0, ROWS).to(tl.int64)
        there = (row < n)[:, None] & (pixel < pixels)
        total += tl.sum(tl.load(images + row[:, None] * pixels + pixel, there, 0).to(tl.int32), 0)
    tl.atomic_add(sums + pixel, total.to(tl.int64), pixel < pixels)


@triton.jit
def nearest(images, n, pixels, classes, counts, sums, labels, kind: tl.constexpr, ROWS: tl.constexpr,
            PIXELS: tl.constexpr):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    pixel = tl.arange(0, PIXELS)
    x = tl.load(images + row[:, None] * pixels + pixel, (row < n)[:, None] & (pixel < pixels), 0)
    best, best_n = tl.zeros([ROWS], tl.int32), tl.full([ROWS], 1, tl.int64)
    whole, rest = tl.full([ROWS], float("inf"), tl.float64), tl.zeros([ROWS], tl.int64)
    for c in range(classes):
        count = tl.load(counts + c)
        s = tl.load(sums + c * pixels + pixel, pixel < pixels, 0)
        if kind == tl.float64:  # the L2 distance
            d = x.to(tl.float64) * count - s
            its_whole, its_rest = tl.sum(d * d, 1) / (count * count).to(kind), tl.zeros([ROWS], tl.int64)
        else:
            total = tl.sum(tl.abs(x.to(kind) * count.to(kind) - s.to(kind)), 1).to(tl.int64)
            its_whole, its_rest = (total // count).to(tl.float64), total % count  # whole numbers below 2^53
        nearer = (its_whole < whole) | ((its_whole == whole) & (its_rest * best_n < rest * count))
        best, best_n = tl.where(nearer, c, best), tl.where(nearer, count, best_n)
        whole, rest = tl.where(nearer, its_whole, whole), tl.where(nearer, its_rest, rest)
    tl.store(labels + row, best, row < n)


def block(pixels):  # whole images at a time, each padded to a power of two of pixels
    power = triton.next_power_of_2(pixels)
    return {"ROWS": max(16384 // power, 1), "PIXELS": power, "num_warps": 16}


def mean_images(stacks):
    pixels = stacks[0][0].numel()
    counts = torch.tensor([len(stack) for stack in stacks], device=stacks[0].device)
    sums = torch.zeros((len(stacks), *stacks[0].shape[1:]), dtype=torch.int64, device=stacks[0].device)
    for stack, total in zip(stacks, sums):
        add[(min(triton.cdiv(len(stack), 16), 1024),)](stack.contiguous(), len(stack), pixels, total, **block(pixels))
    return counts, sums, max(map(len, stacks))


def predict(images, means, kind):
    counts, sums, _ = means
    pixels = sums[0].numel()
    labels = torch.empty(len(images), dtype=torch.uint8 if len(sums) <= 256 else torch.int32, device=images.device)
    shape = block(pixels)
    programs = triton.cdiv(len(images), shape["ROWS"])
    nearest[(programs,)](images.contiguous(), len(images), pixels, len(sums), counts, sums, labels, kind=kind, **shape)
    host = torch.empty_like(labels, device="cpu", pin_memory=labels.is_cuda)  # page-locked, and new for each call
    return host.copy_(labels).numpy()


def predict_l1(images, means):
    most = 255 * means[2] * means[1][0].numel()
    return predict(images, means, tl.int32 if most < 2**31 else tl.int64)


def predict_l2(images, means):
    return predict(images, means, tl.float64)


def to_host(means):
    counts, sums, _ = means
    return (sums.double() / (255 * counts[:, None, None])).cpu().numpy()
