"""Windows: no call gets what an earlier one has seen, and every timed answer is compared with the exact one."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import kernel
from bench.task import in_place, oracle, scopes
from bench.task.answers import check_answer
from bench.task.problem import make_problem
from bench.task.scopes import WrongAnswer
from bench.task.tiling import read_tiled, tile
from bench.task.windows import COUNT, Fixed, Windows, step
from bench.tests.builders import digits, noise, prepared, problem, spec, write_kernel


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    return kernel.load(spec(write_kernel(tmp_path_factory.mktemp("kernel") / "right.py")))


def contents(windows, window):
    stacks = [stack[w] for stack, w in zip(windows.train, window.train, strict=True)]
    return [stack.tobytes() for stack in (*stacks, windows.valid[window.valid])]


def test_no_two_windows_have_the_same_contents_nor_the_problem_s_own_also_after_renewals():
    posed, rng, seen = problem(), np.random.default_rng(0), []
    for renewed in range(3):
        windows = Windows(posed, COUNT, rng, renewed)
        seen += [contents(windows, window) for window in windows.take(COUNT)]
        assert windows.left == 0
    own = [stack.tobytes() for stack in (*posed.train, posed.valid)]
    for column in zip(*seen, own, strict=True):
        assert len(set(column)) == 3 * COUNT + 1


@given(st.integers(1, 200), st.integers(1, 200_000))
def test_windows_are_whole_cache_lines_apart_and_far_enough_to_change_a_mean(pixels, images):
    posed = SimpleNamespace(pixels=pixels, train_counts=[1, images])
    assert step(posed) >= images / 4096
    assert step(posed) == 1 or step(posed) <= images / 512
    assert step(posed) * pixels % 64 == 0 or images < 512 * 64


def test_copies_keep_their_zeros_and_every_mean_image_differs():
    windows = Windows(problem(), COUNT, np.random.default_rng(0))
    zeros = (windows.train[0] == 0).sum((1, 2))
    assert set(zeros) <= set((problem().train[0] == 0).sum((1, 2)))
    means = [oracle.means_of(problem().train_counts, windows.sums(window.train)) for window in windows.take(COUNT)]
    assert all(np.abs(a - b).max() > 2**-12 for a, b in pairwise(means))


def test_sums_are_exact():
    windows = Windows(problem(), COUNT, np.random.default_rng(0))
    for window in windows.take(9):
        for slices in (window.train, window.sampled):
            expected = [stack[w].sum(0, dtype=int) for stack, w in zip(windows.train, slices, strict=True)]
            assert all(map(np.array_equal, windows.sums(slices), expected))


SCOPES = [("mean", "-"), ("predict", "l1"), ("baseline", "l2"), ("end_to_end", "l1")]


@pytest.mark.parametrize(("scope", "distance"), SCOPES)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_right_answers_pass_and_a_changed_one_is_named(right, scope, distance, device):
    one = prepared(right, problem(), device)
    call = scopes.call(one, scope, distance)
    assert isinstance(one.windows, Fixed) is (device == "cuda")
    for _ in range(3):
        for window in scopes.inputs(one, scope, 2):
            one.windows.before_clock()
            answer, means = call(window)
            check_answer(one, scope, distance, window, answer, means)
    wrong, message = answer.copy(), "in a timed call: mean images are up to"
    if scope == "mean":
        wrong[0, 2, 1] += 2**-13
    else:
        wrong[5] ^= 1
        message = f"{distance}: in a timed call: 1 of 81 images differ from the exact answer; .*valid/[35]/00"
    with pytest.raises(WrongAnswer, match=message):
        check_answer(one, scope, distance, window, wrong, means)
    if scope != "mean":
        with pytest.raises(WrongAnswer, match="in a timed call: mean images are up to"):
            check_answer(one, scope, distance, window, answer, means + 2**-13)


def test_a_wrong_label_of_an_altered_copy_is_named(right):
    one = prepared(right, problem())
    window = max(one.windows.take(COUNT), key=lambda window: window.valid.start)
    answer, means = scopes.call(one, "baseline", "l1")(window)
    answer[-1] ^= 1
    with pytest.raises(WrongAnswer, match=r"an altered copy was called"):
        check_answer(one, "baseline", "l1", window, answer, means)


def test_close_calls_are_left_to_exact_arithmetic(right):
    same = noise().train[0]
    one = prepared(right, make_problem(digits([same, same], [same[:5], same[5:]])))
    window = replace(scopes.inputs(one, "predict", 1)[0], sampled=(slice(0, 12), slice(0, 12)))
    means = one.kernel.mean_images([stack[:12] for stack in one.train])
    for label in (0, 1):
        check_answer(one, "predict", "l1", window, np.full(12, label), means)


@pytest.mark.parametrize("n", [85, 300])
@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda, read-only"])
def test_repeated_images(right, n, device, tmp_path):
    posed, tiled, renewed, loaded = problem(), None, 1, right
    if device == "cpu":
        tile(posed, tmp_path, (n,), seed=1)
        repeated, tiled = read_tiled(posed, tmp_path, n, seed=1)
    else:
        repeated = posed.tiled(n)
    if device.endswith("read-only"):
        loaded = SimpleNamespace(**{**vars(right), "prepare": read_only})
    one = prepared(loaded, repeated, device.partition(",")[0], tiled=tiled, renewed=renewed)
    assert isinstance(one.windows, Fixed) is (device == "cuda")
    for window in scopes.inputs(one, "predict", 4):
        one.windows.before_clock()
        answer, means = scopes.call(one, "predict", "l1")(window)
        assert len(answer) == n
        check_answer(one, "predict", "l1", window, answer, means)
        answer[-1] ^= 1
        with pytest.raises(WrongAnswer, match=f"1 of {n} images differ from the exact answer; (valid/|an altered)"):
            check_answer(one, "predict", "l1", window, answer, means)


def read_only(images, device):
    return np.frombuffer((images / 255).tobytes()).reshape(images.shape)  # the memory of bytes


class Wrapper:
    def __init__(self, images, device="cpu"):
        self.parts = {"images": images / 255}, images.reshape(len(images), -1).T.copy()

    def __len__(self):
        return len(self.parts[0]["images"])


def locked(images):
    stack = images / 255
    stack.setflags(write=False)
    return stack[:]


class Views:
    """Two arrays that share their memory."""

    def __init__(self, images):
        self.images = images / 255
        self.flat = self.images.reshape(len(images), -1)

    def __len__(self):
        return len(self.images)

    def __iter__(self):
        return iter(self.images)


class Encoded:
    """Fewer bytes than pixels for each image, and the others of all images together."""

    def __init__(self, images):
        self.masks, self.bytes, self.n = np.packbits(images.reshape(len(images), -1) > 0, axis=1), images[images > 0], 9

    def __len__(self):
        return len(self.masks)


@pytest.mark.parametrize(
    ("prepare", "writable"),
    [
        (lambda x: x / 255, True),
        (locked, True),
        (Views, True),
        (lambda x: x.tolist(), True),
        (lambda x: [image.tobytes() for image in x], True),
        (lambda x: [(image.tobytes(), 4) for image in x], True),
        (Wrapper, True),
        (Encoded, False),
        (lambda x: tuple(image.tobytes() for image in x), False),
        (lambda x: read_only(x, "cpu"), False),
        (lambda x: [[x / 255], tuple(x.tolist())], False),
        (lambda x: x.tobytes(), False),
    ],
)
def test_what_can_be_exchanged_in_place(prepare, writable):
    a, b = np.random.default_rng(0).integers(0, 256, (2, 9, 5, 4), dtype=np.uint8)
    one, other = prepare(a), prepare(b)
    assert in_place.exchange(one, 2, other, 7, pixels=20) is writable
    a[2], b[7] = b[7].copy(), a[2].copy()
    if writable and isinstance(one, Wrapper):
        expected = Wrapper(a)
        assert np.array_equal(one.parts[0]["images"], expected.parts[0]["images"])
        assert np.array_equal(one.parts[1], expected.parts[1])
    elif writable:
        assert all(
            one.flags.writeable is not (prepare is locked) for one in (one, other) if isinstance(one, np.ndarray)
        )
        assert all(map(np.array_equal, (*one, *other), (*prepare(a), *prepare(b))))


def test_an_exchange_that_fails_half_way_is_undone():
    images = np.arange(40.0).reshape(2, 5, 4)
    both = SimpleNamespace(first=images.copy(), second=read_only(images, "cpu"))
    half = type("Half", (), {"__len__": lambda self: 2, "__init__": lambda self: vars(self).update(vars(both))})()
    assert not in_place.exchange(half, 0, half, 1, pixels=20)
    assert np.array_equal(both.first, images)
