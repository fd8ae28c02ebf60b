"""`run` and the commands that follow it: what they print, which files they leave, how they end."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import __main__, kernel
from bench.cli import options, run, run_output
from bench.cli.data_sets import DataSet
from bench.kernel import REFERENCE, ROOT
from bench.records import model, reader
from bench.task.problem import make_problem
from bench.tests.builders import noise, write_kernel
from data.tests.builders import small_set, write

NUMPY = (ROOT / "kernels" / "numpy_broadcast.py").read_text(encoding="utf-8").replace("\nAfter ", "\nBehind ")
GREEDY = """
right = predict_l1
def predict_l1(images, means):
    if len(images) > 100: raise MemoryError("Unable to allocate 9 PiB")
    return right(images, means)
"""
SLOW = f"{NUMPY}\nIMAGES = 1\n"
WRONG = NUMPY.replace("argmin", "argmax")
WAITS = """
import time
right, convert = predict_l1, prepare
def predict_l1(images, means):
    time.sleep(0.025)
    return right(images, means)
def prepare(images, device):
    time.sleep(0.002)
    return convert(images, device)
"""
BOTH = ["all/default", "1/default"]
COMMAND = (
    "python -m bench run --quick --configurations 1/default,all/default --data small "
    "--kernel mine.py --kernel unavailable.py --kernel slow.py"
)


def invoke(*arguments):
    return CliRunner().invoke(__main__.cli, [str(argument) for argument in arguments])


def write_kernels(folder, sources):
    """Write kernels and return the options of `run` that name them."""
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return [part for name in sources for part in ("--kernel", folder / f"{name}.py")]


def local_records():
    """Return the records of every local file, from old to new."""
    return [reader.read_all(path) for path in reversed(reader.local_paths())]


# One run under two configurations, with a kernel for a small data set.


@dataclass
class Ran:
    """What a run printed and left."""

    place: Path
    stdout: str
    status: int
    whole: list[model.Record]
    small: list[model.Record]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """One run; while this module's tests last, its folder is the one of local records."""
    place = tmp_path_factory.mktemp("ran")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "LOCAL", place / "local")
        sources = {"mine": NUMPY, "unavailable": f"{NUMPY}\ndef unavailable(device): return 'no beads'\n", "slow": SLOW}
        digits = write(place / "small", small_set(height=28, width=28))
        configurations = ",".join(reversed(BOTH))
        kernels = write_kernels(place, sources)
        done = invoke("run", "--quick", "--configurations", configurations, "--data", digits, *kernels)
        yield Ran(place, done.stdout, done.exit_code, *local_records())


def test_run_prints_digits_times_the_answer_claims_the_page_and_what_is_next(ran):
    assert ran.status == 0, ran.stdout
    assert "small, 2 + 2 training and 1 + 1 validation images, SHA-256 " in ran.stdout
    assert "All 2 kernels are verified: " in ran.stdout
    for name in (REFERENCE, "mine", "slow"):
        assert any(line.strip().startswith(f"{name} ") and "×" in line for line in ran.stdout.splitlines())
    assert ran.stdout.count("unavailable is unavailable: no beads") == 1
    assert "indicative: 1 process per kernel, no confidence interval" in ran.stdout
    assert re.search("(noise floor is|Differences below) ±", ran.stdout)
    *tail, last, following = ran.stdout.splitlines()[-24:]
    assert any(line.startswith("On small, mine is ") and "as fast as the loops" in line for line in tail)
    assert not any(re.match(r"C\d", line) for line in tail), "no kernel here broadcasts, so there is nothing to judge"
    assert re.fullmatch(r"Page +\S+\.html", last)
    command, example = re.fullmatch(r"Next +(\S+) -m bench run --kernel (\S+)", following).groups()
    assert Path(shutil.which(command)).resolve() == Path(sys.executable).resolve()
    assert Path(example).is_file()


def test_every_data_set_has_a_record_of_its_own(ran):
    assert [record.configuration for record in ran.whole] == [record.configuration for record in ran.small] == BOTH
    for whole, small in zip(ran.whole, ran.small, strict=True):
        assert (whole.kind, whole.per_class, small.kind, small.per_class) == ("ladder", 0, "ladder", 1)
        assert whole.kernels() == ["mine", REFERENCE]
        kernels = {*small.kernels(), *(entry.kernel for entry in small.not_timed)}  # without torch, one is not timed
        assert kernels == {REFERENCE, "slow", "torch_broadcast@cpu"}
        assert small.metadata["dataset_of"] == whole.metadata["dataset_digest"] != small.metadata["dataset_digest"]
        assert small.metadata["run"] == whole.metadata["run"]
        assert whole.metadata["loading_s"] > 0
        assert whole.metadata["command"] == small.metadata["command"] == COMMAND
        for name in ("mine", "unavailable"):
            assert f"{name}.py{model.ELSEWHERE}" in whole.metadata["not_in_commit"]
        assert [entry.kernel for entry in whole.not_timed] == ["unavailable"]
    assert "baseline l1 on small[1 per class], 1/default, " in ran.stdout


def test_plot_draws_the_same_picture_as_run(ran):
    suffixes = sorted(path.suffix for path in (ran.place / "local").glob("[!.]*"))
    assert suffixes == [".html", ".json", ".json", ".png", ".png", ".svg", ".svg"]
    picture = ran.whole[0].path.with_suffix(".svg")
    before = picture.read_bytes()
    assert invoke("plot").exit_code == 0
    assert picture.read_bytes() == before


# Other runs.


def test_a_wrong_kernel_loses_its_row_and_without_the_reference_there_is_no_page(place, monkeypatch):
    broken = place / f"{REFERENCE}.py"
    broken.write_text("1 / 0\n")

    def with_broken_reference(extra=()):
        return [replace(spec, path=broken) if spec.name == REFERENCE else spec for spec in kernel.discover(extra)]

    monkeypatch.setattr(options, "discover", with_broken_reference)
    monkeypatch.setattr(run, "discover", with_broken_reference)
    kernels = write_kernels(place, {"mine": NUMPY, "wrong": WRONG})
    done = invoke("run", "--processes", 2, "--quiet", "--data", place / "small", *kernels)
    assert done.exit_code == 1, (done.output, done.exception)
    assert isinstance(done.exception, SystemExit)
    for words in ("wrong is wrong: l1: ", f"{REFERENCE} is broken: ", "There is no page: "):
        assert words in done.stdout
    assert [path.suffix for path in (place / "local").iterdir()] == [".json"]
    ((record,),) = local_records()
    assert record.label == "indicative: 2 processes per kernel, no confidence interval"
    assert record.kernels() == ["mine"]
    assert sorted(entry.kernel for entry in record.not_timed) == [REFERENCE, "wrong"]


def test_against_compares_just_the_named_kernels_and_says_where_the_time_goes(place):
    """A slow kernel against a fast one."""
    slow = f"{NUMPY}{WAITS}"
    kernels = write_kernels(place, {"base": NUMPY, "slow": slow})
    done = invoke("run", "--quick", "--quiet", "--data", place / "small", *kernels, "--against", "base")
    assert done.exit_code == 0, done.output
    ((record,),) = local_records()
    assert (record.kernels(), record.reference, record.control) == (["base", "slow"], "base", "base~again")
    assert re.search(
        r"slow is 0\.\S+× as fast as base \(no confidence interval\), at \S+% of the bandwidth bound, \S+ [µn]s",
        done.stdout,
    )
    assert "Where the time goes, from one process" in done.stdout
    (cells,) = re.findall(r"^ ?slow +\S+ µs +(\S+) ms +(\S+) ms *$", done.stdout, flags=re.MULTILINE)
    predict, prepare = map(float, cells)
    assert 6 <= prepare < 25 <= predict < 75  # it waits 2 ms for each of three stacks, and 25 ms in a prediction
    assert "C1, C2, C3 are not judged" in done.stdout
    assert done.stdout.count("as fast as base") == 1
    assert REFERENCE not in done.stdout.replace(f"about {REFERENCE}", "")


def test_against_a_wrong_kernel_ends_the_run_and_leaves_nothing(place):
    kernels = write_kernels(place, {"base": NUMPY, "wrong": WRONG})
    done = invoke("run", "--quiet", "--data", place / "small", *kernels, "--against", "base")
    assert done.exit_code == 1, done.output
    assert done.stdout.startswith("wrong is wrong: l1: ")
    assert "\nThe run has ended, for with --against every kernel must be right." in done.stdout
    assert not list((place / "local").iterdir())


def test_sizes_and_kernels_that_run_out_of_memory_or_are_skipped(place, monkeypatch):
    kernels = write_kernels(place, {"greedy": NUMPY + GREEDY, "right": NUMPY})
    ladder = place / "ladder"
    ladder.mkdir()
    write_kernels(ladder, {"slow": SLOW})
    monkeypatch.setattr(kernel, "LADDER", ladder)
    done = invoke("run", "--sizes", "500,2", "--quick", "--quiet", "--ladder", "--data", place / "small", *kernels)
    assert done.exit_code == 0, done.output
    for words in ("predict l1, 2 validation images", "predict l1, 500 validation images",
                  "greedy is broken: out of memory: Unable to allocate 9 PiB", "slow is skipped: "):  # fmt: skip
        assert words in done.stdout
    ((record,),) = local_records()
    assert (record.kind, record.sizes) == ("sizes", [2, 500])
    assert record.at(500).kernels("predict") == ["right"], "only those that were chosen"
    statuses = {entry.kernel: entry.status for entry in record.not_timed}
    assert statuses == {"greedy": "out of memory", "slow": "not measured"}


def test_a_small_data_set_alone_has_no_page(capsys, tmp_path):
    (slow,) = kernel.select(kernel.discover([write_kernel(tmp_path / "slow.py", "IMAGES = 2")]), ["slow"])
    small = make_problem(noise().first_of_each_class(2))
    for specs, why in (((), "omit --per-class for one."), ((slow,), "slow asks for a small one (IMAGES = 2).")):
        run_output.print_answer([run_output.RecordedDataSet(DataSet(small, specs), [], [], ())])
        first, last = capsys.readouterr().out.splitlines()
        assert first == f"There is no page, for no whole data set was recorded: {why}"
        assert last.startswith("Next    ")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="not applicable outside Linux")
def test_memory_at_a_size(place):
    """A kernel that runs out of memory, or would take too long, is named with the reason."""
    wait = "\nright = predict_l1\ndef predict_l1(images, means):\n    import time\n    time.sleep(0.01 * len(images))\n"
    slow = f"{NUMPY}{wait}    return right(images, means)\n"
    kernels = write_kernels(place, {"greedy": NUMPY + GREEDY, "right": NUMPY, "slow": slow})
    done = invoke("run", "--memory", "--sizes", 5000, "--quiet", "--data", place / "small", *kernels)
    assert done.exit_code == 0, done.output
    ((record,),) = local_records()
    right, reference = sorted(record.footprints, key=lambda footprint: footprint.kernel, reverse=True)
    assert (right.kernel, reference.kernel) == ("right", REFERENCE)
    for footprint in (right, reference):
        assert (footprint.scope, footprint.distance, footprint.images) == ("predict", "l1", 5000)
    stack = 5000 * 784 * 4
    assert right.temporaries_bytes > 1.9 * stack > reference.temporaries_bytes
    statuses = {entry.kernel: entry.status for entry in record.not_timed}
    assert statuses == {"greedy": "out of memory", "slow at 5,000 images": "not measured"}
    assert re.search(r"slow at 5,000 images is skipped: one call would take about \d\d s, over the 5 s", done.output)


# As processes.

PATCHED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored if the tests run in the background
from pathlib import Path
from bench import __main__
from bench.records import model
model.LOCAL = Path(sys.argv.pop(1))
__main__.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_leaves_nothing_and_ends_with_130(place):
    hang = place / "hang.py"
    marker = place / "hanging"
    source = (
        f"import os, time\ndef prepare(images, device=0):\n    open({str(marker)!r}, 'w').write(str(os.getpid()))\n"
    )
    hang.write_text(source + "    time.sleep(600)\nmean_images = predict_l1 = prepare\n")
    command = [sys.executable, "-c", PATCHED, str(place / "local"), "run", "--data", str(place / "small")]
    with subprocess.Popen([*command, "--kernel", str(hang)], cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (marker.exists() and marker.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Interrupted" in stderr
    assert "Traceback" not in stderr
    assert not list((place / "local").iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)
