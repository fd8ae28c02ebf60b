from pathlib import Path

import pytest
from hypothesis import settings

from bench.tests.builders import noise, write_folder


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of PNG files: `builders.noise()`."""
    return write_folder(noise(), tmp_path_factory.mktemp("data") / "small")


settings.register_profile("shared machines", deadline=None)  # speed is not tested in tests
settings.load_profile("shared machines")
