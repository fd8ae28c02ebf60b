"""Tables about a GPU, and of memory on host and GPU."""

from bench.analysis import crossover
from bench.records.sample import Footprint, Sample
from bench.report import gpu_tables, tables
from bench.tests.builders_gpu import ON_GPU, gpu_record
from bench.tests.builders_records import record, samples

FOOTPRINTS = [
    Footprint("quick", "predict", "l1", 1000, 10**7, 2 * 10**6, not_measured="device memory: why; other"),
    Footprint("quick@cuda", "predict", "l1", 1000, 10**7, 0, 5 * 10**6, 0),
]


def test_what_the_bound_allows_is_beside_what_was_measured(tmp_path):
    ladder = gpu_record(tmp_path, 1e-6, 1e-5)
    assert gpu_tables.allowed([ladder], None).rows == [
        ("python_loops", "baseline", "108", "400,000×", "40,000×", "20,000×", "fine@cuda")
    ]
    sizes = gpu_record(tmp_path / "sizes", 1e-7, 1e-5, scope="predict")
    assert [row[1] for row in gpu_tables.allowed([ladder], sizes).rows] == ["baseline", "predict"]
    without_bound = record(tmp_path / "without", samples(**{"fine@cuda": 1e-5}), (), ON_GPU)
    assert gpu_tables.allowed([without_bound], None) is None


def test_the_crossover_is_against_the_fastest_cpu_kernel(tmp_path):
    taken = [
        Sample(name, "predict", "l1", size, fixed + per_image * size, 3, process, number, 0)
        for name, (fixed, per_image) in {"slow": (0, 1e-5), "quick": (0, 1e-6), "fine@cuda": (5e-5, 1e-9)}.items()
        for size in (1, 100, 10_000)
        for process in range(6)
        for number in range(3)
    ]
    sizes = record(tmp_path, taken, (), ON_GPU, kind="sizes")
    expected = str(crossover.crossover(sizes, "quick", "fine@cuda"))
    assert gpu_tables.crossings(sizes).rows == [("fine@cuda", "quick", expected)]
    assert "between 1 and 100 images" in expected


def test_the_table_of_memory_has_only_columns_that_were_measured():
    assert tables.memory(FOOTPRINTS[:1]).columns == ("kernel", "scope", "images", "held, MB", "temporaries, MB")
    full = tables.memory(FOOTPRINTS)
    assert full.columns[5:] == ("on GPU, MB", "temporaries on GPU, MB")
    assert [row[2:] for row in full.rows] == [("1,000", "10.0", "2.0", "", ""), ("1,000", "10.0", "0.0", "5.0", "0.0")]
    assert tables.memory([]).rows == []
    assert tables.memory([Footprint("quick", "mean", "-", 1)]).rows[0][2:] == ("1", "not applicable", "not applicable")


def test_what_was_not_measured_is_one_line_with_every_reason_once():
    assert list(tables.not_measured([FOOTPRINTS[0], FOOTPRINTS[0]])) == ["Not measured: device memory: why; other."]
    assert list(tables.not_measured(FOOTPRINTS[1:])) == []
