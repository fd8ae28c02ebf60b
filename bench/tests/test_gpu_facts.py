"""From a driver to a record and its checklist: a kernel that says "cuda", and brings a driver that pretends."""

import os

import pytest
from click.testing import CliRunner

from bench import __main__, checking, checklist, footprint, reading, records, tables
from bench.entrant import Entrant
from bench.kernel import REFERENCE
from bench.recording import PREDICT, Plan
from bench.sample import Footprint
from bench.tests.builders import contestant, problem, write_kernel
from data.tests.builders import small_set
from data.tests.builders import write as write_digits

SOURCE = '''"""NumPy that says it is a GPU, with NVIDIA's binding and CuPy's pool as far as they are asked."""
import sys, types
import numpy as np

class NVMLError(Exception):
    pass

energy_mj = iter(range(0, 10**9, 6000))
reasons = iter([0x1] + [0x4] * 4 + [0x1] * 10**6)
sys.modules["pynvml"] = types.SimpleNamespace(
    NVMLError=NVMLError, NVMLError_FunctionNotFound=NVMLError, NVML_CLOCK_SM=1, NVML_CLOCK_MEM=2,
    nvmlInit=lambda: None, nvmlDeviceGetHandleByIndex=lambda index: index,
    nvmlDeviceGetCurrentClocksEventReasons=lambda gpu: next(reasons),
    nvmlDeviceGetClockInfo=lambda gpu, domain: 1000 * domain,
    nvmlDeviceGetTotalEnergyConsumption=lambda gpu: next(energy_mj),
)

class Pool:
    size = 10_000
    def free_all_blocks(self): self.size = 10_000
    def used_bytes(self): return 10_000
    def total_bytes(self): return self.size

pool = Pool()
sys.modules["cupy"] = types.SimpleNamespace(get_default_memory_pool=lambda: pool)
DEVICES = ("cuda",)
def prepare(images, device): return images / 255
def mean_images(stacks): return np.stack([stack.mean(0) for stack in stacks])
def predict_l1(images, means):
    pool.size = 12_000
    return np.argmin([abs(images - mean).mean((-1, -2)) for mean in means], axis=0)
'''


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A machine with a driver, as far as one can tell, small digits, and records of its own."""
    monkeypatch.setattr(records, "LOCAL", tmp_path / "local")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    write_digits(tmp_path / "small", small_set(height=28, width=28))
    (tmp_path / "fine.py").write_text(SOURCE)
    return tmp_path


def run(place, *arguments):
    options = [
        "run",
        *([] if "--memory" in arguments else ["--quick"]),
        "--quiet",
        "--data",
        place / "small",
        "--kernel",
        place / "fine.py",
        *arguments,
    ]
    done = CliRunner().invoke(__main__.cli, [str(each) for each in options], env={"COLUMNS": "300"})
    assert done.exit_code == 0, done.output
    (path,) = (place / "local").glob("*.json")
    return done, reading.read(path)


def test_one_throttled_sample_is_a_warning_about_the_recording(place):
    _, record = run(place, "--kernels", "fine")
    assert record.facts["gpu_throttled"] == "software power cap"
    assert (record.facts["gpu_clock_mhz"], record.facts["gpu_memory_clock_mhz"]) == (1000, 2000)
    warned = [line for line in checklist.judge(record) if line.level == "WARN" and "throttled" in line.found]
    assert [line.found for line in warned] == ["the GPU was throttled: software power cap"]


def test_a_recording_without_a_gpu_says_nothing_of_throttling(place):
    (place / "fine.py").write_text(SOURCE.replace('("cuda",)', '("cpu",)'))
    _, record = run(place, "--kernels", "fine")
    assert not {"gpu_throttled", "gpu_clock_mhz"} & record.facts.keys()
    assert not any("throttled" in line.found for line in checklist.judge(record))


def test_the_memory_pass_tells_device_memory_and_energy_of_who_uses_the_gpu(place):
    done, record = run(place, "--memory", "--images", "10", "--kernels", "fine,python_loops")
    of = {each.kernel: each for each in record.footprints}
    fine, loops = of["fine@cuda"], of[REFERENCE]
    assert (fine.device_before_bytes, fine.device_temporaries_bytes) == (10_000, 2_000)
    assert fine.gpu_joules == pytest.approx(6.0)
    assert fine.energy_calls > 1
    assert (loops.device_before_bytes, loops.device_temporaries_bytes, loops.gpu_joules) == (None, None, None)
    assert "energy of the GPU" not in fine.not_measured + loops.not_measured
    assert ("energy of the CPU" in fine.not_measured) == (fine.cpu_joules is None)
    assert "temporaries on GPU, MB" in done.output
    assert "GPU, J per 10⁶ images" in done.output
    assert "idle power is not subtracted" in done.output


def test_where_the_host_does_not_tell_the_gpu_does(tmp_path, monkeypatch):
    path = write_kernel(tmp_path / "quick.py")
    told = {
        "memory": {"anonymous_before_bytes": None, "temporaries_bytes": None, "device_before_bytes": 70,
                   "device_temporaries_bytes": 7, "not_measured": ""},
        "energy": {"energy_calls": None, "cpu_joules": None, "gpu_joules": None, "not_measured": "energy: why"},
    }  # fmt: skip
    ask = Entrant.ask
    monkeypatch.setattr(Entrant, "ask", lambda self, do, **more: told.get(do) or ask(self, do, **more))
    posed = problem()
    with checking.handed_over(posed) as folder:
        found, *_ = footprint.measure(Plan((contestant(path),), PREDICT), folder, posed, lambda *_: None)
    assert {each.peak_bytes for each in found} == {77}
    assert {each.not_measured for each in found} == {"energy: why"}


FOOTPRINTS = [
    Footprint("quick", "predict", "l1", 1000, 10**7, 2 * 10**6, not_measured="energy of the CPU: why; other"),
    Footprint("quick@cuda", "predict", "l1", 1000, 10**7, 0, 5 * 10**6, 0, 100, 2.0, 12.5),
]


def test_the_table_has_columns_for_what_was_measured_alone():
    bare = tables.memory(FOOTPRINTS[:1])
    assert bare.columns == ("kernel", "scope", "images", "held, MB", "temporaries, MB")
    full = tables.memory(FOOTPRINTS)
    assert full.columns[5:] == (
        "on GPU, MB", "temporaries on GPU, MB", "CPU, J per 10⁶ images", "GPU, J per 10⁶ images",
    )  # fmt: skip
    assert [row[2:] for row in full.rows] == [
        ("1,000", "10.0", "2.0", "", "", "", ""),
        ("1,000", "10.0", "0.0", "5.0", "0.0", "20", "125"),
    ]
    assert tables.memory([]).rows == []
    assert tables.memory([Footprint("quick", "mean", "-", 1)]).rows[0][2:] == ("1", "not applicable", "not applicable")


def test_what_was_not_measured_is_one_line_with_every_reason_once():
    assert list(tables.not_measured([*FOOTPRINTS[:1] * 2])) == ["Not measured: energy of the CPU: why; other."]
    assert "idle power is not subtracted" in list(tables.not_measured(FOOTPRINTS))[1]
    assert list(tables.not_measured([Footprint("quick", "mean", "-", 1, 1, 1)])) == []
