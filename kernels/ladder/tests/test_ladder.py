"""What the harness's own check does not ask of the rungs: odd sizes, streaming, a cluster that loses a worker, BLAS."""

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

from bench import kernel as kernels
from bench.runner.in_process import verified_in_process
from bench.tests import builders

LADDER = Path(__file__).resolve().parents[1]
CONTESTANTS = [
    each for path in sorted(LADDER.glob("[!_]*.py")) for each in kernels.discover([path]) if each.path == path
]
STREAMING = (
    "numpy_per_image", "numpy_in_place", "torch_in_place", "numba_loops", "numba_parallel", "dask_broadcast",
)  # fmt: skip
TORCH_ITSELF = "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"  # torch.compile imports it


def load(name: str) -> ModuleType:
    try:
        return kernels.load(builders.spec(LADDER / f"{name}.py"))  # type: ignore[return-value]
    except kernels.Unavailable as reason:
        pytest.skip(f"{name} is unavailable: {reason}")


def output(code: str, *arguments: object, **environment: str) -> Any:
    """Run Python code in a process of its own; return the JSON that it printed last."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=kernels.ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# --- every rung


@pytest.mark.parametrize("spec", CONTESTANTS, ids=lambda each: each.name)
@pytest.mark.parametrize("shape", [(5, 7), (31, 3)], ids=str)
@pytest.mark.filterwarnings(TORCH_ITSELF)
def test_other_sizes_and_three_classes(spec: kernels.KernelSpec, shape: tuple[int, int]) -> None:
    height, width = shape
    posed = builders.problem(classes=3, train=13, valid=20, height=height, width=width)
    try:
        verified = verified_in_process(spec, posed)
    except kernels.Unavailable as reason:
        pytest.skip(str(reason))
    assert verified.offers("l2")


@pytest.mark.parametrize("spec", CONTESTANTS, ids=lambda each: each.name)
def test_captions_fit_a_chart(spec: kernels.KernelSpec) -> None:
    assert 20 < len(spec.caption) <= 110


# --- streaming

STREAM = """
import json, sys
from pathlib import Path
import numpy as np
from bench import kernel
from bench.probes import host_memory as memory
from bench.tests.builders import spec
stack = kernel.load(spec(Path(sys.argv[1])))
images = np.load(sys.argv[2], mmap_mode="r")
images = images.view(np.ndarray)
def baseline(images):
    return stack.predict_l2(stack.prepare(images, "cpu"), stack.mean_images([stack.prepare(images, "cpu")] * 2))
baseline(images[:3000])
print(json.dumps(memory.peak(lambda: baseline(images)).temporaries_bytes))
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
        pytest.skip("the system does not tell how much memory a call took")
    return int(size)


@pytest.mark.parametrize("name", STREAMING)
def test_streaming_kernels_hold_no_copy_of_the_stack(name: str, large: tuple[Path, int]) -> None:
    load(name)
    path, size = large
    assert memory_of(name, path) < size / 2


def test_a_kernel_that_does_not_stream_is_found_out(large: tuple[Path, int]) -> None:
    path, size = large
    assert memory_of("numpy_classes", path) > 4 * size


# --- L2 as a matrix product


def between(one: np.ndarray, other: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n images as close to the middle of two as whole grey levels allow, and closer."""
    away = one.astype(int) - other
    images = []
    for _ in range(n):
        image = np.where(rng.random(one.shape) < 0.5, one, other).astype(int)
        for y, x in rng.permutation(list(np.ndindex(one.shape))):
            lead = int(((image - one) ** 2 - (image - other) ** 2).sum())
            if lead == 0:
                break
            step = int(np.clip(round(lead / (2 * away[y, x])), -image[y, x], 255 - image[y, x])) if away[y, x] else 0
            image[y, x] += step
        images.append(image)
    return np.array(images, np.uint8)


@pytest.mark.parametrize("size", [28, 32])
def test_the_matrix_product_is_exact_where_float32_is_not(size: int) -> None:
    rng = np.random.default_rng(size)
    one, other = rng.integers(236, 256, (2, size, size), dtype=np.uint8)  # bright: |x|² is as large as it can be
    images = between(one, other, 200, rng)
    d_one, d_other = (((images.astype(int) - mean) ** 2).sum((-1, -2)) for mean in (one, other))
    exact = (d_other < d_one).astype(int)  # ties to the lowest index
    assert np.abs(d_one - d_other).max() < 64  # of up to 255² * 1024
    assert 20 < exact.sum() < 180
    kernel = load("numpy_matmul")
    means = kernel.mean_images([kernel.prepare(mean[None].repeat(3, 0), "cpu") for mean in (one, other)])
    assert kernel.predict_l2(kernel.prepare(images, "cpu"), means).tolist() == exact.tolist()

    x, m = (
        images.reshape(200, -1).astype(np.float32) / 255,
        np.stack([one, other]).reshape(2, -1).astype(np.float32) / 255,
    )
    careless = (np.square(x).sum(1)[:, None] - 2 * (x @ m.T) + np.square(m).sum(1)).argmin(1)
    assert (careless != exact).sum() > 10


def test_the_largest_numbers_of_the_matrix_product_are_exact() -> None:
    kernel = load("numpy_matmul")
    white = np.full((2, 32, 32), 255, np.uint8)
    nearly = white.copy()
    nearly[1, 0, 0] = 254  # a mean of 254.5 in one pixel
    images = np.concatenate([white[:1], nearly[1:]])
    for order, expected in (((white, nearly), [0, 1]), ((nearly, white), [1, 0])):
        means = kernel.mean_images([kernel.prepare(stack, "cpu") for stack in order])
        distances = [((images - stack.mean(0)) ** 2).sum((-1, -2)) for stack in order]
        assert distances[0][0] != distances[1][0]
        assert kernel.predict_l2(kernel.prepare(images[:1], "cpu"), means).tolist() == expected[:1]


# --- torch.compile


@pytest.mark.filterwarnings(TORCH_ITSELF)
def test_other_numbers_of_images_are_not_compiled_anew() -> None:
    kernel = load("torch_compiled")
    from torch.compiler import set_stance

    posed = builders.problem(classes=2, valid=40, height=6, width=6)
    means = kernel.mean_images([kernel.prepare(stack, "cpu") for stack in posed.train])
    images = kernel.prepare(posed.valid, "cpu")
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
answers = oracle.solve(train, valid)
prepared = [stack.prepare(each, "cpu") for each in train], stack.prepare(valid, "cpu")
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


def eventually(found: Callable[[], Any]) -> Any:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if answer := found():
            return answer
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.skipif(not (find_spec("dask") and find_spec("distributed")), reason="dask or distributed is not installed")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
def test_a_cluster_that_loses_a_worker_half_way_still_answers_exactly(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    worker = ("distributed.cli.dask_worker", "--scheduler-file", file, "--no-nanny", "--nthreads", 1, "--no-dashboard",
              "--local-directory", tmp_path)  # fmt: skip
    with command("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard",
                 "--scheduler-file", file):  # fmt: skip
        address = json.loads(eventually(lambda: file.exists() and file.read_text()))["address"]
        with command(*worker) as first, command(*worker) as second:
            found = output(
                ON_CLUSTER,
                LADDER / "dask_broadcast.py",
                json.dumps([first.pid, second.pid]),
                DASK_SCHEDULER_ADDRESS=address,
            )
            assert first.wait(10) == -signal.SIGKILL
    assert found["killed"] == [True]  # before the answer was there
    assert found["held"][0] > 0  # the worker that died held part of the stacks
    assert found["left"] == 1
    assert found["both"] == [0, 1]
    assert (found["during"], found["after"]) == (True, True)
    assert found["error"] < 2**-14


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
