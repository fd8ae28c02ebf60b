"""The pictures of records are pure functions of a selection: the same bytes, whatever the machine prefers."""

import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from bench import code_size
from bench.kernel import REFERENCE, ROOT, discover
from bench.records import reader
from bench.records.model import BadRecord, NotTimed
from bench.records.sample import Sample
from bench.report import charts, page_records
from bench.report.charts import NotDrawn, ladder, scopes, sizes, speedup, style, svg
from bench.tests.builders_records import pytest_benchmark, record, samples
from bench.tests.builders_selections import full_selection

NOT_TIMED = (
    NotTimed("gpu@cuda", "unavailable", "first line\nno NVIDIA driver on this machine"),
    NotTimed("crashy", "broken", "ended by SIGSEGV, $5 x$ " + "x" * 200),
)
TWO_GROUPS = (1.0, 7.0) * 3


def words(drawing):
    """Return every text in a picture, one per line."""
    drawing.figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in drawing.figure.findobj(Text) if text.get_visible())


def axes(drawing):
    return drawing.figure.axes[0]


def of_speed(tmp_path, *arguments, **options):
    return page_records.alone([record(tmp_path, *arguments, **options)])


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return full_selection(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def drawn(full):
    """Every picture of a selection that has everything."""
    return {name: charts.draw(name, full) for name in charts.PICTURES}


def test_another_process_draws_the_same_bytes_and_imports_no_kernel(full, drawn, tmp_path, monkeypatch):
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\nsvg.hashsalt: other\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    script = """
import sys
from pathlib import Path
from bench.report import charts
from bench.report import page_records
from bench.report.charts import svg
from bench.tests.builders_selections import problem
shown = page_records.from_paths(map(Path, sys.argv[2:]), Path("report.html")).with_problem(problem())
for name in charts.PICTURES:
    drawing = charts.draw(name, shown)
    for suffix in (".svg", ".png"):
        Path(sys.argv[1], name + suffix).write_bytes(svg.content(drawing, suffix))
print([name for name in sys.modules if name.split(".")[0] in ("torch", "kernels")])
"""
    paths = [part.path for part in (full.speed, *full.small, full.sizes, full.memory)]
    command = [sys.executable, "-c", script, tmp_path, *paths]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "[]\n"
    for name, drawing in drawn.items():
        assert (tmp_path / f"{name}.svg").read_bytes() == svg.content(drawing), name
    assert (tmp_path / "scopes.png").read_bytes() == svg.content(drawn["scopes"], ".png")


@pytest.mark.parametrize("name", charts.PICTURES)
def test_every_picture_is_on_opaque_paper_and_all_its_texts_are_within_it(full, drawn, name):
    figure = drawn[name].figure
    small = style.small_print({"sizes": full.sizes}.get(name, full.speed))
    assert figure.get_facecolor() == (*to_rgb(style.PAPER), 1.0)
    assert figure.get_size_inches()[0] * 72 == style.WIDTH
    assert small in words(drawn[name])
    for part in ("A Fine(R) CPU, 2 cores", "A Fine GPU", "all/default", "Python 3.11.7", "PyTorch", "commit c0ffee"):
        assert part in small
    assert re.fullmatch(r"[A-Z][^\n]+\.", drawn[name].caption)
    assert re.search(r"\d", drawn[name].alt)
    assert "\n" not in drawn[name].alt
    shown = list(figure.texts)
    for plot in figure.axes:
        shown += plot.texts
        if plot.axison:
            low, high = plot.get_xlim()
            shown += [*plot.get_yticklabels(), plot.xaxis.label, plot.yaxis.label, plot.title]
            shown += [tick.label1 for tick in plot.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    renderer = FigureCanvasAgg(figure).get_renderer()
    for text in shown:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0, text.get_text()
        assert box.x1 <= figure.bbox.width, text.get_text()


# The speedup, and the ladder.


def test_bars_have_ratio_and_seconds_and_kernels_not_timed_have_a_reason(tmp_path):
    drawing = speedup.draw(of_speed(tmp_path, samples(slow=0.8), NOT_TIMED))
    for text in (
        "1×, the reference · 400 ms",
        "100× · 4.00 ms",
        "0.50× · 800 ms",
        "bandwidth bound, 400×",
        "unavailable: no NVIDIA driver on this machine",
        "broken: ended by SIGSEGV, $5 x$ xxx",
    ):
        assert text in words(drawing)
    assert "x" * 100 not in words(drawing)  # cut, so that it stays in the picture
    assert "quick: 100× · 4.00 ms, 100× to 100×, 96.9% CI." in drawing.alt
    assert "gpu@cuda: unavailable: no NVIDIA driver on this machine." in drawing.alt
    assert "The bandwidth bound of this machine is at 400×." in drawing.alt


@pytest.mark.parametrize("chart", [speedup, scopes])
def test_a_long_name_is_cut_in_the_picture_and_whole_in_its_words(tmp_path, chart):
    name = f"one_that_goes_on{'_and_on' * 20}"
    drawing = chart.draw(of_speed(tmp_path, samples(**{name: 0.01})))
    assert "one_that_goes_on_an…nd_on_and_on" in words(drawing)
    assert name in drawing.alt
    assert axes(drawing).get_position().width > 0.1


def test_a_bar_has_a_line_for_its_interval_and_a_dot_for_each_process(tmp_path):
    taken = samples(other=0.01, slower={"other": (0.9, 1, 1, 1, 1, 1.25)})
    plot = axes(speedup.draw(of_speed(tmp_path, taken)))
    dots = [line.get_xdata() for line in plot.lines if line.get_marker() == "o" and len(line.get_xdata())]
    ends = [list(line.get_xdata()) for line in plot.lines if line.get_marker() != "o"]
    assert [sorted(xs) for xs in dots] == [pytest.approx([32, *[40] * 4, 40 / 0.9]), pytest.approx([100] * 6)]
    assert any(xs == pytest.approx([32, 40 / 0.9]) for xs in ends)
    assert any(xs == pytest.approx([400, 400]) for xs in ends)  # the bound: 0.4 s over 1 ms
    assert {round(bar.get_width() + 1) for bar in plot.patches} == {40, 100}


def test_below_six_processes_there_is_no_interval(tmp_path):
    drawing = speedup.draw(of_speed(tmp_path, samples(processes=5)))
    lines = [line.get_xdata() for line in axes(drawing).lines if line.get_marker() != "o"]
    assert sorted({x for line in lines for x in line}) == pytest.approx([1, 400])
    assert "no confidence interval" in words(drawing)
    assert "CI" not in drawing.alt


def test_an_unpaired_file_has_bars_and_says_so(tmp_path):
    file = reader.read_all(pytest_benchmark(tmp_path, python_loops=[0.4, 0.4], quick=[0.004]))
    text = words(speedup.draw(page_records.alone(file)))
    assert "100× · 4.00 ms" in text
    assert "indicative, unpaired" in text


@pytest.mark.parametrize("stale", [True, False])
def test_what_was_measured_with_an_older_source_is_hatched_and_called_stale(tmp_path, stale):
    path = code_size.find("numpy_broadcast")
    older = {"numpy_broadcast": {"source_hash": "older" if stale else code_size.source_hash(path)}}
    shown = of_speed(tmp_path, samples(numpy_broadcast=0.01), (), older)
    drawing = speedup.draw(shown)
    assert any(bar.get_hatch() for bar in axes(drawing).patches if bar.get_width() < 50) == stale
    for text in (words(drawing), drawing.alt):
        assert ("40.0× · 10.0 ms · stale" in text) == stale
    predict = samples(numpy_broadcast=0.01, pairs=(("predict", "l1"),))
    by_number = sizes.draw(of_speed(tmp_path, predict, (), older, kind="sizes"))
    for text in (words(scopes.draw(shown)), words(by_number)):
        assert ("numpy_broadcast (stale)" in text) == stale


@pytest.mark.parametrize(
    ("taken", "kind", "says"),
    [
        (samples(python_loops=0), "ladder", f"has no times of {REFERENCE} in baseline l1"),
        (samples(quick=0.0005), "ladder", "fails its checklist in baseline l1: quick is at 200% of its bound"),
        (samples(pairs=(("predict", "l1"),)), "sizes", "is a record of sizes. Name a record of times."),
    ],
)
def test_without_a_believable_ratio_there_is_no_chart(tmp_path, taken, kind, says):
    with pytest.raises(BadRecord, match=re.escape(says)):
        speedup.draw(of_speed(tmp_path, taken, kind=kind))


def test_the_ladder_shows_a_kernel_of_a_small_data_set_beside_its_own_reference(full, drawn):
    assert "python_tensor_elements, 10 per class" in words(drawn["ladder"])
    assert "python_tensor_elements" not in words(drawn["speedup"])
    few = [sample for sample in full.speed.samples if not sample.kernel.startswith("torch")]
    with pytest.raises(NotDrawn, match="make bench-all"):
        ladder.draw(replace(full, speed=replace(full.speed, samples=few), small=()))


# Time against the number of images, and where the time goes.


def by_size(tmp_path, *missing, **slower):
    """Return a selection of sizes: `late` costs 1 ms and nothing per image, the reference 0.1 ms per image."""
    taken = [
        Sample(name, "predict", "l1", size, seconds * slower.get(name, (1,) * 6)[process], 3, process, number, 0)
        for size in (1, 10, 100, 1000)
        for process in range(6)
        for number in range(3)
        for name, seconds in ((REFERENCE, 1e-4 * size), ("late", 1e-3))
        if (name, size) not in missing
    ]
    return page_records.alone([record(tmp_path, taken, kind="sizes")])


def test_sizes_has_a_gap_where_a_kernel_was_skipped(tmp_path):
    drawing = sizes.draw(by_size(tmp_path, (REFERENCE, 10), (REFERENCE, 1000)))
    lines = {line.get_label().removesuffix(" (stale)"): line.get_ydata() for line in axes(drawing).lines}
    assert lines[REFERENCE] == pytest.approx([1e-4, np.nan, 1e-4, np.nan], nan_ok=True)
    assert lines["late"] == pytest.approx([1e-3, 1e-4, 1e-5, 1e-6])
    assert f"{REFERENCE}: 100 µs at 1, 100 µs at 100; not timed at 10, 1,000." in drawing.alt.replace(" (stale)", "")


def test_sizes_has_intervals_and_lists_crossings(tmp_path):
    shown = by_size(tmp_path, late=(0.9, 1, 1, 1, 1, 1.1), **{REFERENCE: TWO_GROUPS})
    assert f"late overtakes {REFERENCE} between 1 and 100 images." in sizes.draw(by_size(tmp_path)).alt  # alike at 10
    bars = [bar for kernel in axes(sizes.draw(shown)).collections for bar in kernel.get_segments()]
    assert pytest.approx([1, 0.9e-3, 1, 1.1e-3]) in [bar.ravel().tolist() for bar in bars]
    five = [sample for sample in shown.sizes.samples if sample.process]
    drawing = sizes.draw(replace(shown, sizes=replace(shown.sizes, samples=five)))
    assert "CI" not in words(drawing)
    assert "Pairs of kernels without a crossing that is resolved: 1." in drawing.alt


def test_scopes_are_panels_and_preparing_is_a_difference(tmp_path):
    pairs = (("mean", "-"), ("predict", "l1"), ("baseline", "l1"), ("end_to_end", "l1"))
    times = {"python_loops": 3, "quick": 0.9}  # times as long end to end, the latter by noise
    longer = [
        replace(sample, seconds=sample.seconds * (times.get(sample.kernel, 1) if sample.scope == "end_to_end" else 1))
        for sample in samples(pairs=pairs, slower={"quick": TWO_GROUPS})
    ]
    drawing = scopes.draw(of_speed(tmp_path, longer, loading_s=0.25, kind="scopes"))
    titles = ["prepare, transfer", "mean images", "labels", "first call"]
    assert [panel.get_title("left") for panel in drawing.figure.axes] == titles
    assert "prepare, transfer 800 ms, mean images 400 ms, labels 400 ms, first call 500 ms" in drawing.alt
    assert "quick: prepare, transfer not above 0, mean images 16.0 ms†" in drawing.alt
    assert scopes.DIFFERENCE in words(drawing)
    assert "Reading the digits from their files took 250 ms." in words(drawing)
    alone = scopes.draw(of_speed(tmp_path))
    assert [panel.get_title("left") for panel in alone.figure.axes] == ["mean images and labels", "first call"]
    assert "python -m bench run --full" in words(alone)


# All pictures.


def test_what_was_not_recorded_is_not_drawn_and_the_message_has_the_command(tmp_path):
    bare = of_speed(tmp_path, [sample for sample in samples() if sample.scope != "first_call"])
    for module, command in ((sizes, "--sizes 1,10,100,1000,10000"), (scopes, "--full")):
        with pytest.raises(NotDrawn, match=f"recorded. Record .* python -m bench run {command}"):
            module.draw(bare)


ONE = [sample for sample in samples(processes=1, rounds=1) if (sample.kernel, sample.scope) == (REFERENCE, "baseline")]
OF_ONE_SIZE = [replace(sample, scope="predict", images=1) for sample in ONE]
FEWEST = {
    "only the reference": (samples(quick=0), {}),
    "one sample": (ONE, {}),
    "no bounds": ([sample for sample in samples() if not sample.kernel.startswith("bound@")], {}),
    "one size": (OF_ONE_SIZE, {"kind": "sizes"}),
    "no size": ([sample for sample in samples() if sample.kernel.startswith("bound@")], {"kind": "sizes"}),
    "impossible": (samples(quick=1e-9), {}),
}


@pytest.mark.parametrize("name", FEWEST)
def test_a_record_with_one_point_has_every_picture_or_the_reason(tmp_path, name):
    taken, metadata = FEWEST[name]
    code = {kernel: {"code_tokens": 100, "code_lines": 10} for kernel in (REFERENCE, "quick")}
    shown = of_speed(tmp_path, taken, kernel_metadata=code, **metadata)

    reasons = []
    for picture in charts.PICTURES:
        try:
            svg.content(charts.draw(picture, shown))
        except NotDrawn as reason:
            reasons.append(str(reason))
    assert "Drawing it failed" not in " ".join(reasons)


# Colours.

TO_LMS = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
EYES = {  # Viénot, Brettel & Mollon 1999: what eyes without one kind of cones see, in linear RGB
    "all cones": np.eye(3),
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


def test_every_kernel_of_the_checkout_has_the_hue_of_its_library_which_shows_on_paper():
    assert {spec.name.partition("_")[0] for spec in discover()} == {*style.HUES}
    assert style.colour("torch_cdist@cpu") == style.HUES["torch"]
    assert style.colour("mine") == style.FAINT
    for colour in (*style.HUES.values(), style.FAINT):
        assert (luminance(style.PAPER) + 0.05) / (luminance(colour) + 0.05) >= 4


@pytest.mark.parametrize("eyes", EYES)
def test_libraries_look_different(eyes):
    seen = {library: lab(EYES[eyes] @ linear(hue)) for library, hue in style.HUES.items()}
    for a, b in combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > 10, (a, b)
