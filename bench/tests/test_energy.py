"""Energy: which counters count, in which unit, over the end of their range; and what is said where none can be read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import energy
from bench.energy import Counter, Energy
from bench.sample import Footprint
from bench.tests.builders_gpu import Binding

RANGE_UJ = 262_143_328_850
ZONES = {"0": "package-0", "0:0": "core", "0:1": "dram", "1": "package-1", "2": "psys"}


@pytest.fixture
def powercap(tmp_path, monkeypatch):
    """A folder like Linux's, with two packages, their parts, and the platform that contains both."""
    for zone, name in ZONES.items():
        folder = tmp_path / f"intel-rapl:{zone}"
        folder.mkdir()
        for file, content in {"name": name, "energy_uj": 10**6, "max_energy_range_uj": RANGE_UJ}.items():
            (folder / file).write_text(f"{content}\n")
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    return tmp_path


def spend(powercap, **micro_joules):
    """Return a call that moves the counters of zones, such as zone_0=5, over the end of their range if need be."""

    def call():
        for zone, more in micro_joules.items():
            path = powercap / f"intel-rapl:{zone.removeprefix('zone_').replace('_', ':')}" / "energy_uj"
            path.write_text(str((int(path.read_text()) + more) % RANGE_UJ))

    return call


def test_packages_count_and_neither_their_parts_nor_the_platform(powercap):
    call = spend(powercap, zone_0=3_000_000, zone_0_0=1_000_000, zone_0_1=500_000, zone_1=2_000_000, zone_2=9_000_000)
    assert energy.joules(call, on_gpu=False, at_least_s=0) == Energy(1, pytest.approx(5.0))


def test_calls_go_on_until_the_time_is_over(powercap, monkeypatch):
    moments = iter([0.0, 0.5, 1.0, 1.5, 2.0])
    monkeypatch.setattr(energy, "perf_counter", lambda: next(moments))
    assert energy.joules(spend(powercap, zone_0=10**6), on_gpu=False, at_least_s=2.0) == Energy(4, pytest.approx(4.0))


def test_a_counter_that_starts_anew_meanwhile(powercap):
    (powercap / "intel-rapl:1" / "energy_uj").write_text(str(RANGE_UJ - 1_000_000))
    found = energy.joules(spend(powercap, zone_1=4_000_000), on_gpu=False, at_least_s=0)
    assert found.cpu_joules == pytest.approx(4.0)


@given(st.data(), st.integers(2, 2**48))
def test_between_two_readings_is_what_was_spent_wherever_the_counter_stands(data, span):
    before, spent = (data.draw(st.integers(0, span - 1)) for _ in range(2))
    counter = Counter(lambda: 0, 1.0, span)
    assert counter.joules(before, (before + spent) % span) == spent


def test_what_root_alone_may_read_is_not_measured_and_no_call_is_made(powercap, monkeypatch):
    read = Path.read_text

    def refuse(path, *arguments, **options):
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", refuse)
    calls = []
    found = energy.joules(lambda: calls.append(1), on_gpu=False)
    why = "energy of the CPU: intel-rapl:0/energy_uj is for root alone: run as root, or let this user read it"
    assert found == Energy(not_measured=why)
    assert calls == []
    assert str(powercap) not in found.not_measured  # a record names no path


def test_a_machine_without_counters_says_so(tmp_path, monkeypatch, binding):
    binding(None)
    monkeypatch.setattr(energy, "POWERCAP", tmp_path / "nothing")
    found = energy.joules(lambda: None, on_gpu=True)
    assert (found.energy_calls, found.cpu_joules, found.gpu_joules) == (None, None, None)
    cpu, gpu = found.not_measured.split("; ")
    assert cpu.startswith("energy of the CPU: this system shows no counter")
    assert gpu == "energy of the GPU: install NVIDIA's binding: pip install nvidia-ml-py"


def test_a_folder_that_is_no_counter_says_which(powercap):
    (powercap / "intel-rapl:1" / "max_energy_range_uj").unlink()
    said = energy.joules(lambda: None, on_gpu=False).not_measured
    assert said == "energy of the CPU: intel-rapl:1/max_energy_range_uj cannot be read (No such file or directory)"


def test_a_counter_that_stands_still_is_not_measured_and_never_0(powercap):
    found = energy.joules(lambda: None, on_gpu=False, at_least_s=0)
    assert found == Energy(not_measured="energy of the CPU: its counter did not move meanwhile")


def test_the_gpus_counter_is_in_millijoules(powercap, binding):
    binding(Binding(energy_mj=(5_000, 5_000, 12_500)))  # read once to see whether it can be
    found = energy.joules(spend(powercap, zone_0=10**6), on_gpu=True, at_least_s=0)
    assert found == Energy(1, pytest.approx(1.0), pytest.approx(7.5))


def test_a_kernel_that_does_not_use_the_gpu_does_not_answer_for_it(powercap, binding):
    binding(Binding(energy_mj=()))  # one reading would be one too many
    found = energy.joules(spend(powercap, zone_0=10**6), on_gpu=False, at_least_s=0)
    assert found == Energy(1, pytest.approx(1.0))


def test_one_counter_that_is_missing_does_not_cost_the_other(powercap, binding):
    binding(Binding(refused=("nvmlDeviceGetTotalEnergyConsumption",)))
    found = energy.joules(spend(powercap, zone_0=10**6), on_gpu=True, at_least_s=0)
    assert found == Energy(1, pytest.approx(1.0), None, "energy of the GPU: NVML says Not Supported")


def test_what_a_call_raises_is_raised(powercap):
    with pytest.raises(ZeroDivisionError):
        energy.joules(lambda: 1 / 0, on_gpu=False)


def test_joules_per_million_images():
    taken = Footprint("quick", "predict", "l1", 2_000, energy_calls=50, cpu_joules=3.0)
    assert taken.per_million(taken.cpu_joules) == pytest.approx(30.0)
    assert taken.per_million(taken.gpu_joules) is None
    assert Footprint("quick", "predict", "l1", 2_000).per_million(None) is None
