"""`torch_graph` without a GPU: a stand-in for a CUDA graph reads its recorded addresses at every replay."""

import ctypes
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock, call

import numpy as np
import pytest

from bench.task.scopes import WrongAnswer
from bench.tests import builders
from kernels.ladder.tests.gpu_kernels import LADDER, imported, needs_torch, verified


class Graph:
    """A computation on addresses, whatever memory is there at the time, like a recorded CUDA graph.

    Attributes:
        pools: the pool that each graph was recorded into, None where it got one of its own.
        replays: how often each was replayed.
        results: what each wrote last, in shared memory: the replay of another graph overwrites it.
    """

    pools: list[object]
    replays: list[int]
    results: list[Any]

    def __init__(self, function: Callable[..., Any], tensors: Sequence[Any], pool: object) -> None:
        self.function = function
        self.read = [(tensor.data_ptr(), tuple(tensor.shape), tensor.stride()) for tensor in tensors]
        self.result = function(*tensors).as_subclass(on_device())
        self.number = len(Graph.pools)
        Graph.pools.append(pool)
        Graph.replays.append(0)
        Graph.results.append(self.result)

    def pool(self) -> object:
        return "the pool"

    def replay(self) -> None:
        import torch

        inputs = []
        for address, shape, stride in self.read:
            reach = 1 + sum((n - 1) * step for n, step in zip(shape, stride))
            memory = (ctypes.c_float * reach).from_address(address)
            inputs.append(torch.frombuffer(memory, dtype=torch.float32).as_strided(shape, stride))
        written = self.function(*inputs)
        for result in Graph.results:
            result.fill_(1)
        self.result.copy_(written)
        Graph.replays[self.number] += 1


def on_device() -> type:
    """Return a class of tensors whose `cpu()` copies, as it does on a GPU."""
    import torch

    class OnDevice(torch.Tensor):
        def cpu(self, *_: Any) -> Any:
            return super().clone().as_subclass(torch.Tensor)

    return OnDevice


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The kernel with stand-ins for CUDA graphs."""
    pytest.importorskip("torch")
    kernel = imported("torch_graph")

    def record(function: Callable[..., Any], tensors: Sequence[Any], pool: object) -> tuple[Graph, Any]:
        graph = Graph(function, tensors, pool)
        return graph, graph.result

    monkeypatch.setattr(kernel, "record", record)
    Graph.pools, Graph.replays, Graph.results = [], [], []
    yield kernel
    kernel.graphs.clear()


@pytest.mark.parametrize("sizes", [{}, {"classes": 3, "train": 30, "height": 7, "width": 3}, {"train": 1}], ids=str)
def test_a_graph_answers_as_the_expressions_do(graphs: ModuleType, sizes: dict[str, int]) -> None:
    verified(graphs, builders.problem(**sizes))
    assert sum(Graph.replays) > len(Graph.replays)  # so a second call on the same stacks replays the first one's graph


def slices_are_right(kernel: ModuleType) -> None:
    stack = kernel.prepare(np.arange(240, dtype=np.uint8).reshape(20, 4, 3), "cpu")
    for part in (slice(5), slice(1, 6), slice(0, 10, 2), slice(4)):
        means = kernel.mean_images([stack[:], stack[part]])
        np.testing.assert_allclose(means, np.stack([stack.mean(0), stack[part].mean(0)]), atol=1e-6)


def test_equal_views_of_a_stack_share_a_graph(graphs: ModuleType) -> None:
    stack = graphs.prepare(np.arange(240, dtype=np.uint8).reshape(20, 4, 3), "cpu")
    for _ in range(3):
        graphs.mean_images([stack[:], stack[:5]])
    assert Graph.replays == [3]
    for part in (stack[1:6], stack[:10:2], stack[:4]):
        graphs.mean_images([stack[:], part])
    assert Graph.replays == [3, 1, 1, 1]
    assert Graph.pools == [None, "the pool", "the pool", "the pool"]
    slices_are_right(graphs)


def test_a_replay_reads_the_current_contents(graphs: ModuleType) -> None:
    """Nothing that comes from pixels is kept: neither an answer, nor the tensors that it was computed from."""
    stack = graphs.prepare(np.full((6, 2, 2), 51, np.uint8), "cpu")
    first = graphs.mean_images([stack, stack])
    stack[:] = 1
    assert graphs.mean_images([stack, stack]).unique().tolist() == [1.0]
    assert first.unique().tolist() == pytest.approx([0.2])
    assert Graph.replays == [2]
    alive = weakref.ref(stack)
    del stack
    assert alive() is None


def test_the_oldest_graph_goes_first(graphs: ModuleType) -> None:
    stack = graphs.prepare(np.zeros((40, 1, 1), np.uint8), "cpu")
    for n in range(1, graphs.KEPT + 2):
        graphs.mean_images([stack[:n]])
    assert len(graphs.graphs) == graphs.KEPT
    graphs.mean_images([stack[:2]])
    assert len(Graph.pools) == graphs.KEPT + 1
    graphs.mean_images([stack[:1]])
    assert len(Graph.pools) == graphs.KEPT + 2


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (".clone()", ""),  # so the next replay overwrites the means
        (", each.shape, each.stride()", ""),  # a shorter slice at the same address
        (", each.stride()", ""),  # every other image
        ("each.data_ptr(), ", ""),  # another slice of the same shape
        ("key = function, *(", "key = None, *("),  # L1 for L2
        ("    graph.replay()\n", ""),  # an answer remembered
    ],
)
def test_a_graph_looked_up_by_less_is_wrong(right: str, wrong: str, graphs: ModuleType) -> None:
    code, record = (LADDER / "torch_graph.py").read_text(), graphs.record
    assert code.count(right) == 1
    exec(compile(code.replace(right, wrong), "mutant", "exec"), graphs.__dict__)
    graphs.record = record  # type: ignore[attr-defined]
    with pytest.raises((WrongAnswer, RuntimeError, AssertionError)):  # noqa: PT012
        verified(graphs, builders.problem(train=30))
        slices_are_right(graphs)
        test_a_replay_reads_the_current_contents(graphs)


@needs_torch
def test_it_records_as_the_documentation_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """First a warm-up call on a stream of its own, with waits on both sides, then the recording into the given pool."""
    import torch

    cuda = MagicMock()
    for name in ("Stream", "current_stream", "stream", "graph", "CUDAGraph"):
        monkeypatch.setattr(torch.cuda, name, getattr(cuda, name))
    recorded = imported("torch_graph").record(cuda.function, (1, 2), "pool")
    calls, own, current, out = [*cuda.mock_calls], cuda.Stream(), cuda.current_stream(), (None, None, None)
    assert calls[2:] == [
        call.Stream().wait_stream(current),
        call.stream(own), call.stream().__enter__(), call.function(1, 2), call.stream().__exit__(*out),
        call.current_stream().wait_stream(own),
        call.CUDAGraph(),
        call.graph(cuda.CUDAGraph(), pool="pool"), call.graph().__enter__(), call.function(1, 2),
        call.graph().__exit__(*out),
    ]  # fmt: skip
    assert recorded == (cuda.CUDAGraph(), cuda.function())
