"""The page: one self-contained HTML file per case, the verdicts first. Nothing is measured here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import charts, checklist, claims, crossover, gpu, tables, writing
from bench.case import Case
from bench.charts import NotDrawn, files
from bench.grid import Grid
from bench.records import Record
from bench.standing import standings

TEMPLATES = Path(__file__).parent / "templates"
CELL = {
    "baseline": "mean images and labels, on prepared stacks: the headline",
    "predict": "labels alone",
    "mean": "mean images alone",
    "end_to_end": "from uint8 arrays on the host",
}


@dataclass(frozen=True)
class Shown:
    """A picture on a page: its <svg>, or none and in the caption why; and in words and numbers what it shows."""

    caption: str
    alt: str = ""
    svg: str = ""


def write(case: Case) -> list[Path]:
    """Write the page of a case, and where it is a published machine's its pictures as files; return the paths.

    Raises:
        BadRecord: a checklist FAILs for what a picture shows.
    """
    from markupsafe import Markup

    pictures, written = {}, []
    for name in charts.PICTURES:
        shown, paths = _picture(name, case)
        pictures[name] = Shown(shown.caption, shown.alt, Markup(shown.svg))  # made by matplotlib, which escapes
        written += paths
    with writing.whole(case.page) as partial:
        partial.write_text(render("report.html.j2", pictures=pictures, **_contents(case)), encoding="utf-8")
    return [case.page, *written]


def render(template: str, **contents: Any) -> str:
    """Return a template filled in; HTML is escaped, and a name that is missing is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(["html.j2"]),
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**contents)


def _picture(name: str, case: Case) -> tuple[Shown, list[Path]]:
    """Draw a picture, to files too where the case is published; what cannot be drawn there is left as it is."""
    stem = case.picture(name)
    paths: list[Path] = []
    try:
        drawing = charts.draw(name, case)
    except NotDrawn as missing:
        earlier = stem.with_name(f"{stem.name}.svg")
        if not (case.published and earlier.exists()):
            return Shown(str(missing)), paths
        svg = earlier.read_text(encoding="utf-8")
    else:
        if case.published:
            paths = files.save(drawing, stem)
        svg = files.svg(drawing) if not paths else paths[0].read_text(encoding="utf-8")
    caption, alt = files.described(svg)
    return Shown(caption, alt, files.inline(name, svg)), paths


def _contents(case: Case) -> dict[str, Any]:
    record = case.speed
    facts = record.facts
    return {
        "title": f"{facts.get('cpu_model_name', 'unknown CPU')}, {facts.get('cpu_count', '?')} cores",
        "subtitle": subtitle(record),
        "rulings": list(_rulings(record)),
        "cells": [_cell(view, *cell, where) for where, view in record.views for cell in _headline_first(view)],
        "conditions": tables.by_condition(case.conditions) if len(case.conditions) > 1 else None,
        "no_gpu": gpu.absence(record),
        "gpu": gpu.against_cpu(record),
        "from_files": gpu.from_files(record),
        "crossings": _crossings(case.sizes),
        "facts": Grid(("fact", "value"), [(key, str(facts[key])) for key in sorted(facts) if key != "absent"]),
        "absent": Grid(
            ("kernel", "status", "reason"), [(each.kernel, each.status, each.reason) for each in record.absent]
        ),
        "commands": list(_commands(case)),
    }


def subtitle(record: Record) -> str:
    """Return what one must know of every number of a record: digits, date, versions, condition, commit."""
    facts = record.facts
    versions = f"Python {facts.get('python_version')}, NumPy {facts.get('numpy_version')}, "
    return (
        f"Digits {facts.get('dataset')}, recorded {str(facts.get('date', 'at an unknown time'))[:10]} with {versions}"
        f"PyTorch {facts.get('torch_version')}; condition {record.condition}, {record.label}; "
        f"commit {facts.get('commit', 'unknown')}."
    )


def _rulings(record: Record) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for each in claims.rulings(record):
        yield {**vars(each), "text": claims.CLAIMS[each.claim], "first": each.claim not in seen}
        seen.add(each.claim)


def _headline_first(record: Record) -> list[tuple[str, str]]:
    return sorted(record.cells, key=lambda cell: (cell != ("baseline", "l1"), list(CELL).index(cell[0]), cell[1]))


def _cell(record: Record, scope: str, distance: str, where: str) -> dict[str, Any]:
    lines = checklist.judge(record, scope, distance)
    believable = not checklist.failed(lines)
    under = "" if distance == "-" else f" under {distance.upper()}"
    return {
        "title": f"{scope}{under}{where}",
        "caption": f"{CELL[scope]}. {tables.limit(record, scope)} {record.label}.",
        "grid": tables.timed(standings(record, scope, distance), ratios=believable),
        "checks": lines,
    }


def _crossings(record: Record | None) -> Grid | None:
    if record is None:
        return None
    return Grid(
        ("kernels", "crossover"), [(f"{each.base}, {each.new}", str(each)) for each in crossover.crossings(record)]
    )


def _commands(case: Case) -> Iterator[str]:
    commit = str(case.speed.facts.get("commit", "unknown"))
    if commit != "unknown":
        yield f"git checkout {commit.removesuffix('-modified')}"
    yield "make setup"
    full = " --full" if len(case.speed.cells) > 1 else ""
    conditions = ",".join(each.condition for each in case.conditions)
    yield f"python -m bench run{full}" + (f" --conditions {conditions}" if len(case.conditions) > 1 else "")
    if case.sizes:
        yield f"python -m bench run --sizes {','.join(map(str, case.sizes.sizes))}"
    if case.memory:
        yield "python -m bench run --memory"
    yield "python -m bench report"
