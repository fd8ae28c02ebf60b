"""The page: one self-contained HTML file per selection, the verdicts on the claims first. Nothing is measured here."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from bench import atomic, formatting, kernel
from bench.analysis import answer, checklist, claims, crossover, ladder
from bench.analysis.summary import summaries
from bench.formatting import Grid
from bench.records.model import Record
from bench.report import charts, gpu_tables, ladder_text, page_words, tables
from bench.report.charts import NotDrawn, drawn, svg
from bench.report.page_records import Selection

TEMPLATES = Path(__file__).parent / "templates"
SCOPES = {
    "baseline": "mean images and labels, on prepared stacks",
    "predict": "labels alone",
    "mean": "mean images alone",
    "end_to_end": "from uint8 arrays on the host",
}


@dataclass(frozen=True)
class Shown:
    """A picture on a page: its <svg>, or "" and in the caption why; `alt` says in words and numbers what it shows."""

    caption: str
    alt: str = ""
    svg: str = ""


def write(selection: Selection) -> list[Path]:
    """Write the page of a selection, and where it is a published machine's its pictures as files; return the paths."""
    shown, written = {}, []
    drawn.draw_all([name for name in charts.PICTURES if not _left(name, selection)], selection)
    for name in charts.PICTURES:
        shown[name], paths = _picture(name, selection)
        written += paths
    contents = _contents(selection)
    atomic.write(selection.page, _explained(render("report.html.j2", pictures=shown, **contents), contents["glossary"]))
    return [selection.page, *written]


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
    environment.filters["loops"] = _loops
    return environment.get_template(template).render(units=formatting, **contents)


def _left(name: str, selection: Selection) -> bool:
    """Return whether a published machine's picture is left as it is, for it shows digits that are not at hand."""
    file = selection.page.with_name(f"{name}.svg")
    return name == charts.OF_DIGITS and selection.published and selection.problem is None and file.exists()


def _picture(name: str, selection: Selection) -> tuple[Shown, list[Path]]:
    """Draw a picture, to a file too on a published machine's page; without the digits, theirs is left as it is."""
    from markupsafe import Markup

    stem = selection.picture(name)
    file = stem.with_name(f"{stem.name}.svg")
    paths: list[Path] = []
    if _left(name, selection):
        markup = file.read_text(encoding="utf-8")
    else:
        try:
            markup = drawn.picture(name, selection).decode()
        except NotDrawn as error:
            if selection.published:
                file.unlink(missing_ok=True)  # it was of another record
            return Shown(str(error)), paths
        if selection.published:
            atomic.write(file, markup)
            paths.append(file)
    caption, alt = svg.described(markup)
    inline = Markup(svg.inline(ascii_lowercase[charts.PICTURES.index(name)], markup))  # by matplotlib, which escapes
    return Shown(caption, alt, inline), paths


def _contents(selection: Selection) -> dict[str, Any]:
    record = selection.speed
    records, metadata = selection.with_small(record), record.metadata
    not_timed = {row.kernel: row for part in reversed(records) for row in part.not_timed}
    skipped = [(row.kernel, row.status_in_words, row.reason) for row in not_timed.values()]
    sizes = selection.sizes if selection.sizes and not checklist.failures(selection.sizes) else None
    crossings = crossover.crossings(sizes) if sizes else []
    return {
        "title": f"{metadata.get('cpu_model_name', 'unknown CPU')}, {metadata.get('cpu_count', '?')} cores",
        "subtitle": subtitle(record),
        "record": record,
        "answer": answer.sentences(record, records[1:], selection.scopes),
        "glossary": page_words.glossary(record),
        "questions": page_words.questions(selection),
        "claims": claims.CLAIMS,
        "claim_rows": page_words.claim_rows(record, records[1:]),
        "not_judged": claims.not_judged(record),
        "results": list(_results(selection)),
        "ladder": _ladder(selection),
        "configurations": tables.by_configuration(selection.configurations) if selection.configurations[1:] else None,
        "side_by_side": _side_by_side(selection),
        "code": tables.code(records),
        "expansion": tables.expansion(record),
        "memory": tables.memory(selection.memory.footprints) if selection.memory else None,
        "no_gpu": gpu_tables.no_gpu(record),
        "gpu": gpu_tables.against_cpu(selection.scopes or record),
        "allowed": gpu_tables.allowed(records, sizes),
        "gpu_crossings": gpu_tables.crossings(sizes),
        "from_files": gpu_tables.from_files(selection.scopes or record),
        "apart": f"It is another record, {selection.scopes.path.name}, so its times differ from those above."
        if selection.scopes and selection.scopes is not record
        else "",
        "overtakes": _overtakes(sizes) if sizes else "",
        "crossings": Grid(("kernels", "crossover"), [(f"{pair.base}, {pair.new}", str(pair)) for pair in crossings]),
        "metadata": Grid(
            ("key", "value"), [(key, str(metadata[key])) for key in sorted(metadata) if key != "not_timed"]
        ),
        "listed": checklist.LISTED,
        "not_timed": Grid(("kernel", "status", "reason"), skipped),
        "commands": list(dict.fromkeys(_commands(selection))),
    }


def _side_by_side(selection: Selection) -> dict[str, Any]:
    """Return the two kernels' code, step by step; or only why there is none."""
    from bench.report.charts import side_by_side

    try:
        with charts.only_this_picture():
            pair = side_by_side.pair(selection)
    except NotDrawn as error:
        return {"missing": str(error)}
    return {
        "steps": [(title, [code.steps[step] for code in pair]) for step, title in side_by_side.TITLES.items()],
        "pair": pair,
        "comparison": f"{pair[1].name} is {side_by_side.comparison(*pair)}.",
    }


def subtitle(record: Record) -> str:
    """Return what one must know of every number of a record: digits, date, versions, configuration, commit."""
    metadata = record.metadata
    return (
        f"Digits {metadata.get('dataset')}, recorded {str(metadata.get('date', 'at an unknown time'))[:10]} with "
        f"Python {metadata.get('python_version')}, NumPy {metadata.get('numpy_version')}, "
        f"PyTorch {metadata.get('torch_version')}; {_in_words(record)}; "
        f"commit {metadata.get('commit', 'unknown')}."
        + (f" Published by force, in spite of: {metadata['forced']}." if "forced" in metadata else "")
    )


def _overtakes(sizes: Record) -> str:
    """Return from how many images on PyTorch is faster than NumPy, and what is not resolved."""
    found = str(crossover.crossover(sizes, claims.NUMPY, claims.TUTORIAL_CPU))
    return f"{found}{', where the interval of their ratio holds 1' if 'not resolved' in found else ''}."


def _in_words(record: Record) -> str:
    """Return how a record was made: all threads, default allocator; rounds paired, 6 processes per kernel."""
    paired = "rounds " if record.label.startswith("paired") else ""
    threads, allocator = record.metadata.get("threads", "?"), record.metadata.get("allocator", "?")
    return f"{threads} thread{'' if threads == '1' else 's'}, {allocator} allocator; {paired}{record.label}"


def _results(selection: Selection) -> Iterator[dict[str, Any]]:
    """Yield every scope and distance, the headline first, then small data sets, then what only `scopes` has."""
    for record in selection.with_small(selection.speed):
        where = f", {record.per_class} images per class" if record.per_class else ""
        yield from (_result(record, *pair, where) for pair in _headline_first(record))
    if selection.scopes and selection.scopes is not selection.speed:
        further = [pair for pair in _headline_first(selection.scopes) if pair not in selection.speed.pairs]
        where = f", recorded with {len(selection.scopes.kernels())} kernels"
        yield from (_result(selection.scopes, *pair, where) for pair in further)


def _headline_first(record: Record) -> list[tuple[str, str]]:
    order = list(SCOPES)
    return sorted(record.pairs, key=lambda pair: (pair != ("baseline", "l1"), order.index(pair[0]), pair[1]))


def _result(record: Record, scope: str, distance: str, where: str) -> dict[str, Any]:
    checks = checklist.review(record, scope, distance)
    under = "" if distance == "-" else f", {distance.upper()} distance"
    return {
        "title": f"{scope}{under}{where}",
        "caption": f"{SCOPES[scope]}. {tables.bound(record, scope)} {record.label}.",
        "grid": tables.timed(summaries(record, scope, distance), ratios=not checklist.failed(checks)),
        "checks": checks,
        "counts": ", ".join(f"{n} {level}" for level, n in Counter(item.level for item in checks).items()),
    }


def _ladder(selection: Selection) -> dict[str, Any] | None:
    """Return what the page says of the ladder; None where it was not recorded."""
    record, specs = selection.speed, kernel.discover(selection.extra)
    records = selection.with_small(record)
    steps = ladder.steps(records, specs)
    if len(steps) < ladder.FEWEST:
        return None
    several = [selection.with_small(part) for part in selection.configurations] if selection.configurations[1:] else []
    return {
        "where": f"Scope baseline, L1 distance, {record.configuration}, {record.label}.",
        "steps": [(step, _faults(step), selection.stale(step.name)) for step in steps],
        "missing": ladder.missing(records, specs),
        "bound": ladder_text.bound(record),
        "peers": ladder_text.peers(steps),
        "ratios": ladder_text.by_configuration(several, specs) if several else None,
    }


def _faults(step: ladder.Step) -> str:
    """Return the page faults of the kernel before and of the step, or one number where they are the same."""
    both = [f"{faults:,.0f}" for faults in (step.faults_before, step.faults) if faults is not None]
    return " → ".join(dict.fromkeys(both))


def _code(text: str) -> str:
    """Return a text as markup: escaped, what is between backticks as code, and no option broken at its hyphens."""
    from markupsafe import Markup, escape

    whole = re.sub(r"(?<!\w)--\w[\w-]*\.?", r'<span class="whole">\g<0></span>', str(escape(text)))
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", whole))


def _loops(line: str) -> str:
    """Return a line of code as markup, with its loops marked."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"\b(?:for|while)\b", r"<b>\g<0></b>", str(escape(line))))


def _explained(html: str, glossary: dict[str, str]) -> str:
    """Return a page in which every term of the glossary explains itself where the text first has it."""
    from markupsafe import escape

    before, tag, body = html.partition("<body>")
    parts, end = [], 0  # text and markup in turns
    for markup in re.finditer(
        r"<(svg|pre|dl|h1|summary|nav)\b.*?</\1>|<details>.*?</details>|<[^>]*>", body, flags=re.DOTALL
    ):
        parts += [body[end : markup.start()], markup[0]]
        end = markup.end()
    parts.append(body[end:])
    for term, meaning in glossary.items():
        forms = ("L1 distance", "L2 distance") if term.startswith("L1") else (term,)
        word = re.compile(rf"(?<![\w/-])(?:{'|'.join(map(re.escape, forms))})(?:e?s)?(?![\w-])")
        for i in range(0, len(parts), 2):  # the text between tags
            if found := word.search(parts[i]):
                abbreviation = f'<abbr title="{escape(meaning.replace("`", ""))}">{found[0]}</abbr>'
                parts[i : i + 1] = [parts[i][: found.start()], abbreviation, parts[i][found.end() :]]
                break
    return f"{before}{tag}{''.join(parts)}"


def _commands(selection: Selection) -> Iterator[str]:
    """Yield the commands that record the same again and draw it."""
    ladder_kernels = {spec.name for spec in kernel.discover() if spec.on_ladder}
    records = [*filter(None, (selection.speed, selection.scopes, selection.sizes, selection.memory))]
    on_ladder = [bool(ladder_kernels & {*record.kernel_metadata}) for record in records]
    commits = list(dict.fromkeys(str(record.metadata.get("commit", "unknown")) for record in records))
    yield "# from commit " + ", ".join(commits)
    if any(commit.endswith("-modified") for commit in commits):
        yield "# which had uncommitted changes, so it cannot be repeated exactly"
    others = {str(record.metadata.get("not_in_commit", "")) for record in (*records, *selection.small)}
    if names := sorted({name for text in others for name in text.split(", ") if name}):
        yield f"# kernels that this commit does not have as they were run: {', '.join(names)}"
    yield "make setup-all" if any(on_ladder) else "make setup"
    yield ". .venv/bin/activate"
    for record in records:  # of an older one, which lacks its command, one like it
        options = {"memory": " --memory", "scopes": " --full", "sizes": f" --sizes {','.join(map(str, record.sizes))}"}
        ladder_too = " --ladder" if any(on_ladder) and record.kind != "sizes" else ""
        yield str(record.metadata.get("command", f"python -m bench run{options.get(record.kind, '')}{ladder_too}"))
    yield "python -m bench report"
