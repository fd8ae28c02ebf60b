"""What a recording does for a GPU, without one: a kernel that says "cuda" and counts with NumPy, and stand-ins.

The driver stands in as a library of a few lines of C, `nvidia-smi` as an empty script, torch as arrays whose operations
take the time that a made-up GPU would.
"""

import os
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from bench import (
    __main__,
    checklist,
    claims,
    crossover,
    entrant,
    gpu,
    gpu_limit,
    pinned,
    reading,
    records,
    standing,
    tables,
)
from bench import problem as problems
from bench.kernel import Unavailable
from bench.sample import GPU_LAUNCH, GPU_READ, PINNED, Footprint, Sample
from bench.tests.builders import problem
from bench.tests.builders_records import KERNEL_FACTS, samples, write
from bench.verify import check_labels
from bench.workload import WrongAnswer
from data.tests.builders import small_set
from data.tests.builders import write as write_digits

DRIVER = r"""
#include <stdlib.h>
static int locked;
int cuInit(unsigned flags) { return flags; }
int cuDeviceGet(int *device, int ordinal) { *device = 7 + ordinal; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = &locked; return device != 7; }
int cuCtxSetCurrent(void *context) { return context != &locked; }
int cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags) {
    if (getenv("NO_ROOM") || flags != 1) return 2;
    *pointer = malloc(bytes);
    return 0;
}
"""
ON_GPU = '''"""NumPy that says it is a GPU."""
import numpy as np
DEVICES = ("cuda",)
def prepare(images, device): return images / 255
def mean_images(stacks): return np.stack([stack.mean(0) for stack in stacks])
def predict_l1(images, means): return np.argmin([abs(images - mean).mean((-1, -2)) for mean in means], axis=0)
'''


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """A folder with a stand-in for the NVIDIA driver."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler for the driver's stand-in")
    folder = tmp_path_factory.mktemp("driver")
    command = ["cc", "-shared", "-fPIC", "-xc", "-", "-o", folder / pinned.DRIVER]
    subprocess.run(command, input=DRIVER.encode(), check=True)
    (folder / "nvidia-smi").write_text("#!/bin/sh\nexit 1\n")
    (folder / "nvidia-smi").chmod(0o755)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch, driver):
    """A machine with a GPU, as far as one can tell, small digits, and records of its own."""
    monkeypatch.setattr(records, "LOCAL", tmp_path / "local")
    monkeypatch.setenv("PATH", f"{driver}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver))
    write_digits(tmp_path / "small", small_set(height=28, width=28))
    (tmp_path / "fine.py").write_text(ON_GPU)
    return tmp_path


def run(place, *arguments):
    options = ["run", "--quick", "--quiet", "--data", place / "small", "--kernel", place / "fine.py", *arguments]
    done = CliRunner().invoke(__main__.cli, [str(each) for each in options], catch_exceptions=False)
    return done, [reading.read(path) for path in (place / "local").glob("*.json")]


# Page-locked memory.


def test_page_locked_memory_holds_a_read_only_copy(driver, monkeypatch):
    monkeypatch.setattr(pinned, "DRIVER", str(driver / pinned.DRIVER))
    stack = np.arange(60, dtype=np.uint8).reshape(3, 5, 4)
    held = pinned.page_locked(stack)
    assert np.array_equal(held, stack)
    assert held.dtype == np.uint8
    assert not np.shares_memory(held, stack)
    with pytest.raises(ValueError, match="read-only"):
        held[0] = 1


def test_a_driver_that_refuses_is_quoted(driver, monkeypatch):
    monkeypatch.setattr(pinned, "DRIVER", str(driver / pinned.DRIVER))
    monkeypatch.setenv("NO_ROOM", "1")
    with pytest.raises(pinned.Refused, match=r"cuMemHostAlloc .* error 2"):
        pinned.page_locked(np.zeros(4, np.uint8))


# A recording.


def test_a_gpu_is_recorded_from_memory_of_both_kinds(place):
    done, found = run(place, "--full", "--kernels", "fine")
    assert done.exit_code == 0, (done.output, done.exception)
    (record,) = found
    assert done.exit_code == 0, done.output
    both = record.kernels("end_to_end")
    assert set(both) == {"python_loops", "fine@cuda", f"fine@cuda{PINNED}"}
    assert f"fine@cuda{PINNED}" not in record.kernels("baseline")
    assert len(record.of(f"fine@cuda{PINNED}", "end_to_end")) == len(record.of("fine@cuda", "end_to_end"))
    rows = {row[0]: row for row in gpu.against_cpu(record).rows}
    for what in ("end to end, from host memory, page-locked", "end to end, from host memory"):
        assert rows[what][3] == "fine@cuda"
    assert len({each.kernel for each in record.samples if each.kernel.endswith(f"{PINNED}~again")}) == 0
    lines = [line.found for line in checklist.judge(record)]
    assert "the limit was not measured for it on cuda" in lines
    assert [each.status for each in record.absent if each.kernel == "limit@gpu"] == ["unavailable"]


def test_without_page_locked_memory_only_that_row_is_missing(place, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", str(place))  # where no driver is
    done, (record,) = run(place, "--full", "--kernels", "fine")
    assert done.exit_code == 0, done.output
    assert set(record.kernels("end_to_end")) == {"python_loops", "fine@cuda"}
    (absent,) = [each for each in record.absent if each.kernel == f"fine@cuda{PINNED}"]
    assert (absent.status, "there is no NVIDIA driver" in absent.reason) == ("not measured", True)


def test_a_gpu_repeats_the_images_that_no_file_holds(place, monkeypatch):
    monkeypatch.setattr(problems.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 784 * 2 * 50})())
    done, (record,) = run(place, "--sizes", "1,40,999", "--kernels", "fine,numpy_broadcast")
    assert done.exit_code == 0, done.output
    timed = {(each.kernel, each.images) for each in record.samples if each.scope == "predict"}
    assert {images for name, images in timed if name == "fine@cuda"} == {1, 40, 999}
    assert {images for name, images in timed if name == "numpy_broadcast"} == {1, 40}
    reasons = {each.kernel: each.reason for each in record.absent}
    assert "in a file, which would fill over half" in reasons["numpy_broadcast at 999 images"]


def test_where_a_gpu_has_no_room_for_all_each_has_its_images_while_it_is_timed(place, monkeypatch):
    monkeypatch.setattr(entrant, "CROWDED", 784 * 30 * entrant.PER_PIXEL)
    log = place / "log"
    for name in ("fine", "other"):
        spy = f"""
class Stack(np.ndarray):
    def __getitem__(self, which):
        if isinstance(which, np.ndarray): open({str(log)!r}, "a").write("{name} ")
        return super().__getitem__(which)
def prepare(images, device): return (images / 255).view(Stack)
def release(): open({str(log)!r}, "a").write("-{name} ")
"""
        (place / f"{name}.py").write_text(ON_GPU + spy)
    done, (record,) = run(place, "--sizes", "40", "--kernels", "fine,other", "--kernel", place / "other.py")
    assert done.exit_code == 0, done.output
    assert {each.kernel for each in record.samples if each.images == 40} >= {"fine@cuda", "other@cuda"}
    held = set()
    for each in log.read_text().split():
        if each.startswith("-"):
            held.discard(each[1:])
        else:
            assert not held, "two have their images there at once"
            held.add(each)
    assert not held


def test_a_gpu_that_repeats_wrongly_is_found_out(place):
    (place / "fine.py").write_text(
        ON_GPU.replace("return images / 255", "return (images / 255).view(Stack)")
        + """
class Stack(np.ndarray):
    def __getitem__(self, which):
        return super().__getitem__(which[::-1] if isinstance(which, np.ndarray) and which.dtype == int else which)
"""
    )
    done, found = run(place, "--sizes", "1,40", "--kernels", "fine,numpy_broadcast")
    assert done.exit_code == 1
    assert not [each for record in found for each in record.samples if each.kernel == "fine@cuda"]


# Repeated images.


def test_a_wrong_label_of_a_repeated_image_names_its_file():
    posed = problem()
    many = posed.tiled(3 * len(posed.valid) + 2, posed.valid)
    assert many.count == 3 * len(posed.valid) + 2
    due = posed.answers["l1"].labels[np.arange(many.count) % len(posed.valid)]
    check_labels(due, many, "l1")
    wrong = due.copy()
    wrong[2 * len(posed.valid) + 5] ^= 1
    with pytest.raises(WrongAnswer, match=f"1 of {many.count} images .*{posed.files[5]}"):
        check_labels(wrong, many, "l1")
    with pytest.raises(WrongAnswer, match="expected integers or bools"):
        check_labels(due[:-1], many, "l1")


# The limit.


RATES = {"sum": 2e12, "amax": 3e12, "floats": 4e12}  # bytes per second of each reduction


class Clock:
    """A clock that only the stand-in for torch moves."""

    now = 0.0


class Tensor:
    """So many bytes on a made-up GPU, whose reductions read at a rate each."""

    def __init__(self, count, floats=False):
        self.bytes, self.floats = 4 * count, floats

    def view(self, kind):
        return Tensor(self.bytes // 4, floats=True)

    def sum(self):
        return self._reduced("sum")

    def amax(self):
        return self._reduced("floats" if self.floats else "amax")

    def _reduced(self, kind):
        assert self.bytes >= gpu_limit.SMALLEST, "a cache might hold it"
        Clock.now += self.bytes / RATES[kind]
        return self

    def cpu(self):
        Clock.now += 1e-5  # its arrival


@pytest.fixture
def torch(monkeypatch):
    """A stand-in for torch with a made-up GPU."""

    class Torch:
        int32 = float32 = uint8 = None

        class cuda:
            @staticmethod
            def empty_cache():
                pass

        @staticmethod
        def ones(words, dtype, device):
            assert device == "cuda"
            return Tensor(words)

    monkeypatch.setattr(gpu_limit, "_torch", lambda: Torch)
    monkeypatch.setattr(gpu_limit, "perf_counter", lambda: Clock.now)
    return Torch


@pytest.mark.parametrize("size", [784, 11_316_256, 2**33 + 4])
def test_bandwidth_is_that_of_the_fastest_pass_over_all_bytes(torch, size):
    assert gpu_limit.bandwidth(size) == pytest.approx(4e12, rel=0.01)  # 1 %: the arrival is part of the time


def test_without_a_device_there_is_no_limit():
    with pytest.raises(Unavailable, match="torch"):
        gpu_limit.bandwidth(10**6)


BY_KERNEL = {"fine@cuda": {"device": "cuda"}}


def planted(folder, read_s, launch_s, gpu_s=2e-5, scope="baseline"):
    """Return a record with a GPU kernel and the GPU's limits."""
    taken = samples(cells=((scope, "l1"),), **{"fine@cuda": gpu_s})
    for process in range(6):
        for name, seconds in ((GPU_READ, read_s), (GPU_LAUNCH, launch_s)):
            taken.append(Sample(name, scope, "-", 108, seconds * (1 + 0.1 * process), 1, process, 0, 0))
    return reading.read(write(folder, taken, (), BY_KERNEL))


def test_what_binds_is_the_slower_of_reading_and_launching(tmp_path):
    for number, (read_s, launch_s, binds, share) in enumerate(
        ((1e-6, 1e-5, "launching", 0.5), (1.6e-5, 1e-5, "reading", 0.8))
    ):
        record = planted(tmp_path / str(number), read_s, launch_s)
        stood = {each.kernel: each for each in standing.standings(record)}
        assert stood["fine@cuda"].share.value == pytest.approx(share)
        assert stood["quick"].share.value == pytest.approx(0.25)  # the CPU's kernels keep to the CPU's limit
        assert f"The GPU's limit, {binds}:" in tables.limit(record, "baseline")
        assert not [line for line in checklist.judge(record) if "limit was not measured" in line.found]


def test_a_gpu_kernel_faster_than_its_limit_fails_the_checklist(tmp_path):
    record = planted(tmp_path, 1e-4, 1e-5)
    (failing,) = [line for line in checklist.judge(record) if line.level == "FAIL"]
    assert failing.found == "fine@cuda is at 500% of the limit"


def test_the_verdict_on_millions_has_the_gpu_s_own_limit_beside_it(tmp_path):
    record = planted(tmp_path, 1e-6, 1e-5)
    renamed = replace(
        record,
        samples=[replace(each, kernel=each.kernel.replace("fine@", "torch_broadcast@")) for each in record.samples],
        kernel_facts={**record.kernel_facts, "torch_broadcast@cuda": {**KERNEL_FACTS, "device": "cuda"}},
    )
    ruling = next(each for each in claims.rulings(renamed) if each.claim == "C3")
    assert ruling.verdict == "refuted"
    assert "The GPU's limit, launching one kernel, is at 40,000×" in ruling.why  # 0.4 s / 1e-5 s


def test_what_the_limit_allows_stands_beside_what_was_measured(tmp_path):
    record = planted(tmp_path, 1e-6, 1e-5)
    assert gpu.allowed(record, None).rows == [
        ("python_loops", "baseline", "108", "400,000×", "40,000×", "20,000×", "fine@cuda")
    ]
    sizes = planted(tmp_path / "sizes", 1e-7, 1e-5, scope="predict")
    assert [row[1] for row in gpu.allowed(record, sizes).rows] == ["baseline", "predict"]
    without = reading.read(write(tmp_path / "without", samples(**{"fine@cuda": 1e-5}), (), BY_KERNEL))
    assert gpu.allowed(without, None) is None


def test_the_crossover_is_against_the_fastest_cpu_kernel(tmp_path):
    taken = []
    for name, (fixed, each) in {"slow": (0, 1e-5), "quick": (0, 1e-6), "fine@cuda": (5e-5, 1e-9)}.items():
        taken += [
            Sample(name, "predict", "l1", size, fixed + each * size, 3, process, turn, 0)
            for size in (1, 100, 10_000)
            for process in range(6)
            for turn in range(3)
        ]
    sizes = reading.read(write(tmp_path, taken, (), BY_KERNEL, kind="sizes"))
    ((kernel, against, said),) = gpu.crossings(sizes).rows
    assert (kernel, against) == ("fine@cuda", "quick")
    assert said == str(crossover.crossover(sizes, "quick", "fine@cuda"))
    assert "between 1 and 100 images" in said


def test_energy_is_told_or_why_it_is_not(tmp_path):
    record = planted(tmp_path, 1e-6, 1e-5)
    counted = replace(
        record,
        footprints=[
            Footprint("fine@cuda", "baseline", "l1", 1000, 1, 1, energy_calls=500, gpu_joules=250.0),
            Footprint("quick", "baseline", "l1", 1000, 1, 1, not_measured="energy of the CPU: no counter; other"),
        ],
    )
    assert gpu.energy(counted).rows == [("fine@cuda", "baseline l1", "not measured", "500 J")]
    assert gpu.no_energy(counted) == ""
    silent = replace(counted, footprints=counted.footprints[1:])
    assert gpu.energy(silent) is None
    assert gpu.no_energy(silent) == "Energy: not measured (energy of the CPU: no counter)."
    assert gpu.no_energy(None) == "Energy: not measured; python -m bench run --memory does."
