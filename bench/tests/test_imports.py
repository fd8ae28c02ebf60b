"""Imports go one way, as the table says, and packages are those of this checkout."""

import ast
import sys
from pathlib import Path

import pytest

import bench
import data
import kernels
from bench.kernel import ROOT

ARRAY_LIBRARIES = {"torch", "jax", "cupy", "numba", "pandas", "scipy", "tensorflow", "mlx", "dask"}
ROOT_MODULES = {"kernel", "stats", "atomic", "formatting"}  # of bench/ itself; every room may import them
ALLOWED = {  # what each room of bench/ may import besides itself and ROOT_MODULES
    "kernel": set(),
    "stats": set(),
    "atomic": set(),
    "formatting": set(),
    "code_size": set(),
    "task": {"data"},
    "records": set(),
    "probes": {"task", "records", "offline"},
    "runner": {"task", "records", "probes", "code_size"},
    "analysis": {"records"},
    "report": {"records", "analysis", "code_size", "task"},
    "offline": {"data"},
    "cli": {"data", "task", "records", "probes", "runner", "analysis", "report", "code_size"},
    "__main__": {"data", "records"},
}
OF_DIGITS = {"page_records", "gallery", "broadcasting"}  # modules of report/ that show digits, and may import task/


def sources(folder: str) -> list[Path]:
    """Return a package's modules, without its tests."""
    files = sorted((ROOT / folder).rglob("*.py"))
    return [path for path in files if "tests" not in path.parts and not path.name.startswith("test_")]


def imported(path: Path) -> set[str]:
    """Return the dotted names that a module imports anywhere; `from a import b` gives a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def room(dotted: str) -> str:
    """Return the room of bench/ that a dotted name is in, or its package."""
    package, _, rest = dotted.partition(".")
    return rest.partition(".")[0] if package == "bench" else package


@pytest.mark.parametrize("path", sources("bench"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_room_imports_what_the_table_allows(path: Path) -> None:
    inside = path.relative_to(ROOT / "bench").with_suffix("").parts
    if inside[0] == "__init__":
        return
    ours = {room(name) for name in imported(path) if name.partition(".")[0] in ("bench", "data", "kernels")}
    allowed = (
        ALLOWED[inside[0]] | {inside[0]} | (ROOT_MODULES - {inside[0]} if len(inside) > 1 else {"kernel", "stats"})
    )
    assert ours <= allowed, f"{path.name} may not import {', '.join(sorted(ours - allowed))}"
    if inside[0] == "report" and "task" in ours:
        assert inside[-1] in OF_DIGITS
    libraries = packages(path) & ARRAY_LIBRARIES
    assert libraries <= ({"torch"} if path.name == "gpu_bandwidth.py" else set())  # gpu_bandwidth measures with torch


def test_data_and_kernels_import_nothing_of_bench() -> None:
    for path in sources("data"):
        assert not packages(path) & {"bench", "kernels"}, path
    for path in sources("kernels"):
        assert not packages(path) & {"bench", "kernels", "data"}, path


def test_the_oracle_stands_alone() -> None:
    assert packages(ROOT / "bench" / "task" / "oracle.py") <= {*sys.stdlib_module_names, "numpy"}


def test_recording_on_another_machine_starts_without_any_package() -> None:
    start = imported(ROOT / "bench" / "offline" / "record.py")
    assert {name for name in start if name.startswith(("bench", "data"))} == {"bench.atomic.whole"}
    for path in ("offline/record.py", "atomic.py", "__init__.py"):
        assert packages(ROOT / "bench" / path) <= {*sys.stdlib_module_names, "bench"}, path


def test_no_import_in_bench_is_circular() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sources("bench")}

    def at_import(path: Path) -> set[str]:
        body = ast.Module([node for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.ImportFrom)], [])
        names = {f"{node.module}.{alias.name}" for node in body.body for alias in node.names}
        return {module for module in modules for name in names if name == module or name.startswith(f"{module}.")}

    graph = {name: at_import(path) - {name} for name, path in modules.items()}
    while leaves := [name for name, imports in graph.items() if not imports]:
        for leaf in leaves:
            del graph[leaf]
        for imports in graph.values():
            imports.difference_update(leaves)
    assert not graph


def test_no_module_hides_one_of_the_standard_library() -> None:
    for folder in ("bench", "data", "kernels"):
        for path in sources(folder):
            assert path.stem.startswith("__") or path.stem not in sys.stdlib_module_names, path


def test_the_checks_themselves_see_imports(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import torch.nn as nn\ndef late():\n    from bench.task.oracle import solve")
    assert imported(path) == {"torch.nn", "bench.task.oracle.solve"}
    assert (room("bench.task.oracle.solve"), room("data.load")) == ("task", "data")
    assert len(sources("bench")) > 50


def test_packages_are_this_checkouts() -> None:
    checkout = Path(__file__).resolve().parents[2]
    for package in (bench, data, kernels):
        assert package.__file__
        assert Path(package.__file__).resolve() == checkout / package.__name__ / "__init__.py"
