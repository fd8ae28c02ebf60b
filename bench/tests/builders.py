"""Small problems, kernels right and wrong, and commands run as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from bench import kernel
from bench.kernel import ROOT
from bench.task import scopes
from bench.task.problem import Problem, make_problem
from bench.task.verify import Findings, verify
from data import Digits

RIGHT = '''"""A right kernel: float64 throughout."""

import numpy as np


def prepare(images, device):
    return images / 255


def mean_images(stacks):
    return np.stack([stack.mean(0) for stack in stacks])


def predict_l1(images, means):
    return np.argmin([abs(images - mean).mean((-1, -2)) for mean in means], axis=0)


def predict_l2(images, means):
    return np.argmin([((images - mean) ** 2).mean((-1, -2)) for mean in means], axis=0)
'''


def digits(train: list[np.ndarray], valid: list[np.ndarray]) -> Digits:
    """Wrap uint8 stacks, one per class, as the loader would; the files are called 0000.png, 0001.png, ... ."""

    def frozen(stacks: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        copies = tuple(np.array(stack, np.uint8, order="C") for stack in stacks)
        for copy in copies:
            copy.setflags(write=False)
        return copies

    def names(stacks: list[np.ndarray]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(f"{number:04}.png" for number in range(len(stack))) for stack in stacks)

    classes = tuple("3579abcdef"[: len(train)])
    return Digits("tiny", classes, frozen(train), frozen(valid), names(train), names(valid))


def noise(*, classes: int = 2, train: int = 12, valid: int = 40, height: int = 5, width: int = 4) -> Digits:
    """Draw noise, a little lighter in every further class, so that most nearest mean images are right."""
    rng = np.random.default_rng(0)

    def stack(place: int, n: int) -> np.ndarray:
        return rng.integers(0, 200, (n, height, width)) + 20 * place

    return digits(
        [stack(place, train + 3 * place) for place in range(classes)],
        [stack(place, valid + place) for place in range(classes)],
    )


def problem(**options) -> Problem:
    return make_problem(noise(**options))


def write_kernel(path: Path, override: str = "", base: str = RIGHT) -> Path:
    """Write a kernel file: `base`, with the definitions that `override` replaces."""
    path.write_text(f"{base}\n\n{override}", encoding="utf-8")
    return path


def spec(path: Path) -> kernel.KernelSpec:
    """Return the spec of a kernel's file on its first device."""
    return next(found for found in kernel.discover([path]) if found.path == path)


def prepared(loaded: kernel.Kernel, problem: Problem, device: str = "cpu", **options) -> scopes.PreparedKernel:
    """Prepare the stacks of a kernel, with windows drawn from a fixed seed."""
    return scopes.prepare(loaded, device, problem, np.random.default_rng(3), **options)


def verified(path: Path, problem: Problem, seed: int = 1) -> Findings:
    """Load, prepare and verify a kernel in this process; raise WrongAnswer if it is wrong."""
    findings = Findings()
    verify(prepared(kernel.load(spec(path)), problem), seed, findings)
    return findings


def write_folder(images: Digits, folder: Path) -> Path:
    """Write a data set as PNG files."""
    splits = {"train": (images.train, images.train_files), "valid": (images.valid, images.valid_files)}
    for split, (stacks, names) in splits.items():
        for digit, stack, files in zip(images.classes, stacks, names, strict=True):
            (folder / split / digit).mkdir(parents=True)
            for pixels, file in zip(stack, files, strict=True):
                Image.fromarray(pixels).save(folder / split / digit / file)
    return folder


def python(*arguments: object, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python in a checkout's root, as a user would, with only the digits that the arguments name."""
    environment = {key: value for key, value in os.environ.items() if key not in {"MNIST_SAMPLE", "PYTEST_ADDOPTS"}}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
