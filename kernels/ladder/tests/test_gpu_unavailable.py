"""Kernels for a GPU where one, its driver, a library or a compiler is missing: unavailable, with the reason."""

import pytest

from bench import kernel as kernels
from kernels.ladder.tests.gpu_kernels import imported, needs_torch, needs_triton

NAMES = ("cupy_broadcast", "torch_graph", "triton_bytes")


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
