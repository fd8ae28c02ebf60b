"""What broadcasting does in a library is found out as it is: views, copies, temporaries, ranks; a failure as well."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench import kernel
from bench.kernel import ROOT
from bench.probes import broadcasting, host_memory
from bench.task import scopes
from bench.task.problem import make_problem
from bench.tests.builders import digits, noise, spec

IMAGES, SIDE = 2000, 28
FULL = IMAGES * SIDE * SIDE * 4  # bytes of the stack in float32

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="not applicable outside Linux")

HUGE = 4.5e6  # memory may come in pages of 2 MiB, and the rest of the first and the last is not the call's


def arrays(n, taken):
    """Return whether so many bytes are those of n arrays like the stack."""
    return 0.9 * n * FULL < taken < n * FULL + HUGE


@pytest.fixture
def untold(monkeypatch):
    """A system that does not tell memory: also a quick one."""

    def silent(call):
        call()
        return host_memory.Peak(None, None)

    monkeypatch.setattr(host_memory, "peak", silent)


@pytest.fixture(scope="module")
def problem():
    """So many images that a copy of a mean image for each of them is seen."""
    rng = np.random.default_rng(5)
    few, many = ([rng.integers(0, 256, (n, SIDE, SIDE)) for _ in "37"] for n in (9, IMAGES // 2))
    return make_problem(digits(few, many))


def numpy_like(**functions):
    """Return a kernel in float32 with the documents' distance, or with other functions."""
    usual = {
        "prepare": lambda images, device: images.astype(np.float32) / 255,
        "mean_images": lambda stacks: np.stack([stack.mean(0) for stack in stacks]),
        "predict_l1": None,
        "distance_l1": lambda a, b: np.abs(a - b).mean((-1, -2)),
    }
    return SimpleNamespace(**{**usual, **functions})


def examined(problem, one=None, device="cpu"):
    one = one or numpy_like()
    return broadcasting.examine(scopes.prepare(one, device, problem))


# Whether there is something to ask.


@pytest.mark.parametrize(
    ("stack", "one", "asked"),
    [
        (np.zeros((2, 3, 4)), numpy_like(), True),
        ([[[0.0] * 4] * 3] * 2, numpy_like(), False),
        (b"pixels", numpy_like(), False),
        (np.zeros((2, 3, 4)), SimpleNamespace(), False),
        (np.zeros((2, 3, 4)), numpy_like(distance_l1=3), False),
    ],
)
def test_only_arrays_of_rank_3_and_functions_of_two_are_asked(stack, one, asked):
    assert broadcasting.concerns(one, stack) is asked


@pytest.mark.parametrize(("name", "asked"), [("python_loops", False), ("numpy_broadcast", True)])
def test_the_projects_own_kernels(problem, name, asked):
    one = kernel.load(spec(ROOT / "kernels" / f"{name}.py"))
    assert broadcasting.concerns(one, scopes.prepare(one, "cpu", problem.tiled(2)).valid) is asked


# Libraries.


def must_be_a_view_with_temporaries(found):
    assert found["expansion_strides"] == f"0, {SIDE}, 1"
    assert found["expansion_full_bytes"] == FULL
    for key in ("ranks_l1", "ranks_l2"):
        same, n = map(int, found[key].split("/"))
        assert 0.9 * IMAGES < same <= n == IMAGES
    if host_memory.peak(lambda: None).temporaries_bytes is not None:
        assert found["expansion_bytes"] < 0.01 * FULL
        assert arrays(2, found["expression_bytes_l1"])  # the difference, its absolute value
        assert any(arrays(n, found["expression_bytes_l2"]) for n in (1, 2))  # the square may take its place
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("name", ["numpy_broadcast", "torch_broadcast"])
def test_a_library_that_broadcasts(name, problem):
    pytest.importorskip(name.partition("_")[0])
    one = kernel.load(spec(ROOT / "kernels" / f"{name}.py"))
    must_be_a_view_with_temporaries(examined(problem, one))


@linux
def test_a_copy_is_told_from_a_view(problem):
    def copies(a, b):
        copy = np.ascontiguousarray(np.broadcast_to(b, a.shape))
        return np.abs(a - copy).mean((-1, -2))

    found = examined(problem, numpy_like(distance_l1=copies))
    assert arrays(3, found["expression_bytes_l1"])  # the copy, the difference and its absolute value, at a time
    assert found["ranks_l1"] == f"{IMAGES}/{IMAGES}"

    class Copying(np.ndarray):
        def __array_namespace__(self):
            return SimpleNamespace(broadcast_to=lambda mean, shape: np.array(np.broadcast_to(mean, shape), order="C"))

    means = numpy_like().mean_images
    found = examined(problem, numpy_like(mean_images=lambda stacks: means(stacks).view(Copying)))
    assert arrays(1, found["expansion_bytes"])
    assert found["expansion_strides"] == f"{SIDE * SIDE}, {SIDE}, 1"


@linux
def test_the_least_of_some_peaks_counts_as_others_may_allocate_meanwhile(monkeypatch):
    told = iter([7, 300_000, 5, 6, 8, 9])
    monkeypatch.setattr(host_memory, "peak", lambda call: host_memory.Peak(0, next(told)))
    found = examined(make_problem(noise()))
    assert (found["expansion_bytes"], found["expression_bytes_l1"]) == (5, 6)


@linux
def test_a_lazy_library_is_made_to_compute(problem):
    class Lazy:
        def __init__(self, a, b):
            self.pair = a, b

        def __array__(self, dtype=None, copy=None):
            return numpy_like().distance_l1(*self.pair)

        def __float__(self):
            return float(self.__array__())

    found = examined(problem, numpy_like(distance_l1=Lazy))
    assert arrays(2, found["expression_bytes_l1"])
    assert found["ranks_l1"] == f"{IMAGES}/{IMAGES}"


def test_what_a_gpu_takes_is_not_measured_on_the_host(problem):
    found = examined(problem, device="cuda")
    assert set(found) == {"expansion_strides", "expansion_full_bytes", "ranks_l1"}


@pytest.mark.usefixtures("untold")
def test_where_the_system_does_not_tell_the_rest_is_found(problem):
    assert set(examined(problem)) == {"expansion_strides", "expansion_full_bytes", "ranks_l1"}


@pytest.mark.usefixtures("untold")
def test_an_array_that_cannot_be_expanded_without_computing_is_asked_for_its_ranks_alone(problem):
    found = examined(problem, numpy_like(mean_images=lambda stacks: [stack.mean(0).tolist() for stack in stacks]))
    assert found == {"ranks_l1": f"{IMAGES}/{IMAGES}"}


# Ranks.


def one_bit(a, b):
    found = numpy_like().distance_l1(a, b)
    if a.ndim == 3:
        found[7] = np.nextafter(found[7], np.float32(1))
    return found


def only_rank_2(a, b):
    height, _width = a.shape
    return np.abs(a - b).sum() / height


def only_rank_3(a, b):
    return np.abs(a - b).mean((1, 2))


@pytest.mark.usefixtures("untold")
@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (numpy_like().distance_l1, "40/40"),
        (one_bit, "39/40"),
        (only_rank_2, "fails on the stack: ValueError"),
        (only_rank_3, "fails on an image: AxisError"),
        (lambda a, b: np.abs(a - b).mean(-1), "fails on an image: TypeError"),
        (lambda a, b: np.abs(a - b)[: len(b)].mean((-1, -2)), "fails on the stack: results (5,), expected (40,)"),
        (lambda a, b: np.roll(np.abs(a - b).mean((-1, -2)), 1), "fails on the stack: other results than"),
        (lambda a, b: (a - b).mean((-1, -2)) * np.nan, "fails on the stack: other results than"),
        (lambda a, b: np.abs(a - b).mean((-1, -2)).tolist(), "40/40"),
    ],
)
def test_one_function_for_both_ranks_or_not(distance, said):
    posed = make_problem(noise()).tiled(40)
    found = examined(posed, numpy_like(distance_l1=distance, predict_l2=None, distance_l2=numpy_like().distance_l1))
    assert found["ranks_l1"].startswith(said)
    assert found["ranks_l2"] == "40/40"  # whatever became of the other


@linux
def test_a_function_that_fails_is_not_asked_for_its_memory():
    found = examined(make_problem(noise()), numpy_like(distance_l1=only_rank_2))
    assert "expansion_bytes" in found
    assert "expression_bytes_l1" not in found


@pytest.mark.usefixtures("untold")
def test_a_distance_that_is_not_predicted_with_is_not_asked():
    assert "ranks_l2" not in examined(make_problem(noise()), numpy_like(distance_l2=numpy_like().distance_l1))
    assert "ranks_l2" not in examined(make_problem(noise()), numpy_like(predict_l2=None))


@pytest.mark.usefixtures("untold")
def test_it_compares_what_can_be_asked_for_in_time(monkeypatch):
    monkeypatch.setattr(broadcasting, "LONGEST_S", -1)
    assert examined(make_problem(noise()))["ranks_l1"] == "1/1"
