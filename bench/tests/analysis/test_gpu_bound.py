"""The bound of a GPU: the slower of reading all bytes once and launching one kernel."""

from dataclasses import replace

import pytest

from bench.analysis import checklist, claims, summary
from bench.report import tables
from bench.tests.builders_gpu import gpu_record
from bench.tests.builders_records import KERNEL_METADATA


@pytest.mark.parametrize(
    ("read_s", "launch_s", "binds", "share_of_bound"), [(1e-6, 1e-5, "launching", 0.5), (1.6e-5, 1e-5, "reading", 0.8)]
)
def test_the_slower_of_reading_and_launching_binds(read_s, launch_s, binds, share_of_bound, tmp_path):
    record = gpu_record(tmp_path, read_s, launch_s)
    rows = {row.kernel: row for row in summary.summaries(record)}
    assert rows["fine@cuda"].share_of_bound.value == pytest.approx(share_of_bound)
    assert rows["quick"].share_of_bound.value == pytest.approx(0.25)  # kernels on the CPU have the CPU's bound
    assert f"The GPU's bound, {binds}:" in tables.bound(record, "baseline")
    assert not [item for item in checklist.review(record) if "bound was not measured" in item.text]


def test_the_verdict_on_millions_names_the_bound_of_the_gpu(tmp_path):
    record = gpu_record(tmp_path, 1e-6, 1e-5)
    renamed = replace(
        record,
        samples=[replace(one, kernel=one.kernel.replace("fine@", "torch_broadcast@")) for one in record.samples],
        kernel_metadata={**record.kernel_metadata, "torch_broadcast@cuda": {**KERNEL_METADATA, "device": "cuda"}},
    )
    verdict = next(verdict for verdict in claims.verdicts(renamed) if verdict.claim == "C3")
    assert verdict.verdict == "refuted"
    assert "The GPU's bound, launching one kernel, is at 40,000×" in verdict.why  # 0.4 s / 1e-5 s
