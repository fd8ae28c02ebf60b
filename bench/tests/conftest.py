import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from bench.probes import nvml
from bench.records import model
from bench.tests.builders import noise, write_folder
from data.tests.builders import small_set, write


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of PNG files: `builders.noise()`."""
    return write_folder(noise(), tmp_path_factory.mktemp("data") / "small")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with digits in `small`, and with its own records in `local`."""
    monkeypatch.setattr(model, "LOCAL", tmp_path / "local")
    write(tmp_path / "small", small_set(height=28, width=28))
    return tmp_path


settings.register_profile("shared machines", deadline=None)  # tests do not test speed
settings.load_profile("shared machines")


@pytest.fixture
def binding(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object], object]]:
    """Return a function that installs a binding of NVIDIA's driver; None stands for a missing one."""

    def install(module: object) -> object:
        nvml.device.cache_clear()
        monkeypatch.setitem(sys.modules, "pynvml", module)
        return module

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield install
    nvml.device.cache_clear()
