"""The byte kernels against exact fractions: ties, near-ties, odd sizes, long sums."""

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

NO_COMPILER = "no C compiler that works as cc, with OpenMP: install gcc or clang"
RELAXED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["c_bytes", "c_nonzero", "numba_bytes"])
def kernel(request: pytest.FixtureRequest) -> ModuleType:
    pytest.importorskip("numba" if request.param == "numba_bytes" else "cffi")
    module = importlib.import_module(f"kernels.ladder.{request.param}")
    if reason := getattr(module, "unavailable", lambda device: None)("cpu"):
        skip_without_compiler(module, reason)
    return module


NEEDED = {  # what a compiler and a processor must know for a kernel
    "c_bytes": "int one(void) { return 1; }",
    "c_nonzero": """#include <immintrin.h>
        __m512i one(__m512i x) { return _mm512_maskz_expand_epi8(1, x); }""",
}


def skip_without_compiler(module: ModuleType, reason: str) -> None:
    """Skip the test; fail it if the compiler knows what is needed, as then the kernel's own source does not compile."""
    needed = NEEDED[module.__name__.rpartition(".")[2]].encode()
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory() as folder:
        command = [*module.COMMAND.split(), f"{folder}/one.so"]
        done = subprocess.run(command, input=needed, capture_output=True, check=False)
        assert done.returncode, f"a C compiler with OpenMP knows what the kernel needs, but: {reason}"
    pytest.skip(reason)


def distances(train: list[np.ndarray], valid: np.ndarray, power: int) -> list[list[Fraction]]:
    """Return the sums of |x - mean| ** power, as Python's own fractions."""
    totals = [(len(stack), stack.astype(object).sum(0).ravel()) for stack in train]
    return [
        [
            Fraction(sum(abs(int(x) * n - s) ** power for x, s in zip(image.ravel(), total)), n**power)
            for n, total in totals
        ]
        for image in valid
    ]


def agrees(kernel: ModuleType, train: list[np.ndarray], valid: np.ndarray) -> None:
    """Assert that labels (L2 if offered) and means are right, and that stacks, means and answers do not change."""
    for images in (*train, valid):
        images.setflags(write=False)
    stacks, images = [kernel.prepare(stack, "cpu") for stack in train], kernel.prepare(valid, "cpu")
    means = kernel.mean_images(stacks)
    host = kernel.to_host(means)
    exact = [stack.astype(object).sum(0) / (255 * len(stack)) for stack in train]
    assert (host.dtype, host.shape) == (np.float64, (len(train), *valid.shape[1:]))
    np.testing.assert_allclose(host, np.array(exact, dtype=float), rtol=0, atol=1e-15)
    labels = kernel.predict_l1(images, means)
    due = [row.index(min(row)) for row in distances(train, valid, 1)]
    assert type(labels) is np.ndarray
    assert labels.tolist() == due
    step = 255 * Fraction(1, 2**20)
    labels_l2 = kernel.predict_l2(images, means).tolist() if hasattr(kernel, "predict_l2") else []
    for label, row in zip(labels_l2, distances(train, valid, 2)):
        near, far = (float(square / valid[0].size) ** 0.5 for square in (min(row), row[label]))
        assert far - near <= step
    kernel.predict_l1(images[::-1], kernel.mean_images(stacks[::-1]))
    assert labels.tolist() == due
    np.testing.assert_array_equal(kernel.to_host(means), host)
    for before, after in zip((*train, valid), (*stacks, images)):
        if isinstance(after, np.ndarray):
            np.testing.assert_array_equal(before, after)
        else:
            np.testing.assert_array_equal(kernel.prepare(before, "cpu").encoded, after.encoded)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw stacks of few grey levels, and images between the means, so that distances tie or nearly do."""
    height, width = draw(st.tuples(st.integers(1, 7), st.integers(1, 9)))
    counts = draw(st.lists(st.integers(1, 40), min_size=2, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = draw(st.integers(0, 255))
    high = draw(st.integers(low, min(255, low + draw(st.sampled_from([1, 2, 5, 255])))))
    train = [rng.integers(low, high + 1, (n, height, width), np.uint8) for n in counts]
    if draw(st.booleans()):
        train.append(train[0][::-1].copy())  # the same mean twice
    between = np.mean([stack.mean(0) for stack in train[:2]], axis=0)
    noise = rng.integers(-1, 2, (20, height, width))
    valid = np.concatenate([rng.integers(low, high + 1, (10, height, width)), np.clip(between + noise, 0, 255)])
    return train, valid.astype(np.uint8)


@given(problem=problems())
@RELAXED
def test_every_label_is_the_exact_one(kernel: ModuleType, problem: tuple[list[np.ndarray], np.ndarray]) -> None:
    agrees(kernel, *problem)


@given(n=st.integers(240, 1600), almost_white=st.integers(1, 40), pixels=st.integers(1, 40))
@example(n=300, almost_white=1, pixels=1)
@example(n=514, almost_white=480, pixels=3)
@settings(RELAXED, max_examples=30)
def test_white_does_not_overflow(kernel: ModuleType, n: int, almost_white: int, pixels: int) -> None:
    """A 16-bit sum holds 257 white pixels."""
    train = [np.full((n, 1, pixels), 255, np.uint8), np.full((almost_white, 1, pixels), 254, np.uint8)]
    agrees(kernel, train, np.array([[[254] * pixels], [[255] * pixels]], np.uint8))


@pytest.mark.parametrize("n", [1, 7, 8, 9, 15, 16, 17, 257, 258, 479, 480, 481, 961, 1031])
def test_every_image_is_summed_once(kernel: ModuleType, n: int) -> None:
    rng = np.random.default_rng(n)
    train = [rng.integers(0, 256, (count, 5, 7), np.uint8) for count in (n, 3)]
    agrees(kernel, train, rng.integers(0, 256, (9, 5, 7), np.uint8))


def test_on_the_bound(kernel: ModuleType) -> None:
    """Byte distances differ by both slacks or one more; where means are off by a half, exact distances may tie."""
    for pixels in (1, 2, 3, 16, 17):
        train = [np.repeat(np.array(levels, np.uint8), pixels).reshape(2, 1, pixels) for levels in ([0, 1], [2, 3])]
        levels = [(v, w, k) for v in range(4) for w in range(4) for k in range(pixels + 1)]
        agrees(kernel, train, np.array([[[v] * k + [w] * (pixels - k)] for v, w, k in levels], np.uint8))


def test_an_exact_tie_is_the_lower_class(kernel: ModuleType) -> None:
    train = [np.full((n, 2, 3), level, np.uint8) for n, level in ((3, 10), (2, 20), (5, 10), (1, 20))]
    images = np.full((4, 2, 3), 15, np.uint8)
    agrees(kernel, train, images)


def test_a_slack_is_rounded_up(kernel: ModuleType) -> None:
    """Means (1.45, 1.45) and (1.55, 1) of the image (1, 1): 0.9 against 0.55, but 0 against 1 in bytes."""
    train = [np.ones((20, 1, 2), np.uint8) for _ in range(2)]
    train[0][:9] = 2
    train[1][:11, 0, 0] = 2
    agrees(kernel, train, np.ones((1, 1, 2), np.uint8))


def test_one_step_apart_needs_the_exact_path(kernel: ModuleType) -> None:
    """Means of 100 - 1/n and 100 + 1/(n + 1) are one byte image: only the fractions differ."""
    for n in (2, 500, 6131):
        below, above = np.full((n, 1, 5), 100, np.uint8), np.full((n + 1, 1, 5), 100, np.uint8)
        below[0], above[0] = 99, 101
        for train in ([below, above], [above, below]):
            agrees(kernel, train, np.array([[[100] * 5], [[99] * 5], [[101] * 5]], np.uint8))


def test_one_unit_of_four_thousand_million(kernel: ModuleType) -> None:
    """White is 255 * 784 * 22,000 units from black, more than 32 bits hold, and one less from the other class."""
    black = np.zeros((22_000, 28, 28), np.uint8)
    and_one = black.copy()
    and_one[0, 0, 0] = 1
    stacks = [kernel.prepare(stack, "cpu") for stack in (black, and_one, black)]
    white = kernel.prepare(np.full((3, 28, 28), 255, np.uint8), "cpu")
    assert kernel.predict_l1(white, kernel.mean_images(stacks)).tolist() == [1, 1, 1]


def test_slices_of_a_prepared_stack(kernel: ModuleType) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (700, 28, 28), np.uint8)
    stack = kernel.prepare(images, "cpu")
    for part in (slice(None), slice(3, 650), slice(1, None, 2), slice(None, None, -3)):
        means = kernel.mean_images([stack[part], stack[:1]])
        np.testing.assert_allclose(kernel.to_host(means)[0], images[part].mean(0) / 255, rtol=0, atol=1e-14)
        due = [row.index(min(row)) for row in distances([images[part], images[:1]], images[part][:5], 1)]
        assert kernel.predict_l1(stack[part][:5], means).tolist() == due


def test_hundreds_of_classes(kernel: ModuleType) -> None:
    rng = np.random.default_rng(1)
    train = [rng.integers(0, 256, (rng.integers(1, 4), 3, 3), np.uint8) for _ in range(300)]
    agrees(kernel, train, np.concatenate([stack[:1] for stack in train]))


def test_without_a_compiler_the_reason_says_what_to_install(tmp_path: Path) -> None:
    pytest.importorskip("cffi")
    code = "from kernels.ladder import c_bytes; print(c_bytes.unavailable('cpu'))"
    no_path = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=no_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(NO_COMPILER)


def test_processes_that_compile_at_once(tmp_path: Path) -> None:
    pytest.importorskip("cffi")
    code = "from kernels.ladder import c_bytes; print(c_bytes.unavailable('cpu'))"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    run = [sys.executable, "-c", code]
    started = [subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = {process.communicate()[0] for process in started}
    if printed != {"None\n"} and all(reason.startswith(NO_COMPILER) for reason in printed):
        skip_without_compiler(importlib.import_module("kernels.ladder.c_bytes"), printed.pop())
    assert printed == {"None\n"}
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="reads the list of loaded libraries that only Linux has")
@pytest.mark.parametrize("name", ["c_bytes", "c_nonzero"])
def test_the_library_stays_loaded(name: str) -> None:
    """Its threads run until the process ends: where it was closed before that, one process in twenty crashed then."""
    pytest.importorskip("cffi")
    module = importlib.import_module(f"kernels.ladder.{name}")
    if reason := module.unavailable("cpu"):
        skip_without_compiler(module, reason)
    code = f"import gc; from kernels.ladder import {name}; del {name}.LIBRARY, {name}.FFI; gc.collect(); "
    code += "print(open('/proc/self/maps').read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"{name}.so" in done.stdout
