"""What is measured on a GPU, without one: kernels that say "cuda" and count with NumPy.

`nvidia-smi` is an empty script; NVIDIA's binding and CuPy's pool come with the kernels.
"""

import os
from dataclasses import replace

import numpy as np
import pytest

from bench.analysis import checklist
from bench.records import model, writer
from bench.runner import check_kernels, checkpoint, collection, executor, memory_pass, worker
from bench.runner.checkpoint import DataSetPlan
from bench.runner.plan import FULL, PREDICT, Plan
from bench.task import scopes
from bench.task.answers import check_labels
from bench.task.scopes import WrongAnswer
from bench.tests import builders
from bench.tests.builders import spec, write_kernel

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
    """A folder on a machine that seems to have a GPU; records go there."""
    folder = tmp_path_factory.mktemp("gpu")
    (folder / "nvidia-smi").write_text("#!/bin/sh\nexit 1\n")
    (folder / "nvidia-smi").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "LOCAL", folder / "local")
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        yield folder


@pytest.fixture(scope="module")
def problem():
    return builders.problem(height=28, width=28)


def plan(folder, sources, **options):
    paths = [write_kernel(folder / f"{name}.py", source) for name, source in sources.items()]
    return Plan(tuple(map(spec, paths)), processes=1, rounds=1, **options)


def run(problem, plan):
    """Return the record of a plan, and the result of every kernel by name."""
    saved = checkpoint.begin([DataSetPlan(0, plan)], {"source": "drawn"}, {0: problem})
    checkpoint.finish(saved, {0: problem}, lambda *_: None)
    (collected,) = checkpoint.collect(saved, saved.data_sets[0], problem)
    return writer.write([collected.measurements])[0], {result.name: result for result in collected.results}


def test_a_record_has_the_state_of_the_gpu_and_no_bound_that_cannot_be_measured(machine, problem, monkeypatch):
    monkeypatch.setattr(executor, "RETAKES", 0)  # other programs may disturb the one sample that was throttled
    record, _ = run(problem, plan(machine, {"fine": ON_GPU, "slow": ""}, pairs=FULL))
    assert (record.gpu_kernels(), record.kernels()) == (["fine@cuda"], ["fine@cuda", "slow"])
    assert record.metadata["gpu_throttled"] == "software power cap"  # after one sample alone
    assert (record.metadata["gpu_clock_mhz"], record.metadata["gpu_memory_clock_mhz"]) == (1000, 2000)
    levels = {item.text: item.level for item in checklist.review(record, reference="slow")}
    assert levels["The GPU was throttled: software power cap"] == "WARN"
    assert "The bound was not measured on cuda" in levels
    assert [(entry.kernel, entry.status) for entry in record.not_timed] == [("bound@gpu", "unavailable")]
    assert "end_to_end" in {sample.scope for sample in record.samples if sample.kernel == "fine@cuda"}


def test_a_gpu_repeats_images_that_no_file_holds_and_holds_many_of_one_kernel_at_a_time(machine, problem, monkeypatch):
    """A kernel that repeats them in another order is caught."""
    log = machine / "log"
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 784 * 2 * 150})())
    monkeypatch.setattr(executor, "CROWDED", scopes.device_bytes(problem, 130))
    spies = {name: ON_GPU + SPY.format(log=str(log), name=name) for name in ("one", "two")}
    sources = {**spies, "wrong": ON_GPU + REPEATS_WRONGLY, "host": ""}
    record, results = run(problem, plan(machine, sources, pairs=PREDICT, sizes=(1, 140, 999)))
    timed = {(sample.kernel, sample.images) for sample in record.samples if sample.scope == "predict"}
    for name, sizes in {"one@cuda": {1, 140, 999}, "two@cuda": {1, 140, 999}, "host": {1, 140}}.items():
        assert {images for kernel, images in timed if kernel == name} == sizes
    assert results["wrong@cuda"].status == "disagrees"
    assert "wrong@cuda" not in {sample.kernel for sample in record.samples}
    reasons = {entry.kernel: entry.reason for entry in record.not_timed}
    assert "in a file, which would fill over half" in reasons["host at 999 images"]
    holder = None
    for event in log.read_text().split():
        if event.startswith("-"):
            holder = None if event[1:] == holder else holder
        else:
            assert holder is None, "two kernels hold their images at once"
            holder = event
    assert holder is None


@pytest.mark.parametrize(
    ("call_s", "on_gpu"),
    [
        ([0.02, 0.02], 2),  # as of a CPU
        ([0.08, 0.04, 0.0202, 0.02], 4),  # as the clock rate rises
        ([0.3 + 0.1 * n for n in range(9)], 3),  # it never settles: 0.3 + 0.4 + 0.5 s
    ],
)
def test_a_gpu_is_warmed_up_until_two_samples_agree_but_for_a_second_at_most(monkeypatch, call_s, on_gpu):
    now, calls = 0.0, 0

    def call(_):
        nonlocal now, calls
        now, calls = now + call_s[calls], calls + 1

    monkeypatch.setattr(worker, "perf_counter", lambda: now)
    for at_most_s, expected in ((0, 1), (worker.WARM_GPU_S, on_gpu)):
        now, calls = 0.0, 0
        worker.warm_up(call, None, at_most_s)
        assert calls == expected


def test_the_memory_pass_measures_device_memory_of_kernels_on_a_gpu(machine, problem):
    memory_plan = plan(machine, {"fine": ON_GPU, "host": ""}, pairs=PREDICT, sizes=(10,))
    with check_kernels.problem_folder(problem) as folder:
        footprints, results, not_timed = memory_pass.measure(memory_plan, folder, problem, lambda *_: None)
    fine, host = footprints
    assert (fine.device_before_bytes, fine.device_temporaries_bytes) == (10_000, 2_000)
    assert (host.device_before_bytes, host.device_temporaries_bytes) == (None, None)
    assert {(footprint.images, footprint.not_measured) for footprint in footprints} == {(10, "")}
    unknown = replace(host, anonymous_before_bytes=None, temporaries_bytes=None)
    both = [fine, unknown]
    measurements = collection.memory_measurements(memory_plan, problem, both, results, not_timed, "a run")
    assert (measurements.metadata["kind"], measurements.metadata["run"]) == ("memory", "a run")
    assert measurements.footprints == [fine]


def test_a_memory_pass_that_is_interrupted_gives_what_it_has_measured(machine, problem, monkeypatch):
    memory_plan = plan(machine, {"first": "", "second": "", "third": ""}, pairs=PREDICT, sizes=(10,))

    def verify(self, seed):
        if self.name == "second":
            raise KeyboardInterrupt
        whole(self, seed)

    whole = executor.Executor.verify
    monkeypatch.setattr(executor.Executor, "verify", verify)
    with check_kernels.problem_folder(problem) as folder:
        footprints, results, _ = memory_pass.measure(memory_plan, folder, problem, lambda *_: None)
        assert [footprint.kernel for footprint in footprints] == ["first"]
        assert [result.status for result in results] == ["agrees", "not measured", "not measured"]
        memory_plan = replace(memory_plan, specs=memory_plan.specs[1:])
        with pytest.raises(KeyboardInterrupt):
            memory_pass.measure(memory_plan, folder, problem, lambda *_: None)


def test_a_wrong_label_of_a_repeated_image_names_its_file(problem):
    count = len(problem.valid)
    many = problem.tiled(3 * count + 2)
    assert many.count == 3 * count + 2
    labels = problem.answers["l1"].labels[np.arange(many.count) % count]
    check_labels(labels, many, "l1")
    with pytest.raises(WrongAnswer, match="expected integers or bools"):
        check_labels(labels[:-1], many, "l1")
    labels[2 * count + 5] ^= 1
    with pytest.raises(WrongAnswer, match=f"1 of {many.count} images .*{problem.files[5]}"):
        check_labels(labels, many, "l1")
