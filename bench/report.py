"""The page: one self-contained HTML file per case, the verdicts first. Nothing is measured here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from bench import charts, checklist, claims, crossover, gpu, kernel, ladder, tables, units, writing
from bench.case import Case
from bench.charts import NotDrawn, files
from bench.comparing import DEFAULT
from bench.grid import Grid
from bench.records import Record
from bench.standing import standings

TEMPLATES = Path(__file__).parent / "templates"
CELL = {
    "baseline": "mean images and labels, on prepared stacks",
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
    """Draw a picture, to files too where the case is published; without the digits, theirs is left as it is."""
    stem = case.picture(name)
    paths: list[Path] = []
    earlier = stem.with_name(f"{stem.name}.svg")
    if name in charts.OF_DIGITS and case.published and case.problem is None and earlier.exists():
        svg = earlier.read_text(encoding="utf-8")
    else:
        try:
            drawing = charts.draw(name, case)
        except NotDrawn as missing:
            for suffix in (".svg", ".png") if case.published else ():
                stem.with_name(f"{stem.name}{suffix}").unlink(missing_ok=True)  # it was of another record
            return Shown(str(missing)), paths
        if case.published:
            paths = files.save(drawing, stem)
        svg = files.svg(drawing) if not paths else paths[0].read_text(encoding="utf-8")
    caption, alt = files.described(svg)
    return Shown(caption, alt, files.inline(ascii_lowercase[charts.PICTURES.index(name)], svg)), paths


def _contents(case: Case) -> dict[str, Any]:
    record = case.speed
    facts = record.facts
    return {
        "title": f"{facts.get('cpu_model_name', 'unknown CPU')}, {facts.get('cpu_count', '?')} cores",
        "subtitle": subtitle(record),
        "rulings": list(_rulings(record)),
        "cells": list(_cells(case)),
        "ladder": _ladder(case),
        "conditions": tables.by_condition(case.conditions) if len(case.conditions) > 1 else None,
        "no_gpu": gpu.absence(record),
        "gpu": gpu.against_cpu(case.scopes or record),
        "allowed": gpu.allowed(record, case.sizes),
        "gpu_crossings": gpu.crossings(case.sizes),
        "energy": gpu.energy(case.memory),
        "no_energy": gpu.no_energy(case.memory),
        "from_files": gpu.from_files(case.scopes or record),
        "crossings": _crossings(case.sizes),
        "facts": Grid(("fact", "value"), [(key, str(facts[key])) for key in sorted(facts) if key != "absent"]),
        "absent": Grid(
            ("kernel", "status", "reason"), [(each.kernel, each.status, each.reason) for each in record.absent]
        ),
        "commands": list(dict.fromkeys(_commands(case))),
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


def _cells(case: Case) -> Iterator[dict[str, Any]]:
    """Yield every scope and distance of the record, the headline first, then what another one has of further scopes."""
    for where, view in case.speed.views:
        yield from (_cell(view, *cell, where) for cell in _headline_first(view))
    if case.scopes and case.scopes is not case.speed:
        further = [cell for cell in _headline_first(case.scopes) if cell not in case.speed.cells]
        yield from (
            _cell(case.scopes, *cell, f", recorded with {len(case.scopes.kernels())} kernels") for cell in further
        )


def _headline_first(record: Record) -> list[tuple[str, str]]:
    order = list(CELL)
    return sorted(record.cells, key=lambda cell: (cell != ("baseline", "l1"), order.index(cell[0]), cell[1]))


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


def _ladder(case: Case) -> dict[str, Any] | None:
    """Return the story of the ladder; None where it was not recorded."""
    record, contestants = case.speed, kernel.discover(case.extra)
    steps = ladder.steps(record, contestants)
    if len(steps) < ladder.FEWEST:
        return None
    several = len(case.conditions) > 1
    return {
        "condition": f"Scope baseline under L1, {record.condition}, {record.label}.",
        "steps": [_step(each, case.stale(each.name)) for each in steps],
        "missing": ladder.missing(record, contestants),
        "survivors": ladder.survivors(record),
        "bound": ladder.bound(record),
        "peers": [(name, _code(said)) for name, said in ladder.peers(steps)],
        "ratios": ladder.by_condition(case.conditions, contestants, "ratio") if several else None,
        "faults": ladder.by_condition(case.conditions, contestants, "faults") if several else None,
    }


def _step(step: ladder.Step, stale: bool) -> dict[str, Any]:
    own, before = step.standing, step.before
    faults = f"{step.faults:,.0f}"
    if step.faults_before is not None and f"{step.faults_before:,.0f}" != faults:
        faults = f"{step.faults_before:,.0f} → {faults}"
    return {
        "name": step.name,
        "depth": step.depth,
        "notes": ", ".join(filter(None, (step.part, "stale" if stale else ""))),
        "idea": _code(step.contestant.caption),
        "why": _code(step.contestant.why),
        "after": before.kernel if before else step.contestant.after,
        "times": step.times or step.without,
        "interval": step.interval,
        "median": units.either(own.modes, units.time),
        "median_before": units.either(before.modes, units.time) if before else "",
        "faults": faults,
        "speedup": units.either(own.speedups, units.ratio),
        "share": units.either(own.share.modes, units.share) if own.share else "",
    }


def _code(text: str) -> str:
    """Return a docstring's text as markup: escaped, and what stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", str(escape(text))))


def _crossings(record: Record | None) -> Grid | None:
    if record is None:
        return None
    return Grid(
        ("kernels", "crossover"), [(f"{each.base}, {each.new}", str(each)) for each in crossover.crossings(record)]
    )


def _commands(case: Case) -> Iterator[str]:
    """Yield the commands that record the same again and draw it."""
    rungs = {each.name for each in kernel.discover() if each.rung}
    parts = [each for each in (case.speed, case.scopes, case.sizes, case.memory) if each]
    commits = list(dict.fromkeys(str(each.facts.get("commit", "unknown")) for each in parts))
    yield "# from commit " + ", ".join(commits)
    if any(commit.endswith("-modified") for commit in commits):
        yield "# which had uncommitted changes, so it cannot be repeated exactly"
    everyone = {each.kernel for record in parts for each in record.samples}
    yield "make setup-all" if everyone & rungs else "make setup"
    yield ". .venv/bin/activate"
    for record in parts:
        yield _command(record, case, rungs)
    yield "python -m bench report"


def _command(record: Record, case: Case, rungs: set[str]) -> str:
    """Return the command that records the like of a record."""
    words = ["python -m bench run"]
    if record.kind == "memory":
        words.append("--memory")
    elif record.kind == "sizes":
        words.append(f"--sizes {','.join(map(str, record.sizes))}")
    elif len(record.cells) > 1:
        words.append("--full")
    kernels = {each.kernel for each in record.samples} | {each.kernel for each in record.footprints}
    if kernels & rungs:
        words.append("--ladder")
    if record is case.speed and len(case.conditions) > 1:
        words.append(f"--conditions {','.join(each.condition for each in case.conditions)}")
    elif record.condition != DEFAULT:
        words.append(f"--conditions {record.condition}")
    if record.kind != "memory" and record.processes in (1, 15):
        words.append("--quick" if record.processes == 1 else "--rigorous")
    return " ".join(words)
