"""`torch_graph` without a GPU: a recorded CUDA graph is played by one that reads memory.

At every replay it reads the addresses it was recorded for, and writes one result.
"""

import ctypes
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bench.task.scopes import WrongAnswer
from bench.tests import builders
from kernels.ladder.tests.gpu_kernels import LADDER, imported, needs_torch, proven


class Graph:
    """What a recorded CUDA graph is: a computation on addresses, whoever's memory lies there at the time.

    Attributes:
        pools: the pool that each graph was recorded into, None where it got one of its own.
        replays: how often each was replayed.
        results: what each last wrote, in memory that they share: nothing is left of it once another is replayed.
    """

    pools: list[object]
    replays: list[int]
    results: list[Any]

    def __init__(self, function: Callable[..., Any], tensors: Sequence[Any], pool: object) -> None:
        self.function = function
        self.read = [(each.data_ptr(), tuple(each.shape), each.stride()) for each in tensors]
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
    """Return tensors whose `cpu()` is a copy, as it is where the host has other memory."""
    import torch

    class OnDevice(torch.Tensor):
        def cpu(self, *_: Any) -> Any:
            return super().clone().as_subclass(torch.Tensor)

    return OnDevice


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The kernel, with the memory's addresses for CUDA's graphs."""
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
    proven(graphs, builders.problem(**sizes))
    assert sum(Graph.replays) > len(Graph.replays)  # so the second call on the same stacks found the first one's graph


def test_with_room_for_two_graphs_the_answers_stay_right(graphs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "KEPT", 2)
    proven(graphs, builders.problem())
    assert len(graphs.graphs) == 2


def slices_are_right(kernel: ModuleType) -> None:
    stack = kernel.prepare(np.arange(240, dtype=np.uint8).reshape(20, 4, 3), "cpu")
    for part in (slice(5), slice(1, 6), slice(0, 10, 2), slice(4)):
        means = kernel.mean_images([stack[:], stack[part]])
        np.testing.assert_allclose(means, np.stack([stack.mean(0), stack[part].mean(0)]), atol=1e-6)


def test_views_of_one_stack_are_one_graph_and_others_their_own(graphs: ModuleType) -> None:
    stack = graphs.prepare(np.arange(240, dtype=np.uint8).reshape(20, 4, 3), "cpu")
    for _ in range(3):
        graphs.mean_images([stack[:], stack[:5]])
    assert Graph.replays == [3]
    for other in (stack[1:6], stack[:10:2], stack[:4]):
        graphs.mean_images([stack[:], other])
    assert Graph.replays == [3, 1, 1, 1]
    assert Graph.pools == [None, "the pool", "the pool", "the pool"]
    slices_are_right(graphs)


def test_a_replay_reads_what_lies_there_now(graphs: ModuleType) -> None:
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
def test_a_graph_that_is_found_by_less_is_found_out(right: str, wrong: str, graphs: ModuleType) -> None:
    code, record = (LADDER / "torch_graph.py").read_text(), graphs.record
    assert code.count(right) == 1
    exec(compile(code.replace(right, wrong), "mutant", "exec"), graphs.__dict__)
    graphs.record = record  # type: ignore[attr-defined]
    with pytest.raises((WrongAnswer, RuntimeError, AssertionError)):  # noqa: PT012
        proven(graphs, builders.problem(train=30))
        slices_are_right(graphs)
        test_a_replay_reads_what_lies_there_now(graphs)


@needs_torch
def test_it_records_as_the_documentation_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial run on a stream of its own that waits and is waited for, then the recording, into the pool given."""
    import torch

    said: list[Any] = []

    class Stream:
        def __init__(self, name: str = "its own") -> None:
            self.name = name

        def wait_stream(self, other: "Stream") -> None:
            said.append(f"{self.name} waits for {other.name}")

    class Within:
        def __init__(self, *what: Any, **options: Any) -> None:
            self.what = [getattr(each, "name", each) for each in what], options

        def __enter__(self) -> None:
            said.append(self.what)

        def __exit__(self, *_: Any) -> None:
            said.append("out")

    for name, value in {
        "Stream": Stream, "current_stream": lambda: Stream("the current"), "stream": Within, "graph": Within,
        "CUDAGraph": lambda: "a graph",
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)

    def function(*tensors: Any) -> str:
        said.append(tensors)
        return "result"

    assert imported("torch_graph").record(function, (1, 2), "pool") == ("a graph", "result")
    assert said == [
        "its own waits for the current", (["its own"], {}), (1, 2), "out", "the current waits for its own",
        (["a graph"], {"pool": "pool"}), (1, 2), "out",
    ]  # fmt: skip
