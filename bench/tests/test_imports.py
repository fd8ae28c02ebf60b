"""Imports go one way, and what is imported is this checkout's."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import bench
import data
import kernels
from bench.kernel import ROOT

ARRAY_LIBRARIES = {"torch", "jax", "cupy", "numba", "pandas", "scipy", "tensorflow", "mlx", "dask"}


def sources(folder: str) -> list[Path]:
    """Return a package's modules, without its tests."""
    files = sorted((ROOT / folder).rglob("*.py"))
    return [path for path in files if "tests" not in path.parts and not path.name.startswith("test_")]


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the dotted names that the nodes import; `from a import b` gives both a and a.b."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def everywhere(path: Path) -> set[str]:
    return imported(ast.walk(ast.parse(path.read_bytes())))


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in everywhere(path)}


def test_data_knows_neither_bench_nor_kernels() -> None:
    for path in sources("data"):
        assert not packages(path) & {"bench", "kernels"}, path


def test_kernels_import_nothing_of_the_project() -> None:
    for path in sources("kernels"):
        assert not packages(path) & {"bench", "kernels", "data"}, path


def test_bench_imports_no_kernel_and_no_array_library_but_numpy() -> None:
    for path in sources("bench"):
        allowed = {"torch"} if path.name == "gpu_bandwidth.py" else set()  # a GPU's limit is measured with something
        assert not packages(path) & {"kernels", *ARRAY_LIBRARIES} - allowed, path


def test_the_oracle_stands_alone() -> None:
    assert packages(ROOT / "bench" / "task" / "oracle.py") <= {*sys.stdlib_module_names, "numpy"}


def test_recording_elsewhere_starts_without_any_package() -> None:
    start = everywhere(ROOT / "bench" / "offline" / "record.py")
    assert {name for name in start if name.startswith(("bench", "data"))} == {"bench.files", "bench.files.whole"}
    for path in ("offline/record.py", "files.py", "__init__.py"):
        assert packages(ROOT / "bench" / path) <= {*sys.stdlib_module_names, "bench"}, path


def test_bench_has_no_circles() -> None:
    modules = {module(path): path for path in sources("bench")}
    graph = {
        name: {other for other in imported(iter(ast.parse(path.read_bytes()).body)) if other in modules} - {"bench"}
        for name, path in modules.items()
    }
    while leaves := [name for name, others in graph.items() if not others]:
        for leaf in leaves:
            del graph[leaf]
        for others in graph.values():
            others.difference_update(leaves)
    assert not graph


def test_no_module_hides_one_of_the_standard_library() -> None:
    for folder in ("bench", "data", "kernels"):
        for path in sources(folder):
            assert path.stem.startswith("__") or path.stem not in sys.stdlib_module_names, path


def test_the_checks_themselves_see_imports() -> None:
    code = "import torch.nn as nn\ndef late():\n    from bench.task.oracle import solve"
    assert imported(ast.walk(ast.parse(code))) == {"torch.nn", "bench.task.oracle", "bench.task.oracle.solve"}
    assert len(sources("bench")) > 15
    assert "bench.task.verify" in {module(path) for path in sources("bench")}


def test_packages_are_this_checkouts() -> None:
    checkout = Path(__file__).resolve().parents[2]
    for package in (bench, data, kernels):
        assert package.__file__
        assert Path(package.__file__).resolve() == checkout / package.__name__ / "__init__.py"
