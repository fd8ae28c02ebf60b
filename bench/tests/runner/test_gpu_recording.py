"""What a recording does for a GPU, without one: kernels that say "cuda" and count with NumPy, and stand-ins.

`nvidia-smi` is an empty script, NVIDIA's binding and CuPy's pool come with the kernels, and torch is arrays whose
operations take the time that a made-up GPU would.
"""

import os
from dataclasses import replace

import numpy as np
import pytest

from bench.analysis import checklist, claims, crossover, summary
from bench.kernel import Unavailable
from bench.probes import gpu_bandwidth
from bench.records import model, writer
from bench.records.sample import GPU_LAUNCH, GPU_READ, Footprint, Sample
from bench.report import gpu_tables, tables
from bench.runner import checking, checkpoint, collection, executor, memory_pass
from bench.runner.checkpoint import Task
from bench.runner.scheduler import FULL, PREDICT, Plan
from bench.task.scopes import WrongAnswer
from bench.task.verify import check_labels
from bench.tests.builders import problem, spec, write_kernel
from bench.tests.builders_records import KERNEL_METADATA, record, samples

ON_GPU = """
import sys, types

class NVMLError(Exception):
    pass

reasons = iter([0x1] + [0x4] * 4 + [0x1] * 10**6)
sys.modules["pynvml"] = types.SimpleNamespace(
    NVMLError=NVMLError, NVMLError_FunctionNotFound=NVMLError, NVML_CLOCK_SM=1, NVML_CLOCK_MEM=2,
    nvmlInit=lambda: None, nvmlDeviceGetHandleByIndex=lambda index: index,
    nvmlDeviceGetCurrentClocksEventReasons=lambda gpu: next(reasons),
    nvmlDeviceGetClockInfo=lambda gpu, domain: 1000 * domain,
)

class Pool:
    size = 10_000
    def free_all_blocks(self): self.size = 10_000
    def used_bytes(self): return 10_000
    def total_bytes(self): return self.size

pool, right = Pool(), predict_l1
sys.modules["cupy"] = types.SimpleNamespace(get_default_memory_pool=lambda: pool)
DEVICES = ("cuda",)
def predict_l1(images, means):
    pool.size = 12_000
    return right(images, means)
"""
SPY = """
class Stack(np.ndarray):
    def __getitem__(self, which):
        if isinstance(which, np.ndarray): open({log!r}, "a").write("{name} ")
        return super().__getitem__(which)
def prepare(images, device): return (images / 255).view(Stack)
def release(): open({log!r}, "a").write("-{name} ")
"""
REPEATS_WRONGLY = """
class Stack(np.ndarray):
    def __getitem__(self, which):
        return super().__getitem__(which[::-1] if isinstance(which, np.ndarray) and which.dtype == int else which)
def prepare(images, device): return (images / 255).view(Stack)
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A folder on a machine with a GPU, as far as one can tell; records go there."""
    folder = tmp_path_factory.mktemp("gpu")
    (folder / "nvidia-smi").write_text("#!/bin/sh\nexit 1\n")
    (folder / "nvidia-smi").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "LOCAL", folder / "local")
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        yield folder


@pytest.fixture(scope="module")
def posed():
    return problem(height=28, width=28)


def plan(folder, sources, **options):
    paths = [write_kernel(folder / f"{name}.py", source) for name, source in sources.items()]
    return Plan(tuple(map(spec, paths)), processes=1, rounds=1, **options)


def recorded(posed, made):
    saved = checkpoint.begin([Task(0, made)], "drawn", {0: posed})
    checkpoint.finish(saved, {0: posed}, lambda *_: None)
    (collected,) = checkpoint.recordings(saved, saved.tasks[0], posed)
    return writer.write([collected.recording])[0], {each.name: each for each in collected.results}


# A recording.


def test_a_gpu_is_recorded_with_its_state_and_without_a_limit_that_cannot_be_measured(machine, posed):
    found, _ = recorded(posed, plan(machine, {"fine": ON_GPU, "slow": ""}, cells=FULL))
    assert (found.gpu_kernels(), found.kernels()) == (["fine@cuda"], ["fine@cuda", "slow"])
    assert found.metadata["gpu_throttled"] == "software power cap"  # of one sample alone
    assert (found.metadata["gpu_clock_mhz"], found.metadata["gpu_memory_clock_mhz"]) == (1000, 2000)
    told = {line.found: line.level for line in checklist.review(found, reference="slow")}
    assert told["the GPU was throttled: software power cap"] == "WARN"
    assert "the limit was not measured for it on cuda" in told
    assert [(each.kernel, each.status) for each in found.not_timed] == [("bound@gpu", "unavailable")]
    assert "end_to_end" in {sample.scope for sample in found.samples if sample.kernel == "fine@cuda"}


def test_a_gpu_repeats_the_images_that_no_file_holds_and_one_kernel_at_a_time_holds_many(machine, posed, monkeypatch):
    """One that repeats them in another order is caught."""
    log = machine / "log"
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 784 * 2 * 150})())
    monkeypatch.setattr(executor, "CROWDED", 784 * 130 * executor.PER_PIXEL)
    spies = {name: ON_GPU + SPY.format(log=str(log), name=name) for name in ("one", "two")}
    sources = {**spies, "wrong": ON_GPU + REPEATS_WRONGLY, "host": ""}
    found, results = recorded(posed, plan(machine, sources, cells=PREDICT, sizes=(1, 140, 999)))
    timed = {(each.kernel, each.images) for each in found.samples if each.scope == "predict"}
    for name, sizes in {"one@cuda": {1, 140, 999}, "two@cuda": {1, 140, 999}, "host": {1, 140}}.items():
        assert {images for kernel, images in timed if kernel == name} == sizes
    assert results["wrong@cuda"].status == "disagrees"
    assert "wrong@cuda" not in {each.kernel for each in found.samples}
    reasons = {each.kernel: each.reason for each in found.not_timed}
    assert "in a file, which would fill over half" in reasons["host at 999 images"]
    held = set()
    for each in log.read_text().split():
        if each.startswith("-"):
            held.discard(each[1:])
        else:
            assert not held, "two have their images there at once"
            held.add(each)
    assert not held


def test_the_memory_pass_tells_device_memory_of_who_uses_the_gpu(machine, posed):
    made = plan(machine, {"fine": ON_GPU, "host": ""}, cells=PREDICT, sizes=(10,))
    with checking.handed_over(posed) as folder:
        footprints, results, not_timed = memory_pass.measure(made, folder, posed, lambda *_: None)
    fine, host = footprints
    assert (fine.device_before_bytes, fine.device_temporaries_bytes) == (10_000, 2_000)
    assert (host.device_before_bytes, host.device_temporaries_bytes) == (None, None)
    assert {(each.images, each.not_measured) for each in footprints} == {(10, "")}
    assert tables.memory(footprints).columns[-1] == "temporaries on GPU, MB"
    untold = replace(host, anonymous_before_bytes=None, temporaries_bytes=None)
    made_of = collection.memory_recording(made, posed, [fine, untold], results, not_timed, "a run")
    assert (made_of.metadata["kind"], made_of.metadata["run"], made_of.footprints) == ("memory", "a run", [fine])


def test_where_the_host_does_not_tell_its_memory_the_gpu_does():
    assert Footprint("fine", "mean", "-", 1, None, None, 70, 7).peak_bytes == 77
    assert Footprint("fine", "mean", "-", 1, 50, 5, 70, 7).peak_bytes == 55
    assert Footprint("fine", "mean", "-", 1).peak_bytes is None


def test_a_wrong_label_of_a_repeated_image_names_its_file(posed):
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
        assert self.bytes >= gpu_bandwidth.SMALLEST, "a cache might hold it"
        Clock.now += self.bytes / RATES[kind]
        return self

    def cpu(self):
        Clock.now += 1e-5  # its arrival


class Torch:
    """A stand-in for torch with a made-up GPU."""

    int32 = float32 = uint8 = None

    class cuda:
        @staticmethod
        def empty_cache():
            pass

    @staticmethod
    def ones(words, dtype, device):
        assert device == "cuda"
        return Tensor(words)


@pytest.mark.parametrize("size", [784, 11_316_256, 2**33 + 4])
def test_bandwidth_is_that_of_the_fastest_pass_over_all_bytes(monkeypatch, size):
    monkeypatch.setattr(gpu_bandwidth, "_torch", lambda: Torch)
    monkeypatch.setattr(gpu_bandwidth, "perf_counter", lambda: Clock.now)
    assert gpu_bandwidth.bandwidth(size) == pytest.approx(4e12, rel=0.01)  # 1 %: the arrival is part of the time


def test_without_a_device_there_is_no_limit():
    with pytest.raises(Unavailable, match="torch"):
        gpu_bandwidth.bandwidth(10**6)


BY_KERNEL = {"fine@cuda": {"device": "cuda"}}


def planted(folder, read_s, launch_s, gpu_s=2e-5, scope="baseline"):
    """Return a record with a GPU kernel and the GPU's limits."""
    taken = samples(cells=((scope, "l1"),), **{"fine@cuda": gpu_s})
    for process in range(6):
        for name, seconds in ((GPU_READ, read_s), (GPU_LAUNCH, launch_s)):
            taken.append(Sample(name, scope, "-", 108, seconds * (1 + 0.1 * process), 1, process, 0, 0))
    return record(folder, taken, (), BY_KERNEL)


@pytest.mark.parametrize(
    ("read_s", "launch_s", "binds", "share_of_bound"), [(1e-6, 1e-5, "launching", 0.5), (1.6e-5, 1e-5, "reading", 0.8)]
)
def test_what_binds_is_the_slower_of_reading_and_launching(read_s, launch_s, binds, share_of_bound, tmp_path):
    found = planted(tmp_path, read_s, launch_s)
    rows = {row.kernel: row for row in summary.summaries(found)}
    assert rows["fine@cuda"].share_of_bound.value == pytest.approx(share_of_bound)
    assert rows["quick"].share_of_bound.value == pytest.approx(0.25)  # the CPU's kernels keep to the CPU's limit
    assert f"The GPU's limit, {binds}:" in tables.limit(found, "baseline")
    assert not [line for line in checklist.review(found) if "limit was not measured" in line.found]


def test_a_gpu_kernel_faster_than_its_limit_fails_the_checklist(tmp_path):
    (failing,) = [line for line in checklist.review(planted(tmp_path, 1e-4, 1e-5)) if line.level == "FAIL"]
    assert failing.found == "fine@cuda is at 500% of the limit"


def test_the_verdict_on_millions_has_the_gpu_s_own_limit_beside_it(tmp_path):
    found = planted(tmp_path, 1e-6, 1e-5)
    renamed = replace(
        found,
        samples=[replace(each, kernel=each.kernel.replace("fine@", "torch_broadcast@")) for each in found.samples],
        kernel_metadata={**found.kernel_metadata, "torch_broadcast@cuda": {**KERNEL_METADATA, "device": "cuda"}},
    )
    verdict = next(each for each in claims.verdicts(renamed) if each.claim == "C3")
    assert verdict.verdict == "refuted"
    assert "The GPU's limit, launching one kernel, is at 40,000×" in verdict.why  # 0.4 s / 1e-5 s


def test_a_gpu_stands_beside_the_fastest_cpu_kernel_in_each_scope(tmp_path):
    rows = gpu_tables.against_cpu(planted(tmp_path, 1e-6, 1e-5, scope="end_to_end")).rows
    assert [row[0] for row in rows] == ["end to end, from host memory", "cold: the first call of a process"]
    assert {(row[1], row[3]) for row in rows} == {("quick", "fine@cuda")}


def test_what_the_limit_allows_stands_beside_what_was_measured(tmp_path):
    found = planted(tmp_path, 1e-6, 1e-5)
    assert gpu_tables.allowed([found], None).rows == [
        ("python_loops", "baseline", "108", "400,000×", "40,000×", "20,000×", "fine@cuda")
    ]
    sizes = planted(tmp_path / "sizes", 1e-7, 1e-5, scope="predict")
    assert [row[1] for row in gpu_tables.allowed([found], sizes).rows] == ["baseline", "predict"]
    assert (
        gpu_tables.allowed([record(tmp_path / "without", samples(**{"fine@cuda": 1e-5}), (), BY_KERNEL)], None) is None
    )


def test_the_crossover_is_against_the_fastest_cpu_kernel(tmp_path):
    taken = [
        Sample(name, "predict", "l1", size, fixed + each * size, 3, process, number, 0)
        for name, (fixed, each) in {"slow": (0, 1e-5), "quick": (0, 1e-6), "fine@cuda": (5e-5, 1e-9)}.items()
        for size in (1, 100, 10_000)
        for process in range(6)
        for number in range(3)
    ]
    sizes = record(tmp_path, taken, (), BY_KERNEL, kind="sizes")
    ((kernel, against, said),) = gpu_tables.crossings(sizes).rows
    assert (kernel, against) == ("fine@cuda", "quick")
    assert said == str(crossover.crossover(sizes, "quick", "fine@cuda"))
    assert "between 1 and 100 images" in said


# Tables of memory.

FOOTPRINTS = [
    Footprint("quick", "predict", "l1", 1000, 10**7, 2 * 10**6, not_measured="device memory: why; other"),
    Footprint("quick@cuda", "predict", "l1", 1000, 10**7, 0, 5 * 10**6, 0),
]


def test_the_table_has_columns_for_what_was_measured_alone():
    assert tables.memory(FOOTPRINTS[:1]).columns == ("kernel", "scope", "images", "held, MB", "temporaries, MB")
    full = tables.memory(FOOTPRINTS)
    assert full.columns[5:] == ("on GPU, MB", "temporaries on GPU, MB")
    assert [row[2:] for row in full.rows] == [("1,000", "10.0", "2.0", "", ""), ("1,000", "10.0", "0.0", "5.0", "0.0")]
    assert tables.memory([]).rows == []
    assert tables.memory([Footprint("quick", "mean", "-", 1)]).rows[0][2:] == ("1", "not applicable", "not applicable")


def test_what_was_not_measured_is_one_line_with_every_reason_once():
    assert list(tables.not_measured([*FOOTPRINTS[:1] * 2])) == ["Not measured: device memory: why; other."]
    assert list(tables.not_measured([Footprint("quick", "mean", "-", 1, 1, 1)])) == []
