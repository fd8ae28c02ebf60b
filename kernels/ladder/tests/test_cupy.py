"""`cupy_broadcast` without a GPU: NumPy stands in for CuPy, and refuses what CuPy refuses."""

import difflib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.tests import builders
from kernels import numpy_broadcast
from kernels.ladder.tests.gpu_kernels import LADDER, imported, verified


class OnDevice(np.ndarray):
    """An array that must be copied to the host, and that refuses arrays of the host as CuPy's do."""

    def get(self) -> np.ndarray:
        return self.view(np.ndarray).copy()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
        known = bool(out) or all(isinstance(value, OnDevice) or np.isscalar(value) for value in inputs)
        assert known, "an array of the host meets one of the device"  # `out` is NumPy's own, in mean
        plain = [value.view(np.ndarray) if isinstance(value, OnDevice) else value for value in inputs]
        if out:
            options["out"] = tuple(array.view(np.ndarray) for array in out)
        return np.asarray(getattr(ufunc, method)(*plain, **options)).view(OnDevice)


class NoDriver(RuntimeError):
    pass


def fake_cupy(devices: Callable[[], int] = lambda: 1) -> ModuleType:
    """Return NumPy as a module `cupy`, which takes no list where an array is meant."""

    def strict(name: str) -> Callable[..., Any]:
        def function(a: Any, *arguments: Any, **options: Any) -> Any:
            assert isinstance(a, OnDevice), f"CuPy's {name} wants an array, and was given a {type(a).__name__}"
            return getattr(np, name)(a, *arguments, **options)

        return function

    def stack(arrays: Sequence[Any]) -> OnDevice:
        assert all(isinstance(array, OnDevice) for array in arrays)
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
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy())
    return imported("cupy_broadcast")


@pytest.mark.parametrize("sizes", [{}, {"classes": 3, "train": 600, "height": 3, "width": 2}, {"train": 1}], ids=str)
def test_cupy_gives_the_answers_of_numpy(on_cupy: ModuleType, sizes: dict[str, int]) -> None:
    problem = builders.problem(**sizes)
    assert verified(on_cupy, problem).correct == verified(numpy_broadcast, problem).correct
    images = on_cupy.prepare(problem.valid, "cuda")
    assert isinstance(images, OnDevice)
    assert isinstance(on_cupy.mean_images([images, images]), OnDevice)


def test_cupy_differs_from_numpy_in_five_lines(on_cupy: ModuleType) -> None:
    """C7, "NumPy cannot use a GPU": so many lines of the expressions change, the import among them."""
    files = [LADDER.parent / "numpy_broadcast.py", LADDER / "cupy_broadcast.py"]
    before, after = ([line for line in path.read_text().split('"""')[2].splitlines() if line] for path in files)
    removed = [line[2:] for line in difflib.ndiff(before, after) if line.startswith("- ")]
    assert len(removed) == 5
    assert removed[0] == "import numpy as np"
    assert "Five lines differ, the import among them" in " ".join((on_cupy.__doc__ or "").split())


def test_cupy_without_a_device_is_unavailable_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> int:
        raise NoDriver("cudaErrorInsufficientDriver: too old")

    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(none))
    reason = imported("cupy_broadcast").unavailable("cuda")
    assert reason == "cupy sees no CUDA device (cudaErrorInsufficientDriver: too old)"
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy())
    assert imported("cupy_broadcast").unavailable("cuda") is None
