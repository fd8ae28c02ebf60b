"""Dask: the same expressions over chunks of the stack, on this machine's threads or on a cluster.

After numpy_broadcast: a task per operation and chunk is planned and sent to a thread, which takes longer than its
arithmetic, and each chunk becomes float32 within the call.
Streaming: a stack is a plan, and a chunk becomes float32 in the timed call. On the cluster that DASK_SCHEDULER_ADDRESS
names, the bytes travel once, in `prepare`; the work of a worker that dies is done again elsewhere. It is several times
slower than NumPy on one machine. Temporaries: those of `numpy_broadcast`, for one chunk per thread.
Source: Dask's documentation, "Array".
"""

import os
from uuid import uuid4

import dask
import dask.array as da
import numpy as np

CHUNK = 1024  # images: 3.2 MB of float32 at 28 x 28
CLUSTER = os.environ.get("DASK_SCHEDULER_ADDRESS")

if CLUSTER:
    from distributed import Client, wait

    client = Client(CLUSTER)  # from now on Dask computes there


def prepare(images, device):
    name = f"images-{uuid4()}"
    # Views, as `da.from_array` copies the whole array.
    blocks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    chunks = (tuple(map(len, blocks)), *((side,) for side in images.shape[1:]))
    stack = da.Array({(name, i, 0, 0): block for i, block in enumerate(blocks)}, name, chunks, images.dtype)
    if CLUSTER:
        stack = stack.persist()
        wait(stack)
    return stack.astype(np.float32) / 255


def mean_images(stacks):
    return np.stack(dask.compute(*[stack.mean(0) for stack in stacks]))


def distance_l1(a, b):
    return abs(a - b).mean((-1, -2))


def distance_l2(a, b):
    return da.sqrt(((a - b) ** 2).mean((-1, -2)))


def predict_l1(images, means):
    return da.stack([distance_l1(images, mean) for mean in means]).argmin(0).compute()


def predict_l2(images, means):
    return da.stack([distance_l2(images, mean) for mean in means]).argmin(0).compute()
