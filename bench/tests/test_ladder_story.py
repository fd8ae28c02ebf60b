"""The ladder as a story: who climbs from whom is said by the kernels' files, by how much by the record."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench import case, charts, claims, ladder, reading, readme, report
from bench.charts import NotDrawn
from bench.kernel import LADDER, REFERENCE, ROOT, Contestant, discover
from bench.records import Absent
from bench.sample import AGAIN
from bench.tests.builders import write_kernel
from bench.tests.builders_records import DOCUMENTS, samples, write

TIMES = {"numpy_per_image": 0.04, "numpy_broadcast": 0.004, "numpy_float64": 0.01, "numpy_in_place": 0.002,
         "numba_loops": 0.005, "torch_broadcast@cpu": 0.003}  # fmt: skip
EXACT = {"exact_l1_first_20": "15/20, 15/20", "exact_l2_first_20": "16/20, 16/20"}
ELEMENTS = {
    "python_ndarray_elements": {"images_of_class": 20, "correct_l1": "15/20, 15/20", "correct_l2": "16/20, 16/20"}
}


def taken(**options):
    return samples(quick=0, **{**TIMES, **options})


def on_part(found, n=20, **seconds):
    """Return the samples, and those of a part where kernels take `seconds`: of the reference, and whoever else."""
    part = samples(quick=0, **{REFERENCE: 0.01, **seconds})
    return [*found, *(replace(each, first=n) for each in part if each.scope != "first_call")]


def recorded(folder, found=None, absent=(), **facts):
    by_kernel = facts.pop("kernel_facts", ELEMENTS)
    return reading.read(write(folder, taken() if found is None else found, absent, by_kernel, **facts))


def made(name: str, after: str = "", why: str = "Because.", device: str = "cpu") -> Contestant:
    return Contestant(name, Path(f"{name.partition('@')[0]}.py"), device, "An idea.", (), after=after, why=why)


FILES = [path for folder in (ROOT / "kernels", LADDER) for path in sorted(folder.glob("[!_]*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_kernel_but_the_reference_climbs_from_another_and_says_why(path):
    known = {each.stem for each in FILES}
    for each in (each for each in discover() if each.path == path):
        if each.kernel == REFERENCE:
            assert (each.after, each.why) == ("", "")
            continue
        assert each.after in known - {each.kernel}
        assert len(each.why.split()) > 5
        assert each.why.endswith(".")
        assert not re.search(r"\d+(\.\d+)?\s*(×|times|%|ms|µs)", each.why)  # mechanism; the record has the numbers


def test_every_climb_ends_at_the_reference():
    after = {each.kernel: each.after for each in discover() if each.after}
    for name in after:
        climbed = [name]
        while climbed[-1] != REFERENCE:
            climbed.append(after[climbed[-1]])
            assert len(climbed) == len(set(climbed)), climbed


@pytest.mark.parametrize(
    ("docstring", "after", "why", "peer"),
    [
        ("One idea.\n\nAfter a: fewer bytes.", "a", "fewer bytes.", ""),
        ("One idea.\n\nAfter a: fewer\nbytes. More.\nPeer: mine.", "a", "fewer bytes.", "mine."),
        ("One idea.\n\nAfter a: 1.5 bytes, `b.c`.\n", "a", "1.5 bytes, `b.c`.", ""),
        ("One idea.\n\nLooks After a: no.", "", "", ""),
        ("One idea.\n\nAfter a: no end", "", "", ""),
        ("One idea.", "", "", ""),
    ],
)
def test_the_sentence_is_read_from_the_docstring(docstring, after, why, peer, tmp_path):
    path = write_kernel(tmp_path / "mine.py")
    path.write_text(f'"""{docstring}"""\n' + path.read_text().partition('"""\n')[2])
    (only,) = [each for each in discover([path]) if each.path == path]
    assert (only.caption, only.after, only.why, only.peer) == ("One idea.", after, why, peer)


def test_each_stands_below_the_one_it_climbs_from_and_of_several_the_slowest_is_first(tmp_path):
    steps = ladder.steps(recorded(tmp_path), discover())
    assert [(each.name, each.depth) for each in steps] == [
        (REFERENCE, 0), ("numpy_per_image", 1), ("numpy_broadcast", 2), ("numpy_float64", 3),
        ("torch_broadcast@cpu", 3), ("numpy_in_place", 3), ("numba_loops", 1),
    ]  # fmt: skip


def test_a_step_is_the_ratio_to_the_one_before_with_its_interval(tmp_path):
    found = taken(slower={"numpy_broadcast": (0.9, 1, 1, 1, 1, 1.25)})
    found = [replace(each, minor_faults=1544.0) if each.kernel == "numpy_float64" else each for each in found]
    steps = {each.name: each for each in ladder.steps(recorded(tmp_path, found), discover())}
    broadcast, wide = steps["numpy_broadcast"], steps["numpy_float64"]
    assert broadcast.ratio.value == pytest.approx(10)
    assert (broadcast.ratio.low, broadcast.ratio.high) == pytest.approx((8, 10 / 0.9))
    assert (broadcast.times, broadcast.interval) == ("10.0×", "8.00× to 11.1×")
    assert broadcast.standing.speedups[0].value == pytest.approx(100)
    assert wide.ratio.value == pytest.approx(0.4)
    assert wide.before.kernel == "numpy_broadcast"
    assert (wide.faults_before, wide.faults) == (12, 1544)
    assert steps[REFERENCE].before is None
    assert steps[REFERENCE].times == steps[REFERENCE].without == ""


def test_what_the_interval_or_the_machine_does_not_tell_is_not_resolved(tmp_path):
    found = taken(numpy_float64=0.004, slower={"numpy_float64": (0.9, 1.1)})
    steps = {each.name: each for each in ladder.steps(recorded(tmp_path, found), discover())}
    assert steps["numpy_float64"].resolved is False
    assert steps["numpy_float64"].interval.endswith(", not resolved")
    assert steps["numpy_in_place"].resolved is True
    found = [each for each in taken() if each.process < 5]
    few = {each.name: each for each in ladder.steps(recorded(tmp_path, found), discover())}
    assert (few["numpy_in_place"].resolved, few["numpy_in_place"].interval) == (None, "")
    assert few["numpy_in_place"].times == "2.00×"


def test_two_modes_are_two_numbers_and_no_interval(tmp_path):
    found = taken(slower={"numpy_in_place": (1.0, 7.0)})
    steps = {each.name: each for each in ladder.steps(recorded(tmp_path, found), discover())}
    assert steps["numpy_in_place"].times == "2.00× (3 sets) or 0.29× (3 sets)"
    assert steps["numpy_in_place"].interval == ""


def test_a_kernel_whose_predecessor_is_missing_stays_below_the_nearest_and_says_so(tmp_path):
    steps = {each.name: each for each in ladder.steps(recorded(tmp_path, taken(numpy_broadcast=0)), discover())}
    wide = steps["numpy_float64"]
    assert (wide.depth, wide.ratio, wide.without) == (2, None, "numpy_broadcast was not recorded")
    assert wide.standing.speedups[0].value == pytest.approx(40)
    assert steps["numpy_per_image"].depth == 1


def test_what_is_not_there_is_named_once_per_reason(tmp_path):
    absent = (
        Absent("jax_broadcast@cpu", "unavailable", "jax is not installed"),
        Absent("torch_loss@cpu", "broken", "Traceback\nValueError: no"),
    )
    contestants = [made(REFERENCE), made("jax_broadcast@cpu", REFERENCE), made("torch_loss@cpu", REFERENCE),
                   made("numba_loops", REFERENCE), made("a", REFERENCE), made("b", REFERENCE), made("c")]  # fmt: skip
    assert ladder.missing(recorded(tmp_path, absent=absent), contestants) == [
        "jax_broadcast@cpu: unavailable, jax is not installed.",
        "torch_loss@cpu: broken, ValueError: no.",
        "a, b: not recorded.",
    ]


def test_a_part_of_the_digits_is_compared_within_it(tmp_path):
    found = on_part(taken(python_indexed=0.5), python_indexed=0.02, python_ndarray_elements=0.2)
    record = recorded(tmp_path, found, **EXACT)
    steps = {each.name: each for each in ladder.steps(record, discover())}
    elements = steps["python_ndarray_elements"]
    assert (elements.images, elements.part) == (20, "first 20 images of each class")
    assert elements.ratio.value == pytest.approx(0.1)
    assert elements.before.seconds == pytest.approx(0.02)  # not the 0.5 s of all images
    assert elements.standing.speedups[0].value == pytest.approx(0.05)
    assert steps["python_indexed"].images == 0
    record = recorded(tmp_path, on_part(taken(), python_ndarray_elements=0.2), **EXACT)
    alone = {each.name: each for each in ladder.steps(record, discover())}["python_ndarray_elements"]
    assert (alone.ratio, alone.without) == (None, "python_indexed was not recorded on these images")


def test_where_the_checklist_fails_there_is_no_step(tmp_path):
    found = on_part(taken(), python_indexed=0.02, python_ndarray_elements=0.2)
    wrong = {"python_ndarray_elements": {"images_of_class": 20, "correct_l1": "1/20, 1/20"}}
    record = recorded(tmp_path, found, kernel_facts=wrong, **EXACT)
    assert "python_ndarray_elements" not in {each.name for each in ladder.steps(record, discover())}
    assert "python_ndarray_elements: its checklist fails." in ladder.missing(record, discover())
    assert ladder.steps(recorded(tmp_path, taken(numpy_in_place=1e-6)), discover()) == []


def test_a_device_climbs_from_its_own_where_there_is_one(tmp_path):
    contestants = [made(REFERENCE), made("b@cpu", REFERENCE), made("b@cuda", REFERENCE, device="cuda"),
                   made("c@cpu", "b"), made("c@cuda", "b", device="cuda"), made("d@cuda", "e", device="cuda"),
                   made("e", REFERENCE)]  # fmt: skip
    times = {"b@cpu": 0.1, "b@cuda": 0.01, "c@cpu": 0.05, "c@cuda": 0.02, "d@cuda": 0.03, "e": 0.2}
    steps = ladder.steps(recorded(tmp_path, samples(quick=0, **times)), contestants)
    before = {each.name: each.before.kernel for each in steps if each.before}
    assert before["c@cuda"] == "b@cuda"
    assert before["c@cpu"] == "b@cpu"
    assert before["d@cuda"] == "e"


def test_what_climbs_in_a_circle_stands_on_the_ground(tmp_path):
    contestants = [made(REFERENCE), made("a", "b"), made("b", "a"), made("mine", "nobody")]
    steps = ladder.steps(recorded(tmp_path, samples(quick=0, a=0.1, b=0.05, mine=0.3)), contestants)
    assert {each.name: each.depth for each in steps} == {REFERENCE: 0, "mine": 1, "a": 1, "b": 1}


def test_conditions_stand_side_by_side(tmp_path):
    one, other = recorded(tmp_path), recorded(tmp_path, taken(numpy_in_place=0.001), allocator="keep")
    ratios = ladder.by_condition((one, other), discover(), "ratio")
    assert ratios.columns == ("step", "after", "all/default", "all/keep")
    rows = {row[0]: row[1:] for row in ratios.rows}
    assert rows["numpy_in_place"] == ("numpy_broadcast", "2.00× (2.00× to 2.00×)", "4.00× (4.00× to 4.00×)")
    assert REFERENCE not in rows
    faults = ladder.by_condition((one, other), discover(), "faults")
    assert ("numpy_in_place", "12", "12") in faults.rows


def test_which_claim_survives_against_which_baseline(tmp_path):
    found = on_part(taken(python_bytes=0.2), python_ndarray_elements=20.0, **{"torch_broadcast@cpu": 0.001})
    record = recorded(tmp_path, found, **EXACT, **DOCUMENTS)
    said = {(claim[:2], verdict): baselines for claim, verdict, baselines in ladder.survivors(record)}
    assert [line.partition(":")[0] for line in said["C2", claims.REFUTED]] == [
        f"against {REFERENCE}", "against python_bytes",
    ]  # fmt: skip
    (supported,) = said["C2", claims.SUPPORTED]
    assert supported.startswith("against python_ndarray_elements, on the first 20 images of each class: 20,000× as")
    assert next(iter(said)) == ("C2", claims.SUPPORTED)
    assert ladder.bound(record).startswith(
        f"Reading every byte once would be 400× as fast as {REFERENCE} here: on this"
    )


def test_peers_say_what_they_are(tmp_path):
    record = recorded(tmp_path, taken(sklearn_centroids=0.4, scipy_cdist=0.01))
    said = dict(ladder.peers(ladder.steps(record, discover())))
    assert [*said] == ["scipy_cdist", "sklearn_centroids"]
    assert "another question" in said["sklearn_centroids"]
    assert said["scipy_cdist"].endswith(f" 40.0× as fast as {REFERENCE}.")


def test_too_few_steps_are_no_ladder(tmp_path):
    bare = case.alone(recorded(tmp_path, samples(numpy_broadcast=0.004)))
    with pytest.raises(NotDrawn, match="The ladder was not recorded: make bench-all"):
        charts.draw("ladder", bare)
    page = report.write(bare)[0].read_text()
    assert "The ladder was not recorded: make bench-all" in page
    assert "Which claim survives" not in page


def test_the_page_and_the_picture_tell_every_step(tmp_path):
    two_modes = {"numba_loops": (1.0, 7.0)}
    found = on_part(taken(python_indexed=0.5, slower=two_modes), python_indexed=0.02, python_ndarray_elements=0.2)
    of = case.alone(recorded(tmp_path, found, **EXACT))
    drawn = charts.draw("ladder", of)
    assert "numpy_in_place · stale after numpy_broadcast: 2.00× · 2.00 ms, interval 2.00× to 2.00×, 200×" in drawn.alt
    assert "python_ndarray_elements, first 20 · stale after python_indexed: 0.10×" in drawn.alt
    page = report.write(of)[0].read_text()
    story = page[page.index('id="ladder-story"') : page.index('id="gpu"')]
    for each in ladder.steps(of.speed, discover()):
        assert f">{each.name}" in story
    assert "first 20 images of each class" in story
    assert "<code>out=</code>" in story
    assert "python -m bench run --ladder" in page
    assert "make setup-all" in page


def test_pictures_show_parts_as_parts(tmp_path):
    code = {"code_lines": 9, "code_tokens": 100}
    by_kernel = dict.fromkeys((REFERENCE, "numpy_broadcast"), code)
    by_kernel["python_ndarray_elements"] = {**ELEMENTS["python_ndarray_elements"], **code}
    found = on_part(taken(), python_ndarray_elements=0.2)
    of = case.alone(recorded(tmp_path, found, kernel_facts=by_kernel, **EXACT))
    speedup, size = (charts.draw(name, of) for name in ("speedup", "code_size"))
    assert "python_ndarray_elements: 0.05× · 200 ms · first 20 images of each class" in speedup.alt
    assert "python_ndarray_elements 100 tokens in 9 lines, 0.05× (0.05× to 0.05×), on the first 20" in size.alt
    assert sum(line.get_marker() == "s" for line in size.figure.axes[0].lines) == 1
    paper = speedup.figure.get_facecolor()
    assert sum(bar.get_facecolor() == paper for bar in speedup.figure.axes[0].patches) == 1


def test_the_readme_has_the_exhibits_and_the_fastest_rung(tmp_path):
    record = recorded(tmp_path)
    rows = {each.kernel for each in readme._shown(ladder.standings(record))}
    assert rows == {REFERENCE, "numpy_broadcast", "torch_broadcast@cpu", "numpy_in_place"}
    assert "3 more are on the page" in readme._left_out(record)
    assert readme._left_out(recorded(tmp_path, samples(numpy_broadcast=0.004))) == ""


def test_ranks_of_many_kernels_are_counted(tmp_path):
    ranks = {name: {"ranks_l1": "40/40"} for name in TIMES}
    ranks["numba_loops"] = {"ranks_l1": "fails on the stack: ValueError"}
    ranks["numpy_in_place"] = {"ranks_l1": "40/40", "ranks_l2": "39/40"}
    record = recorded(tmp_path, kernel_facts=ranks)
    (ruling,) = [each for each in claims.rulings(record) if each.claim == "C8"]
    assert ruling.number == (
        "5 of 6 functions take both ranks, 4 of them with equal bits; last bits differ: numpy_in_place; "
        "one rank alone: numba_loops"
    )


def test_the_null_is_no_step(tmp_path):
    again = [replace(each, kernel=f"numpy_broadcast{AGAIN}") for each in taken() if each.kernel == "numpy_broadcast"]
    assert not [each for each in ladder.steps(recorded(tmp_path, [*taken(), *again]), discover()) if AGAIN in each.name]
