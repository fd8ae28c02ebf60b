"""`triton_bytes` without a GPU: Triton's interpreter runs it, and its compiler makes machine code for an H200."""

from pathlib import Path

from kernels.ladder.tests.gpu_kernels import needs_triton
from kernels.ladder.tests.test_ladder import output

# --- Its interpreter, in a process of its own, since it is chosen when triton is imported

INTERPRETED = """
import ctypes, json, sys, traceback
from functools import partial
import numpy as np, torch, triton, triton.language as tl
from bench.task.scopes import WrongAnswer
from bench.tests import builders
from kernels.ladder.tests import exact_cases
from kernels.ladder.tests.exact_cases import agrees, slices_agree
from kernels.ladder.tests.gpu_kernels import imported, verified

class Graph:
    # As a recorded CUDA graph: it launches on the addresses that it was recorded with, whatever is there by then.
    def __init__(self, launch, result, tensors, options, pool):
        self.launch, self.result, self.options = launch, result, options
        self.read = [(each.data_ptr(), each.dtype, each.shape, each.stride()) for each in tensors]

    def pool(self):
        return "the pool"

    def replay(self):
        tensors = []
        for address, dtype, shape, stride in self.read:
            items = 1 + sum((n - 1) * step for n, step in zip(shape, stride))
            memory = (ctypes.c_uint8 * (items * dtype.itemsize)).from_address(address)
            tensors.append(torch.frombuffer(memory, dtype=dtype).as_strided(shape, stride).clone())
        self.launch(self.result, *tensors, **self.options)

kernel = imported("triton_bytes")
kernel.record = Graph

def verify(**sizes):
    verified(kernel, builders.problem(**sizes))


def exact(case):
    # L1 is the exact answer in every image, ties to the lowest index; so is L2, but for roots one rounding apart.
    for train, valid in case():
        agrees(kernel, train, valid, step=0)


def gathered():
    stack = kernel.prepare(np.random.default_rng(0).integers(0, 256, (90, 5, 7), np.uint8), "cpu")
    means, order = kernel.mean_images([stack[:9], stack[9:30]]), np.arange(200) % 90
    assert kernel.predict_l1(stack[order], means).tolist() == kernel.predict_l1(stack, means)[order].tolist()


def many_images():
    # More than a graph is recorded for, and the same labels either way.
    rng = np.random.default_rng(3)
    stack = kernel.prepare(rng.integers(0, 256, (700, 2, 2), np.uint8), "cpu")
    means = kernel.mean_images([stack[:9], stack[9:30], stack[30:35]])
    for predict in (kernel.predict_l1, kernel.predict_l2):
        labels = predict(stack, means).tolist()
        kernel.GRAPHED = 600
        assert predict(stack, means).tolist() == labels
        kernel.GRAPHED = 2**16

def an_answer_is_not_overwritten():
    stack = kernel.prepare(np.arange(256, dtype=np.uint8).reshape(16, 4, 4), "cpu")
    means = kernel.mean_images([stack[:8], stack[8:]])
    given = kernel.predict_l1(stack, means)
    before, labels = kernel.to_host(means).copy(), given.copy()
    stack[:] = stack.flip(0)  # at the same addresses, so that the same graphs are replayed
    graphs = len(kernel.graphs)
    assert not np.array_equal(kernel.to_host(kernel.mean_images([stack[:8], stack[8:]])), before)
    assert not np.array_equal(kernel.predict_l1(stack, means), labels)
    assert len(kernel.graphs) == graphs
    assert np.array_equal(kernel.to_host(means), before) and np.array_equal(given, labels)

CASES = {
    "verification": lambda: verify(),
    "verification, three classes": lambda: verify(classes=3, train=13, valid=20, height=31, width=3),
    "verification, three classes of words": lambda: verify(classes=3, train=13, valid=40, height=4, width=5),
    "verification, digits": lambda: verify(train=40, valid=30, height=28, width=28),
    "one training image a class": lambda: verify(train=1, valid=3),
    "slices": lambda: slices_agree(kernel),
    **{name: partial(exact, case) for name, case in exact_cases.CASES.items()},
    **{case.__name__: case for case in (gathered, many_images, an_answer_is_not_overwritten)},
}
failures = {}
if __name__ == "__main__":
    for name, case in CASES.items():
        try:
            case()
            failures[name] = ""
        except (AssertionError, WrongAnswer):  # any other error ends the process
            failures[name] = traceback.format_exc()
    print(json.dumps(failures))
"""


@needs_triton
def test_triton_is_exact() -> None:
    failures = output(INTERPRETED, TRITON_INTERPRET="1")
    assert len(failures) == 17
    assert not any(failures.values()), "\n".join(failures.values())


# --- Its compiler, which needs no GPU to compile for one

COMPILED = """
import json, re, subprocess, tempfile
from pathlib import Path
import torch, triton, triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from kernels.ladder.tests.gpu_kernels import imported

class Device:  # of a machine without one
    launcher_cls = utils = None
    def get_current_target(self): return GPUTarget("cuda", 90, 32)
    def get_current_device(self): return 0
    def get_current_stream(self, device=0): return 0
    def get_active_torch_device(self): return torch.device("cuda", 0)

driver.set_active(Device())
kernel, compiled = imported("triton_bytes"), {}
tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"

class OnDevice(torch.Tensor):
    is_cuda = True

class Compiled:
    # As a kernel that is launched, for the arguments, grid and options that the module itself gives it.
    def __init__(self, name):
        self.name, self.jit = name, getattr(kernel, name)

    def __getitem__(self, grid):
        def launch(*arguments, **options):
            done = self.jit.warmup(*arguments, grid=grid, **options)
            with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
                Path(file.name).write_bytes(done.asm["cubin"])
                usage = subprocess.run([tools / "cuobjdump", "--dump-resource-usage", file.name], check=True,
                                       capture_output=True, text=True).stdout
            used = {key: int(value) for key, value in re.findall(r"(REG|STACK|LOCAL):(\\d+)", usage)}
            kinds = "".join(f" {each}" for each in arguments if isinstance(each, tl.dtype))
            compiled.setdefault(f"{self.name}{kinds}", []).append(
                {"ptx": done.asm["ptx"], "sass": done.asm["sass"], "warps": done.metadata.num_warps, **used})
        return launch

for name in ("add", "round_means", "nearest", "nearest_words"):
    setattr(kernel, name, Compiled(name))

for numbers in ((6131, 6265), (1, 16), (1,) * 9):  # Triton compiles anew for 1, for multiples of 16, and per tuple
    stacks = [torch.zeros((n, 28, 28), dtype=torch.uint8) for n in numbers]
    totals = torch.zeros(len(numbers) * 785, dtype=torch.int64)
    kernel.launch_add(totals, *stacks)
images = torch.zeros((2038, 28, 28), dtype=torch.uint8).as_subclass(OnDevice)
labels = torch.zeros(2038, dtype=torch.uint8)
for kind in (tl.int32, tl.int64, tl.float64):
    kernel.launch_nearest(labels, images, totals[: 2 * 785], 2, kind)
odd = torch.zeros((5, 7, 9), dtype=torch.uint8).as_subclass(OnDevice)
kernel.launch_nearest(labels, odd, totals[: 3 * 64], 3, tl.int32)
print(json.dumps(compiled))
"""


@needs_triton
def test_triton_compiles_for_an_h200_within_its_budget(tmp_path: Path) -> None:
    compiled = output(COMPILED, TRITON_CACHE_DIR=str(tmp_path))
    names = {f"nearest_words {kind}" for kind in ("int32", "int64")} | {"nearest fp64", "nearest int32"}
    assert set(compiled) == {"add", "round_means", *names}
    for name, versions in compiled.items():
        for code in versions:
            assert "sm_90" in code["ptx"], name
            assert code["STACK"] == code["LOCAL"] == 0, f"{name}: registers spill into memory"
            assert "STL" not in code["sass"], name
    assert len(compiled["add"]) == 4  # nine classes take two launches
    assert all("ld.global.v4.b32" in code["ptx"] for code in compiled["add"])  # sixteen bytes at a time
    for name in ("nearest_words int32", "nearest_words int64"):
        (code,) = compiled[name]
        assert code["REG"] <= 64, "so that every multiprocessor has 32 warps"
        assert code["warps"] == 1, "or sums of one image cross warps"
        loads = code["ptx"].split("vabsdiff4")[0].count("ld.global.v4.b32")
        assert loads == 8 + 2, f"{name}: four images and a mean of 784 bytes, sixteen bytes at a time on 32 lanes"
        assert code["sass"].count("VABSDIFF4.U8.ACC") == code["ptx"].count("vabsdiff4.u32") == 4 * 256 / 32
