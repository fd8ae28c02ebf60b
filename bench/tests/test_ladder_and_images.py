"""The ladder is left out unless asked for; `run --images` labels tiled digits, and a reference that fails is told."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import __main__, checking, conditions, gathering, kernel, reading, records, running, unfinished, verbs
from bench import problem as problems
from bench.checking import Verdict
from bench.conditions import Condition
from bench.kernel import REFERENCE, ROOT
from bench.recording import PREDICT, Plan
from bench.tests.builders import RIGHT, contestant, problem, write_kernel

NUMPY = (ROOT / "kernels" / "numpy_broadcast.py").read_text(encoding="utf-8")
GREEDY = """
right = predict_l1
def predict_l1(images, means):
    if len(images) > 100: raise MemoryError("Unable to allocate 9 PiB")
    return right(images, means)
"""


def invoke(*arguments):
    return CliRunner().invoke(__main__.cli, [str(each) for each in arguments])


def only_record(place):
    (path,) = (place / "local").glob("*.json")
    return reading.read(path)


# Who takes part.


@pytest.fixture
def rung(tmp_path, monkeypatch):
    """A ladder of one rung."""
    folder = tmp_path / "ladder"
    folder.mkdir()
    monkeypatch.setattr(kernel, "LADDER", folder)
    write_kernel(folder / "rung.py")
    write_kernel(folder / "_helper.py", "1 / 0")
    return folder / "rung.py"


def chosen(ladder=False, kernels=(), files=(), always=()):
    choice = verbs.Choice("auto", list(kernels), tuple(files), (), 0, 1.0, True)
    return [each.kernel for each in choice.contestants(always, ladder)]


def everyone():
    return sorted({path.stem for path in (ROOT / "kernels").glob("[!_]*.py")})


@pytest.mark.usefixtures("rung")
def test_rungs_take_part_on_request_or_by_name():
    assert sorted(set(chosen())) == everyone()
    assert sorted(set(chosen(ladder=True))) == sorted([*everyone(), "rung"])
    assert chosen(kernels=["rung"]) == ["rung"]
    assert sorted(chosen(kernels=["rung"], always=[REFERENCE])) == sorted([REFERENCE, "rung"])
    assert sorted(chosen(ladder=True, kernels=["numpy_broadcast"])) == ["numpy_broadcast", "rung"]


def test_a_file_is_not_a_rung_wherever_it_lies(rung, tmp_path):
    mine = write_kernel(tmp_path / "mine.py")
    assert chosen(files=[mine]) == ["mine"]
    assert chosen(files=[rung]) == ["rung"]  # named by its file
    assert sorted(chosen(files=[mine], ladder=True)) == ["mine", "rung"]


@pytest.mark.usefixtures("rung")
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

    def note(contestants):
        asked.extend(each.name for each in contestants)
        raise Noted

    monkeypatch.setattr(
        "bench.checking.judge", lambda each, *_: asked.append(each.name) or Verdict(each.name, "agrees")
    )
    monkeypatch.setattr(unfinished, "begin", lambda plan, *_: note(plan.contestants))
    monkeypatch.setattr("bench.footprint.measure", lambda plan, *_: note(plan.contestants))
    done = invoke(*verb, "--data", place / "small", "--quiet")
    assert isinstance(done.exception, Noted) or done.exit_code == 0, done.output
    assert ("rung" in asked) == takes
    assert asked


@pytest.mark.usefixtures("rung")
def test_the_list_has_every_rung():
    assert any(line.strip().startswith("rung ") for line in invoke("kernels").output.splitlines())


def test_a_rung_and_a_kernel_cannot_share_a_name(rung):
    rung.rename(rung.with_name("mine.py"))
    other = write_kernel(rung.parents[1] / "mine.py")
    with pytest.raises(kernel.UnknownKernel, match="there is a kernel mine already"):
        kernel.discover([other])


# Tiles.


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


# run --images.


def test_so_many_images_are_labelled_and_what_runs_out_of_memory_is_a_row(place):
    greedy, right = place / "greedy.py", place / "right.py"
    greedy.write_text(NUMPY + GREEDY)
    right.write_text(NUMPY)
    done = invoke("run", "--images", 500, "--quick", "--quiet", "--data", place / "small", "--kernel", greedy,
                  "--kernel", right)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "predict l1, 500 validation images" in done.stdout
    assert "greedy is broken: out of memory: Unable to allocate 9 PiB" in done.stdout
    found = only_record(place)
    assert (found.kind, found.sizes) == ("sizes", [500])
    assert found.kernels("predict") == [REFERENCE, "right"]
    assert {each.images for each in found.samples if each.scope == "predict"} == {500}
    assert [(each.kernel, each.status) for each in found.absent] == [("greedy", "out of memory")]
    assert found.facts["loading_s"] > 0


def test_a_wrong_kernel_is_no_result_at_any_size(place):
    (place / "wrong.py").write_text(NUMPY.replace("argmin", "argmax"))
    done = invoke("run", "--images", 5, "--quick", "--quiet", "--data", place / "small", "--kernel", place / "wrong.py")
    assert done.exit_code == 1
    assert "wrong disagrees: " in done.stdout
    assert only_record(place).kernels("predict") == [REFERENCE]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="not applicable outside Linux")
def test_memory_of_so_many_images(place):
    for name, text in {"greedy": NUMPY + GREEDY, "right": NUMPY}.items():
        (place / f"{name}.py").write_text(text)
    done = invoke("run", "--memory", "--images", 5000, "--quiet", "--data", place / "small",
                  "--kernel", place / "greedy.py", "--kernel", place / "right.py")  # fmt: skip
    assert done.exit_code == 0, done.output
    found = only_record(place)
    assert found.kind == "memory"
    cells = {each.kernel: (each.scope, each.distance, each.images) for each in found.footprints}
    assert cells == {"right": ("predict", "l1", 5000), REFERENCE: ("predict", "l1", 5000)}
    of = {each.kernel: each for each in found.footprints}
    stack = 5000 * 784 * 4
    assert of["right"].temporaries_bytes > 1.9 * stack > of[REFERENCE].temporaries_bytes
    assert [(each.kernel, each.status) for each in found.absent] == [("greedy", "out of memory")]


def test_resumed_the_tiles_are_there_again(tmp_path, monkeypatch, posed):
    monkeypatch.setattr(records, "LOCAL", tmp_path / "local")
    monkeypatch.setattr(unfinished, "_at_work", lambda folder: False)  # it is this process that goes on
    path = tmp_path / "a.py"
    path.write_text(RIGHT)
    plan = Plan((contestant(path),), cells=PREDICT, processes=2, rounds=1, seed=3, sizes=(2, 60))

    def stop(what, *_):
        if "process set 2" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unfinished.finish(unfinished.begin(plan, "nowhere", posed), posed, stop)
    begun = unfinished.newest()
    assert begun.plan == plan
    for tile in (begun.folder / "digits").glob("valid-*.npy"):
        tile.unlink()  # the crash came while it was written, say
    unfinished.finish(begun, posed, lambda *_: None)
    found = unfinished.recording(begun, Condition(), posed)
    assert [each.status for each in found.verdicts] == ["agrees"]
    taken = {(each.images, each.process) for each in found.samples if (each.kernel, each.scope) == ("a", "predict")}
    assert taken == {(2, 0), (60, 0), (2, 1), (60, 1)}


# What else a run records and says.


@pytest.mark.parametrize(("threads", "count"), [("1", "1"), ("all", "7")])
def test_every_library_is_told_how_many_threads_and_none_finds_what_another_process_compiled(
    monkeypatch, threads, count
):
    monkeypatch.setattr(conditions, "cores", lambda: 7)
    for name in ("NPROC", "DASK_NUM_WORKERS", "NUMBA_NUM_THREADS", *conditions.FRESH, *conditions.SHARED):
        monkeypatch.setenv(name, "99")
    found = conditions.environment(Condition(threads, "default"), random.Random(1))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC",
                 "DASK_NUM_WORKERS"):  # fmt: skip
        assert found[name] == count, name
    for name in ("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "TRITON_ALWAYS_COMPILE", "CUPY_CACHE_IN_MEMORY"):
        assert found[name] == "1", name
    assert found["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_a_worker_is_given_it(monkeypatch, posed, tmp_path):
    monkeypatch.setattr(conditions, "cores", lambda: 7)
    tells = "import os\ndef unavailable(device):\n"
    tells += "    return [os.environ[name] for name in ('NPROC', 'DASK_NUM_WORKERS', 'NUMBA_NUM_THREADS')]\n"
    one = contestant(write_kernel(tmp_path / "tells.py", tells))
    with checking.handed_over(posed) as folder:
        found = checking.judge(one, folder, seed=1, timeout_s=60)
    assert (found.status, found.reason) == ("unavailable", "['7', '7', '7']")


def test_loading_is_timed_where_there_are_files(place):
    assert running._loading("drawn") == {}
    assert 0 < running._loading(str(place / "small"))["loading_s"] < 60


def test_a_run_whose_reference_fails_says_that_there_is_no_page_and_why(place, monkeypatch):
    broken = place / f"{REFERENCE}.py"
    broken.write_text("1 / 0\n")
    discover = kernel.discover

    def instead(extra=()):
        return [replace(each, path=broken) if each.name == REFERENCE else each for each in discover(extra)]

    monkeypatch.setattr(verbs, "discover", instead)
    (place / "mine.py").write_text(NUMPY)
    done = invoke("run", "--quick", "--quiet", "--data", place / "small", "--kernel", place / "mine.py")
    assert done.exit_code == 1, (done.output, done.exception)
    assert isinstance(done.exception, SystemExit)
    assert f"{REFERENCE} is broken: " in done.stdout
    assert f"There is no page: {records.LOCAL}: no record of speed with {REFERENCE}; python -m bench run" in (
        done.stdout.replace("\n", "").replace("makes", " makes").replace("  ", " ")
    )
    assert not list((place / "local").glob("*.html"))
    assert not list((place / "local").glob("*.unfinished"))
    assert only_record(place).kernels() == ["mine"]


def test_running_out_of_memory_is_a_status_of_its_own():
    found = gathering.absent(Verdict("a", "broken", "out of memory: std::bad_alloc"))
    assert (found.status, found.reason) == ("out of memory", "out of memory: std::bad_alloc")
    assert gathering.absent(Verdict("a", "broken", "Traceback: out of memory")).status == "broken"


def test_memory_of_images_that_a_kernel_sits_out_is_not_told(place):
    slow = (
        NUMPY
        + "\nright = predict_l1\ndef predict_l1(images, means):\n    import time\n    time.sleep(0.4 * len(images))\n"
    )
    (place / "slow.py").write_text(slow + "    return right(images, means)\n")
    options = ["--images", 9, "--timeout", 3, "--kernels", "slow,numpy_broadcast", "--kernel", place / "slow.py"]
    done = invoke("run", "--memory", "--quiet", "--data", place / "small", *options)
    assert done.exit_code == 0, done.output
    record = only_record(place)
    assert {each.kernel for each in record.footprints} == {REFERENCE, "numpy_broadcast"}
    assert "slow at 9 images: not measured, one call would take about 4 s, over the 3 s allowed" in done.output
    assert [each.kernel for each in record.absent] == ["slow at 9 images"]
