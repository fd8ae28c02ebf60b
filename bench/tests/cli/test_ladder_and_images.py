"""Who takes part: the ladder only where it is asked for. Images repeated in a file, and what libraries are told."""

import random

import numpy as np
import pytest
from click.testing import CliRunner

from bench import __main__, kernel
from bench.cli import digits as digits_module
from bench.cli import options
from bench.kernel import ROOT
from bench.runner import checking, checkpoint, configuration
from bench.runner.checking import CheckResult
from bench.runner.configuration import Configuration
from bench.task import problem as problems
from bench.tests.builders import noise, problem, spec, write_kernel


def invoke(*arguments):
    return CliRunner().invoke(__main__.cli, [str(each) for each in arguments])


# Who takes part.


@pytest.fixture
def on_ladder(tmp_path, monkeypatch):
    """A ladder of one rung."""
    folder = tmp_path / "ladder"
    folder.mkdir()
    monkeypatch.setattr(kernel, "LADDER", folder)
    write_kernel(folder / "rung.py")
    write_kernel(folder / "_helper.py", "1 / 0")
    return folder / "rung.py"


def chosen(ladder=False, kernels=(), files=()):
    choice = options.Choice("auto", None, list(kernels), tuple(files), (), 0, 1.0, True)
    return [each.kernel for each in choice.specs(ladder)]


def everyone():
    return sorted({path.stem for path in (ROOT / "kernels").glob("[!_]*.py")})


@pytest.mark.usefixtures("on_ladder")
def test_rungs_take_part_on_request_or_by_name():
    assert sorted(set(chosen())) == everyone()
    assert sorted(set(chosen(ladder=True))) == sorted([*everyone(), "rung"])
    assert chosen(kernels=["rung"]) == ["rung"]
    assert sorted(chosen(ladder=True, kernels=["numpy_broadcast"])) == ["numpy_broadcast", "rung"]


def test_a_file_is_not_a_rung_wherever_it_lies(on_ladder, tmp_path):
    mine = write_kernel(tmp_path / "mine.py")
    assert chosen(files=[mine]) == ["mine"]
    assert chosen(files=[on_ladder]) == ["rung"]  # named by its file
    assert sorted(chosen(files=[mine], ladder=True)) == ["mine", "rung"]


@pytest.mark.usefixtures("on_ladder")
@pytest.mark.parametrize(
    ("verb", "takes"),
    [
        (["check"], True),
        (["check", "--kernels", "numpy_broadcast"], False),
        (["check", "--kernels", "rung"], True),
        (["run"], False),
        (["run", "--ladder"], True),
        (["run", "--kernels", "rung"], True),
        (["run", "--memory"], False),
        (["run", "--memory", "--ladder"], True),
    ],
)
def test_check_proves_every_rung_and_run_times_none_unless_asked(place, monkeypatch, verb, takes):
    asked = []

    class Noted(Exception):
        pass

    def note(plan):
        asked.extend(each.name for each in plan.specs)
        raise Noted

    monkeypatch.setattr(
        checking, "check_kernel", lambda each, *_: asked.append(each.name) or CheckResult(each.name, "agrees")
    )
    monkeypatch.setattr(checkpoint, "begin", lambda tasks, *_: note(tasks[0].plan))
    monkeypatch.setattr("bench.runner.memory_pass.measure", lambda plan, *_: note(plan))
    done = invoke(*verb, "--data", place / "small", "--quiet")
    assert isinstance(done.exception, Noted) or done.exit_code == 0, done.output
    assert ("rung" in asked) == takes
    assert asked


def test_a_kernel_belongs_to_the_small_data_set_that_it_names_and_per_class_overrides_that(tmp_path):
    """Where no class has more images, that is the whole one."""
    digits = noise(train=12, valid=40)  # 15 and 41 of the second class
    lines = {"all": "", "few": "IMAGES = 5", "many": "IMAGES = 41", "nearly_all": "IMAGES = 40"}
    kernels = [spec(write_kernel(tmp_path / f"{name}.py", line)) for name, line in lines.items()]

    def asked(per_class):
        sets = digits_module.data_sets(kernels, digits, per_class)
        return {each.problem.per_class: [one.name for one in each.specs] for each in sets}

    assert asked(None) == {0: ["all", "many"], 5: ["few"], 40: ["nearly_all"]}
    assert [each.problem.name for each in digits_module.data_sets(kernels, digits, None)] == [
        "tiny", "tiny[5 per class]", "tiny[40 per class]",
    ]  # fmt: skip
    assert asked(7) == {7: list(lines)}
    assert asked(41) == {0: list(lines)}
    assert digits_module.data_sets(kernels[1:2], digits, None)[0].problem.train_counts == [5, 5]


@pytest.mark.usefixtures("on_ladder")
def test_the_list_has_every_rung():
    assert any(line.strip().startswith("rung ") for line in invoke("kernels").output.splitlines())


# More images than there are.


@pytest.fixture(scope="module")
def posed():
    return problem(train=3, valid=4)


def test_more_images_than_there_are_lie_in_a_file_in_an_order_of_the_seed(posed, tmp_path):
    count = len(posed.valid)
    problems.tile(posed, tmp_path, (1, count, count + 1, 3 * count), seed=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"valid-{count + 1}.npy", f"valid-{3 * count}.npy"]
    for n in (count + 1, 3 * count):
        found = problems.read_tiled(posed, tmp_path, n, seed=5)
        due = posed.shuffled(5).tiled(n)
        assert np.array_equal(found.valid, due.valid)
        assert np.array_equal(found.actual, due.actual)
        assert found.files == due.files
        for distance in ("l1", "l2"):
            assert np.array_equal(found.answers[distance].labels, due.answers[distance].labels)
        assert not found.valid.flags.writeable
        base = found.valid
        while base.base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)
    assert not np.array_equal(posed.shuffled(5).tiled(2 * count).valid, posed.shuffled(6).tiled(2 * count).valid)


def test_few_images_are_the_first(posed):
    few = posed.tiled(3)
    assert np.array_equal(few.valid, posed.valid[:3])
    assert few.files == posed.files[:3]


# What a worker is told.


@pytest.mark.parametrize(("threads", "count"), [("1", "1"), ("all", "7")])
def test_every_library_is_told_how_many_threads_and_none_finds_what_another_process_compiled(
    monkeypatch, threads, count
):
    monkeypatch.setattr(configuration, "cores", lambda: 7)
    for name in ("NPROC", "DASK_NUM_WORKERS", "NUMBA_NUM_THREADS", *configuration.FRESH, *configuration.SHARED):
        monkeypatch.setenv(name, "99")
    found = configuration.environment(Configuration(threads, "default"), random.Random(1))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC",
                 "DASK_NUM_WORKERS"):  # fmt: skip
        assert found[name] == count, name
    for name in ("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "TRITON_ALWAYS_COMPILE", "CUPY_CACHE_IN_MEMORY"):
        assert found[name] == "1", name
    assert found["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_a_worker_is_given_it(monkeypatch, posed, tmp_path):
    monkeypatch.setattr(configuration, "cores", lambda: 7)
    tells = "import os\ndef unavailable(device):\n"
    tells += "    return [os.environ[name] for name in ('NPROC', 'DASK_NUM_WORKERS', 'NUMBA_NUM_THREADS')]\n"
    one = spec(write_kernel(tmp_path / "tells.py", tells))
    with checking.handed_over(posed) as folder:
        found = checking.check_kernel(one, folder, seed=1, timeout_s=60)
    assert (found.status, found.reason) == ("unavailable", "['7', '7', '7']")
