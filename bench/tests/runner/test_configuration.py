"""The environment of a worker process: how many threads libraries may use, and nothing that another one compiled."""

import random

import pytest

from bench import kernel
from bench.records import keys
from bench.runner import check_kernels, configuration
from bench.runner.configuration import Configuration
from bench.tests.builders import problem, spec, write_kernel


@pytest.mark.parametrize(("threads", "count"), [("1", "1"), ("all", "7")])
def test_the_environment_sets_threads_for_every_library_and_no_compiled_code_is_shared(monkeypatch, threads, count):
    monkeypatch.setattr(configuration, "cores", lambda: 7)
    for name in ("NPROC", "DASK_NUM_WORKERS", "NUMBA_NUM_THREADS", *configuration.FRESH, *configuration.SHARED):
        monkeypatch.setenv(name, "99")
    environment = configuration.environment(Configuration(threads, "default"), random.Random(1))
    assert {environment[name] for name in configuration.THREAD_VARIABLES} == {count}
    for name, value in (configuration.FRESH | configuration.SHARED).items():
        assert environment[name] == value, name


def test_a_worker_gets_that_environment_and_finds_the_libraries_that_the_command_finds(monkeypatch, tmp_path):
    monkeypatch.setattr(configuration, "cores", lambda: 7)
    (tmp_path / "a_library_of_mine.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    source = "import a_library_of_mine, os\ndef unavailable(device):\n"
    source += "    return [os.environ[name] for name in ('NPROC', 'DASK_NUM_WORKERS', 'NUMBA_NUM_THREADS')]\n"
    mine = spec(write_kernel(tmp_path / "mine.py", source))
    assert kernel.why_broken(mine) is None
    with check_kernels.problem_folder(problem(train=3, valid=4)) as folder:
        result = check_kernels.check_kernel(mine, folder, seed=1, timeout_s=60)
    assert (result.status, result.reason) == ("unavailable", "['7', '7', '7']")


WHERE = (
    "PATH", "HOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "CONDA_PREFIX", "LD_LIBRARY_PATH",
    "VIRTUAL_ENV", "CC", "CUDA_HOME", "CUDA_PATH", "CUDA_PATH_V13_0", "CUDA_VISIBLE_DEVICES", "CUDA_MPS_PIPE_DIRECTORY",
    "TMPDIR", "TRITON_CACHE_DIR", "XDG_CACHE_HOME", "DASK_SCHEDULER_ADDRESS", "NIX_PROFILES", "SYSTEMROOT", "LANG",
)  # fmt: skip
HOW = (
    "PYTHONOPTIMIZE", "PYTHONSAFEPATH", "PYTHONMALLOC", "PYTHONWARNINGS", "LD_PRELOAD", "OMP_PROC_BIND", "KMP_AFFINITY",
    "MKL_CBWR", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "CUDA_LAUNCH_BLOCKING", "XLA_FLAGS", "JAX_PLATFORMS",
    "TRITON_INTERPRET", "NUMBA_DISABLE_JIT", "NVIDIA_TF32_OVERRIDE", "GLIBC_TUNABLES", "CFLAGS", "MALLOC_ARENA_MAX",
)  # fmt: skip


def test_a_worker_inherits_where_things_are_but_not_how_they_run(monkeypatch):
    for name in (*WHERE, *HOW, "OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_"):
        monkeypatch.setenv(name, "77")
    first, second = (configuration.environment(Configuration("1", "keep"), random.Random(seed)) for seed in (1, 2))
    assert {name: first.get(name) for name in WHERE} == dict.fromkeys(WHERE, "77")
    assert not {*HOW} & first.keys()
    assert first["OMP_NUM_THREADS"] == "1"
    assert first["MALLOC_MMAP_THRESHOLD_"] == "1073741824"
    assert first["PYTHONHASHSEED"] != second["PYTHONHASHSEED"]
    assert len(first["BENCH_PADDING"]) != len(second["BENCH_PADDING"])
    default = configuration.environment(Configuration(), random.Random(1))
    assert not [name for name in default if name.startswith("MALLOC_")]


def test_a_record_has_what_was_set_and_removed(monkeypatch):
    for name in [name for name in configuration.os.environ if configuration.HOW.fullmatch(name)]:
        monkeypatch.delenv(name)
    metadata = configuration.changes(Configuration("1", "keep"))
    assert {"OMP_NUM_THREADS=1", "MALLOC_TRIM_THRESHOLD_=4294967296"} <= {*metadata["environment_set"].split(", ")}
    assert metadata["environment_removed"] == "none"
    monkeypatch.setenv("LD_PRELOAD", "/home/somebody/libjemalloc.so")
    monkeypatch.setenv("CC", "clang")
    assert configuration.changes(Configuration())["environment_removed"] == "LD_PRELOAD"
    assert metadata.keys() <= keys.NAMES


def test_a_configuration_is_named_by_threads_and_allocator():
    assert configuration.parse("1/keep") == Configuration("1", "keep")
    with pytest.raises(ValueError, match="there are 1/default"):
        configuration.parse("2/default")
