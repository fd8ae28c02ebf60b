"""The two bounds of a GPU: how fast it reads, and how soon the smallest answer arrives on the host.

    bound seconds = the larger of   bytes that the scope must touch / read bandwidth + the copy of the smallest answer
                                    launch of one kernel that writes the answer + its arrival on the host

Launches bind at the size of MNIST_SAMPLE, bandwidth at millions of images. Bytes and copy are those of
`bench.probes.read_bandwidth`. Bandwidth is that of the fastest of several reductions in torch, over a buffer so large
that it comes from memory. Launch is the faster of torch's plain calls and a replayed CUDA graph, with the copy that the
harness takes. All times end with a value on the host.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench.kernel import Unavailable
from bench.probes.read_bandwidth import median_seconds

SMALLEST, LARGEST = 2**28, 2**32  # bytes; below, a cache may hold them; above, no pass gets slower
READ = 2**33  # bytes per sample: two milliseconds on an H200, so that the arrival of the last value is negligible
REPETITIONS = 7
LAUNCHES = 200  # repetitions of a launch, whose times scatter more


def bandwidth(working_set_bytes: int) -> float:
    """Return how many bytes per second the GPU reads: the median of the fastest pass; or raise Unavailable."""
    torch = _torch()
    words = min(max(working_set_bytes, SMALLEST), LARGEST) // 4
    buffer = torch.ones(words, dtype=torch.int32, device="cuda")
    floats, passes = buffer.view(torch.float32), READ // (4 * words)

    def queued(reduction: Callable[[], Any]) -> None:
        for _ in range(passes):  # on the GPU each waits for the one before
            last = reduction()
        last.cpu()

    reductions = (floats.sum, floats.amax, buffer.amax)
    seconds = min(median_seconds(partial(queued, reduction), REPETITIONS, dropped=2) for reduction in reductions)
    del buffer, floats, reductions
    torch.cuda.empty_cache()  # the kernels share this memory
    return float(passes * 4 * words / seconds)


def launch(answer_bytes: int) -> float:
    """Return the median seconds from a call to the arrival of the bytes that one kernel wrote; or raise Unavailable."""
    torch = _torch()
    answer = torch.zeros(answer_bytes, dtype=torch.uint8, device="cuda")
    host = torch.zeros(answer_bytes, dtype=torch.uint8, pin_memory=True)

    def plain() -> None:
        host.copy_(answer.add_(1))
        np.array(host.numpy())

    plain()  # or the capture would have to load the kernel
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        host.copy_(answer.add_(1), non_blocking=True)

    def replayed() -> None:
        graph.replay()
        torch.cuda.synchronize()
        np.array(host.numpy())

    return min(median_seconds(call, LAUNCHES, dropped=2) for call in (plain, replayed))


def _torch() -> Any:
    """Return torch; raise Unavailable if it is not installed or sees no CUDA device."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise Unavailable("the bound of a GPU is measured with torch, which is not installed") from error
    if not torch.cuda.is_available():
        raise Unavailable("the bound of a GPU is measured with torch, which sees no CUDA device")
    return torch
