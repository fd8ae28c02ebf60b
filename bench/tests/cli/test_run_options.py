"""The options of `run`: which plans they make, and which are refused."""

import pytest
from click.testing import CliRunner

from bench import __main__
from bench.cli import run
from bench.cli.run_options import BUDGET_S
from bench.kernel import REFERENCE
from bench.runner import checkpoint
from bench.runner.configuration import Configuration
from bench.runner.plan import BASELINE, FULL, LONGEST_S, PREDICT
from bench.tests.builders import write_kernel


def invoke(*arguments):
    return CliRunner().invoke(__main__.cli, [str(argument) for argument in arguments])


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
