"""GPU kernels are unavailable, with the reason, without a GPU, its driver, a library or a compiler."""

import importlib.util
import os
import shutil

import pytest

from bench.kernel import discover, why_unavailable
from kernels.ladder.tests.gpu_kernels import imported, needs_torch, needs_triton

NAMES = ("cupy_broadcast", "torch_graph", "triton_bytes")


@pytest.mark.parametrize("name", NAMES)
def test_without_a_driver_they_are_unavailable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = [spec for spec in discover() if spec.kernel == name]
    assert (only.name, only.device) == (f"{name}@cuda", "cuda")
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: package)
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    monkeypatch.setattr(shutil, "which", lambda program: None)
    assert why_unavailable(only) == "no NVIDIA driver on this machine"


@pytest.mark.parametrize(
    ("package", "requirement"), [("cupy", '"cupy-cuda13x[ctk]"'), ("triton", "triton"), ("torch", "torch")]
)
def test_the_reason_has_the_command_that_installs_a_package(
    package: str, requirement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = {package}
    monkeypatch.setattr(os.path, "exists", lambda path: True)  # the driver exists
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else name)
    lacking = [spec for spec in discover() if spec.kernel in NAMES and package in spec.packages]
    assert lacking
    for spec in lacking:
        reason = why_unavailable(spec)
        assert reason == f"{package} is not installed: python -m pip install -c constraints.txt {requirement}"


@pytest.mark.parametrize(
    "name", [pytest.param("torch_graph", marks=needs_torch), pytest.param("triton_bytes", marks=needs_triton)]
)
@pytest.mark.parametrize("visible", [False, True])
def test_kernels_on_torch_need_a_device_that_torch_sees(
    name: str, visible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: visible)
    kernel = imported(name)
    if name == "triton_bytes":
        monkeypatch.setattr(kernel.shutil, "which", lambda program: program)
        monkeypatch.setattr(kernel.Path, "exists", lambda path: True)
    assert kernel.unavailable("cuda") == (None if visible else "torch sees no CUDA device")


@pytest.mark.parametrize(
    ("name", "device"),
    [
        pytest.param("triton_bytes", "cuda", marks=needs_triton),
        pytest.param("torch_compiled", "cpu", marks=needs_torch),
        pytest.param("torch_compiled", "cuda", marks=needs_torch),
    ],
)
@pytest.mark.parametrize(
    ("compiler", "header", "reason"),
    [(False, True, "no C"), (True, False, "Python.h is missing"), (True, True, None)],
)
def test_what_compiles_needs_a_compiler(
    name: str, device: str, compiler: bool, header: bool, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = imported(name)
    monkeypatch.setattr(kernel.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(kernel, "find_spec", lambda package: package, raising=False)
    monkeypatch.setattr(kernel.shutil, "which", lambda program: program if compiler else None)
    monkeypatch.setattr(kernel.Path, "exists", lambda path: header)
    given = kernel.unavailable(device)
    assert given == reason or given.startswith(reason)
