"""The page: one self-contained HTML file per selection, the verdicts on the claims first. Nothing is measured here."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from bench import atomic, kernel
from bench.analysis import answer, checklist, claims
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
}  # in the order of the page


def write(selection: Selection) -> list[Path]:
    """Write the page of a selection, and where it is a published machine's its pictures as files; return the paths.

    Without the digits a published machine's picture of them is left as it is.
    """
    left = {charts.OF_DIGITS} if selection.published and selection.problem is None else set()
    left = {name for name in left if selection.picture(name).with_suffix(".svg").exists()}
    drawn.draw_all([name for name in charts.PICTURES if name not in left], selection)
    pictures, written = {}, [selection.page]
    for name in charts.PICTURES:
        file = selection.picture(name).with_suffix(".svg")
        try:
            markup = file.read_text(encoding="utf-8") if name in left else drawn.picture(name, selection).decode()
        except NotDrawn as error:
            pictures[name] = {"caption": str(error), "svg": ""}
            if selection.published:
                file.unlink(missing_ok=True)  # it was of another record
            continue
        pictures[name] = _picture(name, markup)
        if selection.published and name not in left:
            atomic.write(file, markup)
            written.append(file)
    contents = _contents(selection)
    html = render("report.html.j2", pictures=pictures, **contents)
    atomic.write(selection.page, _explained(html, contents["glossary"]))
    return written


def render(template: str, **contents: Any) -> str:
    """Return a template filled in; HTML is escaped, and a name that is missing is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(["html.j2"]),
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": _code, "loops": _loops}
    return environment.get_template(template).render(**contents)


def _picture(name: str, markup: str) -> dict[str, str]:
    """Return a picture on a page: its <svg>, its caption, and in `alt` in words and numbers what it shows."""
    from markupsafe import Markup

    caption, alt = svg.described(markup)
    inline = Markup(svg.inline(ascii_lowercase[charts.PICTURES.index(name)], markup))  # by matplotlib, which escapes
    return {"caption": caption, "alt": alt, "svg": inline}


def _contents(selection: Selection) -> dict[str, Any]:
    record, timed = selection.speed, selection.scopes or selection.speed
    records, metadata = selection.with_small(record), record.metadata
    not_timed = {row.kernel: row for part in reversed(records) for row in part.not_timed}
    skipped = [(row.kernel, row.status_in_words, row.reason) for row in not_timed.values()]
    sizes = selection.sizes if selection.sizes and not checklist.failures(selection.sizes) else None
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
        "ladder": ladder_text.story(selection),
        "configurations": tables.by_configuration(selection.configurations) if selection.configurations[1:] else None,
        "side_by_side": _side_by_side(selection),
        "code": tables.code(records),
        "expansion": tables.expansion(record),
        "memory": tables.memory(selection.memory.footprints) if selection.memory else None,
        "no_gpu": gpu_tables.no_gpu(record),
        "gpu": gpu_tables.against_cpu(timed),
        "allowed": gpu_tables.allowed(records, sizes),
        "gpu_crossings": gpu_tables.crossings(sizes),
        "apart": ""
        if timed is record
        else f"It is another record, {timed.path.name}, so its times differ from those above.",
        "metadata": Grid(("key", "value"), sorted((key, str(metadata[key])) for key in metadata if key != "not_timed")),
        "listed": checklist.LISTED,
        "not_timed": Grid(("kernel", "status", "reason"), skipped),
        "commands": list(dict.fromkeys(_commands(selection))),
    }


def _side_by_side(selection: Selection) -> dict[str, Any]:
    """Return the two kernels' code, step by step; or only why there is none."""
    from bench.report.charts import side_by_side

    try:
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
    paired = "rounds " if record.label.startswith("paired") else ""
    threads, allocator = metadata.get("threads", "?"), metadata.get("allocator", "?")
    return (
        f"Digits {metadata.get('dataset')}, recorded {str(metadata.get('date', 'at an unknown time'))[:10]} with "
        f"Python {metadata.get('python_version')}, NumPy {metadata.get('numpy_version')}, "
        f"PyTorch {metadata.get('torch_version')}; {threads} thread{'' if threads == '1' else 's'}, "
        f"{allocator} allocator; {paired}{record.label}; commit {metadata.get('commit', 'unknown')}."
        + (f" Published by force, in spite of: {metadata['forced']}." if "forced" in metadata else "")
    )


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
    return sorted(record.pairs, key=lambda pair: (order.index(pair[0]), pair[1]))


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
    markup = r"(<(?:svg|pre|dl|h1|summary|nav)\b.*?</(?:svg|pre|dl|h1|summary|nav)>|<details>.*?</details>|<[^>]*>)"
    parts = re.split(markup, body, flags=re.DOTALL)  # text and markup alternately
    for term, meaning in glossary.items():
        forms = "L[12] distance" if term.startswith("L1") else re.escape(term)
        word = re.compile(rf"(?<![\w/-])(?:{forms})(?:e?s)?(?![\w-])")
        first = next((i for i in range(0, len(parts), 2) if word.search(parts[i])), None)
        if first is not None:
            abbreviation = f'<abbr title="{escape(meaning.replace("`", ""))}">\\g<0></abbr>'
            parts[first : first + 1] = re.split(r"(<.*>)", word.sub(abbreviation, parts[first], count=1))
    return f"{before}{tag}{''.join(parts)}"


def _commands(selection: Selection) -> Iterator[str]:
    """Yield the commands that record the same again and draw it."""
    ladder_kernels = {spec.name for spec in kernel.discover() if spec.on_ladder}
    records = [*filter(None, (selection.speed, selection.scopes, selection.sizes, selection.memory))]
    on_ladder = any(ladder_kernels & {*record.kernel_metadata} for record in records)
    commits = list(dict.fromkeys(str(record.metadata.get("commit", "unknown")) for record in records))
    yield "# from commit " + ", ".join(commits)
    if any(commit.endswith("-modified") for commit in commits):
        yield "# which had uncommitted changes, so it cannot be repeated exactly"
    others = {str(record.metadata.get("not_in_commit", "")) for record in (*records, *selection.small)}
    if names := sorted({name for text in others for name in text.split(", ") if name}):
        yield f"# kernels that this commit does not have as they were run: {', '.join(names)}"
    yield "make setup-all" if on_ladder else "make setup"
    yield ". .venv/bin/activate"
    for record in records:  # of an older one, which lacks its command, one like it
        options = {"memory": " --memory", "scopes": " --full", "sizes": f" --sizes {','.join(map(str, record.sizes))}"}
        ladder_too = " --ladder" if on_ladder and record.kind != "sizes" else ""
        yield str(record.metadata.get("command", f"python -m bench run{options.get(record.kind, '')}{ladder_too}"))
    yield "python -m bench report"
