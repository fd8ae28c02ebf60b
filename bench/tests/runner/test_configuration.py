"""The environment of a worker process: how many threads libraries may use, and nothing that another one compiled."""

import random

import pytest

from bench.runner import check_kernels, configuration
from bench.runner.configuration import Configuration
from bench.tests.builders import problem, spec, write_kernel


@pytest.mark.parametrize(("threads", "count"), [("1", "1"), ("all", "7")])
def test_the_environment_sets_threads_for_every_library_and_no_compiled_code_is_shared(monkeypatch, threads, count):
    monkeypatch.setattr(configuration, "cores", lambda: 7)
    for name in ("NPROC", "DASK_NUM_WORKERS", "NUMBA_NUM_THREADS", *configuration.FRESH, *configuration.SHARED):
        monkeypatch.setenv(name, "99")
    environment = configuration.environment(Configuration(threads, "default"), random.Random(1))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC",
                 "DASK_NUM_WORKERS"):  # fmt: skip
        assert environment[name] == count, name
    for name in ("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "TRITON_ALWAYS_COMPILE", "CUPY_CACHE_IN_MEMORY"):
        assert environment[name] == "1", name
    assert environment["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_a_worker_gets_that_environment(monkeypatch, tmp_path):
    monkeypatch.setattr(configuration, "cores", lambda: 7)
    kernel = "import os\ndef unavailable(device):\n"
    kernel += "    return [os.environ[name] for name in ('NPROC', 'DASK_NUM_WORKERS', 'NUMBA_NUM_THREADS')]\n"
    with check_kernels.problem_folder(problem(train=3, valid=4)) as folder:
        result = check_kernels.check_kernel(
            spec(write_kernel(tmp_path / "mine.py", kernel)), folder, seed=1, timeout_s=60
        )
    assert (result.status, result.reason) == ("unavailable", "['7', '7', '7']")


def test_a_worker_inherits_only_what_is_named(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    monkeypatch.setenv("SOME_SECRET", "x")
    first, second = (configuration.environment(Configuration("1", "keep"), random.Random(seed)) for seed in (1, 2))
    assert first["OMP_NUM_THREADS"] == "1"
    assert first["MALLOC_MMAP_THRESHOLD_"] == "1073741824"
    assert "SOME_SECRET" not in first
    assert first["PYTHONHASHSEED"] != second["PYTHONHASHSEED"]
    assert len(first["BENCH_PADDING"]) != len(second["BENCH_PADDING"])
    assert "MALLOC_MMAP_THRESHOLD_" not in configuration.environment(Configuration(), random.Random(1))


def test_a_configuration_is_named_by_threads_and_allocator():
    assert configuration.parse("1/keep") == Configuration("1", "keep")
    with pytest.raises(ValueError, match="there are 1/default"):
        configuration.parse("2/default")
