"""Packing for another machine, and recording there with a Python that only pretends: order, resuming, time, status."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bench.elsewhere import pack, packed
from bench.kernel import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the other machine runs Linux")

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EVERY = [["loops", "cpu", False], ["wide@cpu", "cpu", False], ["wide@cuda", "cuda", False], ["c_bytes", "cpu", True],
         ["slow_rung", "cpu", True], ["fused@cuda", "cuda", True]]  # fmt: skip

# Notes how it was called. Its `run` does what the file `next` says, once, else it writes a record.
PRETENDER = f"""#!/bin/sh
echo "$@" >>calls
[ "$1" = -c ] && echo '{json.dumps(EVERY)}'
[ "$3" = run ] || exit 0
local=results/local
mkdir -p $local
if [ -e next ]; then . ./next; fi
rm -rf $local/*.unfinished
echo "$@" >$local/record-$$.json
"""
HANG = "mkdir -p $local/begun.unfinished && touch $local/begun.unfinished/plan.json\n"
HANG += "trap 'kill $!; echo interrupted >>calls; exit 130' INT\nsleep 60 & mv next used; wait\n"


@pytest.fixture
def place(tmp_path):
    """A packed folder whose environment is made already."""
    (tmp_path / "bench" / "elsewhere").mkdir(parents=True)
    shutil.copy(ROOT / "bench" / "elsewhere" / "record.py", tmp_path / "bench" / "elsewhere")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PRETENDER, encoding="utf-8")
    python.chmod(0o755)
    (tmp_path / ".venv" / "done").touch()
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "mine.tgz").touch()
    return tmp_path


def command(place, *arguments, isolated=False):
    script = str(place / "bench" / "elsewhere" / "record.py")
    return [sys.executable, *(["-I", "-S"] if isolated else []), script, *arguments]


def start(place, *arguments, **how):
    return subprocess.run(command(place, *arguments, **how), capture_output=True, text=True, timeout=30, check=False)


def runs(place):
    """Return the calls of `python -m bench run`, without these words, and what the pretender noted."""
    calls = (place / "calls").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("-m bench run ") for line in calls if not line.startswith(("-c", "import"))]


def test_everything_is_recorded_in_order_and_once(place):
    done = start(place, "--sizes", "10,100")
    assert done.returncode == 0, done.stdout + done.stderr
    names = "loops,wide@cpu,wide@cuda,c_bytes,fused@cuda"
    assert runs(place) == [
        f"--full --kernels {names}",
        f"--memory --kernels {names}",
        "--sizes 10,100 --kernels wide@cuda,c_bytes,fused@cuda",
    ]
    for name in ("full", "memory", "sizes"):
        assert f"--{name}" in (place / "recorded" / f"{name}.json").read_text(encoding="utf-8")
        assert f"python -m bench publish recorded/{name}.json --slug {name}\n" in done.stdout
    assert done.stdout == (place / "recorded" / "log.txt").read_text(encoding="utf-8")
    assert start(place).returncode == 0
    assert len(runs(place)) == 3, "what was recorded was recorded again"
    (place / "recorded" / "memory.json").unlink()
    assert start(place).returncode == 0
    assert runs(place)[3:] == [f"--memory --kernels {names}"]


def test_kernels_and_quick_are_handed_on(place):
    assert start(place, "--kernels", "a,b", "--quick", "--sizes", "10").returncode == 0
    assert runs(place) == ["--full --quick --kernels a,b", "--memory --kernels a,b", "--sizes 10 --quick --kernels a,b"]


def test_it_stops_in_time_and_goes_on_where_it_stopped(place):
    (place / "next").write_text(HANG, encoding="utf-8")
    started = time.monotonic()
    done = start(place, "--deadline", "1")
    assert time.monotonic() - started < 10
    assert done.returncode == 75, done.stdout + done.stderr
    assert "Not recorded within 1 s: full, memory, sizes. Start it again" in done.stdout
    assert [line.split()[0] for line in runs(place)] == ["--full", "interrupted"], "begun without time for it"
    assert start(place).returncode == 0
    assert [line.split()[0] for line in runs(place)[2:]] == ["--resume", "--memory", "--sizes"]


def test_what_cannot_be_resumed_starts_again_and_says_so(place):
    (place / "next").write_text(HANG.replace("exit 130", "rm -r $local/begun.unfinished; exit 130"), encoding="utf-8")
    done = start(place, "--deadline", "1")
    assert done.returncode == 75
    assert "Nothing of full was finished" in done.stdout
    assert start(place).returncode == 0
    assert runs(place)[2].startswith("--full")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_whoever_ends_it_ends_the_recording_too(place, number, status):
    (place / "next").write_text(HANG, encoding="utf-8")
    with subprocess.Popen(command(place), stdout=subprocess.PIPE, text=True) as recording:
        while not (place / "used").exists():
            time.sleep(0.01)
        assert start(place).returncode == 75, "two at a time"
        recording.send_signal(number)
        said, _ = recording.communicate(timeout=10)
    assert recording.returncode == status
    assert "Interrupted. Start it again" in said
    assert runs(place)[-1] == "interrupted"
    assert start(place).returncode == 0
    assert "--resume" in runs(place)


def test_a_record_that_was_written_before_the_end_counts(place):
    (place / "next").write_text("echo whole >$local/whole.json; mv next used; exec sleep 60\n", encoding="utf-8")
    assert start(place, "--deadline", "1").returncode == 75
    assert (place / "recorded" / "full.json").read_text(encoding="utf-8") == "whole\n"


def test_an_older_record_is_not_taken_for_the_steps(place):
    (place / "results" / "local" / "old.unfinished").mkdir(parents=True)
    (place / "results" / "local" / "old.unfinished" / "plan.json").touch()
    (place / "results" / "local" / "old.json").write_text("old", encoding="utf-8")
    (place / "next").write_text("mv next used; exit 2\n", encoding="utf-8")
    done = start(place)
    assert done.returncode == 1
    assert "Not recorded: full; recorded/log.txt says why" in done.stdout
    assert [line.split()[0] for line in runs(place)] == ["--full", "--memory", "--sizes"], "the rest was not done"
    assert not (place / "recorded" / "full.json").exists()


def test_a_failed_kernel_keeps_its_record_and_shows_in_the_status(place):
    (place / "next").write_text("echo doubtful >$local/doubtful.json; mv next used; exit 1\n", encoding="utf-8")
    for _ in range(2):  # also when there is nothing left to do
        done = start(place)
        assert done.returncode == 1
        assert "full: a kernel failed or is wrong" in done.stdout
        assert "publish recorded/full.json" in done.stdout


def test_commands_find_the_digits_and_no_index(place):
    (place / "next").write_text('echo "$MNIST_SAMPLE $PIP_NO_INDEX $PYTHONPATH." >>seen\n', encoding="utf-8")
    subprocess.run(command(place), env={**os.environ, "PYTHONPATH": "elsewhere"}, check=True, capture_output=True)
    assert (place / "seen").read_text(encoding="utf-8").splitlines()[0] == f"{place.resolve()}/digits/mine.tgz 1 ."


def test_an_environment_that_does_not_work_is_refused(place):
    (place / ".venv" / "bin" / "python").write_text("#!/bin/sh\necho no numpy here >&2; exit 1\n", encoding="utf-8")
    done = start(place)
    assert done.returncode == 2
    assert "no numpy here" in done.stdout
    assert "remove " in done.stdout


@pytest.mark.parametrize(
    ("needs", "says"),
    [
        (None, "has neither wheels/ nor a .venv"),
        ({"python": "3.7"}, "The wheels are for Python 3.7, and this is 3."),
        ({"machine": "vax"}, "The wheels are for vax, and this is "),
        ({}, "has no torch: start it with the Python that has."),
    ],
)
def test_what_cannot_be_set_up_is_one_message(place, needs, says):
    shutil.rmtree(place / ".venv")
    if needs is not None:
        (place / "wheels").mkdir()
        mine = {"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "machine": os.uname().machine}
        (place / "packed.json").write_text(json.dumps({**mine, **needs}), encoding="utf-8")
    done = start(place, isolated=True)  # without site-packages, and so without torch
    assert done.returncode == 2
    assert says in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not (place / ".venv").exists()


def test_bad_arguments_are_refused(place):
    assert start(place, "--deadline", "soon").returncode == 2
    assert not (place / "recorded").exists()


def test_the_commit_of_a_packed_folder_is_checked(tmp_path):
    assert packed.commit(tmp_path) is None
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "clock.py").write_text("tick", encoding="utf-8")
    packed.write(tmp_path, "0123456789ab", python="3.12", machine="x86_64")
    (tmp_path / "wheels").mkdir()  # what is not of the commit does not change it
    assert packed.commit(tmp_path) == "0123456789ab"
    (tmp_path / "bench" / "clock.py").write_text("tock", encoding="utf-8")
    assert packed.commit(tmp_path) == "0123456789ab-modified"
    (tmp_path / "bench" / "clock.py").unlink()
    assert packed.commit(tmp_path) == "0123456789ab-modified"


@needs_git
def test_what_is_exported_is_the_commit_without_the_published_records(tmp_path, monkeypatch):
    root, folder = tmp_path / "root", tmp_path / "folder"
    for name in ("bench/clock.py", "results/README.md", "results/a-machine/report.html"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("committed", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *arguments], cwd=root, check=True)
    (root / "bench" / "clock.py").write_text("changed", encoding="utf-8")
    commit = pack.export(root, folder)
    assert len(commit) == 12
    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert left == ["bench/clock.py", "results/README.md"]
    assert (folder / "bench" / "clock.py").read_text(encoding="utf-8") == "committed"
    with pytest.raises(click.ClickException, match="takes a commit of a git checkout"):
        pack.export(folder, tmp_path / "other")


def test_requirements():
    found = pack.requirements(PROJECT, None, [])
    assert "numpy>=2.0" in found
    assert any(line.startswith("numba") for line in found)
    assert "pip" in found
    assert not any(line.startswith(("torch", "ruff")) for line in pack.requirements(PROJECT, ["torch"], []))
    assert any(line.startswith("dask") for line in pack.requirements(PROJECT, ["ladder"], []))
    assert not any(line.startswith("loops") for line in pack.requirements(PROJECT, ["ladder"], []))
    few = pack.requirements(PROJECT, [], ["numpy", "pooch"])
    assert not any(line.startswith(("numba", "numpy", "pooch")) for line in few)
    with pytest.raises(click.UsageError, match="has no extra nothing; it has torch, "):
        pack.requirements(PROJECT, ["nothing"], [])
    assert pack.canonical("Py_CPUinfo2") == "py-cpuinfo2"


@pytest.mark.parametrize(
    ("arguments", "says"), [(["--python", "3"], "such as 3.12"), ([], "not empty"), (["--extras", "x"], "no extra x")]
)
def test_bad_packing_is_refused(tmp_path, arguments, says):
    folder = tmp_path / "there"
    if not arguments:
        folder.mkdir()
        (folder / "file").touch()
    done = CliRunner().invoke(pack.pack, [str(folder), *arguments])
    assert done.exit_code == 2
    assert says in done.output
    assert [path.name for path in Path(tmp_path).iterdir()] == (["there"] if not arguments else [])
