"""Discovery reads files and imports nothing. Loading tells *unavailable* from *broken*."""

from pathlib import Path

import pytest

from bench import kernel, packages
from bench.kernel import (
    BrokenKernel,
    KernelSpec,
    Unavailable,
    UnknownKernel,
    discover,
    load,
    misnamed,
    select,
    why_broken,
    why_unavailable,
)
from bench.tests.builders import python, spec, write_kernel


def from_file(path: Path) -> list[KernelSpec]:
    return [spec for spec in discover([path]) if spec.path == path]


def test_every_file_of_the_folder_is_found_and_its_name_is_its_file_name() -> None:
    folders = (kernel.ROOT / "kernels", kernel.LADDER)
    files = [{path.stem for path in folder.glob("[!_]*.py")} for folder in folders]
    assert not set.intersection(*files)
    specs = discover()
    assert [{spec.kernel for spec in specs if spec.on_ladder == on_ladder} for on_ladder in (False, True)] == files
    names = [spec.name for spec in specs]
    assert len(set(names)) == len(names)
    assert kernel.REFERENCE in names


def test_listing_imports_nothing(tmp_path: Path) -> None:
    """Neither an array library nor a kernel, not even one whose import would fail."""
    mine = write_kernel(tmp_path / "mine.py", "raise SystemExit('imported')")
    code = (
        "import sys; from pathlib import Path; from bench.cli.kernels import command;"
        "command.callback([Path(sys.argv[1])], True, False);"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('numpy', 'torch', 'PIL', 'kernels', 'mine')))"
    )
    listed = python("-c", code, mine)
    assert listed.stdout.endswith("[]\n"), listed.stderr
    for kernel_spec in discover([mine]):
        assert f"{kernel_spec.name} " in listed.stdout
        assert kernel_spec.caption[:50] in listed.stdout


@pytest.mark.parametrize(
    ("devices", "names"),
    [
        ("", ["mine"]),
        ("DEVICES = ('cuda',)", ["mine@cuda"]),
        ("DEVICES = ('cpu', 'cuda')", ["mine@cpu", "mine@cuda"]),
        ("DEVICES: tuple[str, ...] = ('cpu', 'cuda')", ["mine@cpu", "mine@cuda"]),
    ],
)
def test_devices_are_read_without_importing(devices: str, names: list[str], tmp_path: Path) -> None:
    specs = from_file(write_kernel(tmp_path / "mine.py", devices))
    assert [mine.name for mine in specs] == names
    assert [mine.name.partition("@")[2] or "cpu" for mine in specs] == [mine.device for mine in specs]
    for mine in specs:
        load(mine)


@pytest.mark.parametrize(
    "devices",
    [
        "DEVICES = ('cpu',) + ('cuda',)",
        "if True:\n    DEVICES = ('cpu', 'cuda')",
        "DEVICES = ()",
        "DEVICES = ('cpu', '~x')",
        "DEVICES = ('cpu', 'cpu')",
    ],
)
def test_devices_that_cannot_be_read_are_refused(devices: str, tmp_path: Path) -> None:
    """Otherwise a device would be missing from every table without notice."""
    (only,) = from_file(write_kernel(tmp_path / "mine.py", devices))
    with pytest.raises(BrokenKernel, match=r"mine\.py: DEVICES must be a literal tuple"):
        load(only)


@pytest.mark.parametrize(("line", "images"), [("", 0), ("IMAGES = 20", 20), ("IMAGES: int = 1", 1)])
def test_the_number_of_images_is_read_without_importing(line: str, images: int, tmp_path: Path) -> None:
    path = write_kernel(tmp_path / "mine.py", f"DEVICES = ('cpu', 'cuda')\n{line}")
    assert [mine.images for mine in from_file(path)] == [images, images]
    load(spec(path))


@pytest.mark.parametrize("line", ["IMAGES = 10 + 10", "IMAGES = 0", "IMAGES = True", "IMAGES = '20'"])
def test_a_number_of_images_that_cannot_be_read_is_refused(line: str, tmp_path: Path) -> None:
    """Otherwise the kernel would be timed on all images without notice."""
    with pytest.raises(BrokenKernel, match=r"mine\.py: IMAGES must be a literal number from 1, such as 20"):
        load(spec(write_kernel(tmp_path / "mine.py", line)))


@pytest.mark.parametrize(
    ("names", "expected"), [(["a"], ["a"]), (["b"], ["b@cpu", "b@cuda"]), (["b", "b@cpu"], ["b@cpu", "b@cuda"])]
)
def test_a_name_alone_means_all_of_its_devices(names: list[str], expected: list[str], tmp_path: Path) -> None:
    files = [write_kernel(tmp_path / "a.py"), write_kernel(tmp_path / "b.py", "DEVICES = ('cpu', 'cuda')")]
    assert [chosen.name for chosen in select(discover(files), names)] == expected


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nobody", ""),
        ("", ""),
        ("mine@cuda", "mine"),
        ("torch_brodcast", "torch_broadcast@cpu"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_or_all(name: str, meant: str, tmp_path: Path) -> None:
    file = rf" Or name its file with --kernel {name}\.py" if name.isidentifier() else ""
    said = (rf"did you mean {meant}\?" if meant else r"there are .*, mine\.") + f"{file}$"
    with pytest.raises(UnknownKernel, match=f"no kernel is called '{name}'; {said}"):
        select(discover([write_kernel(tmp_path / "mine.py")]), ["mine", name])


@pytest.mark.parametrize("name", ["my kernel.py", "a@cuda.py", "a,b.py", "mine.txt", "mine", "missing.py", "folder.py"])
def test_unusable_files_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "folder.py":
        path.mkdir()
    elif name != "missing.py":
        write_kernel(path)
    with pytest.raises(UnknownKernel, match=path.name):
        discover([path])


@pytest.mark.parametrize(
    "name", [".#mine.py", "._mine.py", "mine (copy).py", "mine-2.py", "link.py", "folder.py", "a\x1b[1m.py"]
)
def test_what_is_no_file_with_a_python_name_is_no_kernel(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor's lock, a system's notes, a copy: they stop no command. Only a name that is not hidden is said."""
    monkeypatch.setattr(kernel, "ROOT", tmp_path)
    monkeypatch.setattr(kernel, "LADDER", tmp_path / "kernels" / "ladder")
    kernel.LADDER.mkdir(parents=True)
    write_kernel(kernel.LADDER / "mine.py")
    for folder in (tmp_path / "kernels", kernel.LADDER):
        if name in (".#mine.py", "link.py"):
            (folder / name).symlink_to("user@host.1234:1")
        elif name == "folder.py":
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(b"\0\5\x16\7")
    assert [found.name for found in discover()] == ["mine"]
    said = [] if name.startswith(".") else [tmp_path / "kernels" / name, kernel.LADDER / name]
    assert misnamed() == said


def test_a_file_that_cannot_be_read_stops_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = write_kernel(tmp_path / "mine.py")
    monkeypatch.setattr(Path, "read_bytes", lambda path: path.rmdir())
    (only,) = from_file(mine)
    assert only.caption == "(cannot be read: Not a directory)"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    files = [write_kernel(tmp_path / "mine.py"), write_kernel(tmp_path / "other" / "mine.py")]
    with pytest.raises(UnknownKernel, match=r"other.mine\.py: there is a kernel mine already"):
        discover(files)
    with pytest.raises(UnknownKernel, match=r"there is a kernel .* already"):
        discover([write_kernel(tmp_path / f"{kernel.REFERENCE}.py")])
    known = kernel.ROOT / "kernels" / f"{kernel.REFERENCE}.py"
    assert discover([known, files[0], files[0]]) == [*discover(), *from_file(files[0])]


def test_a_caption_is_the_first_line_of_the_docstring(tmp_path: Path) -> None:
    assert spec(write_kernel(tmp_path / "a.py")).caption == "A right kernel: float64 throughout."
    assert spec(write_kernel(tmp_path / "b.py", base="import numpy")).caption == "(no docstring)"
    assert spec(write_kernel(tmp_path / "c.py", base="def :")).caption == "(does not parse)"


@pytest.mark.parametrize("line", ["import nowhere_to_be_found", "from nowhere_to_be_found.deep import thing"])
@pytest.mark.parametrize(("extra", "error"), [("nowhere_to_be_found", Unavailable), ("nowhere_to_be", BrokenKernel)])
def test_a_missing_package_makes_a_kernel_unavailable_if_an_extra_names_it(
    line: str, extra: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And otherwise broken. An unconditional import is found when kernels are listed, any other when it is loaded."""
    project = {"name": "this", "dependencies": ["numpy>=2.0"], "optional-dependencies": {extra: ["beads>=1"]}}
    monkeypatch.setattr(packages, "_project", lambda: project)
    mine = spec(write_kernel(tmp_path / "mine.py", line))
    hidden = spec(write_kernel(tmp_path / "hidden.py", f"if True:\n    {line}"))
    reason = "nowhere_to_be_found is not installed"
    for imports in (mine, hidden):
        with pytest.raises(error, match=reason):
            load(imports)
    why, why_not = why_unavailable(mine), why_broken(mine)
    if error is BrokenKernel:
        why, why_not = why_not, why
    assert (why or "").startswith(reason)
    assert (why_not, why_unavailable(hidden), why_broken(hidden)) == (None, None, None)


@pytest.mark.parametrize("devices", ["", "DEVICES = ('cuda',)"])
@pytest.mark.parametrize(
    ("package", "nearest"), [("nunpy", "numpy"), ("trch", "torch"), ("dev", "beads"), ("colections", "collections")]
)
def test_a_misspelt_package_is_told_the_nearest_name(package: str, nearest: str, devices: str, tmp_path: Path) -> None:
    """Also where a missing GPU would make the kernel unavailable; the extra `dev` is no package."""
    mine = spec(write_kernel(tmp_path / "mine.py", f"{devices}\nfrom {package} import thing"))
    assert why_unavailable(mine) is None
    with pytest.raises(
        BrokenKernel, match=f"{package} is not installed.*{'or correct its name' if package == 'dev' else nearest}"
    ):
        load(mine)


def test_the_reason_has_the_command_that_installs_a_known_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel.importlib.util, "find_spec", lambda package: None)
    mine = spec(write_kernel(tmp_path / "mine.py", "import torch", base=""))
    assert why_unavailable(mine) == "torch is not installed: python -m pip install -c constraints.txt torch"


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        ("import numpy.nowhere", ModuleNotFoundError),
        ("from data import nothing", ImportError),
        ("nothing", NameError),
        ("del prepare", BrokenKernel),
        ("predict_l1 = 3", BrokenKernel),
        ("def unavailable(device):\n    nothing", NameError),
    ],
)
def test_a_mistake_is_never_unavailable(mistake: str, error: type[Exception], tmp_path: Path) -> None:
    mine = spec(write_kernel(tmp_path / "mine.py", mistake))
    assert why_unavailable(mine) is None
    with pytest.raises(error) as caught:
        load(mine)
    assert not isinstance(caught.value, Unavailable)


def test_a_kernel_can_give_a_reason_to_be_unavailable(tmp_path: Path) -> None:
    code = "DEVICES = ('cpu', 'cuda')\ndef unavailable(device):\n    return 'no beads' * (device == 'cuda')"
    cpu, cuda = from_file(write_kernel(tmp_path / "mine.py", code))
    load(cpu)
    with pytest.raises(Unavailable, match=r"^no beads$"):
        load(cuda)


def test_a_gpu_is_found_by_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda = from_file(write_kernel(tmp_path / "mine.py", "DEVICES = ('cpu', 'cuda')"))
    monkeypatch.setattr(kernel.os.path, "exists", lambda path: False)
    monkeypatch.setattr(kernel.shutil, "which", lambda program: None)
    assert (why_unavailable(cpu), why_unavailable(cuda)) == (None, "no NVIDIA driver on this machine")
    monkeypatch.setattr(kernel.shutil, "which", lambda program: f"/usr/bin/{program}")
    assert why_unavailable(cuda) is None
