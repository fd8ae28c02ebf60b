"""The threads and the allocator that a kernel is measured under: how they are set, and what takes effect."""

import os
import platform
import random
import re
import sys
from dataclasses import dataclass
from itertools import product

from bench.probes.machine import cores

THREADS = ("1", "all")
ALLOCATORS = ("default", "keep")

# OpenMP, BLAS libraries, Numba, Dask, numexpr, OpenCV and XLA (NPROC) read the number of threads from these.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS",
    "DASK_NUM_WORKERS", "NUMEXPR_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "NPROC",
)  # fmt: skip
# Without these, a first call would use what an earlier process compiled (torch.compile, Triton, CuPy, JAX).
FRESH = {
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1", "TRITON_ALWAYS_COMPILE": "1", "CUPY_CACHE_IN_MEMORY": "1",
    "JAX_ENABLE_COMPILATION_CACHE": "false",
}  # fmt: skip
# JAX would take three quarters of a GPU's memory when it starts, and the processes of all kernels hold theirs at once.
SHARED = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
# glibc keeps freed memory instead of giving it back and page-faulting it in again at the next temporary.
KEEP = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
# A worker inherits the environment without what changes how libraries, Python, the compiler or the loader run ...
HOW = re.compile(
    r"(ATEN|BLIS|CUBLAS|CUDA|CUDNN|CUPY|DASK|DNNL|FAISS|GOMP|GOTO|JAX|KMP|LOKY|MALLOC|MIMALLOC|MKL|NPY|NUMBA|NUMEXPR|OMP|ONEDNN"
    r"|OPENBLAS|OPENCV|PYTORCH|SCIPY|SKLEARN|TBB|TORCH|TORCHDYNAMO|TORCHINDUCTOR|TRITON|VECLIB|XLA)_\w*|PYTHON\w*"
    r"|NVIDIA_TF32_OVERRIDE|GLIBC_TUNABLES|LD_(PRELOAD|AUDIT|BIND_NOW)|DYLD_INSERT_LIBRARIES|(C|CPP|CXX|LD)FLAGS"
)
# ... except where they say where things are, and which device to use.
WHERE = re.compile(
    r"PYTHON(PATH|HOME|USERBASE|NOUSERSITE|PYCACHEPREFIX)|(?!PYTHON)\w+_(PATH|HOME|ROOT|DIR|DIRECTORY)(_V[\d_]+)?"
    r"|CUDA_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|DASK_SCHEDULER_ADDRESS"
)


@dataclass(frozen=True)
class Configuration:
    """How many threads libraries may use ("1" or "all" cores), and how memory is allocated ("default" or "keep")."""

    threads: str = "all"
    allocator: str = "default"

    @property
    def name(self) -> str:
        """The configuration as it is typed and shown, such as "all/default"."""
        return f"{self.threads}/{self.allocator}"


def parse(name: str) -> Configuration:
    """Return the configuration of a name such as "1/keep", or raise ValueError."""
    known = {one.name: one for one in (Configuration(*pair) for pair in product(THREADS, ALLOCATORS))}
    if name not in known:
        raise ValueError(f"there is no configuration {name!r}; there are {', '.join(known)}")
    return known[name]


def environment(configuration: Configuration, rng: random.Random) -> dict[str, str]:
    """Return the whole environment of a worker process, with a hash seed and a size that are drawn anew.

    Both move memory about, and a time that depends on them must not pass for the kernel's own (Mytkowicz et al., 2009).
    """
    removed = _removed()
    return {
        **{name: value for name, value in os.environ.items() if name not in removed},
        **_set(configuration),
        "PYTHONHASHSEED": str(rng.randrange(2**32)),
        "BENCH_PADDING": "x" * rng.randrange(4096),
    }


def changes(configuration: Configuration) -> dict[str, str]:
    """Return what a worker's environment has other than this process's, as a record keeps it."""
    values = ", ".join(f"{name}={value}" for name, value in sorted(_set(configuration).items()))
    return {"environment_set": values, "environment_removed": ", ".join(sorted(_removed())) or "none"}


def _set(configuration: Configuration) -> dict[str, str]:
    threads = "1" if configuration.threads == "1" else str(cores())
    keep = KEEP if configuration.allocator == "keep" else {}
    return {**dict.fromkeys(THREAD_VARIABLES, threads), **FRESH, **SHARED, **keep}


def _removed() -> list[str]:
    return [name for name in os.environ if HOW.fullmatch(name) and not WHERE.fullmatch(name)]


def allocator_in_force(configuration: Configuration) -> str:
    """Return the allocator setting that takes effect here: only glibc has the switch."""
    here = configuration.allocator == "default" or platform.libc_ver()[0] == "glibc"
    return configuration.allocator if here else "not applicable"


def in_force() -> dict[str, str]:
    """Return the threads ("1", "all", or the count of each library) and the allocator that this process has."""
    counted = threads_in_force()
    counts = "/".join({part.rpartition(" ")[2] for part in counted.split(", ")})  # one if they agree
    threads = {"1": "1", str(cores()): "all"}.get(counts, counted)
    return {"threads": threads, "allocator": "keep" if KEEP.items() <= os.environ.items() else "default"}


def threads_in_force() -> str:
    """Return how many threads each library loaded in this process uses: "openblas 2, openmp 2, torch 2"."""
    import threadpoolctl

    counts = {pool["internal_api"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    if torch := sys.modules.get("torch"):
        counts["torch"] = torch.get_num_threads()
    if numba := sys.modules.get("numba"):
        counts["numba"] = numba.get_num_threads()
    return ", ".join(f"{library} {count}" for library, count in sorted(counts.items())) or "1"
