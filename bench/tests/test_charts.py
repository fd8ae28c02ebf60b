"""The picture is a pure function of the record: the same bytes, whatever the machine that draws it prefers."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from bench import __main__, reading
from bench.charts import speedup, style
from bench.kernel import REFERENCE, ROOT
from bench.records import Absent, BadRecord
from bench.tests.builders_records import pytest_benchmark, record, samples, write

ABSENT = (
    Absent("gpu@cuda", "unavailable", "first line\nno NVIDIA driver on this machine"),
    Absent("crashy", "broken", "ended by SIGSEGV " + "x" * 200),
)
SPLIT = (1.0, 7.0, 1.0, 7.0, 1.0, 7.0)


def drawn(found, tmp_path):
    """Return the text of the SVG: glyphs are paths, with the text as a comment beside each."""
    return speedup.draw(found, tmp_path / "chart")[0].read_text(encoding="utf-8")


@pytest.fixture
def axes(monkeypatch):
    """What is drawn, as matplotlib knows it: filled by the next `draw`."""
    kept = []
    monkeypatch.setattr(style, "save", lambda figure, stem: kept.append(figure.axes[0]) or [])
    return kept


def test_the_same_record_gives_the_same_bytes(tmp_path, monkeypatch):
    path = write(tmp_path, samples(slow=0.8, moody=0.02, slower={"moody": SPLIT}), ABSENT)
    first = [each.read_bytes() for each in speedup.draw(reading.read(path), tmp_path / "first")]
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\nsvg.hashsalt: other\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    script = (
        "import sys; from pathlib import Path; from bench import reading; from bench.charts import speedup;"
        "speedup.draw(reading.read(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", script, path, tmp_path / "again"], check=True, cwd=ROOT, timeout=120)
    assert first == [(tmp_path / f"again{suffix}").read_bytes() for suffix in (".svg", ".png")]


def test_bars_carry_ratio_and_seconds_and_the_absent_their_reason(tmp_path):
    svg = drawn(record(tmp_path, samples(slow=0.8), ABSENT), tmp_path)
    for text in (
        "1×, the reference · 400 ms",
        "100× · 4.00 ms",
        "0.50× · 800 ms",
        "gpu@cuda",
        "crashy",
        "limit of this",
    ):
        assert text in svg
    assert "unavailable: no NVIDIA driver on this machine" in svg
    assert "broken: ended by SIGSEGV xxx" in svg
    assert "x" * 100 not in svg  # cut, so that it stays in the picture
    assert "paired, 6 process sets · median seconds" in svg
    assert "drawn abababababab · A Fine(R) CPU, 2 cores · commit c0ffee" in svg


def test_a_whisker_spans_the_interval_and_a_line_marks_the_limit(tmp_path, axes):
    taken = samples(other=0.01, slower={"other": (0.9, 1, 1, 1, 1, 1.25)})
    speedup.draw(record(tmp_path, taken), tmp_path / "none")
    lines = [line.get_xdata() for line in axes[0].lines]
    assert any(list(each) == pytest.approx([32, 40 / 0.9]) for each in lines)  # of a ratio of 40
    assert any(list(each) == pytest.approx([400, 400]) for each in lines)  # the limit: 0.4 s over 1 ms
    widths = {round(bar.get_width() + 1) for bar in axes[0].patches}
    assert widths == {1, 40, 100}
    assert axes[0].get_xscale() == "log"


def test_below_six_processes_there_is_no_whisker(tmp_path, axes):
    speedup.draw(record(tmp_path, samples(processes=5)), tmp_path / "none")
    assert sorted({each for line in axes[0].lines for each in line.get_xdata()}) == pytest.approx([1, 400])
    assert "indicative: 5 process sets, no interval" in axes[0].figure._supxlabel.get_text()


def test_two_modes_are_two_marks_and_two_numbers(tmp_path, axes, monkeypatch):
    found = record(tmp_path, samples(slower={"quick": SPLIT}))
    speedup.draw(found, tmp_path / "none")
    marked = [line for line in axes[0].lines if line.get_marker() == "o"]
    assert [sorted(line.get_xdata()) for line in marked] == [pytest.approx([100 / 7, 100])]
    assert len(axes[0].patches) == 1  # the reference's, and none of quick
    monkeypatch.undo()
    svg = drawn(found, tmp_path)
    assert "100× (3 sets) or 14.3× (3 sets) · 4.00 ms (3 sets) or 28.0 ms (3 sets)" in svg
    assert "37.8" not in svg
    assert not re.search(r"<!-- [^>]*(16\.0|10\.6) ms", svg)


def test_a_reference_of_two_modes_shows_both_and_two_limits(tmp_path):
    svg = drawn(record(tmp_path, samples(slower={REFERENCE: SPLIT})), tmp_path)
    assert "1×, the reference · 400 ms (3 sets) or 2.80 s (3 sets)" in svg
    assert "700× (3 sets) or 100× (3 sets) · 4.00 ms" in svg
    assert "limit of this machine, 400× or 2,800×" in svg


def test_an_unpaired_file_has_bars_and_says_so(tmp_path):
    svg = drawn(reading.read(pytest_benchmark(tmp_path, python_loops=[0.4, 0.4], quick=[0.004])), tmp_path)
    assert "100× · 4.00 ms" in svg
    assert "indicative, unpaired" in svg


@pytest.mark.parametrize(
    ("taken", "facts", "says"),
    [
        (samples(python_loops=0), {}, f"holds no baseline/l1/{REFERENCE}"),
        (samples(quick=0.0005), {}, "its checklist fails in baseline l1: quick is at 200% of the limit"),
        (samples(), {"kind": "sizes"}, "a record of sizes, expected one of speed"),
        (samples(), {"kind": "memory"}, "a record of memory, expected one of speed"),
    ],
)
def test_without_a_believable_ratio_there_is_no_chart(tmp_path, taken, facts, says):
    path = write(tmp_path, taken, **facts)
    done = CliRunner().invoke(__main__.cli, ["plot", str(path)])
    assert done.exit_code == 2
    assert says in done.output.replace("\n", " ")
    with pytest.raises(BadRecord, match=re.escape(says)):
        speedup.draw(reading.read(path), tmp_path / "none")
    assert [each.suffix for each in tmp_path.iterdir()] == [".json"]


def test_nothing_half_drawn_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        style.save(Figure(), tmp_path / "chart")
    assert list(tmp_path.iterdir()) == []


def test_drawing_imports_neither_torch_nor_a_kernel(tmp_path):
    path = write(tmp_path)
    script = (
        "import sys; from bench import __main__ as m; sys.argv[1:] = ['plot', sys.argv[1]]\ntry: m.main()\nfinally: "
        "print([name for name in sys.modules if name == 'torch' or name.startswith('kernels.')])"
    )
    command = [sys.executable, "-c", script, path]
    shown = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert shown.stdout.splitlines()[-1] == "[]"
    assert path.with_suffix(".svg").exists()


def test_a_kernel_has_one_colour_and_another_kernel_another():
    assert style.colour("numpy") == style.colour("numpy")
    assert len({style.colour(f"kernel{number}") for number in range(20)}) > 15
