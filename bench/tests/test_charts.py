"""The pictures of records are pure functions of a case: the same bytes, whatever the machine prefers."""

import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise

import matplotlib as mpl
import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from bench import __main__, case, charts, reading, source
from bench.charts import Drawing, NotDrawn, files, lines, memory, scaling, scopes, speedup, style
from bench.kernel import REFERENCE, ROOT
from bench.records import Absent, BadRecord
from bench.sample import Footprint, Sample
from bench.tests.builders_cases import full_case
from bench.tests.builders_records import pytest_benchmark, record, samples, write

ABSENT = (
    Absent("gpu@cuda", "unavailable", "first line\nno NVIDIA driver on this machine"),
    Absent("crashy", "broken", "ended by SIGSEGV, $5 x$ " + "x" * 200),
)
SPLIT = (1.0, 7.0, 1.0, 7.0, 1.0, 7.0)
OF_RECORDS = ("speedup", "scaling", "scopes", "memory")


def words(drawing):
    """Return all that is written in a picture, one text per line."""
    drawing.figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in drawing.figure.findobj(Text) if text.get_visible())


def axes(drawing):
    return drawing.figure.axes[0]


def of_speed(tmp_path, *arguments, **options):
    return case.alone(record(tmp_path, *arguments, **options))


@pytest.fixture
def full(tmp_path):
    return full_case(tmp_path / "records")


def test_the_same_records_give_the_same_bytes(full, tmp_path, monkeypatch):
    first = [
        path.read_bytes() for name in OF_RECORDS for path in files.save(charts.draw(name, full), tmp_path / f"a-{name}")
    ]
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\nsvg.hashsalt: other\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    script = f"""
import sys
from pathlib import Path
from bench import case, charts, reading
from bench.charts import files
found = [reading.read(Path(each)) for each in sys.argv[2:]]
for name in {OF_RECORDS}:
    files.save(charts.draw(name, case.of(found, Path("report.html"))), Path(sys.argv[1]) / f"b-{{name}}")
"""
    paths = [each.path for each in (full.speed, full.sizes, full.memory)]
    subprocess.run([sys.executable, "-c", script, tmp_path, *paths], check=True, cwd=ROOT, timeout=120)
    again = [(tmp_path / f"b-{name}{suffix}").read_bytes() for name in OF_RECORDS for suffix in (".svg", ".png")]
    assert first == again


@pytest.mark.parametrize("name", OF_RECORDS)
def test_every_picture_is_on_opaque_paper_with_small_print_caption_and_words(full, name):
    drawn = charts.draw(name, full)
    assert isinstance(drawn, Drawing)
    assert drawn.figure.get_facecolor() == (*to_rgb(style.PAPER), 1.0)
    small = style.small_print({"scaling": full.sizes, "memory": full.memory}.get(name, full.speed))
    assert small in words(drawn)
    for told in ("A Fine(R) CPU, 2 cores", "A Fine GPU", "all/default", "Python 3.11.7", "NumPy 2.4.6", "PyTorch"):
        assert told in small
    assert "commit c0ffee" in small
    assert re.fullmatch(r"[A-Z][^\n]+\.", drawn.caption)
    assert "numpy_broadcast" in drawn.alt
    assert drawn.figure.get_size_inches()[0] * 72 == style.WIDTH


@pytest.mark.parametrize("name", OF_RECORDS)
def test_nothing_written_leaves_the_picture(full, name):
    figure = charts.draw(name, full).figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    shown = list(figure.texts)
    for plot in figure.axes:
        low, high = plot.get_xlim()
        shown += [*plot.texts, *plot.get_yticklabels(), plot.xaxis.label, plot.yaxis.label, plot.title]
        shown += [tick.label1 for tick in plot.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    for text in shown:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0, text.get_text()
        assert box.x1 <= figure.bbox.width, text.get_text()


def test_bars_carry_ratio_and_seconds_and_the_absent_their_reason(tmp_path):
    drawn = speedup.draw(of_speed(tmp_path, samples(slow=0.8), ABSENT))
    for text in (
        "1×, the reference · 400 ms",
        "100× · 4.00 ms",
        "0.50× · 800 ms",
        "gpu@cuda",
        "crashy",
        "limit of this machine, 400×",
        "unavailable: no NVIDIA driver on this machine",
        "broken: ended by SIGSEGV, $5 x$ xxx",
        "drawn abababababab · A Fine(R) CPU, 2 cores",
        "paired, 6 process sets",
    ):
        assert text in words(drawn)
    assert "x" * 100 not in words(drawn)  # cut, so that it stays in the picture
    assert "quick: 100× · 4.00 ms, interval 100× to 100×, level 96.9%." in drawn.alt
    assert "gpu@cuda: unavailable: no NVIDIA driver on this machine." in drawn.alt
    assert "The limit of this machine is at 400×." in drawn.alt


@pytest.mark.parametrize("chart", [speedup, scopes])
def test_a_long_name_is_cut_in_the_picture_and_whole_in_its_words(tmp_path, chart):
    name = f"one_that_goes_on{'_and_on' * 20}"
    drawn = chart.draw(of_speed(tmp_path, samples(**{name: 0.01})))
    assert "one_that_goes_on_an…nd_on_and_on" in words(drawn)
    assert name in drawn.alt
    assert axes(drawn).get_position().width > 0.1


def test_a_whisker_spans_the_interval_and_a_line_marks_the_limit(tmp_path):
    taken = samples(other=0.01, slower={"other": (0.9, 1, 1, 1, 1, 1.25)})
    plot = axes(speedup.draw(of_speed(tmp_path, taken)))
    ends = [line.get_xdata() for line in plot.lines]
    assert any(list(each) == pytest.approx([32, 40 / 0.9]) for each in ends)  # of a ratio of 40
    assert any(list(each) == pytest.approx([400, 400]) for each in ends)  # the limit: 0.4 s over 1 ms
    assert {round(bar.get_width() + 1) for bar in plot.patches} == {1, 40, 100}
    assert plot.get_xscale() == "log"


def test_below_six_processes_there_is_no_whisker(tmp_path):
    drawn = speedup.draw(of_speed(tmp_path, samples(processes=5)))
    assert sorted({each for line in axes(drawn).lines for each in line.get_xdata()}) == pytest.approx([1, 400])
    assert "indicative: 5 process sets, no interval" in words(drawn)
    assert "level" not in drawn.alt


def test_two_modes_are_two_marks_and_two_numbers(tmp_path):
    drawn = speedup.draw(of_speed(tmp_path, samples(slower={"quick": SPLIT})))
    marked = [line for line in axes(drawn).lines if line.get_marker() == "o"]
    assert [sorted(line.get_xdata()) for line in marked] == [pytest.approx([100 / 7, 100])]
    assert len(axes(drawn).patches) == 1  # the reference's, and none of quick
    assert "100× (3 sets) or 14.3× (3 sets)\n4.00 ms (3 sets) or 28.0 ms (3 sets)" in words(drawn)
    assert not re.search(r"37\.8|16\.0 ms|10\.6 ms", words(drawn) + drawn.alt)  # no number in between


def test_a_reference_of_two_modes_shows_both_and_two_limits(tmp_path):
    said = words(speedup.draw(of_speed(tmp_path, samples(slower={REFERENCE: SPLIT}))))
    assert "1×, the reference\n400 ms (3 sets) or 2.80 s (3 sets)" in said
    assert "700× (3 sets) or 100× (3 sets)\n4.00 ms" in said
    assert "limit of this machine, 400× or 2,800×" in said


def test_an_unpaired_file_has_bars_and_says_so(tmp_path):
    found = reading.read(pytest_benchmark(tmp_path, python_loops=[0.4, 0.4], quick=[0.004]))
    said = words(speedup.draw(case.alone(found)))
    assert "100× · 4.00 ms" in said
    assert "indicative, unpaired" in said


@pytest.mark.parametrize("stale", [True, False])
def test_what_was_measured_with_an_older_source_is_hatched_and_called_stale(tmp_path, stale):
    path = source.find("numpy_broadcast")
    older = {"numpy_broadcast": {"source_hash": "older" if stale else source.source_hash(path)}}
    found = record(tmp_path, samples(numpy_broadcast=0.01), (), older)
    drawn = speedup.draw(case.alone(found))
    assert any(bar.get_hatch() for bar in axes(drawn).patches if bar.get_width() > 30) == stale
    assert ("40.0× · 10.0 ms · stale" in words(drawn)) == stale
    assert ("40.0× · 10.0 ms · stale" in drawn.alt) == stale
    drawn = scopes.draw(case.alone(found))
    assert ("numpy_broadcast (stale)" in words(drawn)) == stale
    of_sizes = record(tmp_path, samples(numpy_broadcast=0.01, cells=(("predict", "l1"),)), (), older, kind="sizes")
    drawn = scaling.draw(case.alone(of_sizes))
    assert ("numpy_broadcast (stale)" in words(drawn)) == stale


@pytest.mark.parametrize(
    ("taken", "says"),
    [
        (samples(python_loops=0), f"holds no baseline/l1/{REFERENCE}"),
        (samples(quick=0.0005), "its checklist fails in baseline l1: quick is at 200% of the limit"),
    ],
)
def test_without_a_believable_ratio_there_is_no_chart(tmp_path, taken, says):
    path = write(tmp_path, taken)
    done = CliRunner().invoke(__main__.cli, ["plot", str(path)])
    assert done.exit_code == 2
    assert "checklist fails" in done.output.replace("\n", " ")
    with pytest.raises(BadRecord, match=re.escape(says)):
        speedup.draw(case.alone(reading.read(path)))
    assert not list(tmp_path.glob("*.svg"))


@pytest.mark.parametrize("kind", ["sizes", "memory"])
def test_a_speedup_is_drawn_of_speed_alone(tmp_path, kind):
    found = record(tmp_path)
    with pytest.raises(BadRecord, match=f"a record of {kind}, expected one of speed"):
        speedup.draw(case.alone(replace(found, facts={**found.facts, "kind": kind})))


def by_size(tmp_path, *missing, kernel_facts=None, **slower):
    """Return a case of sizes: `late` costs 1 ms and nothing per image, the reference 0.1 ms per image."""
    found = [
        Sample(name, "predict", "l1", size, seconds * slower.get(name, (1,) * 6)[process], 3, process, turn, 0)
        for size in (1, 10, 100, 1000)
        for process in range(6)
        for turn in range(3)
        for name, seconds in ((REFERENCE, 1e-4 * size), ("late", 1e-3))
        if (name, size) not in missing
    ]
    return case.alone(record(tmp_path, found, (), kernel_facts, kind="sizes"))


def test_scaling_has_a_line_between_neighbouring_sizes_and_none_where_a_kernel_sat_out(tmp_path):
    drawn = scaling.draw(by_size(tmp_path, (REFERENCE, 10), (REFERENCE, 1000)))
    spans = {
        name: [tuple(line.get_xdata()) for line in axes(drawn).lines if line.get_label() == name]
        for name in (REFERENCE, "late")
    }
    assert spans == {REFERENCE: [], "late": [(1, 10), (10, 100), (100, 1000)]}
    assert (axes(drawn).get_xscale(), axes(drawn).get_yscale()) == ("log", "log")
    assert f"{REFERENCE}: 100 µs at 1, 100 µs at 100; not timed at 10, 1,000." in drawn.alt.replace(" (stale)", "")


def test_scaling_shows_crossings_as_intervals_of_sizes(tmp_path):
    drawn = scaling.draw(by_size(tmp_path))
    plot, strip = drawn.figure.axes
    assert [list(line.get_xdata()) for line in strip.lines] == [[1, 100]]  # at 10 they are alike
    assert strip.get_shared_x_axes().joined(plot, strip)
    assert f"late overtakes {REFERENCE}" in words(drawn)
    assert f"late overtakes {REFERENCE} between 1 and 100 images." in drawn.alt


def test_scaling_shades_intervals_and_forks_for_two_modes(tmp_path):
    drawn = scaling.draw(by_size(tmp_path, late=(0.9, 1, 1, 1, 1, 1.1), **{REFERENCE: SPLIT}))
    assert len(axes(drawn).collections) == 6
    forked = [line for line in axes(drawn).lines if line.get_label() == REFERENCE]
    assert len(forked) == 6
    assert f"{REFERENCE}: 100 µs or 700 µs at 1" in drawn.alt.replace(" (stale)", "")
    five = by_size(tmp_path)
    fewer = [each for each in five.sizes.samples if each.process]
    drawn = scaling.draw(replace(five, sizes=replace(five.sizes, samples=fewer)))
    assert not axes(drawn).collections
    assert len(drawn.figure.axes) == 1
    assert "Pairs of kernels without a crossing that is resolved: 1." in drawn.alt


def test_names_at_the_ends_of_lines_do_not_overlap():
    places = lines.spread([0, 1, 2, 50, 99, 100], 11.5, 100)
    assert all(b - a >= 11.5 for a, b in pairwise(places))
    assert max(places) <= 100
    assert places[3] == 50


def test_scopes_are_panels_and_preparing_is_said_to_be_a_difference(tmp_path):
    cells = (("mean", "-"), ("predict", "l1"), ("baseline", "l1"), ("end_to_end", "l1"))
    taken = samples(cells=cells, slower={"quick": SPLIT})
    longer = [replace(each, seconds=each.seconds * 3) if each.scope == "end_to_end" else each for each in taken]
    found = of_speed(tmp_path, longer, loading_s=0.25)
    drawn = scopes.draw(found)
    titles = ["prepare, transfer", "mean images", "labels", "first call"]
    assert [each.get_title("left") for each in drawn.figure.axes] == titles
    assert "prepare, transfer 800 ms, mean images 400 ms, labels 400 ms, first call 500 ms" in drawn.alt
    assert "quick: prepare, transfer two modes, mean images 4.00 ms or 28.0 ms" in drawn.alt
    assert scopes.DIFFERENCE in words(drawn)
    assert scopes.DIFFERENCE in drawn.alt
    assert "Reading the digits from their files took 250 ms." in words(drawn)


def test_a_difference_that_noise_made_negative_is_no_time(tmp_path):
    taken = samples(cells=(("baseline", "l1"), ("end_to_end", "l1")))
    shorter = [replace(each, seconds=each.seconds * 0.9) if each.scope == "end_to_end" else each for each in taken]
    assert "prepare, transfer not above 0" in scopes.draw(of_speed(tmp_path, shorter)).alt


def test_scopes_of_a_baseline_alone_are_it_and_the_first_call(tmp_path):
    drawn = scopes.draw(of_speed(tmp_path))
    assert [each.get_title("left") for each in drawn.figure.axes] == ["both, as one call", "first call"]
    assert "python -m bench run --full" in words(drawn)


def test_zero_bytes_are_seen_beside_what_a_copy_takes(full):
    footprints = (
        Footprint("numpy_broadcast", "mean", "-", 40, 10**7, 0),
        Footprint("numpy_broadcast", "predict", "l1", 40, 10**7, None),
        Footprint("python_loops", "predict", "l1", 40, 10**7, 12 * 10**6),
    )
    drawn = memory.draw(replace(full, memory=replace(full.memory, footprints=footprints)))
    assert words(drawn).count("0 B, strides 0, 28, 1") == 3
    first = axes(drawn)
    assert first.get_xlim()[0] == 0
    assert [list(line.get_xdata()) for line in first.lines] == [[0]] * 3  # a ring, where a bar would have no length
    assert {bar.get_width() for bar in first.patches} == {10**6}
    assert "numpy_broadcast: the expansion 0 B, strides 0, 28, 1 instead of 1.00 MB; the L1 exp" in drawn.alt
    assert "numpy_broadcast: mean 0 B." in drawn.alt
    assert "python_loops: predict L1 12.0 MB." in drawn.alt
    assert "GPU" not in drawn.alt + drawn.caption
    alone = memory.draw(replace(full, memory=None))
    assert "The memory of the scopes was not recorded; python -m bench run --memory." in alone.alt


def test_temporaries_on_the_gpu_stand_below_those_on_the_host(full):
    footprints = (
        Footprint("torch_broadcast@cuda", "predict", "l1", 40, 10**7, 0, 10**6, 3 * 10**6),
        Footprint("torch_broadcast@cuda", "predict", "l2", 40, 10**7, 0, 10**6, None),
        Footprint("python_loops", "predict", "l1", 40, 10**7, 12 * 10**6),
    )
    drawn = memory.draw(replace(full, memory=replace(full.memory, footprints=footprints)))
    host, device = drawn.alt.partition(f"{memory.ON_DEVICE}.")[::2]
    assert "python_loops: predict L1 12.0 MB." in host
    assert device.strip() == "torch_broadcast@cuda: predict L1 3.00 MB."
    assert "What is allocated on host and GPU" in words(drawn)


def test_what_was_not_recorded_is_not_drawn_and_how_to_get_it_is_said(tmp_path):
    bare = of_speed(tmp_path, [each for each in samples() if each.scope != "first_call"])
    for module, command in ((scaling, "--sizes 1,10,100,1000,10000"), (scopes, "--full"), (memory, "--memory")):
        with pytest.raises(NotDrawn, match=f"recorded; python -m bench run {command}"):
            module.draw(bare)


def test_nothing_half_drawn_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        files.save(Drawing(Figure(), "", ""), tmp_path / "chart")
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


COMMON = (
    "python_loops", "numpy_broadcast", "torch_broadcast@cpu", "torch_broadcast@cuda", "numba_loops", "jax_broadcast",
    "c_bytes", "numba_bytes",
)  # fmt: skip
TO_LMS = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
BLIND = {  # Viénot, Brettel & Mollon 1999: what eyes without one kind of cones see, in linear RGB
    "none": np.eye(3),
    "protanopia": np.linalg.inv(TO_LMS) @ [[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]] @ TO_LMS,
    "deuteranopia": np.linalg.inv(TO_LMS) @ [[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]] @ TO_LMS,
}


def linear(colour):
    values = np.array(to_rgb(colour))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    return linear(colour) @ (0.2126, 0.7152, 0.0722)


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    x, y, z = np.cbrt(np.maximum(xyz / (0.9505, 1, 1.089), 0.001))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_a_kernel_has_one_colour_that_shows_on_paper():
    names = [*COMMON, *(f"kernel{number}" for number in range(100))]
    assert [style.colour(name) for name in names] == [style.colour(name) for name in names]
    assert len({style.colour(name) for name in names}) > 20
    for name in names:
        assert (luminance(style.PAPER) + 0.05) / (luminance(style.colour(name)) + 0.05) >= 4


@pytest.mark.parametrize("eyes", BLIND)
def test_common_kernels_are_told_apart(eyes):
    seen = {name: lab(BLIND[eyes] @ linear(style.colour(name))) for name in COMMON}
    for one, other in combinations(COMMON, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 10, (one, other)


def test_a_text_is_as_wide_as_it_is_set():
    with style.drawing():
        figure = Figure(dpi=720)
        text = figure.text(0, 0, "python_loops@cpu 12,300×", size=9)
        width = text.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width
        assert mpl.rcParams["text.parse_math"] is False
        assert style.text_width(text.get_text(), 9) == pytest.approx(width / 10, rel=0.02)
