from pathlib import Path

import pytest

from bench.tests.builders import noise, write_folder


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of PNG files: `builders.noise()`."""
    return write_folder(noise(), tmp_path_factory.mktemp("data") / "small")
