"""Bytes in Triton: every pixel is read once, four in a word, and only the labels are written.

After torch_compiled: a quarter as much is read, in whole numbers, so that nothing is rounded; one instruction
(vabsdiff4) adds four byte differences, and their sums stay in registers from the first pixel to the label. Each of the
two steps is one replayed graph, as in torch_graph, and labels are written straight into page-locked host memory.
r is the mean S / n rounded to a byte. The sum of |x - r| differs from that of |x - S/n| by at most `slack`, the sum of
|r - S/n|. Where classes are no more than two slacks apart, the fractions sum |x n - S| / n are compared, as whole part
and remainder; 32 bits hold the sum where 255 n times the pixels is below 2^31, else 64. Images whose pixels are no
multiple of four, or over 4,096, are all compared so. The L2 distance is computed in double precision.
Temporaries: S, 8 bytes per class and pixel; r, a byte. Source: Triton's tutorials, "Fused Softmax"; the PTX manual,
"SIMD Video Instructions"; PyTorch's documentation, "CUDA Graphs".
"""

import shutil
import sysconfig
from pathlib import Path

import torch
import triton
import triton.language as tl

DEVICES = ("cuda",)
GRAPHED = 2**16  # images; of more, launches are a small part, and one copy to the host beats a write from each warp
KEPT = 32  # graphs; the oldest is dropped first. A graph holds addresses and no pixels, as in torch_graph
graphs = {}


def unavailable(device):
    if device == "cuda" and not torch.cuda.is_available():
        return "torch sees no CUDA device"
    if not (shutil.which("gcc") or shutil.which("clang")):
        return "no C compiler (gcc or clang), which Triton needs to launch anything"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "Python.h is missing, which Triton needs to launch anything"


def prepare(images, device):
    return torch.from_dlpack(images).to(device)


def release():
    graphs.clear()


@triton.jit
def add_stack(images, n, pixels, sums, ROWS: tl.constexpr, PIXELS: tl.constexpr):
    pixel = tl.arange(0, PIXELS)
    total = tl.zeros([PIXELS], tl.int32)
    for start in range(tl.program_id(0) * ROWS, n, tl.num_programs(0) * ROWS):
        row = start + tl.arange(0, ROWS).to(tl.int64)
        there = (row < n)[:, None] & (pixel < pixels)
        total += tl.sum(tl.load(images + row[:, None] * pixels + pixel, there, 0).to(tl.int32), 0)
    tl.atomic_add(sums + pixel, total.to(tl.int64), pixel < pixels)


@triton.jit(do_not_specialize=["numbers", "first"])
def add(stacks, numbers, first, pixels, sums, counts, ROWS: tl.constexpr, PIXELS: tl.constexpr):
    for c in tl.static_range(len(stacks)):  # one grid for all of them
        if tl.program_id(1) == c:
            add_stack(stacks[c], numbers[c], pixels, sums + (first + c) * pixels, ROWS, PIXELS)
            if tl.program_id(0) == 0:
                tl.store(counts + first + c, numbers[c])


@triton.jit
def nearest_of(images, row, n, pixels, classes, sums, counts, kind: tl.constexpr, PIXELS: tl.constexpr):
    best, best_n = tl.zeros_like(row).to(tl.int32), tl.zeros_like(row) + 1
    whole, rest = tl.zeros_like(row).to(tl.float64) + float("inf"), tl.zeros_like(row)
    for c in range(classes):
        count = tl.load(counts + c)
        totals = tl.zeros_like(row)[:, None].to(kind) + tl.zeros([PIXELS], kind)
        for start in range(0, pixels, PIXELS):
            pixel = start + tl.arange(0, PIXELS)
            x = tl.load(images + row[:, None] * pixels + pixel, (row < n)[:, None] & (pixel < pixels), 0)
            d = x.to(kind) * count.to(kind) - tl.load(sums + c * pixels + pixel, pixel < pixels, 0).to(kind)
            totals += d * d if kind == tl.float64 else tl.abs(d)
        if kind == tl.float64:  # the L2 distance
            its_whole, its_rest = tl.sum(totals, 1) / (count * count).to(kind), tl.zeros_like(row)
        else:
            total = tl.sum(totals, 1).to(tl.int64)
            its_whole, its_rest = (total // count).to(tl.float64), total % count  # whole numbers below 2^53
        nearer = (its_whole < whole) | ((its_whole == whole) & (its_rest * best_n < rest * count))
        best, best_n = tl.where(nearer, c, best), tl.where(nearer, count, best_n)
        whole, rest = tl.where(nearer, its_whole, whole), tl.where(nearer, its_rest, rest)
    return best


@triton.jit(do_not_specialize=["n"])
def nearest(images, n, pixels, classes, sums, counts, labels, kind: tl.constexpr, ROWS: tl.constexpr,
            PIXELS: tl.constexpr):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    tl.store(labels + row, nearest_of(images, row, n, pixels, classes, sums, counts, kind, PIXELS), row < n)


@triton.jit
def round_means(pixels, sums, counts, rounded, slack, PIXELS: tl.constexpr):
    c, pixel = tl.program_id(0), tl.arange(0, PIXELS)
    count, s = tl.load(counts + c), tl.load(sums + c * pixels + pixel, pixel < pixels, 0)
    r = (s.to(tl.float64) / count + 0.5).to(tl.int64)
    tl.store(rounded + c * pixels + pixel, r.to(tl.uint8), pixel < pixels)
    tl.atomic_max(slack, (tl.sum(tl.where(pixel < pixels, tl.abs(r * count - s), 0), 0) // count + 1).to(tl.int32))


@triton.jit
def byte_distance(x, r, HARDWARE: tl.constexpr):  # of words of four bytes
    if HARDWARE:
        code: tl.constexpr = "{.reg .u32 zero; mov.u32 zero, 0; vabsdiff4.u32.u32.u32.add $0, $1, $2, zero;}"
        total = tl.inline_asm_elementwise(code, "=r,r,r", [x, r], dtype=tl.int32, is_pure=True, pack=1)
    else:  # Triton's interpreter
        total = x * 0
        for shift in tl.static_range(0, 32, 8):
            total += tl.abs(((x >> shift) & 255) - ((r >> shift) & 255))
    return tl.sum(total, 1)


@triton.jit(do_not_specialize=["n"])
def nearest_words(words, images, n, pixels: tl.constexpr, classes, sums, counts, rounded, slack, labels,
                  kind: tl.constexpr, HARDWARE: tl.constexpr, ROWS: tl.constexpr, PIXELS: tl.constexpr):  # fmt: skip
    word, lane = tl.arange(0, PIXELS // 4), tl.arange(0, ROWS)
    for tile in range(tl.program_id(0), tl.cdiv(n, ROWS), tl.num_programs(0)):
        row = tile * ROWS + lane.to(tl.int64)
        there = word < pixels // 4
        x = tl.load(words + row[:, None] * (pixels // 4) + word, (row < n)[:, None] & there, 0)
        best, least = tl.zeros([ROWS], tl.int32), tl.full([ROWS], 2**31 - 1, tl.int32)
        second = least
        for c in range(classes):
            d = byte_distance(x, tl.load(rounded + c * (pixels // 4) + word, there, 0)[None, :], HARDWARE)
            second = tl.where(d < least, least, tl.minimum(second, d))
            best, least = tl.where(d < least, c, best), tl.minimum(d, least)
        close = ((second - least <= 2 * tl.load(slack)) & (row < n)).to(tl.int32)
        if tl.max(close, 0) > 0:
            for i in range(ROWS):
                if tl.max(tl.where(lane == i, close, 0), 0) > 0:
                    one = tile * ROWS + i + tl.zeros([1], tl.int64)
                    exact = nearest_of(images, one, n, pixels, classes, sums, counts, kind, min(PIXELS, 256))
                    best = tl.where(lane == i, exact, best)
        tl.store(labels + row, best, row < n)


def launch_add(totals, *stacks):
    classes, pixels = len(stacks), stacks[0][0].numel()
    sums, counts, power = totals.zero_()[:-classes], totals[-classes:], triton.next_power_of_2(pixels)
    for first in range(0, classes, 8):
        some = tuple(stack.contiguous() for stack in stacks[first : first + 8])
        numbers = tuple(map(len, some))
        grid = min(triton.cdiv(max(numbers), 32), 256), len(some)
        add[grid](some, numbers, first, pixels, sums, counts, max(16384 // power, 1), power, num_warps=16)


def launch_nearest(labels, images, totals, classes, kind):
    images, n, pixels = images.contiguous(), len(images), images[0].numel()
    sums, counts, power = totals[:-classes], totals[-classes:], triton.next_power_of_2(pixels)
    if pixels % 4 or pixels > 4096 or kind == tl.float64:
        width = min(power, 256)  # pixels at a time
        rows = 1024 // width
        nearest[(triton.cdiv(n, rows),)](images, n, pixels, classes, sums, counts, labels, kind, rows, width)
        return
    rounded = torch.empty(classes * pixels, dtype=torch.uint8, device=images.device)
    slack = torch.zeros(1, dtype=torch.int32, device=images.device)
    round_means[(classes,)](pixels, sums, counts, rounded, slack, power)
    words, rows = images.view(n, pixels).view(torch.int32), 4096 // power
    nearest_words[(min(triton.cdiv(n, rows), 2**14),)](  # one warp, so that no sum crosses warps
        words, images, n, pixels, classes, sums, counts, rounded.view(torch.int32), slack, labels, kind, images.is_cuda,
        rows, power, num_warps=1, maxnreg=64,
    )  # fmt: skip


def record(launch, result, tensors, options, pool):
    stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
    stream.wait_stream(current)
    with torch.cuda.stream(stream):  # a first call compiles, which cannot be recorded
        launch(result, *tensors, **options)
    current.wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        launch(result, *tensors, **options)
    return graph


def replay(launch, new_result, *tensors, **options):
    key = launch, *options.values(), *((each.data_ptr(), each.shape, each.stride()) for each in tensors)
    if key not in graphs:
        if len(graphs) == KEPT:
            del graphs[next(iter(graphs))]
        pool, result = next((graph.pool() for graph, _ in graphs.values()), None), new_result()
        graphs[key] = record(launch, result, tensors, options, pool), result
    graph, result = graphs[key]
    graph.replay()
    return result


def mean_images(stacks):
    numbers, shape, device = [len(stack) for stack in stacks], stacks[0].shape[1:], stacks[0].device
    length = len(stacks) * (shape.numel() + 1)  # the sums of every class and pixel, then the counts
    totals = replay(launch_add, lambda: torch.empty(length, dtype=torch.int64, device=device), *stacks)
    return totals.clone(), numbers, shape  # the next replay overwrites the graph's own


def predict(images, means, kind):
    totals, numbers, _ = means
    dtype, host = torch.uint8 if len(numbers) <= 256 else torch.int32, {"pin_memory": images.is_cuda}
    if len(images) > GRAPHED:
        labels = torch.empty(len(images), dtype=dtype, device=images.device)
        launch_nearest(labels, images, totals, len(numbers), kind)
        return torch.empty(len(images), dtype=dtype, **host).copy_(labels).numpy()

    def new_labels():
        return torch.empty(len(images), dtype=dtype, **host)

    labels = replay(launch_nearest, new_labels, images, totals, classes=len(numbers), kind=kind)
    if images.is_cuda:
        torch.cuda.current_stream().synchronize()
    return labels.numpy().copy()


def predict_l1(images, means):
    return predict(images, means, tl.int32 if 255 * max(means[1]) * means[2].numel() < 2**31 else tl.int64)


def predict_l2(images, means):
    return predict(images, means, tl.float64)


def to_host(means):
    totals, numbers, shape = means
    sums = totals[: -len(numbers)].view(len(numbers), *shape).double().cpu()
    return (sums / (255 * torch.tensor(numbers)[:, None, None])).numpy()
