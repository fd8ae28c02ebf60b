"""GPU metadata from a fake binding of NVIDIA's driver: which GPU, its values, and why it is throttled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.probes import machine, nvml
from bench.records import keys
from bench.records.model import NOT_MEASURED
from bench.tests.builders_gpu import Binding, OldBinding, OldDriver

REASON = st.sampled_from([*nvml.REASONS.values(), "reason 0x200"])
STATES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "gpu_throttled": st.sampled_from(["no", "not measured: a", "not measured: b"])
            | st.sets(REASON, min_size=1).map(lambda words: ", ".join(sorted(words))),
            "gpu_clock_mhz": st.integers(1, 3000) | st.just("not measured: a"),
        },
    ),
    max_size=5,
)


def test_metadata_of_the_gpu_that_kernels_use(binding):
    binding(Binding())
    assert nvml.metadata() == {
        "gpu": "A Fine GPU 0, 575.57.08; A Fine GPU 1, 575.57.08",
        "gpu_driver": "575.57.08",
        "gpu_memory_bytes": 150_000_000_000,
        "gpu_max_clock_mhz": 1980,
        "gpu_max_memory_clock_mhz": 3201,
        "gpu_power_limit_watts": 700.0,
    }
    assert nvml.state() == {"gpu_throttled": "no", "gpu_clock_mhz": 1755, "gpu_memory_clock_mhz": 3200}
    assert not nvml.NOW.keys() & machine.metadata().keys()  # or no run could be resumed
    assert machine.metadata().items() >= nvml.metadata().items()


@pytest.mark.parametrize(
    ("visible", "handle"),
    [(None, 0), ("1,0", 1), (" 1 ", 1), ("GPU-8932f937,1", "GPU-8932f937"), ("MIG-1b2c", "MIG-1b2c")],
)
def test_the_first_gpu_that_processes_see_is_used(binding, monkeypatch, visible, handle):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    fake = binding(Binding())
    assert nvml.device() == (fake, handle)
    assert fake.handles == [handle]


@pytest.mark.parametrize("visible", ["", "-1"])
def test_where_processes_see_no_gpu_none_is_used(binding, monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    binding(Binding())
    with pytest.raises(nvml.Unreadable, match=f"CUDA_VISIBLE_DEVICES is '{visible}', so processes see no GPU"):
        nvml.device()


def test_without_the_binding_nvidia_smi_gives_name_and_driver(binding, monkeypatch):
    binding(None)
    smi = "A Fine GPU, 575.57.08\nAnother, 575.57.08"
    monkeypatch.setattr(machine, "_output", lambda *command: smi if command == machine.NVIDIA else "")
    metadata = machine.metadata()
    assert metadata["gpu"] == "A Fine GPU, 575.57.08; Another, 575.57.08"
    assert metadata["gpu_driver"] == "575.57.08"
    rest = {metadata[key] for key in nvml.METADATA if key not in ("gpu", "gpu_driver")}
    assert rest == {"not measured: install NVIDIA's binding: pip install nvidia-ml-py"}
    assert nvml.state()["gpu_throttled"] == next(iter(rest))


@pytest.mark.parametrize("module", [None, Binding(refused=("nvmlInit",))])
def test_without_a_driver_there_is_none(binding, monkeypatch, module):
    binding(module)
    monkeypatch.setattr(machine, "_output", lambda *command: "")
    assert {key: value for key, value in machine.metadata().items() if key.startswith("gpu")} == {"gpu": "none"}


def test_what_the_gpu_does_not_support_is_not_measured_and_the_rest_is(binding, monkeypatch):
    binding(Binding(refused=("nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetCurrentClocksEventReasons")))
    values = {**nvml.metadata(), **nvml.state()}
    refused = {key for key, value in values.items() if str(value).startswith(NOT_MEASURED)}
    assert refused == {"gpu_power_limit_watts", "gpu_throttled"}
    assert values["gpu_throttled"] == "not measured: NVML says Not Supported"
    assert values.keys() <= keys.NAMES
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")  # beyond the last
    binding(Binding())
    assert nvml.state()["gpu_throttled"] == "not measured: NVML says Invalid Argument"


@pytest.mark.parametrize("module", [Binding, OldBinding, OldDriver])
def test_throttling_is_read_by_its_new_or_its_old_name(binding, module):
    binding(module(reasons=0x4 | 0x40 | 0x1))
    assert nvml.state()["gpu_throttled"] == "software power cap, hardware thermal slowdown"


@given(st.integers(0, 2**64 - 1))
def test_no_reason_is_lost_but_those_left_out(mask):
    reasons = [reason for reason in nvml.words(mask).split(", ") if reason != "no"]
    assert len(set(reasons)) == len(reasons) == (mask & ~0x103).bit_count()
    assert nvml.words(0x200 | 0x1 | 0x8) == "hardware slowdown, reason 0x200"


def test_the_worst_of_several_states():
    states = [
        {"gpu_throttled": "no", "gpu_clock_mhz": 1980},
        {},
        {"gpu_throttled": "software power cap, sync boost", "gpu_clock_mhz": 1400},
        {"gpu_throttled": "not measured: x", "gpu_clock_mhz": "not measured: x"},
        {"gpu_throttled": "hardware slowdown, software power cap", "gpu_clock_mhz": 1755},
    ]
    reasons = "hardware slowdown, software power cap, sync boost"
    assert nvml.worst(states) == {"gpu_throttled": reasons, "gpu_clock_mhz": 1400}
    assert (nvml.worst(states[:2]), nvml.worst(states[3:4]), nvml.worst([])) == (states[0], states[3], {})


@given(STATES, STATES)
def test_the_worst_may_be_taken_in_any_grouping(some, others):
    together = nvml.worst([*some, *others])
    assert nvml.worst([nvml.worst(some), nvml.worst(others)]) == together == nvml.worst([*others, *some])
