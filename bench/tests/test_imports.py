"""Imports go one way, as the table says, and packages are those of this checkout."""

import ast
import sys
from pathlib import Path

import pytest

import bench
import data
import kernels
from bench.kernel import ROOT

ROOT_MODULES = {"kernel", "stats", "atomic", "formatting"}  # of bench/ itself: every room may import them
ALLOWED = {  # what each room and each module of bench/ may import of this project, besides itself
    "__init__": set[str](),
    "stats": set[str](),
    "atomic": set[str](),
    "packages": set[str](),
    "kernel": {"packages"},
    "code_size": {"kernel"},
    "formatting": {"stats"},
    "task": {*ROOT_MODULES, "data"},
    "records": ROOT_MODULES,
    "probes": {*ROOT_MODULES, "task", "records", "offline"},
    "runner": {*ROOT_MODULES, "task", "records", "probes", "code_size"},
    "analysis": {*ROOT_MODULES, "records"},
    "report": {*ROOT_MODULES, "records", "analysis", "code_size", "task"},
    "offline": {"kernel", "data"},
    "cli": {*ROOT_MODULES, "data", "task", "records", "probes", "runner", "analysis", "report", "code_size"},
    "__main__": {"kernel", "atomic", "data", "records"},
    "test_accuracy": {"task", "runner"},
    "test_speed": {"task", "runner"},
}
OF_DIGITS = {"page_records", "gallery"}  # what of report/ shows digits, and may import task/
# The packages that the harness stands on. No array library but NumPy: a worker imports what its kernel imports.
PACKAGES = {
    "numpy", "click", "rich", "matplotlib", "jinja2", "markupsafe", "psutil", "pyperf", "pytest", "pytest_benchmark",
    "threadpoolctl",
}  # fmt: skip
EXCEPT = {"gpu_bandwidth.py": {"torch"}}  # it measures a GPU with something
BY_NAME = {"__main__.py", "__init__.py", "nvml.py"}  # import_module: commands, pictures, and NVIDIA's binding


def sources(folder: str) -> list[Path]:
    """Return a package's modules, without its tests."""
    return [path for path in sorted((ROOT / folder).rglob("*.py")) if "tests" not in path.parts]


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


def called(path: Path) -> set[str]:
    """Return the names of the functions that a module calls."""
    functions = [node.func for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
    return {getattr(function, "attr", getattr(function, "id", "")) for function in functions}


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def room(dotted: str) -> str:
    """Return the room of bench/ that a dotted name is in, or its package."""
    package, _, rest = dotted.partition(".")
    return rest.partition(".")[0] if package == "bench" else package


@pytest.mark.parametrize("path", sources("bench"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_room_imports_what_the_table_allows(path: Path) -> None:
    inside = path.relative_to(ROOT / "bench").with_suffix("").parts
    names = imported(path)
    ours = {room(name) for name in names if name.partition(".")[0] in ("bench", "data", "kernels")}
    allowed = {*ALLOWED[inside[0]], inside[0]}
    assert ours <= allowed, f"{path.name} may not import {', '.join(sorted(ours - allowed))}"
    if inside[0] == "report" and "task" in ours:
        assert inside[-1] in OF_DIGITS
    foreign = packages(path) - {*sys.stdlib_module_names, "bench", "data"}
    assert foreign <= PACKAGES | EXCEPT.get(path.name, set()), path
    if path.name not in BY_NAME:
        assert not {"import_module", "__import__"} & called(path), "an import by name is seen by no table"


def test_data_and_kernels_import_nothing_of_bench() -> None:
    for path in sources("data"):
        assert not packages(path) & {"bench", "kernels"}, path
    for path in sources("kernels"):
        assert not packages(path) & {"bench", "kernels", "data"}, path


def test_the_oracle_stands_alone() -> None:
    assert packages(ROOT / "bench" / "task" / "oracle.py") <= {*sys.stdlib_module_names, "numpy"}


def test_recording_on_another_machine_starts_without_any_package() -> None:
    assert packages(ROOT / "bench" / "offline" / "record.py") <= {*sys.stdlib_module_names}


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


def test_packages_are_this_checkouts() -> None:
    checkout = Path(__file__).resolve().parents[2]
    for package in (bench, data, kernels):
        assert package.__file__
        assert Path(package.__file__).resolve() == checkout / package.__name__ / "__init__.py"
