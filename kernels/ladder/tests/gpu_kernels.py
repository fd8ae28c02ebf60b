"""Shared by the tests that run GPU kernels on machines without a GPU."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.task.problem import Problem
from bench.task.verify import Findings, verify
from bench.tests.builders import prepared

LADDER = Path(__file__).resolve().parents[1]
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
needs_triton = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in ("torch", "triton")),
    reason="torch or triton is not installed",
)


def imported(name: str) -> ModuleType:
    """Import a fresh copy of a kernel, whether or not it is available."""
    spec = importlib.util.spec_from_file_location(name, LADDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verified(kernel: Any, problem: Problem, seed: int = 1) -> Findings:
    """Verify a kernel as the project does, in the CPU's memory."""
    findings = Findings()
    verify(prepared(kernel, problem), seed, findings)
    assert set(findings.correct) == {"l1", "l2"}
    return findings
