"""`run` and the commands that follow it: what they print, which files they leave, how they end."""

import io
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
from bench.cli import console, options, run, run_output
from bench.cli.data_sets import DataSet
from bench.cli.run_options import BUDGET_S
from bench.kernel import REFERENCE, ROOT
from bench.records import model, reader
from bench.runner import checkpoint
from bench.runner.configuration import Configuration
from bench.runner.plan import BASELINE, FULL, LONGEST_S, PREDICT
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
        r"slow is 0\.\S+× as fast as base \(no confidence interval\), at \S+% of its bandwidth bound, \S+ [µn]s",
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


# What the options ask for.


class Planned(Exception):
    """Raised instead of recording, with the plans."""


@pytest.fixture
def planned(place, monkeypatch):
    """Return a function that gives the plans of `run` with some options, by images per class."""

    def begin(tasks, digits, problems, require):
        raise Planned({task.per_class: task.plan for task in tasks})

    def plans(*options):
        done = invoke("run", "--quiet", "--data", place / "small", *options)
        assert isinstance(done.exception, Planned), done.output
        return done.exception.args[0]

    monkeypatch.setattr(checkpoint, "begin", begin)
    return plans


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"processes": 6, "pairs": BASELINE, "configurations": (Configuration(),), "longest_s": LONGEST_S}),
        (["--quick"], {"processes": 1}),
        (["--rigorous"], {"processes": 15}),
        (["--full"], {"pairs": FULL, "kind": "scopes"}),
        (["--sizes", "30,1,30"], {"sizes": (1, 30), "pairs": PREDICT, "longest_s": LONGEST_S, "kind": "sizes"}),
        (["--sizes", "8100000", "--no-time-limit", "--timeout", 900], {"sizes": (8_100_000,), "longest_s": 900}),
        (
            ["--configurations", "1/keep, all/default"],
            {"configurations": (Configuration(), Configuration("1", "keep"))},
        ),
        (["--memory-limit", "1.5"], {"memory_limit": 1_500_000_000}),
    ],
)
def test_every_option_of_run_has_its_effect(planned, options, expected):
    (plan,) = planned(*options).values()
    assert {name: getattr(plan, name) for name in expected} == expected


def test_every_data_set_is_recorded_with_the_kernels_to_compare_with(planned, tmp_path, monkeypatch):
    slow = write_kernel(tmp_path / "slow.py", "IMAGES = 1")

    def names(*options):
        return {n: [spec.name for spec in plan.specs] for n, plan in planned("--kernel", slow, *options).items()}

    small = [REFERENCE, "torch_broadcast@cpu", "slow"]
    assert names() == {1: small}
    assert names("--kernels", "numpy_broadcast") == {0: ["numpy_broadcast", REFERENCE], 1: small}
    assert names("--per-class", 1, "--kernels", "numpy_broadcast") == {1: ["numpy_broadcast", *small]}
    assert names("--per-class", 2) == {0: [REFERENCE, "slow"]}  # no class has more
    assert names("--sizes", 1, "--per-class", 1) == {1: ["slow"]}  # with no other than the chosen ones
    monkeypatch.setattr(run, "why_unavailable", lambda spec: None)
    assert names() == {1: [*small[:2], "torch_broadcast@cuda", "slow"]}
    monkeypatch.setattr(run, "why_unavailable", lambda spec: "no driver")
    slow.write_text(slow.read_text().replace("throughout.", "throughout.\n\nAfter numpy_broadcast: why."))
    assert names() == {1: ["numpy_broadcast", *small]}  # the step before it


def test_against_is_a_plan_of_the_named_kernels_alone_on_one_data_set(planned, tmp_path, monkeypatch):
    slow = write_kernel(tmp_path / "slow.py", "IMAGES = 1")

    def plan(*options):
        ((n, plan),) = planned(*options).items()
        return n, [spec.name for spec in plan.specs], plan.against, plan.reference, plan.budget_s

    named = ("--against", "numpy_float64,numpy_broadcast")
    over = (("numpy_float64", "numpy_broadcast"), "numpy_float64")
    assert plan(*named) == (0, ["numpy_broadcast", "numpy_float64"], *over, BUDGET_S)
    three = ["numpy_broadcast", "numpy_float64", "slow"]
    assert plan(*named, "--kernel", slow) == (1, three, *over, BUDGET_S)
    assert plan(*named, "--kernel", slow, "--processes", 3) == (1, three, *over, None)
    monkeypatch.setattr(run, "why_unavailable", lambda spec: "no driver")
    refused = invoke("run", "--kernel", slow, "--against", "torch_broadcast@cuda")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "torch_broadcast@cuda of --against is unavailable: no driver." in refused.stderr
    (usual,) = planned().values()
    assert (usual.against, usual.reference, usual.budget_s) == ((), REFERENCE, None)


def test_jax_leaves_the_memory_of_a_gpu_to_the_other_kernels_of_a_record_of_sizes(planned):
    for names, timed in (("c_bytes,jax_broadcast,torch_graph", 3), ("c_bytes,jax_broadcast", 3)):
        (plan,) = planned("--sizes", 1, "--kernels", names).values()
        assert len(plan.specs) == timed
        assert ("jax_broadcast@cuda" in [spec.name for spec in plan.specs]) == ("torch_graph" not in names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--sizes", "1,x"], "expected whole numbers from 1, such as 1,10,100,1000"),
        (["run", "--configurations", "2/default"], "there is no configuration '2/default'; there are "),
        (["run", "--memory", "--quick"], "--memory and --quick exclude each other"),
        (["run", "--sizes", "1", "--kernels", "python_tensor_elements"], "needs a small data set (IMAGES = 10)"),
        (["run", "--memory", "--sizes", "1,2"], "--memory takes one number of validation images"),
        (["run", "--no-time-limit"], "--no-time-limit needs --sizes"),
        (["run", "--against", "numpy_broadcast"], "numpy_broadcast is the only kernel: add another with --kernel"),
        (["run", "--resume", "--per-class", "1"], "--resume keeps the options"),
        (["run", "--finish"], "there is no unfinished run"),
        (["run", "--kernels", ","], "name at least one kernel"),
        (["plot"], "There is no record yet"),
        (["publish"], "has no run of a whole data set to publish"),
    ],
)
def test_bad_input_is_one_message_and_nothing_written(place, arguments, message):
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert not (place / "local").exists()


def test_finishing_takes_a_finished_process(place, monkeypatch):
    def cut_off(*_):
        raise RuntimeError("power cut")

    monkeypatch.setattr(checkpoint, "finish", cut_off)
    monkeypatch.setattr(checkpoint, "_in_progress", lambda folder: False)
    invoke("run", "--quiet", "--data", place / "small", "--kernels", REFERENCE)
    done = invoke("run", "--finish")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "has no finished process, so there is nothing to write. " in done.stderr
    assert len([*(place / "local").glob("*.unfinished")]) == 1


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


def test_a_command_line_is_as_typed_with_files_by_name_alone():
    typed = ["run", "--kernel", "../a b/mine one.py", "--data=/x/y/set", "--sizes", "1", "--kernel=z/k.py"]
    line = console.command_line(typed)
    assert line == "python -m bench run --kernel 'mine one.py' --data=set --sizes 1 --kernel=k.py"
    assert console.command_line(["run", "--data", "."]) == f"python -m bench run --data {Path.cwd().name}"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("width", [80, 120])
def test_in_a_terminal_progress_says_what_runs_with_the_time_left(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    stage = "process 3 of 6: baseline, round 1 of 3"
    with console.progress(False) as progress:
        progress(stage, "torch_broadcast@cuda", 1, 4)
    lines = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", sys.stderr.getvalue()).splitlines()
    shown = next(line for line in lines if "%" in line)
    assert re.fullmatch(rf"(.* )? ?25% --:-- left  torch_broadcast@cuda, {stage} *", shown)
    assert len(shown) <= width
    assert ("━" in shown) == (width > 80)


def test_in_a_terminal_an_error_breaks_no_word(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "argv", ["bench", "check", "--kernels", "nobody"])
    assert __main__._status() == 2
    lines = sys.stderr.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert {spec.name for spec in kernel.discover()} <= {*" ".join(lines).replace(",", "").replace(".", "").split()}


def test_the_command_that_is_next_works_in_this_shell(monkeypatch, tmp_path):
    """With the environment's Python, whether it is active or not."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    python.with_name("python3").symlink_to(python)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(python))
    assert console.bench() == os.path.join(".venv", "bin", "python") + " -m bench"
    monkeypatch.setenv("PATH", str(python.parent), prepend=os.pathsep)
    assert console.bench() == "python -m bench"
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", "")
    assert console.bench() == f"{python} -m bench"


def test_help_breaks_no_line_inside_a_word():
    for name in ((), *((name,) for name in __main__.COMMANDS)):
        for line in invoke(*name, "--help").output.splitlines():
            assert len(line) <= 80
            assert line.startswith("Usage: ") or not line.endswith(("-", "..."))
