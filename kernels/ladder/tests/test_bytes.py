"""The byte kernels against exact fractions: ties, near-ties, odd sizes, long sums."""

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.ladder.tests.exact_cases import CASES, agrees, drawn, slices_agree

NO_COMPILER = "no C compiler that works as cc, with OpenMP: install gcc or clang"


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


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_label_is_the_exact_one(kernel: ModuleType, seed: int) -> None:
    agrees(kernel, *drawn(seed))


@pytest.mark.parametrize("case", CASES)
def test_hard_cases(kernel: ModuleType, case: str) -> None:
    for train, valid in CASES[case]():
        agrees(kernel, train, valid)


def test_one_unit_of_four_thousand_million(kernel: ModuleType) -> None:
    """White is 255 * 784 * 22,000 units from black, more than 32 bits hold, and one less from the other class."""
    black = np.zeros((22_000, 28, 28), np.uint8)
    and_one = black.copy()
    and_one[0, 0, 0] = 1
    stacks = [kernel.prepare(stack, "cpu") for stack in (black, and_one, black)]
    white = kernel.prepare(np.full((3, 28, 28), 255, np.uint8), "cpu")
    assert kernel.predict_l1(white, kernel.mean_images(stacks)).tolist() == [1, 1, 1]


def test_slices_of_a_prepared_stack(kernel: ModuleType) -> None:
    slices_agree(kernel)


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


def test_c_nonzero_does_not_compile_for_a_processor_without_its_instruction(tmp_path: Path) -> None:
    """An assembler takes the instruction for every processor, and the process would die of it."""
    pytest.importorskip("cffi")
    c_nonzero = importlib.import_module("kernels.ladder.c_nonzero")
    if reason := c_nonzero.unavailable("cpu"):
        skip_without_compiler(c_nonzero, reason)
    command = [*c_nonzero.COMMAND.replace("-march", "-mno-avx512vbmi2 -march").split(), str(tmp_path / "one.so")]
    done = subprocess.run(command, input=c_nonzero.SOURCE, text=True, capture_output=True, check=False)
    assert done.returncode
    assert "this processor has no AVX-512 VBMI2" in done.stderr
