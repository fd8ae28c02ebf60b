"""The ladder: the kernels' files say which kernel follows which, and records by how much it is faster."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis import ladder
from bench.kernel import LADDER, REFERENCE, ROOT, KernelSpec, discover
from bench.records.model import NotTimed
from bench.report import charts, page, page_records
from bench.tests.builders import write_kernel
from bench.tests.builders_records import changed, record, samples, small

TIMES = {"numpy_per_image": 0.04, "numpy_broadcast": 0.004, "numpy_float64": 0.01, "numpy_in_place": 0.002,
         "numba_loops": 0.005, "torch_broadcast@cpu": 0.003}  # fmt: skip


def taken(**options):
    return samples(quick=0, **{**TIMES, **options})


def steps_of(*records, specs=None):
    """Return the steps by name, in their order."""
    return {step.name: step for step in ladder.steps(records, specs or discover())}


def made(name: str, after: str = "", why: str = "Because.", device: str = "cpu") -> KernelSpec:
    return KernelSpec(name, Path(f"{name.partition('@')[0]}.py"), device, "An idea.", (), after=after, why=why)


FILES = [path for folder in (ROOT / "kernels", LADDER) for path in sorted(folder.glob("[!_]*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_kernel_but_the_reference_follows_another_and_says_why(path):
    known = {file.stem for file in FILES}
    for spec in (spec for spec in discover() if spec.path == path):
        if spec.kernel == REFERENCE:
            assert (spec.after, spec.why) == ("", "")
            continue
        assert spec.after in known - {spec.kernel}
        assert len(spec.why.split()) > 5
        assert spec.why.endswith(".")
        assert not re.search(r"\d+(\.\d+)?\s*(×|times|%|ms|µs)", spec.why)  # mechanism; the record has the numbers


@pytest.mark.parametrize(
    ("docstring", "after", "why", "peer"),
    [
        ("One idea.\n\nAfter a: fewer\nbytes. More.\nPeer: mine.", "a", "fewer bytes.", "mine."),
        ("One idea.\n\nLooks After a: no.", "", "", ""),
        ("One idea.", "", "", ""),
    ],
)
def test_the_sentence_is_read_from_the_docstring(docstring, after, why, peer, tmp_path):
    path = write_kernel(tmp_path / "mine.py")
    path.write_text(f'"""{docstring}"""\n' + path.read_text().partition('"""\n')[2])
    (only,) = [spec for spec in discover([path]) if spec.path == path]
    assert (only.caption, only.after, only.why, only.peer) == ("One idea.", after, why, peer)


def test_a_step_is_below_the_kernel_that_it_follows_and_of_several_the_slowest_is_first(tmp_path):
    assert [(name, step.depth) for name, step in steps_of(record(tmp_path, taken())).items()] == [
        (REFERENCE, 0), ("numpy_per_image", 1), ("numpy_broadcast", 2), ("numpy_float64", 3),
        ("torch_broadcast@cpu", 3), ("numpy_in_place", 3), ("numba_loops", 1),
    ]  # fmt: skip


def test_a_step_is_the_ratio_to_the_one_before_with_its_interval(tmp_path):
    unequal = taken(slower={"numpy_broadcast": (0.9, 1, 1, 1, 1, 1.25)})
    faulting = changed(unequal, "numpy_float64", lambda sample: replace(sample, minor_faults=1544.0))
    steps = steps_of(record(tmp_path, faulting))
    broadcast, wide = steps["numpy_broadcast"], steps["numpy_float64"]
    assert (broadcast.times, broadcast.interval) == ("10.0×", "8.00× to 11.1×")
    assert broadcast.summary.speedup == pytest.approx(100)
    assert wide.ratio.value == pytest.approx(0.4)
    assert (wide.before.kernel, wide.faults_before, wide.faults) == ("numpy_broadcast", 12, 1544)
    assert steps[REFERENCE].before is None
    assert steps[REFERENCE].times == steps[REFERENCE].without == steps[REFERENCE].interval == ""
    assert steps_of(record(tmp_path, faulting, reference="numpy_broadcast")) == {}  # whose ratios are over no loops


def test_what_the_interval_or_the_noise_floor_leaves_open_is_not_resolved(tmp_path):
    steps = steps_of(record(tmp_path, taken(numpy_float64=0.004, slower={"numpy_float64": (0.9, 1.1)})))
    assert steps["numpy_float64"].resolved is False
    assert steps["numpy_float64"].interval.endswith(", not resolved")
    assert steps["numpy_in_place"].resolved is True
    few = steps_of(record(tmp_path, taken(processes=5)))["numpy_in_place"]
    assert (few.resolved, few.interval, few.times) == (None, "", "2.00×")


def test_a_kernel_whose_predecessor_is_missing_is_below_the_nearest_and_says_so(tmp_path):
    wide = steps_of(record(tmp_path, taken(numpy_broadcast=0)))["numpy_float64"]
    assert (wide.depth, wide.ratio, wide.without) == (2, None, "numpy_broadcast was not recorded")
    assert wide.summary.speedup == pytest.approx(40)


def test_missing_kernels_are_listed_once_per_reason(tmp_path):
    not_timed = (
        NotTimed("jax_broadcast@cpu", "unavailable", "jax is not installed"),
        NotTimed("torch_loss@cpu", "broken", "Traceback\nValueError: no"),
    )
    specs = [made(REFERENCE), made("jax_broadcast@cpu", REFERENCE), made("torch_loss@cpu", REFERENCE),
                   made("numba_loops", REFERENCE), made("a", REFERENCE), made("b", REFERENCE), made("c")]  # fmt: skip
    assert ladder.missing([record(tmp_path, taken(), not_timed)], specs) == [
        "jax_broadcast@cpu: unavailable, jax is not installed.",
        "torch_loss@cpu: broken, ValueError: no.",
        "a, b: not recorded.",
    ]


def test_a_kernel_of_a_small_data_set_is_compared_within_it(tmp_path):
    whole = record(tmp_path, taken(python_indexed=0.5))
    seconds = {REFERENCE: 0.01, "numba_loops": 0.001, "python_ndarray_elements": 0.2}
    steps = steps_of(whole, small(tmp_path, 20, taken=samples(quick=0, **seconds, python_indexed=0.02)))
    elements = steps["python_ndarray_elements"]
    assert (elements.images, elements.part, elements.times) == (20, "20 per class", "0.10×")
    assert elements.before.seconds == pytest.approx(0.02)  # not the 0.5 s of all images
    assert elements.summary.speedup == pytest.approx(0.05)
    assert {name for name, step in steps.items() if step.images} == {"python_ndarray_elements"}
    alone = steps_of(whole, small(tmp_path, 20, taken=samples(quick=0, **seconds)))["python_ndarray_elements"]
    assert (alone.ratio, alone.without) == (None, "python_indexed was not recorded on these images")


def test_where_the_checklist_fails_there_is_no_step(tmp_path):
    wrong = {"python_ndarray_elements": {"correct_l1": "1/20, 1/20"}}
    few = small(tmp_path, taken=samples(quick=0, python_ndarray_elements=0.2), kernel_metadata=wrong)
    records = [record(tmp_path, taken()), few]
    assert "python_ndarray_elements" not in steps_of(*records)
    assert "python_ndarray_elements: its checklist fails." in ladder.missing(records, discover())
    good = small(tmp_path, taken=samples(quick=0))
    assert steps_of(record(tmp_path, taken(numpy_in_place=1e-6)), good) == {}  # and the small record replaces nothing


def test_a_kernel_follows_one_on_its_own_device_if_there_is_one(tmp_path):
    specs = [made(REFERENCE), made("b@cpu", REFERENCE), made("b@cuda", REFERENCE, device="cuda"),
                   made("c@cpu", "b"), made("c@cuda", "b", device="cuda"), made("d@cuda", "e", device="cuda"),
                   made("e", REFERENCE)]  # fmt: skip
    times = {"b@cpu": 0.1, "b@cuda": 0.01, "c@cpu": 0.05, "c@cuda": 0.02, "d@cuda": 0.03, "e": 0.2}
    steps = steps_of(record(tmp_path, samples(quick=0, **times)), specs=specs)
    before = {name: step.before.kernel for name, step in steps.items() if step.before}
    assert (before["c@cuda"], before["c@cpu"], before["d@cuda"]) == ("b@cuda", "b@cpu", "e")


def test_kernels_that_follow_each_other_in_a_circle_are_below_the_reference(tmp_path):
    specs = [made(REFERENCE), made("a", "b"), made("b", "a"), made("mine", "nobody")]
    steps = steps_of(record(tmp_path, samples(quick=0, a=0.1, b=0.05, mine=0.3)), specs=specs)
    assert {name: step.depth for name, step in steps.items()} == {REFERENCE: 0, "mine": 1, "a": 1, "b": 1}


def test_too_few_steps_are_no_ladder(tmp_path):
    bare = page_records.alone([record(tmp_path, samples(numpy_broadcast=0.004))])
    text = page.write(bare)[0].read_text()
    assert "The ladder was not recorded. Record it with make bench-all" in text
    assert "Every step" not in text


def test_the_page_and_the_picture_show_every_step(tmp_path):
    whole = record(tmp_path, taken(python_indexed=0.5, sklearn_centroids=0.4, slower={"numba_loops": (1.0, 7.0)}))
    seconds = {REFERENCE: 0.01, "python_indexed": 0.02, "python_ndarray_elements": 0.2}
    chosen = replace(page_records.alone([whole]), small=(small(tmp_path, 20, taken=samples(quick=0, **seconds)),))
    drawn = charts.draw("ladder", chosen)
    assert (
        "numpy_in_place, stale after numpy_broadcast: 2.00× · 2.00 ms, confidence interval 2.00× to 2.00×, 200×"
        in drawn.alt
    )
    assert "python_ndarray_elements, 20 per class, stale after python_indexed: 0.10×" in drawn.alt
    html = page.write(chosen)[0].read_text()
    story = html[html.index('id="ladder-story"') : html.index('id="where"')]
    for name in steps_of(whole, *chosen.small):
        assert f">{name}" in story
    for text in ("20 per class", "<code>out=</code>", "20.0 ms†", "which answers another question"):
        assert text in story
    assert "python -m bench run --ladder" in html
    assert "make setup-all" in html
