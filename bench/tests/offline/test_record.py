"""Packing for another machine, and recording there, with a stand-in for Python: order, resuming, time, status."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib

import click
import pytest
from click.testing import CliRunner

from bench.kernel import ROOT
from bench.offline import manifest, pack
from bench.probes import machine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the other machine runs Linux")

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
KERNELS = [["loops", "cpu", False], ["wide@cpu", "cpu", False], ["wide@cuda", "cuda", False], ["c_bytes", "cpu", True],
           ["slow_step", "cpu", True], ["fused@cuda", "cuda", True]]  # fmt: skip
FILES = ("bench/__init__.py", "bench/atomic.py", "bench/offline/record.py")

# Stands in for Python and notes its arguments. `run` executes the file `next` once; after that it writes two records.
STAND_IN = f"""#!/bin/sh
echo "$@" >>calls
[ "$1" = -c ] && echo '{json.dumps(KERNELS)}'
[ "$3" = run ] || exit 0
local=results/local
mkdir -p $local
if [ -e next ]; then mv next used; . ./used; fi
rm -rf $local/*.unfinished
for n in 1 2; do echo "$@" >$local/$$-$n.json; done
"""
BEGIN = "mkdir -p $local/begun.unfinished && touch $local/begun.unfinished/plan.json $local/half.json\n"
KEEP = BEGIN + "trap 'kill $!; echo interrupted >>calls; exit 130' INT\n"  # what a run does on Ctrl-C
LOSE = BEGIN + "trap 'kill $!; rm -r $local/begun.unfinished $local/half.json; exit 130' INT\n"
HANG = "sleep 60 & touch sleeping; wait\n"


@pytest.fixture
def place(tmp_path):
    """A packed folder that is set up."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
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


def runs(place):
    """Return the arguments of each `python -m bench run`, and other lines that were noted."""
    calls = (place / "calls").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("-m bench run ") for line in calls if not line.startswith(("-c", "import"))]


def steps(place):
    return [line.split()[0] for line in runs(place)]


def recorded(place, step):
    return [path.read_text(encoding="utf-8") for path in (place / "recorded" / step).glob("*.json")]


def test_everything_is_recorded_in_order_and_once(place):
    done = start(place, "--sizes", "10,100")
    assert done.returncode == 0, done.stdout + done.stderr
    names = "loops,wide@cpu,wide@cuda,c_bytes,fused@cuda"
    assert runs(place) == [
        f"--full --processes 6 --kernels {names}",
        f"--memory --kernels {names}",
        "--sizes 10,100 --processes 6 --kernels wide@cuda,c_bytes,fused@cuda",
    ]
    for step, run in zip(("scopes", "memory", "sizes"), runs(place), strict=True):
        assert recorded(place, step) == [f"-m bench run {run}\n"] * 2
    assert "python -m bench publish recorded/*/*.json\n" in done.stdout
    assert done.stdout == (place / "recorded" / "log.txt").read_text(encoding="utf-8")
    shutil.rmtree(place / "recorded" / "memory")
    assert start(place, "--kernels", "a,b").returncode == 0
    assert runs(place)[3:] == ["--memory --kernels a,b"], "a finished step was recorded again"


def test_the_kernels_are_those_of_the_checkout(capsys):
    from bench.offline import record

    exec(record.KERNELS, {})
    names = {name for name, _, _ in json.loads(capsys.readouterr().out)}
    assert {"python_loops", *record.FASTEST, *record.VARIANTS} <= names


@pytest.mark.parametrize(("hang", "text", "then"), [(KEEP, "", "--resume"), (LOSE, "Nothing of scopes was", "--full")])
def test_it_stops_in_time_and_goes_on_where_it_stopped(place, hang, text, then):
    (place / "next").write_text(hang + HANG, encoding="utf-8")
    started = time.monotonic()
    done = start(place, "--deadline", "2")
    assert time.monotonic() - started < 20
    assert done.returncode == 75, done.stdout + done.stderr
    assert "Not recorded within 2 s: scopes, memory, sizes. Start it again" in done.stdout
    assert text in done.stdout
    assert "--memory" not in steps(place), "it was begun without time for it"
    assert start(place).returncode == 0
    assert steps(place)[-3:] == [then, "--memory", "--sizes"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_its_end_ends_the_command_that_it_runs(place, number, status):
    (place / "next").write_text(KEEP + HANG, encoding="utf-8")
    with subprocess.Popen(command(place), stdout=subprocess.PIPE, text=True) as process:
        while not (place / "sleeping").exists():
            time.sleep(0.01)
        assert start(place).returncode == 75, "two at the same time"
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == status
    assert "Interrupted. Start it again" in output
    assert steps(place) == ["--full", "interrupted"]


def test_a_record_that_was_written_before_the_end_counts(place):
    (place / "next").write_text("echo whole >$local/whole.json; exec sleep 60\n", encoding="utf-8")
    assert start(place, "--deadline", "2").returncode == 75
    assert recorded(place, "scopes") == ["whole\n"]


def test_a_step_without_a_record_of_its_own_has_failed(place):
    (place / "results" / "local" / "old.unfinished").mkdir(parents=True)
    (place / "results" / "local" / "old.unfinished" / "plan.json").touch()
    (place / "results" / "local" / "old.json").write_text("old", encoding="utf-8")
    (place / "next").write_text("exit 2\n", encoding="utf-8")
    done = start(place)
    assert done.returncode == 1
    assert "Not recorded: scopes." in done.stdout
    assert steps(place) == ["--full", "--memory", "--sizes"], "the other steps were not done"
    assert not recorded(place, "scopes")


def test_a_failed_kernel_keeps_its_record_and_shows_in_the_status(place):
    (place / "next").write_text("echo doubtful >$local/doubtful.json; exit 1\n", encoding="utf-8")
    for _ in range(2):  # also when there is nothing left to do
        done = start(place)
        assert done.returncode == 1
        assert "scopes: a kernel failed or is wrong" in done.stdout
        assert "publish recorded" in done.stdout
    assert recorded(place, "scopes") == ["doubtful\n"]


def test_commands_find_the_digits_and_no_index(place):
    (place / "next").write_text('echo "$MNIST_SAMPLE $PIP_NO_INDEX $PYTHONPATH." >seen\n', encoding="utf-8")
    subprocess.run(command(place), env={**os.environ, "PYTHONPATH": "elsewhere"}, check=True, capture_output=True)
    assert (place / "seen").read_text(encoding="utf-8") == f"{place.resolve()}/digits/mine.tgz 1 .\n"


def test_an_environment_that_does_not_work_is_an_error(place):
    (place / ".venv" / "bin" / "python").write_text("#!/bin/sh\necho no numpy here >&2; exit 1\n", encoding="utf-8")
    done = start(place)
    assert done.returncode == 2
    assert "no numpy here" in done.stdout
    assert "Remove " in done.stdout


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        (None, "has neither wheels/ nor a .venv"),
        ({"python": "3.7"}, "The wheels are for Python 3.7, and this is 3."),
        ({"machine": "vax"}, "The wheels are for vax, and this is "),
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
    assert text in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not (place / ".venv").exists()


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


@pytest.mark.parametrize(
    ("extras", "without", "included", "excluded"),
    [
        (None, [], {"numpy", "numba", "pip"}, {"torch", "ruff"}),
        (["torch"], [], {"numpy"}, {"torch", "numba"}),
        (["ladder"], [], {"dask", "scipy"}, {PROJECT["project"]["name"]}),
        ([], ["numpy", "pooch"], {"rich"}, {"numba", "numpy", "pooch"}),
    ],
)
def test_requirements(extras, without, included, excluded):
    names = {line.partition("[")[0].partition(">")[0] for line in pack.requirements(PROJECT, extras, without)}
    assert included <= names
    assert not excluded & names


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["--python", "3"], "such as 3.12"), ([], "not empty"), (["--extras", "x"], "has no extra x; it has torch, ")],
)
def test_bad_packing_is_refused(tmp_path, arguments, text):
    folder = tmp_path / "there"
    if not arguments:
        folder.mkdir()
        (folder / "file").touch()
    done = CliRunner().invoke(pack.pack, [str(folder), *arguments])
    assert done.exit_code == 2
    assert text in " ".join(done.output.split())
    assert [path.name for path in tmp_path.iterdir()] == (["there"] if not arguments else [])
