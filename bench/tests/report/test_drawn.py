"""Pictures are drawn again only where something that they are drawn from has changed, and then to the same bytes."""

import os
import shutil
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from bench.records import model, reader
from bench.report import charts, page, page_records
from bench.report.charts import NotDrawn, drawn
from bench.tests.builders import write_kernel
from bench.tests.builders_selections import full_selection


@pytest.fixture
def full(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "LOCAL", tmp_path / "local")
    return read(full_selection(tmp_path))


def read(selection):
    """Return a selection as another process reads it."""
    reader._read_all.cache_clear()
    paths = [part.path for part in (selection.speed, *selection.small, selection.sizes, selection.memory)]
    return page_records.from_paths(paths, selection.page).with_problem(selection.problem)


def written(selection):
    return {path.name: path.read_bytes() for path in page.write(selection)}


def test_what_is_unchanged_is_not_drawn_and_deleting_everything_gives_the_same_bytes(full, monkeypatch):
    first = written(full)
    with monkeypatch.context() as patch:
        patch.setattr(charts, "draw", lambda *_: pytest.fail("drawn again"))
        assert written(full) == first
    shutil.rmtree(model.LOCAL)
    for name in first:
        (full.page.parent / name).unlink()
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # one after the other, in this process
    assert written(full) == first


def test_what_has_changed_is_drawn_again(full, tmp_path, monkeypatch):
    def is_drawn(name, selection, suffix=".svg"):
        before = len(drawings)
        drawn.picture(name, selection, suffix)
        return len(drawings) > before

    drawings, draw = [], charts.draw
    monkeypatch.setattr(charts, "draw", lambda *given: drawings.append(given) or draw(*given))
    assert is_drawn("scopes", full)
    assert is_drawn("scopes", full, ".png")
    assert is_drawn("gallery", full)
    again = replace(read(full), page=tmp_path / "other.html")
    assert not is_drawn("scopes", again)
    assert not is_drawn("gallery", again)
    assert not is_drawn("scopes", again.with_problem(None))  # it shows no digits
    with pytest.raises(NotDrawn, match="The recorded digits were not found"):
        is_drawn("gallery", again.with_problem(None))
    [first, *rest] = full.scopes.samples
    other = replace(full.scopes, samples=[replace(first, seconds=2 * first.seconds), *rest])
    assert is_drawn("scopes", replace(full, scopes=other))
    assert is_drawn("scopes", replace(full, extra=(write_kernel(tmp_path / "mine.py"),)))
    monkeypatch.setattr(drawn, "_code", lambda: "other code")
    assert is_drawn("scopes", full)


@pytest.mark.parametrize("change", [lambda kept: b"", lambda kept: kept.replace(b"0", b"9"), lambda kept: kept[:-9]])
def test_a_kept_file_that_was_changed_is_not_used(full, change):
    first = drawn.picture("scopes", full)
    [kept] = (model.LOCAL / ".drawn").iterdir()
    kept.write_bytes(change(kept.read_bytes()))
    assert drawn.picture("scopes", full) == first


def test_digits_in_another_order_are_drawn_again(full):
    first, problem = drawn.picture("gallery", full), full.problem
    other = replace(problem, train=tuple(stack[::-1].copy() for stack in problem.train))
    assert drawn.picture("gallery", full.with_problem(other)) != first


def test_only_the_newest_are_kept(full, monkeypatch):
    monkeypatch.setattr(drawn, "KEPT", 2)
    drawn.draw_all(("scopes", "sizes", "gallery"), full)
    assert len([*(model.LOCAL / ".drawn").iterdir()]) == 2


def test_nothing_half_drawn_is_left(full, tmp_path, monkeypatch):
    before = {*tmp_path.rglob("*")}
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: 1 / 0)
    drawn.draw_all(("scopes", "sizes"), full)
    with pytest.raises(NotDrawn, match=r"Drawing it failed, ZeroDivisionError: .* \(test_drawn.py, line \d+\)"):
        drawn.save("scopes", full)
    assert {*tmp_path.rglob("*")} == before


def test_a_folder_that_cannot_be_written_keeps_nothing(full, tmp_path):
    model.LOCAL.write_text("no folder")
    drawn.draw_all(("scopes", "speedup"), full)
    assert drawn.picture("scopes", full).startswith(b"<?xml")
