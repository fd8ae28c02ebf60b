"""Pictures of code, of shapes and of digits: what they show is computed, and also given in words."""

import numpy as np
import pytest
from matplotlib.text import Text

from bench import code_size
from bench.analysis import claims
from bench.kernel import REFERENCE
from bench.report import charts
from bench.report.charts import NotDrawn, style, svg
from bench.report.page_records import Selection
from bench.task import problem
from bench.tests import builders
from bench.tests.builders_records import record, samples

TORCH = "torch_broadcast@cpu"


def known(name, **others):
    """Return what a record says of a kernel of this checkout."""
    path = code_size.find(name)
    counted = code_size.code(path)
    counts = {"code_tokens": counted.tokens, "code_lines": counted.lines}
    return {"source_hash": code_size.source_hash(path), **counts, **others}


def selection(folder, taken=None, digits=None, kernel_metadata=None, **metadata):
    """Return a selection of the reference, torch and quick, which has no file here, and was not counted."""
    taken = samples(**{TORCH: 0.002}) if taken is None else taken
    by_kernel = {REFERENCE: known(REFERENCE), TORCH: known("torch_broadcast"), **(kernel_metadata or {})}
    speed = record(folder, taken, kernel_metadata=by_kernel, **metadata)
    return Selection(folder / "page.html", speed, (speed,), problem=digits)


def words(drawing):
    return "\n".join(text.get_text() for text in drawing.figure.findobj(Text))


def test_both_codes_are_the_lines_of_their_files_and_what_they_cost(tmp_path):
    drawing = charts.draw("side_by_side", selection(tmp_path))
    assert "    means.append(mean)" in words(drawing)
    assert "    return (a - b).abs().mean((-1, -2))" in words(drawing)
    assert "                for\n" in words(drawing)  # in a layer of its own, and a colour
    tokens, lines = known(REFERENCE)["code_tokens"], known(REFERENCE)["code_lines"]
    assert f"{REFERENCE}: {tokens} tokens in {lines} lines, 400 ms for 108 images, 3,703,704 ns" in drawing.alt
    assert f"{TORCH} is 200× as fast (200× to 200×, 96.9% CI), in 41% of the tokens." in drawing.alt
    assert "stale" not in words(drawing)


def test_numpy_is_shown_where_there_is_no_torch(tmp_path):
    counted = {"numpy_broadcast": known("numpy_broadcast")}
    drawing = charts.draw("side_by_side", selection(tmp_path, samples(numpy_broadcast=0.004), kernel_metadata=counted))
    assert "numpy_broadcast" in words(drawing)


def test_a_changed_source_is_stale_and_the_median_of_two_groups_is_marked(tmp_path):
    taken = samples(**{TORCH: 0.002}, slower={TORCH: (1.0, 7.0) * 3})
    shown = selection(tmp_path, taken, kernel_metadata={TORCH: known("torch_broadcast", source_hash="another")})
    drawing = charts.draw("side_by_side", shown)
    assert "stale: its source has changed since" in words(drawing)
    assert "8.00 ms†" in words(drawing)


@pytest.mark.parametrize(
    ("name", "taken", "metadata", "says"),
    [
        ("side_by_side", samples(), {}, "torch_broadcast@cpu, .* recorded. Record one with python -m bench run"),
        ("side_by_side", samples(**{TORCH: 0.0005}), {}, "fails its checklist"),
        ("gallery", None, {}, "The recorded digits were not found"),
    ],
)
def test_what_a_selection_lacks_is_not_drawn(tmp_path, name, taken, metadata, says):
    with pytest.raises(NotDrawn, match=says):
        charts.draw(name, selection(tmp_path, taken, kernel_metadata=metadata))


def test_broadcasting_is_computed_by_numpy(tmp_path):
    alt = charts.draw("broadcasting", selection(tmp_path)).alt
    assert "(3, 4) with (1, 4) gives (3, 4); (28, 28) with (28, 28) gives (28, 28)" in alt
    assert "(2038, 28, 28) with (28, 28) gives (2038, 28, 28)" in alt
    message = "operands could not be broadcast together with shapes (2038,28,28) (2038,)"
    assert f"(2038, 28, 28) with (2038,) fails: {message}." in alt
    assert "carbs 94.9, 0.0, 2.8, 89.5" in alt  # 56.0 of 59.0


def test_odd_digits_are_shown_too(tmp_path):
    odd = builders.problem(classes=3, train=2, valid=2, height=5, width=7)
    drawing = charts.draw("gallery", selection(tmp_path, digits=odd))
    assert "Pixels [0:5, 1:7] of the second training image of class 3" in drawing.alt
    assert " / ".join(" ".join(map(str, row)) for row in odd.train[0][1][:, 1:].tolist()) in drawing.alt
    assert words(drawing).count("Digits drawn by this project") == 1


def test_ten_classes_fit_into_the_gallery(tmp_path):
    ten = builders.problem(classes=10, train=2, valid=2)
    drawing = charts.draw("gallery", selection(tmp_path, digits=ten))
    assert [f" to mean {name}" in words(drawing) for name in ten.classes] == [True] * 10
    drawing.figure.draw_without_rendering()
    for text in drawing.figure.findobj(Text):
        extent = text.get_window_extent()
        assert not text.get_text() or 0 <= extent.x0 <= extent.x1 <= drawing.figure.bbox.width, text.get_text()


def test_digits_without_a_mistake_or_with_one_training_image(tmp_path):
    stacks = [np.full((1, 3, 3), 10), np.full((1, 3, 3), 200)]
    light_and_dark = problem.make_problem(builders.digits(stacks, stacks))
    alt = charts.draw("gallery", selection(tmp_path, digits=light_and_dark)).alt
    assert "the only training image of class 3" in alt
    assert "The worst of 0 mistakes" in alt
    assert "differ for 0 images" in alt


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({"dataset": "mnist_sample"}, "MNIST, Yann LeCun, Corinna Cortes, Christopher Burges; CC BY-SA 3.0"),
        ({"dataset": "mine", "dataset_digest": claims.MNIST_SAMPLE}, style.MNIST),
        ({"dataset": "fashion-mnist"}, "Digits: fashion-mnist"),
        ({}, "Digits drawn by this project"),
    ],
)
def test_whose_digits_they_are(tmp_path, metadata, owner):
    assert style.credit(record(tmp_path, **metadata)) == owner


def test_the_gallery_of_the_documents_digits(tmp_path, real_digits):
    real = problem.make_problem(real_digits)
    drawing = charts.draw("gallery", selection(tmp_path, digits=real, dataset=real.name, dataset_digest=real.digest))
    assert "of the second training image of class 3: 0 0 0 0 0 0 / 0 0 0 0 0 29 / 0 0 0 48 166 224 /" in drawing.alt
    assert "0.1114 to mean 3, 0.1586 to mean 7" in drawing.alt
    assert "The worst of 99 mistakes by L1 distance" in drawing.alt
    assert "differ for 54 images: only the L1 distance is right on 12, only L2 on 42" in drawing.alt
    assert len(svg.content(drawing)) < 1_500_000
