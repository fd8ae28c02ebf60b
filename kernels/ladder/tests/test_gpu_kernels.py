"""The kernels for a GPU alone, where there is none: Triton's interpreter and compiler, NumPy as CuPy, graphs of memory.

What stands in for the GPU: Triton's interpreter runs every line of `triton_bytes`, and its compiler makes machine code
for an H200 of it; NumPy plays CuPy, with CuPy's refusals; a recorded CUDA graph is played by one that, at every replay,
reads the memory at the addresses it was recorded for, and writes one result.
"""

import ctypes
import difflib
import importlib.util
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench import kernel as kernels
from bench import problem as problems
from bench import workload
from bench.tests import builders
from bench.verify import Findings, verify
from bench.workload import WrongAnswer
from kernels.ladder.tests.test_ladder import output

LADDER = Path(__file__).resolve().parents[1]
NAMES = ("cupy_broadcast", "torch_graph", "triton_bytes")
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
needs_triton = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in ("torch", "triton")), reason="triton is not installed"
)


def imported(name: str) -> ModuleType:
    """Import a kernel anew, whether or not it is available, so that nothing is left of another test."""
    spec = importlib.util.spec_from_file_location(name, LADDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def proven(kernel: Any, posed: problems.Problem, seed: int = 1) -> Findings:
    """Put a kernel to the project's own proof, on the CPU's memory."""
    findings = Findings()
    verify(workload.prepare(kernel, "cpu", posed), seed, findings)
    assert set(findings.correct) == {"l1", "l2"}
    return findings


# --- forced to be unavailable


@pytest.mark.parametrize("name", NAMES)
def test_they_are_for_a_gpu_and_say_so_where_there_is_no_driver(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = [each for each in kernels.discover() if each.kernel == name]
    assert (only.name, only.device) == (f"{name}@cuda", "cuda")
    monkeypatch.setattr(kernels.importlib.util, "find_spec", lambda package: package)
    monkeypatch.setattr(kernels.os.path, "exists", lambda path: False)
    monkeypatch.setattr(kernels.shutil, "which", lambda program: None)
    assert kernels.why_unavailable(only) == "no NVIDIA driver on this machine"


@pytest.mark.parametrize(
    ("package", "requirement"), [("cupy", '"cupy-cuda13x[ctk]"'), ("triton", "triton"), ("torch", "torch")]
)
def test_what_they_lack_comes_with_a_command(package: str, requirement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {package}
    monkeypatch.setattr(kernels.os.path, "exists", lambda path: True)  # a driver, that is
    monkeypatch.setattr(kernels.importlib.util, "find_spec", lambda name: None if name in missing else name)
    lacking = [each for each in kernels.discover() if each.kernel in NAMES and package in each.packages]
    assert lacking
    for each in lacking:
        reason = kernels.why_unavailable(each)
        assert reason == f"{package} is not installed: python -m pip install -c constraints.txt {requirement}"


@pytest.mark.parametrize(
    "name", [pytest.param("torch_graph", marks=needs_torch), pytest.param("triton_bytes", marks=needs_triton)]
)
@pytest.mark.parametrize("seen", [False, True])
def test_those_on_torch_ask_torch_for_a_device(name: str, seen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen)
    kernel = imported(name)
    if name == "triton_bytes":
        monkeypatch.setattr(kernel.shutil, "which", lambda program: program)
        monkeypatch.setattr(kernel.Path, "exists", lambda path: True)
    assert kernel.unavailable("cuda") == (None if seen else "torch sees no CUDA device")


@needs_triton
@pytest.mark.parametrize(
    ("compilers", "header", "reason"),
    [
        ((), True, "no C compiler (gcc or clang)"), (("gcc",), False, "Python.h is missing"), (("clang",), True, None),
    ],
)  # fmt: skip
def test_triton_needs_a_compiler(
    compilers: tuple[str, ...], header: bool, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = imported("triton_bytes")
    monkeypatch.setattr(kernel.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(kernel.shutil, "which", lambda program: program if program in compilers else None)
    monkeypatch.setattr(kernel.Path, "exists", lambda path: header)
    said = kernel.unavailable("cuda")
    assert said == reason or said.startswith(reason)


@needs_torch
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(
    ("compiler", "header", "reason"),
    [(False, True, "no C++ compiler"), (True, False, "Python.h is missing"), (True, True, None)],
)
def test_torch_compile_needs_a_compiler_on_either_device(
    device: str, compiler: bool, header: bool, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = imported("torch_compiled")
    monkeypatch.setattr(kernel.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(kernel, "find_spec", lambda package: package)
    monkeypatch.setattr(kernel.shutil, "which", lambda program: program if compiler else None)
    monkeypatch.setattr(kernel.Path, "exists", lambda path: header)
    said = kernel.unavailable(device)
    assert said is None if reason is None else said.startswith(reason)


# --- CuPy, played by NumPy


class OnDevice(np.ndarray):
    """An array that the host must ask for, and that meets arrays of the host as CuPy's do: not at all."""

    def get(self) -> np.ndarray:
        return self.view(np.ndarray).copy()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
        known = bool(out) or all(isinstance(each, OnDevice) or np.isscalar(each) for each in inputs)
        assert known, "an array of the host meets one of the device"  # `out` is NumPy's own, within mean
        plain = [each.view(np.ndarray) if isinstance(each, OnDevice) else each for each in inputs]
        if out:
            options["out"] = tuple(each.view(np.ndarray) for each in out)
        return np.asarray(getattr(ufunc, method)(*plain, **options)).view(OnDevice)


class NoDriver(RuntimeError):
    pass


def pretended(devices: Callable[[], int] = lambda: 1) -> ModuleType:
    """Return NumPy as a module `cupy`, which takes no list where an array is meant."""

    def strict(name: str) -> Callable[..., Any]:
        def function(a: Any, *arguments: Any, **options: Any) -> Any:
            assert isinstance(a, OnDevice), f"CuPy's {name} wants an array, and was given a {type(a).__name__}"
            return getattr(np, name)(a, *arguments, **options)

        return function

    def stack(arrays: Sequence[Any]) -> OnDevice:
        assert all(isinstance(each, OnDevice) for each in arrays)
        return np.stack(arrays).view(OnDevice)

    cupy: Any = ModuleType("cupy")
    cupy.float32, cupy.float64 = np.float32, np.float64
    for name in ("abs", "sqrt", "sum", "argmin", "array_split"):
        setattr(cupy, name, strict(name))
    cupy.stack = stack
    cupy.asarray = lambda images: np.array(images).view(OnDevice)
    cupy.cuda = SimpleNamespace(runtime=SimpleNamespace(CUDARuntimeError=NoDriver, getDeviceCount=devices))
    return cupy  # type: ignore[no-any-return]


@pytest.fixture
def on_cupy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "cupy", pretended())
    return imported("cupy_broadcast")


@pytest.mark.parametrize("sizes", [{}, {"classes": 3, "train": 600, "height": 3, "width": 2}, {"train": 1}], ids=str)
def test_cupy_gives_the_answers_of_numpy(on_cupy: ModuleType, sizes: dict[str, int]) -> None:
    posed = builders.problem(**sizes)
    assert proven(on_cupy, posed).correct == proven(imported_numpy(), posed).correct
    images = on_cupy.prepare(posed.valid, "cuda")
    assert isinstance(images, OnDevice)
    assert isinstance(on_cupy.mean_images([images, images]), OnDevice)


def imported_numpy() -> ModuleType:
    from kernels import numpy_broadcast

    return numpy_broadcast


def test_cupy_differs_from_numpy_in_five_lines(on_cupy: ModuleType) -> None:
    """C7, "NumPy cannot use a GPU": so many lines of the expressions change, the import among them."""
    files = [LADDER.parent / "numpy_broadcast.py", LADDER / "cupy_broadcast.py"]
    before, after = ([line for line in each.read_text().split('"""')[2].splitlines() if line] for each in files)
    differences = [*difflib.ndiff(before, after)]
    assert [line[2:] for line in differences if line.startswith("- ")] == [
        "import numpy as np",
        "    return images.astype(np.float32) / 255",
        "    return np.sum([block.sum(0) for block in blocks], axis=0, dtype=np.float64) / len(stack)",
        "    return np.argmin([distance_l1(images, mean) for mean in means], axis=0)",
        "    return np.argmin([distance_l2(images, mean) for mean in means], axis=0)",
    ]
    assert [line[2:] for line in differences if line.startswith("+ ")] == [
        "import cupy as np",
        'DEVICES = ("cuda",)',
        "def unavailable(device):",
        "    try:",
        "        np.cuda.runtime.getDeviceCount()",
        "    except np.cuda.runtime.CUDARuntimeError as error:",
        '        return f"cupy sees no CUDA device ({error})"',
        "    return np.asarray(images).astype(np.float32) / 255",
        "    return np.sum(np.stack([block.sum(0) for block in blocks]), axis=0, dtype=np.float64) / len(stack)",
        "    return np.argmin(np.stack([distance_l1(images, mean) for mean in means]), axis=0).get()",
        "    return np.argmin(np.stack([distance_l2(images, mean) for mean in means]), axis=0).get()",
        "def to_host(means):",
        "    return means.get()",
    ]
    assert "Five lines differ, the import among them" in " ".join((on_cupy.__doc__ or "").split())


def test_cupy_without_a_device_is_unavailable_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> int:
        raise NoDriver("cudaErrorInsufficientDriver: too old")

    monkeypatch.setitem(sys.modules, "cupy", pretended(none))
    reason = imported("cupy_broadcast").unavailable("cuda")
    assert reason == "cupy sees no CUDA device (cudaErrorInsufficientDriver: too old)"


def test_cupy_with_a_device_is_available(on_cupy: ModuleType) -> None:
    assert on_cupy.unavailable("cuda") is None


# --- CUDA graphs, played by reading memory


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


# --- Triton: its interpreter, in a process of its own, since it is chosen when triton is imported

INTERPRETED = """
import json, sys, traceback
from fractions import Fraction
from pathlib import Path
import numpy as np, torch, triton, triton.language as tl
from bench import workload
from bench.tests import builders
from bench.verify import Findings, verify
from bench.workload import WrongAnswer
from kernels.ladder.tests.test_gpu_kernels import imported

kernel = imported("triton_bytes")

def proven(**sizes):
    findings = Findings()
    verify(workload.prepare(kernel, "cpu", builders.problem(**sizes)), 1, findings)
    assert set(findings.correct) == {"l1", "l2"}

def agrees(train, valid):
    # L1 is the exact answer in every image, ties to the lowest index; so is L2, but for roots one rounding apart.
    train, valid = [np.asarray(each, np.uint8) for each in train], np.asarray(valid, np.uint8)
    stacks, images = [kernel.prepare(each, "cpu") for each in train], kernel.prepare(valid, "cpu")
    means = kernel.mean_images(stacks)
    totals = [(len(each), each.astype(object).sum(0)) for each in train]
    exact = np.array([total / (255 * n) for n, total in totals], dtype=float)
    np.testing.assert_allclose(kernel.to_host(means), exact, rtol=0, atol=1e-15)
    for power, predict in ((1, kernel.predict_l1), (2, kernel.predict_l2)):
        due = []
        for image in valid.astype(object):
            row = [Fraction(int((abs(image * n - total) ** power).sum()), n**power) for n, total in totals]
            due.append(row.index(min(row)))
        given = predict(images, means)
        assert type(given) is np.ndarray
        assert given.tolist() == due, (power, given.tolist(), due)

def close_calls():
    # Means of 100 - 1/n and 100 + 1/(n + 1) are one image in bytes: only the fractions tell them apart.
    for n in (2, 500, 6131):
        below, above = np.full((n, 1, 5), 100, np.uint8), np.full((n + 1, 1, 5), 100, np.uint8)
        below[0], above[0] = 99, 101
        for train in ([below, above], [above, below]):
            agrees(train, [[[100] * 5], [[99] * 5], [[101] * 5]])

def ties():
    train = [np.full((n, 2, 3), level, np.uint8) for n, level in ((3, 10), (2, 20), (5, 10), (1, 20))]
    agrees(train, np.full((4, 2, 3), 15, np.uint8))
    agrees(train[::-1], np.full((4, 2, 3), 15, np.uint8))

def on_the_bound():
    # Byte distances differ by both slacks or one more; where means are a half off, the exact distances may tie.
    for pixels in (1, 2, 3, 16, 17):
        train = [np.repeat(np.array(levels, np.uint8), pixels).reshape(2, 1, pixels) for levels in ([0, 1], [2, 3])]
        agrees(train, [[[v] * k + [w] * (pixels - k)] for v in range(4) for w in range(4) for k in range(pixels + 1)])
    train = [np.ones((20, 1, 2), np.uint8) for _ in range(2)]
    train[0][:9] = 2
    train[1][:11, 0, 0] = 2
    agrees(train, np.ones((1, 1, 2), np.uint8))
    # One class is off by nothing, the other by a half in every pixel, and is nearer than its bytes say.
    train = [np.zeros((2, 1, 16), np.uint8), np.array([[[2] * 16], [[3] * 16]], np.uint8)]
    for order in (train, train[::-1]):
        for k in range(17):  # one at a time: a close call has all images of its block counted exactly
            agrees(order, [[[2] * k + [1] * (16 - k)]])

def near_the_middle():
    # Few grey levels and images between two means: most calls are close, under either distance.
    for seed in range(12):
        rng = np.random.default_rng(seed)
        height, width = rng.integers(1, 8, 2)
        top = (2, 3, 6, 256)[seed % 4]
        train = [rng.integers(0, top, (n, height, width)) for n in rng.integers(1, 40, rng.integers(2, 6))]
        between = np.clip((train[0].mean(0) + train[1].mean(0)) / 2 + rng.integers(-1, 2, (20, height, width)), 0, 255)
        agrees(train, np.concatenate([rng.integers(0, top, (10, height, width)), between.astype(int)]))

def white():
    # 16 bits hold 257 white pixels: as many images as one lane adds up, and more programs than one.
    for n in (1, 255, 256, 257, 2047, 2048, 2049):
        agrees([np.full((n, 1, 3), 255), np.full((7, 1, 3), 254)], [[[254] * 3], [[255] * 3]])
    agrees([np.full((300_000, 1, 1), 255), np.full((131_073, 1, 1), 254)], [[[254]], [[255]]])

def every_image_once():
    rng = np.random.default_rng(0)
    for n in (1, 7, 8, 9, 63, 64, 65, 4097):
        agrees([rng.integers(0, 256, (m, 5, 7)) for m in (n, 3)], rng.integers(0, 256, (9, 5, 7)))

def slices():
    rng = np.random.default_rng(0)
    for shape in ((28, 28), (5, 7), (1, 1), (4, 4)):
        images = rng.integers(0, 256, (90, *shape), np.uint8)
        stack = kernel.prepare(images, "cpu")
        for part in (slice(None), slice(3, 80), slice(1, None, 2), slice(50, 51), slice(None, None, 16)):
            means = kernel.mean_images([stack[part], stack[:1]])
            np.testing.assert_allclose(kernel.to_host(means)[0], images[part].mean(0) / 255, rtol=0, atol=1e-14)
            assert kernel.predict_l1(stack[part], means).tolist() == kernel.predict_l1(
                kernel.prepare(images[part], "cpu"), means).tolist()
        order = np.arange(200) % 90
        assert kernel.predict_l1(stack[order], means).tolist() == kernel.predict_l1(stack, means)[order].tolist()

def hundreds_of_classes():
    rng = np.random.default_rng(1)
    train = [rng.integers(0, 256, (rng.integers(1, 4), 3, 3)) for _ in range(300)]
    agrees(train, np.concatenate([stack[:1] for stack in train]))

def large_images():
    # 182 x 182 squares of 255 are more than 31 bits hold.
    black, white = np.zeros((1, 182, 182), np.uint8), np.full((1, 182, 182), 255, np.uint8)
    nearly = white.copy()
    nearly[0, 0, 0] = 254
    agrees([black, white, nearly], np.concatenate([white, nearly, black]))

def wide_images():
    rng = np.random.default_rng(2)
    agrees([rng.integers(0, 256, (3, 64, 65)) for _ in range(2)], rng.integers(0, 256, (5, 64, 65)))

CASES = {
    "the project's proof": lambda: proven(),
    "the project's proof, three classes": lambda: proven(classes=3, train=13, valid=20, height=31, width=3),
    "the project's proof, digits": lambda: proven(train=40, valid=30, height=28, width=28),
    "one training image a class": lambda: proven(train=1, valid=3),
    "one image": lambda: agrees([[[[3, 4, 5]]], [[[9, 9, 9]]]], [[[7, 7, 7]]]),
    **{each.__name__: each for each in (
        close_calls, ties, on_the_bound, near_the_middle, white, every_image_once, slices, hundreds_of_classes,
        large_images, wide_images,
    )},
}
found = {}
if __name__ == "__main__":
    for name, case in CASES.items():
        try:
            case()
            found[name] = ""
        except (AssertionError, WrongAnswer):  # any other error ends them all, and says so
            found[name] = traceback.format_exc()
    print(json.dumps(found))
"""
CASES = (
    "the project's proof", "the project's proof, three classes", "the project's proof, digits",
    "one training image a class", "one image", "close_calls", "ties", "on_the_bound", "near_the_middle", "white",
    "every_image_once", "slices", "hundreds_of_classes", "large_images", "wide_images",
)  # fmt: skip


@pytest.fixture(scope="module")
def interpreted() -> Any:
    return output(INTERPRETED, TRITON_INTERPRET="1")


@needs_triton
@pytest.mark.parametrize("case", CASES)
def test_triton_is_exact(case: str, interpreted: dict[str, str]) -> None:
    assert set(interpreted) == set(CASES)
    assert not interpreted[case], interpreted[case]


# --- Triton: its compiler, which needs no GPU to compile for one

COMPILED = """
import json
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from kernels.ladder.tests.test_gpu_kernels import imported

kernel = imported("triton_bytes")
COMMON = {"images": "*u8", "n": "i32", "pixels": "i32", "sums": "*i64"}
NEAREST = {**COMMON, "classes": "i32", "counts": "*i64", "labels": "*u8"}
SHAPE = kernel.block(784)
WARPS = SHAPE.pop("num_warps")

def ptx(function, signature, warps, **constants):
    signature = {**signature, **dict.fromkeys(constants, "constexpr")}
    signature = {name: signature[name] for name in function.arg_names}
    attributes = {(place,): [["tt.divisibility", 16]] for place, (name, kind) in enumerate(signature.items())
                  if kind.startswith("*") or name == "pixels"}
    source = ASTSource(function, signature, {(function.arg_names.index(name),): value
                                             for name, value in constants.items()}, attributes)
    done = compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    return {"ptx": done.asm["ptx"], "sass": done.asm["sass"]}

print(json.dumps({
    "add": ptx(kernel.add, COMMON, WARPS, **SHAPE),
    "nearest_l1": ptx(kernel.nearest, NEAREST, WARPS, kind=tl.int32, **SHAPE),
    "nearest_l1_large": ptx(kernel.nearest, NEAREST, WARPS, kind=tl.int64, **SHAPE),
    "nearest_l2": ptx(kernel.nearest, NEAREST, WARPS, kind=tl.float64, **SHAPE),
}))
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return output(COMPILED, TRITON_CACHE_DIR=str(tmp_path_factory.mktemp("triton")))


@needs_triton
@pytest.mark.parametrize("function", ["add", "nearest_l1", "nearest_l1_large", "nearest_l2"])
def test_triton_compiles_for_an_h200(function: str, compiled: dict[str, Any]) -> None:
    ptx, machine = compiled[function]["ptx"], compiled[function]["sass"]
    assert "sm_90" in ptx
    assert "ld.global.v4.b32" in ptx  # sixteen bytes at a time
    assert "STL" not in machine  # nothing spills into memory
