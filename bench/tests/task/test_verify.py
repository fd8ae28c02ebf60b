"""Verification refuses every wrong kernel with its own message, and no right one."""

import re
from pathlib import Path

import numpy as np
import pytest

import data
from bench import kernel
from bench.task.answers import MEAN_TOLERANCE, check_means
from bench.task.problem import Problem, make_problem
from bench.task.scopes import WrongAnswer
from bench.task.verify import Findings, verify
from bench.tests import builders
from bench.tests.builders import digits, noise, prepared, spec, verified, write_kernel
from bench.tests.wrong_kernels import ANSWERS, HALF, WRONG


@pytest.fixture(scope="session")
def drawn() -> Problem:
    """All drawn validation digits, and every eighth training image."""
    drawn_digits = data.load("drawn")
    return make_problem(digits([stack[::8] for stack in drawn_digits.train], list(drawn_digits.valid)))


def refusal(path: Path, problem: Problem) -> str:
    with pytest.raises(WrongAnswer) as caught:
        verified(path, problem)
    return str(caught.value)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_kernels_are_refused(name: str, tmp_path: Path) -> None:
    override, message = WRONG[name]
    assert re.search(message, refusal(write_kernel(tmp_path / f"{name}.py", override), builders.problem()))


@pytest.mark.parametrize("seed", range(20))
def test_means_rounded_to_bytes_are_refused_in_every_order(seed: int, drawn: Problem, tmp_path: Path) -> None:
    """Where the digits are all clear, too: mixtures of two are almost as far from one mean image as from another."""
    nearest, second = np.sort(drawn.answers["l1"].distances).T
    clear = drawn.taken(np.flatnonzero(second - nearest > 2**-10)).shuffled(seed)
    rounded = "right = predict_l1\ndef predict_l1(images, means):\n    return right(images, np.rint(means * 255) / 255)"
    with pytest.raises(WrongAnswer, match="a mixture of "):
        verified(write_kernel(tmp_path / "rounded.py", f"{rounded}\ndel predict_l2"), clear, seed=seed)


def test_the_kernel_that_they_override_is_right(tmp_path: Path) -> None:
    problem = builders.problem()
    findings = verified(write_kernel(tmp_path / "right.py"), problem)
    assert findings.correct == {key: problem.correct(answer.labels) for key, answer in problem.answers.items()}
    assert findings.mean_error is not None
    assert findings.mean_error < 1e-15


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["remembers_by_shape", "sum_in_prepare", "class_order", "one_buffer"])
def test_wrong_kernels_are_refused_in_every_order(name: str, seed: int, tmp_path: Path) -> None:
    path = write_kernel(tmp_path / f"{name}.py", WRONG[name][0])
    with pytest.raises(WrongAnswer):
        verified(path, builders.problem(), seed=seed)


RIGHT_KERNELS = {
    "bools": ANSWERS.format("return labels == 1"),
    "list": ANSWERS.format("return labels.tolist()"),
    "list_of_bools": ANSWERS.format("return (labels == 1).tolist()"),
    "list_of_numpy_integers": ANSWERS.format("return list(labels)"),
    "bytes_wide": ANSWERS.format("return labels.astype(np.uint8)"),
    "means_as_lists": "def to_host(means):\n    return means.tolist()",
    "float32": "def prepare(images, device):\n    return images.astype(np.float32) / 255",
    "flat_stack": """
def prepare(images, device):
    return images.reshape(len(images), 5, 4).transpose(0, 2, 1) / 255

def to_host(means):
    return means.transpose(0, 2, 1)
""",
    "scratch": "scratch = np.empty((81, 5, 4))\n" + ANSWERS.format("scratch[: len(images)] = images; return labels"),
}


@pytest.mark.parametrize("name", RIGHT_KERNELS)
def test_right_kernels_pass(name: str, tmp_path: Path) -> None:
    verified(write_kernel(tmp_path / f"{name}.py", RIGHT_KERNELS[name]), builders.problem())


@pytest.mark.parametrize("shape", [(3, 5, 4), (10, 2, 9), (4, 1, 1)])
def test_any_number_of_classes_and_any_image_size(shape: tuple[int, int, int], tmp_path: Path) -> None:
    classes, height, width = shape
    problem = builders.problem(classes=classes, height=height, width=width)
    findings = verified(write_kernel(tmp_path / "right.py"), problem)
    assert len(findings.correct["l1"]) == classes
    wrong = ANSWERS.format("labels[0] = (labels[0] + 1) % len(means); return labels")
    assert "l1: 1 of " in refusal(write_kernel(tmp_path / "wrong.py", wrong), problem)


def test_l2_is_optional(tmp_path: Path) -> None:
    path = write_kernel(tmp_path / "mine.py", "del predict_l2")
    assert set(verified(path, builders.problem()).correct) == {"l1"}


def test_ties_may_go_either_way(tmp_path: Path) -> None:
    """An exact tie is too close to call, so a kernel that answers the highest index is right too."""
    same = noise().train[0]
    problem = make_problem(digits([same, same], [same[:3], same[3:]]))
    assert problem.answers["l1"].labels.tolist() == [0] * 12
    assert problem.answers["l1"].too_close == 12
    last = "def predict_l1(images, means):\n    return [len(means) - 1] * len(images)"
    assert verified(write_kernel(tmp_path / "last.py", last), problem).correct == {"l1": [0, 9], "l2": [3, 0]}


def test_a_mismatch_names_the_image_the_distances_and_the_margin(tmp_path: Path) -> None:
    black, white = np.zeros((1, 2, 2)), np.full((1, 2, 2), 255)
    grey = np.full((1, 2, 2), 51)
    problem = make_problem(digits([black, white], [black, np.concatenate([white, grey])]))
    dark = "def predict_l1(images, means):\n    return (images[:, 0, 0] > 0).astype(int)"
    assert refusal(write_kernel(tmp_path / "dark.py", dark), problem) == (
        "l1: 1 of 3 images differ from the exact answer; valid/5/0001.png was called 5 (exact distance 0.8000000), "
        "expected 3 (0.2000000), margin 6.00e-01 of full scale"
    )


def test_findings_of_a_wrong_kernel_are_kept(tmp_path: Path) -> None:
    problem, findings = builders.problem(), Findings()
    path = write_kernel(tmp_path / "swapped.py", WRONG["swapped"][0])
    with pytest.raises(WrongAnswer):
        verify(prepared(kernel.load(spec(path)), problem), 0, findings)
    right = problem.correct(problem.answers["l1"].labels)
    assert findings.correct == {"l1": [n - k for n, k in zip(problem.valid_counts, right, strict=True)]}
    assert findings.mean_error is not None


def test_drawn_digits_expose_half_precision(drawn: Problem, tmp_path: Path) -> None:
    right = verified(write_kernel(tmp_path / "right.py"), drawn)
    assert right.correct["l1"] == drawn.correct(drawn.answers["l1"].labels)
    assert "images differ" in refusal(write_kernel(tmp_path / "float16.py", HALF), drawn)


@pytest.mark.parametrize("sign", [-1, 1])
def test_mean_images_may_be_2_to_the_minus_14_off(sign: int) -> None:
    exact = np.full((2, 1, 1), 0.5)
    assert check_means(exact + sign * MEAN_TOLERANCE, exact, "") == MEAN_TOLERANCE
    with pytest.raises(WrongAnswer, match=r"^here: mean images are up to 6.1.e-05"):
        check_means(exact + sign * MEAN_TOLERANCE * 1.001, exact, "here: ")
