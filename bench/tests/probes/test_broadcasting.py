"""What broadcasting does in a library: views, copies, temporaries, ranks and failures."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench.kernel import ROOT, load
from bench.probes import broadcasting, host_memory
from bench.task.problem import make_problem
from bench.tests.builders import digits, noise, prepared, spec

IMAGES, SIDE = 2000, 28
FULL = IMAGES * SIDE * SIDE * 4  # bytes of the stack in float32

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="not applicable outside Linux")

HUGE = 4.5e6  # memory may come in pages of 2 MiB, of which the call may not need all


def is_arrays(n, size):
    """Return whether a size in bytes is that of n arrays like the stack."""
    return 0.9 * n * FULL < size < n * FULL + HUGE


@pytest.fixture
def no_memory(monkeypatch):
    """A system that reports no memory, on which tests are quick."""

    def silent(call):
        call()
        return host_memory.Peak(None, None)

    monkeypatch.setattr(host_memory, "peak", silent)


@pytest.fixture(scope="module")
def problem():
    """A problem with enough images that a copy of a mean image for each of them is measurable."""
    rng = np.random.default_rng(5)
    train, valid = ([rng.integers(0, 256, (n, SIDE, SIDE)) for _ in "37"] for n in (9, IMAGES // 2))
    return make_problem(digits(train, valid))


def numpy_like(**functions):
    """Return a kernel in float32 with the documents' distance, some functions replaced."""
    defaults = {
        "prepare": lambda images, device: images.astype(np.float32) / 255,
        "mean_images": lambda stacks: np.stack([stack.mean(0) for stack in stacks]),
        "predict_l1": lambda images, means: np.zeros(len(images), int),
        "distance_l1": lambda a, b: np.abs(a - b).mean((-1, -2)),
    }
    return SimpleNamespace(**{**defaults, **functions})


def examined(problem, kernel=None, device="cpu"):
    return broadcasting.examine(prepared(kernel or numpy_like(), problem, device))


@pytest.mark.parametrize("name", ["numpy_broadcast", "torch_broadcast"])
def test_a_library_that_broadcasts(name, problem):
    pytest.importorskip(name.partition("_")[0])
    findings = examined(problem, load(spec(ROOT / "kernels" / f"{name}.py")))
    assert findings["expansion_strides"] == f"0, {SIDE}, 1"
    assert findings["expansion_full_bytes"] == FULL
    for key in ("ranks_l1", "ranks_l2"):
        equal, n = map(int, findings[key].split("/"))
        assert 0.9 * IMAGES < equal <= n == IMAGES
    if host_memory.peak(lambda: None).temporaries_bytes is not None:
        assert findings["expansion_bytes"] < 0.01 * FULL
        assert is_arrays(2, findings["expression_bytes_l1"])  # the difference, its absolute value
        assert any(is_arrays(n, findings["expression_bytes_l2"]) for n in (1, 2))  # the square may take its place


@linux
def test_a_copy_is_no_view(problem):
    class Copying(np.ndarray):
        def __array_namespace__(self):
            return SimpleNamespace(broadcast_to=lambda mean, shape: np.array(np.broadcast_to(mean, shape), order="C"))

    means = numpy_like().mean_images
    findings = examined(problem, numpy_like(mean_images=lambda stacks: means(stacks).view(Copying)))
    assert is_arrays(1, findings["expansion_bytes"])
    assert findings["expansion_strides"] == f"{SIDE * SIDE}, {SIDE}, 1"


@linux
def test_the_smallest_of_three_peaks_counts(monkeypatch):
    """Other threads may allocate meanwhile."""
    peaks = iter([7, 300_000, 5, 6, 8, 9])
    monkeypatch.setattr(host_memory, "peak", lambda call: host_memory.Peak(0, next(peaks)))
    findings = examined(make_problem(noise()))
    assert (findings["expansion_bytes"], findings["expression_bytes_l1"]) == (5, 6)


@linux
def test_a_lazy_library_is_made_to_compute(problem):
    class Lazy:
        def __init__(self, a, b):
            self.pair = a, b

        def __array__(self, dtype=None, copy=None):
            return numpy_like().distance_l1(*self.pair)

        def __float__(self):
            return float(self.__array__())

    findings = examined(problem, numpy_like(distance_l1=Lazy))
    assert is_arrays(2, findings["expression_bytes_l1"])
    assert findings["ranks_l1"] == f"{IMAGES}/{IMAGES}"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_where_no_memory_is_measured_the_rest_is_found(problem, device, request):
    """As on a GPU, whose memory is not the host's; an array without `broadcast_to` is examined for its ranks alone."""
    if device == "cpu":
        request.getfixturevalue("no_memory")
    assert set(examined(problem, device=device)) == {"expansion_strides", "expansion_full_bytes", "ranks_l1"}
    lists = numpy_like(mean_images=lambda stacks: [stack.mean(0).tolist() for stack in stacks])
    assert examined(problem, lists, device) == {"ranks_l1": f"{IMAGES}/{IMAGES}"}


def one_bit(a, b):
    distances = numpy_like().distance_l1(a, b)
    if a.ndim == 3:
        distances[7] = np.nextafter(distances[7], np.float32(1))
    return distances


def only_rank_2(a, b):
    height, _width = a.shape
    return np.abs(a - b).sum() / height


@pytest.mark.usefixtures("no_memory")
@pytest.mark.parametrize(
    ("distance", "ranks"),
    [
        (numpy_like().distance_l1, "40/40"),
        (one_bit, "39/40"),
        (only_rank_2, "fails on the stack: ValueError"),
        (lambda a, b: np.abs(a - b).mean((1, 2)), "fails on an image: AxisError"),
        (lambda a, b: np.abs(a - b)[: len(b)].mean((-1, -2)), "fails on the stack: results (5,), expected (40,)"),
        (lambda a, b: np.roll(np.abs(a - b).mean((-1, -2)), 1), "fails on the stack: other results than"),
        (lambda a, b: (a - b).mean((-1, -2)) * np.nan, "fails on the stack: other results than"),
    ],
)
def test_one_function_for_both_ranks_or_not(distance, ranks):
    problem = make_problem(noise()).tiled(40)
    findings = examined(
        problem,
        numpy_like(distance_l1=distance, predict_l2=numpy_like().predict_l1, distance_l2=numpy_like().distance_l1),
    )
    assert findings["ranks_l1"].startswith(ranks)
    assert findings["ranks_l2"] == "40/40"  # whatever the L1 distance does


@pytest.mark.usefixtures("no_memory")
def test_only_distances_with_predictions_and_results_computed_in_time_are_compared(monkeypatch):
    assert "ranks_l2" not in examined(make_problem(noise()), numpy_like(distance_l2=numpy_like().distance_l1))
    assert "ranks_l2" not in examined(make_problem(noise()), numpy_like(predict_l2=None))
    monkeypatch.setattr(broadcasting, "LONGEST_S", -1)
    assert examined(make_problem(noise()))["ranks_l1"] == "1/1"
