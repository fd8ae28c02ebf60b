"""The page: one self-contained HTML file per case, the verdicts first. Nothing is measured here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from bench import formatting as units
from bench import kernel
from bench.analysis import checklist, claims, crossover, ladder
from bench.analysis.summary import standings
from bench.files import whole
from bench.formatting import Grid
from bench.records.model import DEFAULT, Record
from bench.report import charts, tables
from bench.report import gpu_tables as gpu
from bench.report.charts import NotDrawn
from bench.report.charts import files as pictures
from bench.report.selection import Case

PROCESSES = 6  # that `run` takes of each kernel unless it is told otherwise
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
    drawn, written = {}, []
    for name in charts.PICTURES:
        drawn[name], paths = _picture(name, case)
        written += paths
    with whole(case.page) as partial:
        partial.write_text(render("report.html.j2", pictures=drawn, **_contents(case)), encoding="utf-8")
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
    environment.filters["code"] = _code
    return environment.get_template(template).render(units=units, **contents)


def _picture(name: str, case: Case) -> tuple[Shown, list[Path]]:
    """Draw a picture, to a file too where the case is published; without the digits, theirs is left as it is."""
    from markupsafe import Markup

    stem = case.picture(name)
    file = stem.with_name(f"{stem.name}.svg")
    paths: list[Path] = []
    if name in charts.OF_DIGITS and case.published and case.problem is None and file.exists():
        svg = file.read_text(encoding="utf-8")
    else:
        try:
            drawing = charts.draw(name, case)
        except NotDrawn as missing:
            if case.published:
                file.unlink(missing_ok=True)  # it was of another record
            return Shown(str(missing)), paths
        paths = pictures.save(drawing, stem, [".svg"]) if case.published else []
        svg = paths[0].read_text(encoding="utf-8") if paths else pictures.svg(drawing)
    caption, alt = pictures.described(svg)
    inline = Markup(pictures.inline(ascii_lowercase[charts.PICTURES.index(name)], svg))  # by matplotlib, which escapes
    return Shown(caption, alt, inline), paths


def _contents(case: Case) -> dict[str, Any]:
    record = case.speed
    records, facts = case.with_small(record), record.facts
    absent = {each.kernel: (each.kernel, each.status, each.reason) for one in reversed(records) for each in one.absent}
    several = len(case.configurations) > 1
    crossings = crossover.crossings(case.sizes) if case.sizes else []
    return {
        "title": f"{facts.get('cpu_model_name', 'unknown CPU')}, {facts.get('cpu_count', '?')} cores",
        "subtitle": subtitle(record),
        "claims": claims.CLAIMS,
        "rulings": claims.rulings(record, records[1:]),
        "cells": list(_cells(case)),
        "ladder": _ladder(case),
        "configurations": tables.by_configuration(case.configurations) if several else None,
        "no_gpu": gpu.absence(record),
        "gpu": gpu.against_cpu(case.scopes or record),
        "allowed": gpu.allowed(records, case.sizes),
        "gpu_crossings": gpu.crossings(case.sizes),
        "from_files": gpu.from_files(case.scopes or record),
        "crossings": Grid(("kernels", "crossover"), [(f"{each.base}, {each.new}", str(each)) for each in crossings]),
        "facts": Grid(("fact", "value"), [(key, str(facts[key])) for key in sorted(facts) if key != "absent"]),
        "absent": Grid(("kernel", "status", "reason"), [*absent.values()]),
        "commands": list(dict.fromkeys(_commands(case))),
    }


def subtitle(record: Record) -> str:
    """Return what one must know of every number of a record: digits, date, versions, configuration, commit."""
    facts = record.facts
    versions = f"Python {facts.get('python_version')}, NumPy {facts.get('numpy_version')}, "
    return (
        f"Digits {facts.get('dataset')}, recorded {str(facts.get('date', 'at an unknown time'))[:10]} with {versions}"
        f"PyTorch {facts.get('torch_version')}; configuration {record.configuration}, {record.label}; "
        f"commit {facts.get('commit', 'unknown')}."
    )


def _cells(case: Case) -> Iterator[dict[str, Any]]:
    """Yield every scope and distance, the headline first, then small data sets, then what `scopes` has besides."""
    for record in case.with_small(case.speed):
        where = f", {record.per_class} images per class" if record.per_class else ""
        yield from (_cell(record, *cell, where) for cell in _headline_first(record))
    if case.scopes and case.scopes is not case.speed:
        further = [cell for cell in _headline_first(case.scopes) if cell not in case.speed.cells]
        where = f", recorded with {len(case.scopes.kernels())} kernels"
        yield from (_cell(case.scopes, *cell, where) for cell in further)


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
    records = case.with_small(record)
    steps = ladder.steps(records, contestants)
    if len(steps) < ladder.FEWEST:
        return None
    told = [case.with_small(each) for each in case.configurations] if len(case.configurations) > 1 else []
    return {
        "where": f"Scope baseline under L1, {record.configuration}, {record.label}.",
        "steps": [(each, _faults(each), case.stale(each.name)) for each in steps],
        "missing": ladder.missing(records, contestants),
        "survivors": ladder.survivors(record, records[1:]),
        "bound": ladder.bound(record),
        "peers": ladder.peers(steps),
        "ratios": ladder.by_configuration(told, contestants, "ratio") if told else None,
        "faults": ladder.by_configuration(told, contestants, "faults") if told else None,
    }


def _faults(step: ladder.Step) -> str:
    """Return the page faults of the one before and of the step, or one number where they are the same."""
    told = [f"{faults:,.0f}" for faults in (step.faults_before, step.faults) if faults is not None]
    return " → ".join(dict.fromkeys(told))


def _code(text: str) -> str:
    """Return a docstring's text as markup: escaped, and what stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", str(escape(text))))


def _commands(case: Case) -> Iterator[str]:
    """Yield the commands that record the same again and draw it."""
    ladder_kernels = {each.name for each in kernel.discover() if each.rung}
    records = [each for each in (case.speed, case.scopes, case.sizes, case.memory) if each]
    commits = list(dict.fromkeys(str(each.facts.get("commit", "unknown")) for each in records))
    yield "# from commit " + ", ".join(commits)
    if any(commit.endswith("-modified") for commit in commits):
        yield "# which had uncommitted changes, so it cannot be repeated exactly"
    climbed = [bool(ladder_kernels & {*one.kernel_facts}) for one in records]
    yield "make setup-all" if any(climbed) else "make setup"
    yield ". .venv/bin/activate"
    for record, on_ladder in zip(records, climbed, strict=True):
        yield " ".join(_command(record, on_ladder))
    yield "python -m bench report"


def _command(record: Record, on_ladder: bool) -> Iterator[str]:
    """Yield the words of the command that records the like of a record; small data sets come with it."""
    yield "python -m bench run"
    if record.kind == "memory":
        yield "--memory"
    if record.kind == "sizes":
        yield f"--sizes {','.join(map(str, record.sizes))}"
    if record.kind == "scopes":
        yield "--full"
    if on_ladder:
        yield "--ladder"
    if record.configurations != (DEFAULT,):
        yield f"--configurations {','.join(record.configurations)}"
    if record.samples and record.processes != PROCESSES:
        yield f"--processes {record.processes}"
