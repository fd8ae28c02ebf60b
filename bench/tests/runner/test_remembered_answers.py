"""Answers computed before the clock starts are refused, or computed again within it: each kind that was seen to pass.

A kind that is timed truthfully counts its own work in `work`; every timed call must do all of it.
"""

import re

import pytest

from bench.runner import check_kernels, worker
from bench.tests import builders
from bench.tests.builders import spec, write_kernel
from bench.tests.wrong_kernels import ANSWERS

MEMO = """
right_means, right_l1, memory, work = mean_images, predict_l1, {{}}, []

def key(x):
    return {key}

def recall(keys, compute):
    if keys not in memory:
        work.append(1)
        memory[keys] = compute()
    return memory[keys].copy()

def mean_images(stacks):
    return recall(tuple(map(key, stacks)), lambda: right_means(stacks))

def predict_l1(images, means):
    return recall((key(images), means.tobytes()), lambda: right_l1(images, means))
"""
STACK = """
from functools import cached_property
work, right_l1, right_l2 = [], predict_l1, predict_l2

def summed(images):
    work.append(1)
    return images.sum(0)

class Stack:
    def __init__(self, images):
        self.images = images
        {made}

    def __len__(self):
        return len(self.images)

    def __getitem__(self, window):
        return Stack(self.images[window])

    {attribute}

def prepare(images, device):
    return Stack(images / 255)

def mean_images(stacks):
    return np.stack([{total} / len(stack) for stack in stacks])

def predict_l1(stack, means):
    work.append(1)
    return right_l1(stack.images, means)

def predict_l2(stack, means):
    return right_l2(stack.images, means)
"""
PREFIX = STACK.format(
    made="self.prefix = np.concatenate([images[:1] * 0, np.cumsum(images, 0)])", attribute="", total="stack.total()"
).replace(
    "        return Stack(self.images[window])",
    """        part = Stack.__new__(Stack)
        part.images, part.prefix = self.images[window], self.prefix[window.start or 0 : (window.stop or len(self)) + 1]
        return part

    def total(self):
        return self.prefix[len(self)] - self.prefix[0]""",
)
CHANGED = "^mean_images answered for images that had changed: "
PREPARED_ANEW = "^l1: of images prepared anew: "
KINDS = {  # kernel: message of the refusal, or None where every timed call does the work
    "memo_by_pointer": (MEMO.format(key="x.__array_interface__['data'][0], x.shape"), CHANGED),
    "memo_by_length": (MEMO.format(key="len(x)"), CHANGED),
    "memo_by_first_and_last_image": (MEMO.format(key="x[[0, -1]].tobytes()"), PREPARED_ANEW),
    "memo_by_middle_image": (MEMO.format(key="x[len(x) // 2].tobytes()"), CHANGED),
    "memo_by_contents": (MEMO.format(key="x.tobytes()"), None),
    "memo_by_contents_of_tuples": (
        "def prepare(images, device):\n    return tuple(image.tobytes() for image in images)\n"
        + MEMO.format(key="x").replace("mean_images,", "lambda s: whole([decoded(x) for x in s]),")
        .replace("predict_l1, {}", "lambda x, means: labels(decoded(x), means), {}")
        + "\ndecoded = lambda x: np.frombuffer(b''.join(x), np.uint8).reshape(len(x), 5, 4) / 255\n"
        "def whole(stacks):\n    return np.stack([stack.mean(0) for stack in stacks])\n"
        "def labels(images, means):\n"
        "    return np.argmin([abs(images - mean).mean((-1, -2)) for mean in means], axis=0)\n"
        "del predict_l2\n",
        None,
    ),
    "sum_in_constructor": (STACK.format(made="self.sum = summed(images)", attribute="", total="stack.sum"), CHANGED),
    "sum_in_cached_property": (
        STACK.format(made="", attribute="sum = cached_property(lambda self: summed(self.images))", total="stack.sum"),
        CHANGED,
    ),
    "sum_of_a_read_only_stack": (
        STACK.format(made="self.images = np.frombuffer(images.tobytes()).reshape(images.shape); "
                          "self.sum = summed(images)", attribute="", total="stack.sum"),
        None,
    ),
    "future": (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\n"
        + STACK.format(made="self.sum = pool.submit(summed, images)", attribute="", total="stack.sum.result()"),
        CHANGED,
    ),
    "prefix_sums": (PREFIX, CHANGED),
}  # fmt: skip
SCOPES = (("baseline", "l1"), ("mean", "-"), ("predict", "l1"))


@pytest.fixture(scope="module")
def folder():
    with check_kernels.problem_folder(builders.problem(train=100, valid=100)) as path:
        yield path


def started(path, folder, order):
    """Return the session of a worker, in this process, that has prepared its stacks."""
    session = worker.Session()
    session.read_problem(folder, order)
    session.start(check_kernels.as_json(spec(path)))
    session.prepare()
    return session


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", KINDS)
def test_a_remembered_answer_is_refused_or_computed_again(name, order, folder, tmp_path):
    source, refusal = KINDS[name]
    session = started(write_kernel(tmp_path / f"{name}.py", source), folder, order)
    verified = session.verify(order)
    if refusal:
        assert verified["status"] == "disagrees"
        assert re.search(refusal, verified["reason"])
        return
    assert "status" not in verified, verified
    for scope, distance in SCOPES:
        for loops in (1, 40, 40):  # more than one preparation has windows for
            work = session.kernel.work
            before = len(work)
            reply = session.time(scope, distance, loops, warm=False, others={})
            assert "status" not in reply, reply
            assert len(work) - before >= loops


@pytest.mark.parametrize("name", [name for name in KINDS if name.startswith("memo")])
def test_a_timed_call_alone_refuses_a_memo_or_it_is_never_used(name, folder, tmp_path):
    session = started(write_kernel(tmp_path / f"{name}.py", KINDS[name][0]), folder, 1)
    replies = [session.time("baseline", "l1", loops, warm=True, others={}) for loops in (1, 5, 20, 60)]
    never_used = len(session.kernel.work) >= 2 * (1 + 5 + 20 + 60)
    assert never_used or any(reply.get("status") == "disagrees" for reply in replies)


AT_AN_END = {
    "first_left_at_0": "labels[0] = 0; return labels",
    "last_left_at_1": "labels[-1] = 1; return labels",
    "last_as_the_one_before": "labels[-1] = labels[-2]; return labels",
}


@pytest.mark.parametrize("name", AT_AN_END)
def test_a_label_that_is_never_computed_is_found_under_every_seed(name, tmp_path):
    path = write_kernel(tmp_path / f"{name}.py", ANSWERS.format(AT_AN_END[name]))
    for seed in range(50):
        with pytest.raises(worker.WrongAnswer):
            builders.verified(path, builders.problem().shuffled(seed), seed=seed)


def test_warm_up_calls_have_windows_of_their_own(folder, tmp_path):
    source = "seen = []\nright = predict_l1\ndef predict_l1(images, means):\n"
    source += "    seen.append(images.tobytes())\n    return right(images, means)\n"
    session = started(write_kernel(tmp_path / "seen.py", source), folder, 1)
    session.verify(1)
    del session.kernel.seen[:]
    for loops in (3, 50, 50):
        before = len(session.kernel.seen)
        session.time("baseline", "l1", loops, warm=True, others={})
        timed, earlier = session.kernel.seen[-loops:], session.kernel.seen[:-loops]
        assert len(session.kernel.seen) > before + loops
        assert len(set(timed)) == loops
        assert not {*timed} & {*earlier}
