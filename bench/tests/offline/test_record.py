"""Packing for another machine, and the steps there with a stand-in for Python: order, going on, time, status."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zipfile

import click
import pytest
from click.testing import CliRunner

from bench.kernel import ROOT, discover
from bench.offline import manifest, pack, record
from bench.probes import machine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the other machine runs Linux")

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STEPS = ["facts", "setup", "import", "check", "first", "six", "loops", "sizes", "scopes", "memory"]

# Stands in for Python and notes its arguments. `run` executes the file `next` once; after that it writes a record.
STAND_IN = """#!/bin/sh
case "$3" in run|check) echo "$@" | cut -d" " -f3- >>calls ;; esac
[ "$3" = run ] || exit 0
mkdir -p $BENCH_LOCAL
if [ -e next ]; then mv next used; . ./used; fi
[ "$4" = --finish ] || rm -rf $BENCH_LOCAL/*.unfinished
echo "$@" >$BENCH_LOCAL/record.json
"""
BEGIN = "mkdir -p $BENCH_LOCAL/a.unfinished/digits-0; touch $BENCH_LOCAL/a.unfinished/plan.json\n"
KEEP = f"{BEGIN}touch $BENCH_LOCAL/a.unfinished/0-all-default-0.json\n"
HANG = "trap 'kill $!; echo interrupted >>calls; exit 130' INT\nsleep 60 & touch sleeping; wait\n"  # as a run on Ctrl-C


@pytest.fixture
def place(tmp_path):
    """A packed folder that is set up."""
    (tmp_path / "bench" / "offline").mkdir(parents=True)
    shutil.copy(ROOT / "bench" / "offline" / "record.py", tmp_path / "bench" / "offline")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(STAND_IN, encoding="utf-8")
    python.chmod(0o755)
    (tmp_path / ".venv" / "done").touch()
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "mine.tgz").touch()
    return tmp_path


def command(place, *arguments):  # without site-packages, and so without torch
    return [sys.executable, "-I", "-S", str(place / "bench" / "offline" / "record.py"), *arguments]


def start(place, *arguments):
    return subprocess.run(command(place, *arguments), capture_output=True, text=True, timeout=30, check=False)


def calls(place, of="run"):
    """Return the arguments of each `python -m bench run`, and other lines that were noted."""
    lines = (place / "calls").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(f"{of} ") for line in lines if of == line.split()[0] or "interrupted" in line]


def status(place):
    return {path.parent.name: path.read_text(encoding="utf-8") for path in place.glob("recorded/*/status.txt")}


def test_every_step_is_done_in_order_and_once(place):
    done = start(place, "--sizes", "10,100", "--timeout", "9")
    assert done.returncode == 0, done.stdout + done.stderr
    three = "torch_broadcast@cuda,triton_bytes@cuda,torch_graph@cuda"
    six = f"python_loops,torch_broadcast@cpu,c_bytes,{three}"
    more = "cupy_broadcast@cuda,jax_broadcast@cuda,torch_compiled@cuda"
    assert calls(place) == [
        "--quick --timeout 9 --kernels triton_bytes@cuda",
        f"--timeout 9 --kernels {six}",
        "--quick --timeout 9 --kernels python_ndarray_elements,python_tensor_elements",
        f"--sizes 10,100 --quick --timeout 9 --kernels {three},c_bytes",
        f"--full --quick --timeout 9 --kernels python_loops,torch_broadcast@cpu,c_bytes,numpy_broadcast,{three},{more}",
        f"--memory --timeout 9 --kernels torch_broadcast@cpu,{three},{more}",
    ]
    assert [line.split()[4] for line in done.stdout.splitlines() if "at most" in line] == [f"{name}," for name in STEPS]
    assert status(place) == dict.fromkeys(STEPS, "done")
    for name in STEPS[4:]:
        assert (place / "recorded" / name / "record.json").exists()
    assert done.stdout == (place / "recorded" / "log.txt").read_text(encoding="utf-8")
    (place / "recorded" / "memory" / "status.txt").unlink()
    assert start(place, "--kernels", "a,b").returncode == 0
    assert calls(place)[6:] == ["--memory --timeout 200 --kernels a,b"], "a step that was done was done again"
    assert start(place, "--steps", "first,check", "--kernels", "a,b,c,d").returncode == 0
    assert calls(place)[7:] == ["--quick --timeout 200 --kernels a,b,c,d"]
    checked = sorted(line.split("/recorded/")[1] for line in calls(place, "check")[3:])
    assert checked == ["check-0.json --kernels a,d", "check-1.json --kernels b", "check-2.json --kernels c"]


def test_the_kernels_are_those_of_the_checkout():
    named = {name for names in (record.CPU, record.GPU, record.OTHERS, record.VARIANTS) for name in names.split(",")}
    assert named <= {spec.name for spec in discover()}
    assert {name for name in named if name.endswith("@cuda")} == {
        spec.name for spec in discover() if spec.device == "cuda"
    }


@pytest.mark.parametrize("begun", [KEEP, BEGIN])
def test_a_step_that_is_cut_off_leaves_a_record_and_goes_on(place, begun):
    (place / "next").write_text(f"{begun}{HANG}", encoding="utf-8")
    began = time.monotonic()
    done = start(place, "--deadline", "2")
    assert time.monotonic() - began < 20
    assert done.returncode == 75, done.stdout + done.stderr
    assert status(place)["first"] == "cut off"
    assert "six: not done" in done.stdout
    first = place / "recorded" / "first"
    assert [path.name for path in first.glob("*.json")] == (["record.json"] if begun == KEEP else [])
    assert [path.name for path in first.glob("*.unfinished/digits-*")] == [], "large files come back"
    finish = ["--finish"] if begun == KEEP else []
    assert [line.split()[0] for line in calls(place)] == ["--quick", "interrupted", *finish]
    if finish:
        (first / "record.json").rename(first / "of_a_part.json")
    assert start(place, "--steps", "first").returncode == 0
    assert calls(place)[-1] == "--resume"
    assert [path.name for path in first.glob("*.json")] == ["record.json"], "two records of one run"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_its_end_ends_the_command_that_it_runs(place, number):
    (place / "next").write_text(KEEP + HANG, encoding="utf-8")
    with subprocess.Popen(command(place, "--steps", "first"), stderr=subprocess.PIPE, text=True) as process:
        while not (place / "sleeping").exists():
            time.sleep(0.01)
        again = start(place)
        assert (again.returncode, "Another process records" in again.stderr) == (2, True)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Interrupted. Start it again" in errors
    assert calls(place)[1:] == ["interrupted"]


def test_a_step_that_fails_stops_no_other_and_is_done_again_in_an_environment_of_its_own(place, monkeypatch):
    seen = 'echo "$MNIST_SAMPLE $PIP_NO_INDEX $PYTHONPATH. ${PATH##*:}" >seen\n'
    (place / "next").write_text(f"{seen}exit 2\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    done = start(place)
    assert done.returncode == 1
    assert status(place) == {**dict.fromkeys(STEPS, "done"), "first": "failed (exit status 2)"}
    assert (place / "seen").read_text() == f"{place.resolve()}/digits/mine.tgz 1 . /usr/local/cuda/bin\n"
    done = start(place, "--steps", "facts,x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"There is no step x; there are {', '.join(STEPS)}.\n"


def test_a_failed_kernel_keeps_its_record_and_shows_in_the_status(place):
    (place / "next").write_text("echo doubtful >$BENCH_LOCAL/record.json; exit 1\n", encoding="utf-8")
    for _ in range(2):  # also when there is nothing left to do
        done = start(place)
        assert done.returncode == 1
        assert "first: done (exit status 1)" in done.stdout
    assert (place / "recorded" / "first" / "record.json").read_text(encoding="utf-8") == "doubtful\n"


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        (None, "has neither wheels/ nor a .venv"),
        ({"python": "3.7"}, "The wheels are for Python 3.7 on "),
        ({}, "has no torch."),
    ],
)
def test_what_cannot_be_set_up_is_one_message(place, needs, text):
    shutil.rmtree(place / ".venv")
    if needs is not None:
        (place / "wheels").mkdir()
        mine = {"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "machine": os.uname().machine}
        (place / "packed.json").write_text(json.dumps({**mine, **needs}), encoding="utf-8")
    done = start(place)
    assert done.returncode == 2
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert status(place) == {"facts": "done"}
    assert not (place / ".venv").exists()


PIP = (
    'import json, os, sys; json.dump(sys.argv[1:], open("pip.json", "w")); sys.exit(os.path.exists("no_such_package"))'
)


@pytest.mark.parametrize("complete", [True, False])
def test_the_set_up_installs_the_wheels_beside_the_packages_of_this_python(place, complete):
    """With a stand-in for pip, and for a Python with torch."""
    shutil.rmtree(place / ".venv")
    there, wheel = place / "lib" / "site-packages", place / "wheels" / "pip-1-py3-none-any.whl"
    (there / "torch-9.dist-info").mkdir(parents=True)
    (there / "torch-9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9\n")
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pip/__main__.py", PIP)
    needs = {"python": f"3.{sys.version_info[1]}", "machine": os.uname().machine}
    (place / "packed.json").write_text(json.dumps(needs), encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", place)
    (place / "other" if complete else place / "no_such_package").touch()
    program = str(place / "bench" / "offline" / "record.py")
    code = f"import runpy, sys; sys.argv[0] = {program!r}; sys.path[:0] = [sys.argv.pop(1)]"
    code += "; runpy.run_path(sys.argv[0], run_name='__main__')"
    run = [sys.executable, "-I", "-S", "-c", code, str(there), "--steps", "setup"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (0 if complete else 2), done.stdout + done.stderr
    assert (place / ".venv" / "done").exists() == complete
    assert complete or "a package is neither in " in done.stderr
    installed = json.loads((place / "pip.json").read_text(encoding="utf-8"))
    assert {"install", "--no-deps", str(wheel), *PROJECT["dependencies"]} <= {*installed}
    (pth,) = (place / ".venv").glob("lib/python3*/site-packages/installed_torch.pth")
    folder, *_, last = pth.read_text(encoding="utf-8").splitlines()
    assert folder == str(there)
    prefixes = (sys.prefix, sys.base_prefix)  # -S may leave the .venv of the tests out
    assert last in {f"import site; site.PREFIXES.append({prefix!r})" for prefix in prefixes}


@needs_git
def test_what_is_packed_is_the_commit_without_the_published_records(tmp_path, monkeypatch):
    root, folder = tmp_path / "root", tmp_path / "folder"
    packed = ["bench/clock.py", "kernels/a.py", "kernels/b.py", "results/README.md"]
    for name in (*packed, "results/a-machine/report.html"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("committed", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *arguments], cwd=root, check=True)
    clock = folder / "bench" / "clock.py"
    (root / "bench" / "clock.py").write_text("changed", encoding="utf-8")
    commit = pack.export(root, folder)
    monkeypatch.setattr(machine, "ROOT", root)
    (root / "kernels" / "a.py").write_text("changed", encoding="utf-8")
    (root / "kernels" / "c.py").write_text("new", encoding="utf-8")
    assert machine.kernels_in_commit() == {"kernels/b.py"}
    assert len(commit) == 12
    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert left == packed
    assert clock.read_text(encoding="utf-8") == "committed"
    with pytest.raises(click.ClickException, match="needs a commit of a git checkout"):
        pack.export(folder, tmp_path / "other")

    assert manifest.commit(folder) is None
    manifest.write(folder, commit, python="3.12", machine="x86_64")
    (folder / "wheels").mkdir()  # a file that is not in the commit does not matter
    assert manifest.commit(folder) == commit
    monkeypatch.setattr(machine, "ROOT", folder)
    assert machine.kernels_in_commit() == {*packed}
    clock.write_text("changed", encoding="utf-8")
    assert manifest.commit(folder) == f"{commit}-modified"
    assert machine.kernels_in_commit() == {*packed[1:]}
    clock.unlink()
    assert manifest.commit(folder) == f"{commit}-modified"


def test_requirements():
    names = {line.partition("[")[0].partition(">")[0] for line in pack.requirements(PROJECT, {"numpy", "pooch"})}
    assert {"rich", "numba", "nvidia-ml-py", "pip"} <= names
    assert not {"torch", "ruff", "numpy", "pooch"} & names


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--python", "3"], "such as 3.12"), ([], "not empty"), (["--without", "numpy,Pip"], "pip must be packed"),
    ],
)  # fmt: skip
def test_bad_packing_is_refused(tmp_path, arguments, text):
    folder = tmp_path / "there"
    if not arguments:
        folder.mkdir()
        (folder / "file").touch()
    done = CliRunner().invoke(pack.pack, [str(folder), *arguments])
    assert done.exit_code == 2
    assert text in " ".join(done.output.split())
    assert [path.name for path in tmp_path.iterdir()] == (["there"] if not arguments else [])
