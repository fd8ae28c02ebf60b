"""The ladder beyond verification: odd sizes, streaming, a cluster that loses a worker, BLAS."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bench import kernel
from bench.kernel import KernelSpec, Unavailable, discover
from bench.runner.pytest_support import verified_in_process
from bench.tests import builders

LADDER = Path(__file__).resolve().parents[1]
SPECS = [spec for spec in discover() if spec.on_ladder]
STREAMING = (
    "numpy_per_image", "numpy_in_place", "torch_in_place", "numba_loops", "numba_parallel", "dask_broadcast",
)  # fmt: skip
TORCH_ITSELF = "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"  # torch.compile imports it


def load(name: str) -> ModuleType:
    try:
        return kernel.load(builders.spec(LADDER / f"{name}.py"))  # type: ignore[return-value]
    except Unavailable as error:
        pytest.skip(f"{name} is unavailable: {error}")


def output(code: str, *arguments: object, **environment: str) -> Any:
    """Run Python code in a process of its own; return the JSON in its last line."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=kernel.ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# --- every kernel of the ladder


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("shape", [(5, 7), (31, 3)], ids=str)
@pytest.mark.filterwarnings(TORCH_ITSELF)
def test_other_sizes_and_three_classes(spec: KernelSpec, shape: tuple[int, int]) -> None:
    height, width = shape
    problem = builders.problem(classes=3, train=13, valid=20, height=height, width=width)
    try:
        verified = verified_in_process(spec, problem)
    except Unavailable as error:
        pytest.skip(str(error))
    assert verified.offers("l2")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_captions_fit_a_chart(spec: KernelSpec) -> None:
    assert 20 < len(spec.caption) <= 110


# --- streaming

STREAM = """
import json, sys
from pathlib import Path
import numpy as np
from bench import kernel
from bench.probes import host_memory
from bench.tests.builders import spec
stack = kernel.load(spec(Path(sys.argv[1])))
images = np.load(sys.argv[2], mmap_mode="r")
images = images.view(np.ndarray)
def baseline(images):
    return stack.predict_l2(stack.prepare(images, "cpu"), stack.mean_images([stack.prepare(images, "cpu")] * 2))
baseline(images[:3000])
print(json.dumps(host_memory.peak(lambda: baseline(images)).temporaries_bytes))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A file of 100,000 images, and its size in bytes."""
    path = tmp_path_factory.mktemp("large") / "images.npy"
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (100_000, 28, 28))
    images[:] = np.random.default_rng(0).integers(0, 256, (1000, 28, 28), np.uint8).repeat(100, 0)
    return path, images.nbytes


def memory_of(name: str, path: Path) -> int:
    size = output(STREAM, LADDER / f"{name}.py", path)
    if size is None:
        pytest.skip("the system does not report the memory of a call")
    return int(size)


@pytest.mark.parametrize("name", STREAMING)
def test_streaming_kernels_hold_no_copy_of_the_stack(name: str, large: tuple[Path, int]) -> None:
    load(name)
    path, size = large
    assert memory_of(name, path) < size / 2


def test_a_kernel_that_does_not_stream_needs_memory(large: tuple[Path, int]) -> None:
    path, size = large
    assert memory_of("numpy_classes", path) > 4 * size


# --- L2 as a matrix product


def between(first: np.ndarray, second: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n images as close to the middle of two as whole grey levels allow."""
    away = first.astype(int) - second
    images = []
    for _ in range(n):
        image = np.where(rng.random(first.shape) < 0.5, first, second).astype(int)
        for y, x in rng.permutation(list(np.ndindex(first.shape))):
            lead = int(((image - first) ** 2 - (image - second) ** 2).sum())
            if lead == 0:
                break
            step = int(np.clip(round(lead / (2 * away[y, x])), -image[y, x], 255 - image[y, x])) if away[y, x] else 0
            image[y, x] += step
        images.append(image)
    return np.array(images, np.uint8)


@pytest.mark.parametrize("size", [28, 32])
def test_the_matrix_product_is_exact_where_float32_is_not(size: int) -> None:
    rng = np.random.default_rng(size)
    first, second = rng.integers(236, 256, (2, size, size), dtype=np.uint8)  # bright: |x|² is as large as it can be
    images = between(first, second, 200, rng)
    to_first, to_second = (((images.astype(int) - mean) ** 2).sum((-1, -2)) for mean in (first, second))
    exact = (to_second < to_first).astype(int)  # ties to the lowest index
    assert np.abs(to_first - to_second).max() < 64  # of up to 255² * 1024
    assert 20 < exact.sum() < 180
    kernel = load("numpy_matmul")
    means = kernel.mean_images([kernel.prepare(mean[None].repeat(3, 0), "cpu") for mean in (first, second)])
    assert kernel.predict_l2(kernel.prepare(images, "cpu"), means).tolist() == exact.tolist()

    x, m = (
        images.reshape(200, -1).astype(np.float32) / 255,
        np.stack([first, second]).reshape(2, -1).astype(np.float32) / 255,
    )
    careless = (np.square(x).sum(1)[:, None] - 2 * (x @ m.T) + np.square(m).sum(1)).argmin(1)
    assert (careless != exact).sum() > 10


# --- torch.compile


@pytest.mark.filterwarnings(TORCH_ITSELF)
def test_other_numbers_of_images_are_not_compiled_anew() -> None:
    kernel = load("torch_compiled")
    from torch.compiler import set_stance

    problem = builders.problem(classes=2, valid=50, height=6, width=6)
    means = kernel.mean_images([kernel.prepare(stack, "cpu") for stack in problem.train])
    images = kernel.prepare(problem.valid, "cpu")[:40]  # timed stacks, too, are windows of longer ones
    for predict in (kernel.predict_l1, kernel.predict_l2):
        expected = [*predict(images, means)], [*predict(images[:1], means)]
        with set_stance("fail_on_recompile"):
            for n in (2, 3, 17, 39):
                assert [*predict(images[:n], means)] == expected[0][:n]
            assert [*predict(images[:1], means)] == expected[1]


# --- Dask on a cluster

ON_CLUSTER = """
import json, os, signal, sys, threading, time
from pathlib import Path
import numpy as np
from bench import kernel
from bench.task import oracle
from bench.tests.builders import spec
workers = json.loads(sys.argv[2])
stack = kernel.load(spec(Path(sys.argv[1])))
stack.client.wait_for_workers(2, timeout=60)
rng = np.random.default_rng(0)
train = [rng.integers(0, top, (9000, 28, 28), dtype=np.uint8) for top in (250, 256)]
valid = rng.integers(0, 256, (40000, 28, 28), dtype=np.uint8)
valid[:, :8] //= rng.integers(1, 3, (40000, 1, 1), dtype=np.uint8)
answers = oracle.solve([len(images) for images in train], oracle.pixel_sums(train), valid)
prepared = [stack.prepare(images, "cpu") for images in train], stack.prepare(valid, "cpu")
holds = {address: len(keys) for address, keys in stack.client.has_what().items()}
means = stack.mean_images(prepared[0])
ended, killed = threading.Event(), []
def kill():
    while not ended.is_set():
        if all(stack.client.processing().values()):
            killed.append(not ended.is_set())
            os.kill(workers[0], signal.SIGKILL)
            return
        time.sleep(0.005)
threading.Thread(target=kill).start()
def right(distance, labels):
    return bool(answers[distance].acceptable[np.arange(len(valid)), labels].all())
during = right("l1", stack.predict_l1(prepared[1], means))
ended.set()
left = len(stack.client.scheduler_info(n_workers=-1)["workers"])
again = stack.mean_images(prepared[0])
print(json.dumps({
    "killed": killed, "during": during, "left": left, "held": sorted(holds.values()),
    "after": right("l2", stack.predict_l2(prepared[1], means)),
    "error": float(np.abs(again - oracle.mean_images(train)).max()),
    "both": sorted(np.unique(answers["l1"].labels).tolist()),
}))
"""


@contextmanager
def command(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-m", *map(str, arguments)], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def eventually(poll: Callable[[], Any]) -> Any:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if answer := poll():
            return answer
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.skipif(not (find_spec("dask") and find_spec("distributed")), reason="dask or distributed is not installed")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
def test_a_cluster_that_loses_a_worker_answers_exactly(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    worker = ("distributed.cli.dask_worker", "--scheduler-file", file, "--no-nanny", "--nthreads", 1, "--no-dashboard",
              "--local-directory", tmp_path)  # fmt: skip
    with command("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard",
                 "--scheduler-file", file):  # fmt: skip
        address = json.loads(eventually(lambda: file.exists() and file.read_text()))["address"]
        with command(*worker) as first, command(*worker) as second:
            result = output(
                ON_CLUSTER,
                LADDER / "dask_broadcast.py",
                json.dumps([first.pid, second.pid]),
                DASK_SCHEDULER_ADDRESS=address,
            )
            assert first.wait(10) == -signal.SIGKILL
    assert result["killed"] == [True]  # before the answer was there
    assert result["held"][0] > 0  # the worker that died held part of the stacks
    assert result["left"] == 1
    assert result["both"] == [0, 1]
    assert (result["during"], result["after"]) == (True, True)
    assert result["error"] < 2**-14


LOADED = """
import sys
from pathlib import Path
from bench import kernel
from bench.tests.builders import spec
kernel.load(spec(Path(sys.argv[1])))
print("true" if "distributed" in sys.modules else "false")
"""


def test_without_an_address_nothing_is_distributed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    load("dask_broadcast")
    assert output(LOADED, LADDER / "dask_broadcast.py") is False
