"""`run` as a person meets it, and what follows it: what the commands print, what they leave behind, how they end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import __main__, kernel
from bench.cli import digits as digits_module
from bench.cli import options
from bench.cli import run as running
from bench.kernel import REFERENCE, ROOT
from bench.records import model, reader
from bench.runner import checkpoint
from bench.runner.checking import CheckResult
from bench.runner.configuration import Configuration
from bench.runner.executor import LONGEST_S
from bench.runner.scheduler import BASELINE, FULL, PREDICT
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
BOTH = ["all/default", "1/default"]


def invoke(*arguments):
    return CliRunner().invoke(__main__.cli, [str(each) for each in arguments])


def files_in(place):
    """Return the records of every file in results/local/, from old to new."""
    return [reader.read_all(path) for path in reversed(reader.local_paths())]


# One run under two configurations, with a kernel for a small data set.


@dataclass
class Ran:
    place: Path
    said: str
    status: int
    whole: list[model.Record]
    small: list[model.Record]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What a run left and said; `records.LOCAL` is its folder as long as this module's tests last."""
    place = tmp_path_factory.mktemp("ran")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "LOCAL", place / "local")
        kernels = {"mine": NUMPY, "absent": "import no_such_package\n", "slow": f"{NUMPY}\nIMAGES = 1\n"}
        options = []
        for name, source in kernels.items():
            (place / f"{name}.py").write_text(source)
            options += ["--kernel", place / f"{name}.py"]
        digits = write(place / "small", small_set(height=28, width=28))
        done = invoke("run", "--quick", "--configurations", ",".join(reversed(BOTH)), "--data", digits, *options)
        yield Ran(place, done.stdout, done.exit_code, *files_in(place))


def test_run_ends_with_what_a_person_wants_to_see(ran):
    assert ran.status == 0, ran.said
    assert "small, 2 + 2 training and 1 + 1 validation images, SHA-256 " in ran.said
    assert "all 2 kernels agree: " in ran.said
    for name in (REFERENCE, "mine", "slow"):
        assert any(line.strip().startswith(f"{name} ") and "×" in line for line in ran.said.splitlines())
    assert ran.said.count("absent is unavailable: no_such_package is not installed") == 1
    assert "indicative: 1 process per kernel, no confidence interval" in ran.said
    assert "resolution ±" in ran.said
    tail = ran.said.splitlines()[-20:]
    for claim in range(1, 10):
        assert any(line.startswith(f"C{claim} ") for line in tail), claim
    assert re.fullmatch(r"Page +\S+\.html", tail[-1])


def test_every_data_set_has_a_record_of_its_own(ran):
    assert [record.configuration for record in ran.whole] == [record.configuration for record in ran.small] == BOTH
    for whole, small in zip(ran.whole, ran.small, strict=True):
        assert (whole.kind, whole.per_class, small.kind, small.per_class) == ("ladder", 0, "ladder", 1)
        assert whole.kernels() == ["mine", REFERENCE]
        beside = {*small.kernels(), *(each.kernel for each in small.not_timed)}  # where there is no torch
        assert beside == {REFERENCE, "slow", "torch_broadcast@cpu"}
        assert small.metadata["dataset_of"] == whole.metadata["dataset_digest"] != small.metadata["dataset_digest"]
        assert small.metadata["run"] == whole.metadata["run"]
        assert whole.metadata["loading_s"] > 0
        assert [each.kernel for each in whole.not_timed] == ["absent"]
    assert "baseline l1 on small[1 per class], 1/default, " in ran.said


def test_what_run_leaves_is_drawn_again_the_same(ran):
    left = sorted(path.suffix for path in (ran.place / "local").iterdir())
    assert left == [".html", ".json", ".json", ".png", ".png", ".svg", ".svg"]
    picture = ran.whole[0].path.with_suffix(".svg")
    before = picture.read_bytes()
    assert invoke("plot").exit_code == 0
    assert picture.read_bytes() == before


def test_compare_takes_a_configuration(ran):
    found = {}
    for configuration in BOTH:
        options = ["--configuration", configuration, "--json", "--scope", "baseline"]
        done = invoke("compare", REFERENCE, "mine", *options)
        assert done.exit_code == 0, done.output
        found[configuration] = json.loads(done.stdout)
    assert found["all/default"] != found["1/default"]
    default = invoke("compare", REFERENCE, "mine", "--json")
    assert json.loads(default.stdout) == found["all/default"]
    refused = invoke("compare", REFERENCE, "mine", "--configuration", "1/keep", "--record", ran.whole[0].path)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "was not recorded under 1/keep; it holds all/default, 1/default" in refused.stderr


def test_publish_takes_all_that_the_newest_page_is_made_of(ran):
    done = invoke("publish")
    assert done.exit_code == 0, done.output
    published = {path.name: path for path in ran.place.glob("*/*.json.gz")}
    assert sorted(published) == ["1-per-class.json.gz", "ladder.json.gz"]
    for name, path in published.items():
        assert name in done.stdout
        assert [each.configuration for each in reader.read_all(path)] == BOTH


# What else a run says.


def test_a_wrong_kernel_is_not_timed_and_the_exit_status_says_so(place):
    wrong = place / "wrong.py"
    wrong.write_text(NUMPY.replace("argmin", "argmax"))
    done = invoke("run", "--processes", 2, "--data", place / "small", "--kernel", wrong, "--quiet")
    assert done.exit_code == 1
    assert "wrong disagrees: l1: " in done.stdout
    ((record,),) = files_in(place)
    assert record.label == "indicative: 2 processes per kernel, no confidence interval"
    assert record.kernels() == [REFERENCE]
    assert [each.kernel for each in record.not_timed] == ["wrong"]


def test_a_run_whose_reference_fails_says_that_there_is_no_page_and_why(place, monkeypatch):
    broken = place / f"{REFERENCE}.py"
    broken.write_text("1 / 0\n")

    def instead(extra=()):
        return [replace(each, path=broken) if each.name == REFERENCE else each for each in kernel.discover(extra)]

    monkeypatch.setattr(options, "discover", instead)
    monkeypatch.setattr(running, "discover", instead)
    (place / "mine.py").write_text(NUMPY)
    done = invoke("run", "--quick", "--quiet", "--data", place / "small", "--kernel", place / "mine.py")
    assert done.exit_code == 1, (done.output, done.exception)
    assert isinstance(done.exception, SystemExit)
    assert f"{REFERENCE} is broken: " in done.stdout
    assert "There is no page: " in done.stdout
    assert [path.suffix for path in (place / "local").iterdir()] == [".json"]
    ((record,),) = files_in(place)
    assert record.kernels() == ["mine"]


def test_numbers_of_images_and_what_runs_out_of_memory_or_is_skipped(place):
    for name, text in {"greedy": NUMPY + GREEDY, "right": NUMPY, "slow": f"{NUMPY}\nIMAGES = 1\n"}.items():
        (place / f"{name}.py").write_text(text)
    kernels = [part for name in ("greedy", "right", "slow") for part in ("--kernel", place / f"{name}.py")]
    done = invoke("run", "--sizes", "500,2", "--quick", "--quiet", "--data", place / "small", *kernels)
    assert done.exit_code == 0, done.output
    for said in ("predict l1, 2 validation images", "predict l1, 500 validation images",
                 "greedy is broken: out of memory: Unable to allocate 9 PiB",
                 "slow: not measured, it is for a small data set"):  # fmt: skip
        assert said in done.stdout
    ((record,),) = files_in(place)
    assert (record.kind, record.sizes) == ("sizes", [2, 500])
    assert record.at(500).kernels("predict") == [REFERENCE, "right"]
    assert {each.kernel: each.status for each in record.not_timed} == {
        "greedy": "out of memory",
        "slow": "not measured",
    }


def test_running_out_of_memory_is_a_result_at_a_size_and_a_wrong_answer_is_none():
    choice = options.Choice("auto", None, [], (), (), 0, 1.0, True)
    greedy = CheckResult("a", "broken", "out of memory: std::bad_alloc")
    assert (choice.status([greedy], sized=True), choice.status([greedy])) == (0, 1)
    assert choice.status([CheckResult("a", "disagrees", "l1: ")], sized=True) == 1


def test_a_small_data_set_alone_has_no_page(capsys):
    small = make_problem(noise().first_of_each_class(2))
    running._tell_claims([running.Done(digits_module.DataSet(small, ()), [], [])])
    assert capsys.readouterr().out.startswith("There is no page, for no whole data set was recorded: ")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="not applicable outside Linux")
def test_memory_of_every_data_set(place, monkeypatch):
    monkeypatch.setattr(running, "BESIDE", dict.fromkeys((False, True), (REFERENCE,)))  # torch takes seconds
    (place / "slow.py").write_text(f"{NUMPY}\nIMAGES = 1\n")
    done = invoke("run", "--memory", "--quiet", "--data", place / "small", "--kernels", "numpy_broadcast,slow",
                  "--kernel", place / "slow.py")  # fmt: skip
    assert done.exit_code == 0, done.output
    (whole,), (small,) = files_in(place)
    assert (whole.kind, whole.slot, small.slot) == ("memory", "memory", "memory-1-per-class")
    assert {each.kernel for each in whole.footprints} == {REFERENCE, "numpy_broadcast"}
    assert {"slow", REFERENCE} <= {each.kernel for each in small.footprints}
    assert whole.metadata["run"] == small.metadata["run"]
    images = {each.kernel: each.images for each in small.footprints if each.scope == "baseline"}
    assert images["slow"] == images[REFERENCE] == 4


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="not applicable outside Linux")
def test_memory_of_so_many_images(place):
    """What runs out of memory there is told, and so is what would take too long."""
    wait = "\nright = predict_l1\ndef predict_l1(images, means):\n    import time\n    time.sleep(0.01 * len(images))\n"
    slow = f"{NUMPY}{wait}    return right(images, means)\n"
    for name, text in {"greedy": NUMPY + GREEDY, "right": NUMPY, "slow": slow}.items():
        (place / f"{name}.py").write_text(text)
    kernels = [part for name in ("greedy", "right", "slow") for part in ("--kernel", place / f"{name}.py")]
    done = invoke("run", "--memory", "--sizes", 5000, "--quiet", "--data", place / "small", *kernels)
    assert done.exit_code == 0, done.output
    ((record,),) = files_in(place)
    cells = {each.kernel: (each.scope, each.distance, each.images) for each in record.footprints}
    assert cells == {"right": ("predict", "l1", 5000), REFERENCE: ("predict", "l1", 5000)}
    of = {each.kernel: each for each in record.footprints}
    stack = 5000 * 784 * 4
    assert of["right"].temporaries_bytes > 1.9 * stack > of[REFERENCE].temporaries_bytes
    assert {each.kernel: each.status for each in record.not_timed} == {
        "greedy": "out of memory", "slow at 5,000 images": "not measured",
    }  # fmt: skip
    assert re.search(r"slow at 5,000 images: not measured, one call would take about \d\d s, over the 5 s", done.output)


# What the options ask for.


class Planned(Exception):
    """Stands in for the recording of some plans."""


@pytest.fixture
def planned(place, monkeypatch):
    """Return what gives the plans that `run` would record, by images per class."""

    def begin(tasks, source, problems):
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
        ([], {"processes": 6, "cells": BASELINE, "configurations": (Configuration(),), "longest_s": LONGEST_S}),
        (["--processes", 3], {"processes": 3}),
        (["--quick"], {"processes": 1}),
        (["--rigorous"], {"processes": 15}),
        (["--full"], {"cells": FULL, "kind": "scopes"}),
        (["--sizes", "30,1,30"], {"sizes": (1, 30), "cells": PREDICT, "longest_s": LONGEST_S, "kind": "sizes"}),
        (["--sizes", "8100000", "--no-time-limit", "--timeout", 900], {"sizes": (8_100_000,), "longest_s": 900}),
        (
            ["--configurations", "1/keep, all/default"],
            {"configurations": (Configuration(), Configuration("1", "keep"))},
        ),
        (["--memory-limit", "1.5"], {"memory_limit": 1_500_000_000}),
        (["--seed", 7, "--timeout", 2], {"seed": 7, "timeout_s": 2}),
    ],
)
def test_every_option_has_its_effect(planned, options, expected):
    (plan,) = planned(*options).values()
    assert {name: getattr(plan, name) for name in expected} == expected


def test_a_small_data_set_is_recorded_beside_the_kernels_to_compare_with(planned, tmp_path):
    slow = write_kernel(tmp_path / "slow.py", "IMAGES = 1")

    def asked(*options):
        return {n: [each.name for each in plan.specs] for n, plan in planned("--kernel", slow, *options).items()}

    small = [REFERENCE, "torch_broadcast@cpu", "slow"]
    assert asked() == {1: small}
    assert asked("--kernels", "numpy_broadcast") == {0: ["numpy_broadcast", REFERENCE], 1: small}
    assert asked("--per-class", 1, "--kernels", "numpy_broadcast") == {1: ["numpy_broadcast", *small]}
    assert asked("--per-class", 2) == {0: [REFERENCE, "slow"]}  # no class has more
    assert asked("--sizes", 1) == {0: [REFERENCE]}
    assert asked("--sizes", 1, "--per-class", 1) == {1: small}
    slow.write_text(slow.read_text().replace("throughout.", "throughout.\n\nAfter numpy_broadcast: why."))
    assert asked() == {1: ["numpy_broadcast", *small]}  # which the ladder compares it with


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--data", "no/such/place"], "no/such/place: cannot be read"),
        (["run", "--kernels", "no_such_kernel"], "no kernel is called 'no_such_kernel'"),
        (["run", "--kernel", "no_such.py"], "no_such.py does not exist"),
        (["run", "--timeout", "0"], "--timeout"),
        (["run", "--processes", "0"], "--processes"),
        (["run", "--sizes", "1,x"], "expected whole numbers from 1, such as 1,10,100,1000"),
        (["run", "--configurations", "2/default"], "there is no configuration '2/default'; there are "),
        (["run", "--memory", "--quick"], "--memory and --processes exclude each other"),
        (["run", "--memory", "--sizes", "1,2"], "--memory takes one number of validation images"),
        (["run", "--no-time-limit"], "--no-time-limit belongs to --sizes"),
        (["run", "--resume", "--per-class", "1"], "--resume goes on as it was begun"),
        (["run", "--kernels", ","], "name at least one kernel"),
        (["plot", "no_such.json"], "no_such.json: cannot be read"),
        (["plot"], "there is no record yet"),
        (["publish"], "there is no record yet"),
        (["run", "--no-such-option"], "--no-such-option"),
    ],
)
def test_bad_input_is_one_message_and_nothing_written(place, arguments, says):
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert not (place / "local").exists()


# As processes.

PATCHED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background it is ignored
from pathlib import Path
from bench import __main__
from bench.records import model
model.LOCAL = Path(sys.argv.pop(1))
__main__.main()
"""


def test_bad_input_ends_a_process_without_a_traceback(place):
    command = [sys.executable, "-c", PATCHED, str(place / "local"), "run", "--data", "no/such/place"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no/such/place: cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_leaves_nothing_and_ends_with_130(place):
    hang = place / "hang.py"
    marker = place / "hanging"
    source = f"import os, time\ndef prepare(images, device):\n    open({str(marker)!r}, 'w').write(str(os.getpid()))\n"
    hang.write_text(source + "    time.sleep(600)\nmean_images = predict_l1 = prepare\n")
    command = [sys.executable, "-c", PATCHED, str(place / "local"), "run", "--data", str(place / "small")]
    with subprocess.Popen([*command, "--kernel", str(hang)], cwd=ROOT, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 60
        while not (marker.exists() and marker.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert not list((place / "local").iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


def test_help_fits_a_screen():
    for verb in ("kernels", "check", "run", "plot", "report", "compare", "publish"):
        lines = invoke(verb, "--help").output.splitlines()
        assert len(lines) <= 27
        assert max(map(len, lines)) <= 80
