"""Taking turns, and rows that fail: each costs itself, at whatever moment it fails."""

import numpy as np
import pytest

from bench import kernel, recording
from bench.kernel import Contestant
from bench.problem import pose
from data import Digits

RIGHT = """
import numpy as np
def prepare(images, device): return images / 255
def mean_images(stacks): return np.stack([stack.mean(0) for stack in stacks])
def predict_l1(images, means): return np.argmin([np.abs(images - mean).mean((-1, -2)) for mean in means], axis=0)
"""
WRONG_LATER = (
    RIGHT
    + """
calls = 0
right = predict_l1
def predict_l1(images, means):
    global calls
    calls += 1
    labels = right(images, means)
    return labels if calls < 12 else 1 - labels
"""
)
DIES_LATER = WRONG_LATER.replace("1 - labels", "__import__('os')._exit(7)")


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(3)
    train = tuple(rng.integers(0, 256, (9, 4, 3), dtype=np.uint8) for _ in "37")
    valid = tuple(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8) for _ in "37")
    files = tuple(tuple(f"{i}.png" for i in range(5)) for _ in "37")
    return pose(Digits("small", ("3", "7"), train, valid, files, files))


def record(problem, folder, rounds=4, **sources):
    contestants: list[Contestant] = []
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
        contestants += [each for each in kernel.discover([folder / f"{name}.py"]) if each.kernel == name]
    stages = []
    plan = recording.Plan(contestants, rounds=rounds, seed=5, timeout_s=60)
    return recording.record(plan, problem, lambda *step: stages.append(step)), stages


def test_every_round_times_every_kernel_once_in_an_order_that_changes(problem, tmp_path):
    recorded, stages = record(problem, tmp_path, 6, one=RIGHT, two=RIGHT, three=RIGHT)
    assert [verdict.status for verdict in recorded.verdicts] == ["agrees"] * 3
    turns = [each for each in recorded.samples if each.scope == "baseline"]
    orders = []
    for turn in range(6):
        inside = sorted((each.position, each.kernel) for each in turns if each.round == turn)
        assert [position for position, _ in inside] == [0, 1, 2]
        orders.append(tuple(name for _, name in inside))
    assert {name for order in orders for name in order} == {"one", "two", "three"}
    assert len(set(orders)) > 1
    assert stages[0] == ("verify", "one", 0, 3)


def test_a_sample_lasts_a_millisecond_and_says_how_many_calls_it_was(problem, tmp_path):
    recorded, _ = record(problem, tmp_path, one=RIGHT)
    for each in recorded.samples:
        if each.scope == "baseline":
            assert each.loops > 1
            assert each.images == 28
            assert each.seconds * each.loops > 2e-4  # a millisecond, unless the first call was an unusually slow one
        else:
            assert (each.scope, each.loops) == ("first_call", 1)


@pytest.mark.parametrize(
    ("source", "status", "reason"),
    [
        (WRONG_LATER, "disagrees", "in a timed call: "),
        (DIES_LATER, "broken", "exited with status 7"),
        ("import no_such_package\n", "unavailable", "no_such_package is not installed"),
        (RIGHT.replace("/ 255", "/ 254"), "disagrees", "mean images are up to"),
        (RIGHT.replace("images / 255", "imgs / 255"), "broken", "NameError"),
        (RIGHT + "print('hello')\n", "broken", "wrote to standard output: 'hello"),
    ],
)
def test_a_failure_costs_its_own_row_and_leaves_no_sample(problem, tmp_path, source, status, reason):
    recorded, _ = record(problem, tmp_path, good=RIGHT, bad=source)
    good, bad = recorded.verdicts
    assert good.status == "agrees"
    assert bad.status == status
    assert reason in bad.reason
    assert {each.kernel for each in recorded.samples} == {"good"}
    assert [each.kernel for each in recorded.absent] == ["bad"]


def test_facts_name_no_person_and_no_place(problem, tmp_path):
    import getpass
    import platform

    recorded, _ = record(problem, tmp_path, one=RIGHT)
    text = str({**recorded.facts, **recorded.facts_by_kernel["one"]})
    for secret in (platform.node(), getpass.getuser(), str(kernel.ROOT), str(tmp_path)):
        assert f"'{secret}'" not in text
        assert "/" not in secret or secret not in text
