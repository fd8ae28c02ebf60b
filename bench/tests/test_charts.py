"""The picture is a pure function of the record: the same bytes, whatever the machine that draws it prefers."""

import subprocess
import sys

import pytest

from bench import records
from bench.charts import speedup, style
from bench.kernel import REFERENCE, ROOT
from bench.records import Absent, BadRecord
from bench.sample import Sample

FACTS = {"dataset": "drawn", "dataset_digest": "ab" * 32, "cpu_model_name": "A CPU", "cpu_count": 2, "commit": "c0ffee"}


@pytest.fixture
def record(tmp_path):
    """A record of the reference, a kernel 100 times as fast, one half as fast, and one that is unavailable."""
    samples = [
        Sample(kernel, "baseline", "l1", 40, seconds, 1, 0, turn, 0)
        for turn in range(3)
        for kernel, seconds in ((REFERENCE, 0.4), ("quick", 0.004), ("slow", 0.8))
    ]
    kernels = {name: {} for name in (REFERENCE, "quick", "slow")}
    absent = [Absent("gpu@cuda", "unavailable", "first line\nno NVIDIA driver on this machine")]
    return records.write(samples, absent, FACTS, kernels, tmp_path)


def test_the_same_record_gives_the_same_bytes(record, tmp_path, monkeypatch):
    first = [path.read_bytes() for path in speedup.draw(records.read(record), tmp_path / "first")]
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\nsvg.hashsalt: other\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    script = (
        "import sys; from pathlib import Path; from bench import records; from bench.charts import speedup;"
        "speedup.draw(records.read(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", script, record, tmp_path / "again"], check=True, cwd=ROOT)
    assert first == [(tmp_path / f"again{suffix}").read_bytes() for suffix in (".svg", ".png")]


def test_bars_carry_ratio_and_seconds_and_the_absent_their_reason(record, tmp_path):
    svg = speedup.draw(records.read(record), tmp_path / "chart")[0].read_text()  # paths, with the text as a comment
    for text in ("1×, the reference · 400 ms", "100× · 4.00 ms", "0.50× · 800 ms", "gpu@cuda"):
        assert text in svg
    assert "unavailable: no NVIDIA driver on this machine" in svg
    assert "indicative: one process, no interval" in svg
    assert "drawn abababababab · A CPU, 2 cores · commit c0ffee" in svg


def test_without_the_reference_there_is_no_chart(record, tmp_path):
    text = record.read_text().replace(f"/{REFERENCE}", "/other").replace(f'"{REFERENCE}"', '"other"')
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(BadRecord, match=REFERENCE):
        speedup.draw(records.read(tmp_path / "other.json"), tmp_path / "none")
    assert not list(tmp_path.glob("none*"))


def test_drawing_imports_neither_torch_nor_a_kernel(record):
    script = (
        "import sys; from bench import __main__ as m; sys.argv[1:] = ['plot', sys.argv[1]]\ntry: m.main()\nfinally: "
    )
    script += "print([name for name in sys.modules if name == 'torch' or name.startswith('kernels.')])"
    shown = subprocess.run([sys.executable, "-c", script, record], check=True, cwd=ROOT, capture_output=True, text=True)
    assert shown.stdout.splitlines()[-1] == "[]"
    assert record.with_suffix(".svg").exists()


def test_a_kernel_has_one_colour_and_another_kernel_another():
    assert style.colour("numpy") == style.colour("numpy")
    assert len({style.colour(f"kernel{number}") for number in range(20)}) > 15
