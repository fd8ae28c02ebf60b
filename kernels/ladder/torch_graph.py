"""A CUDA graph: the launches of `torch_broadcast`, recorded once and replayed as a single one.

After torch_broadcast: Python and PyTorch's dispatcher run once, when the graph is recorded; a replay gives the GPU all
its work at once, so that it does not wait for one launch after the other.
A graph holds addresses and no pixels. It is looked up by the addresses, shapes and strides of the tensors that it
reads, and computes from what is there at the time, so it need not keep a tensor alive: it reads another tensor of that
shape at that address just as well. A replay overwrites the result of the one before, so the means are cloned.
Temporaries: those of `torch_broadcast`, in one pool for all graphs. New addresses are recorded after a warm-up call.
Source: PyTorch's documentation, "CUDA semantics: CUDA Graphs".
"""

import torch

DEVICES = ("cuda",)
KEPT = 32  # graphs; the oldest is dropped first
graphs = {}


def unavailable(device):
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"


def record(function, tensors, pool):
    stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
    stream.wait_stream(current)
    with torch.cuda.stream(stream):  # a first call sets up what cannot be recorded
        function(*tensors)
    current.wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        result = function(*tensors)
    return graph, result


def replay(function, *tensors):
    key = function, *((each.data_ptr(), each.shape, each.stride()) for each in tensors)
    if key not in graphs:
        if len(graphs) == KEPT:
            del graphs[next(iter(graphs))]
        # One pool is enough: replays follow each other, and no result is read after the next replay has begun.
        pool = next((graph.pool() for graph, _ in graphs.values()), None)
        graphs[key] = record(function, tensors, pool)
    graph, result = graphs[key]
    graph.replay()
    return result


def release():
    graphs.clear()


def prepare(images, device):
    return torch.tensor(images, device=device).float() / 255


def averages(*stacks):
    return torch.stack([stack.mean(0) for stack in stacks])


def mean_images(stacks):
    return replay(averages, *stacks).clone()


def distance_l1(a, b):
    return (a - b).abs().mean((-1, -2))


def distance_l2(a, b):
    return ((a - b) ** 2).mean((-1, -2)).sqrt()


def nearest_l1(images, means):
    return torch.stack([distance_l1(images, mean) for mean in means]).argmin(0)


def nearest_l2(images, means):
    return torch.stack([distance_l2(images, mean) for mean in means]).argmin(0)


def predict_l1(images, means):
    return replay(nearest_l1, images, means).cpu().numpy()


def predict_l2(images, means):
    return replay(nearest_l2, images, means).cpu().numpy()


def to_host(means):
    return means.cpu().numpy()
