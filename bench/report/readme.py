"""The README's results, written from the published records between two markers, so that they cannot differ."""

import io
from collections.abc import Sequence
from typing import Any

from bench import formatting, kernel
from bench.analysis import answer, claims
from bench.analysis.summary import Summary, summaries
from bench.atomic import printable
from bench.formatting import Grid
from bench.kernel import ROOT
from bench.records.model import BadRecord, Record
from bench.report import gpu_tables, page, page_words, tables
from bench.report.page_records import Selection

README = ROOT / "README.md"
BEGIN = "<!-- results: written by python -m bench report --readme -->"
END = "<!-- end of results -->"
EXPLAINED = ("bandwidth bound", "first call")  # beside the confidence interval, below the table


def rewritten(text: str, selections: Sequence[Selection]) -> str:
    """Return a README with the text between its markers made anew from published selections and their pictures.

    Raises:
        BadRecord: nothing is published, or the text has not exactly one pair of markers.
    """
    before, after = around(text, selections)
    results = page.render("readme.md.j2", machines=[_machine(selection) for selection in selections]).strip()
    results = printable(results)
    return f"{before}{BEGIN}\n\n{results}\n\n{END}{after}"


def around(text: str, selections: Sequence[Selection]) -> tuple[str, str]:
    """Return the text before and after the markers, which is left as it is.

    Raises:
        BadRecord: as `rewritten`.
    """
    if not selections:
        raise BadRecord("No record is published. Publish one with python -m bench publish.")
    if not (text.count(BEGIN) == text.count(END) == text.partition(BEGIN)[2].count(END) == 1):
        raise BadRecord(f"{README.name} must have one line {BEGIN} and after it one line {END}. Put them back.")
    before, rest = text.split(BEGIN)
    return before, rest.split(END)[1]


def _machine(selection: Selection) -> dict[str, Any]:
    record, metadata = selection.speed, selection.speed.metadata
    rows, title = summaries(record), f"{metadata['cpu_model_name']}, {metadata['cpu_count']} cores"
    fastest = rows[-1]
    words = page_words.glossary(record)
    drawn = {name: selection.picture(name).with_suffix(".svg").exists() for name in ("side_by_side", "speedup")}
    pair = [record.reference, next((name for name in answer.BROADCASTING if record.samples_of(name)), "")]
    return {
        "title": title,
        "folder": selection.page.parent.relative_to(ROOT).as_posix(),
        "answer": answer.sentences(record, selection.with_small(record)[1:], selection.scopes),
        "side_by_side": f"The code of {' and '.join(pair)}, step by step" if drawn["side_by_side"] else "",
        "speedup": f"How many times as fast as {record.reference} each of {len(rows)} kernels is; the fastest, "
        f"{fastest.kernel}, {formatting.ratio(fastest.speedup)}",
        "timed": _table(record, rows).markdown(),
        "caption": (
            f"Mean images and labels under the L1 distance on {title}.",
            page.subtitle(record),
            page_words.SPEEDUP,
            *(f"*{term}*: {words[term].replace('`', '')}" for term in words if "CI" in term or term in EXPLAINED),
        ),
        "output": _output(record, rows),
        "notes": f"{claims.not_judged(record)} {gpu_tables.no_gpu(record)}".strip(),
    }


def _table(record: Record, rows: Sequence[Summary]) -> Grid:
    """Return the table of `run` for a few kernels, each with its one idea."""
    ideas = {spec.name: spec.caption for spec in kernel.discover()}
    table = tables.timed(_shown(rows))
    kept = [i for i, name in enumerate(table.columns) if name not in ("kernel", "smallest", "ns per image")]
    cells = [(f"`{row[0]}`", ideas.get(row[0], "").rstrip("."), *(row[i] for i in kept)) for row in table.rows]
    return Grid(("kernel", "the one idea", *(table.columns[i] for i in kept)), cells, right=table.right)


def _output(record: Record, rows: Sequence[Summary]) -> str:
    """Return some lines of what `make bench` prints, on a terminal of 80 columns."""
    from rich.console import Console

    known = {spec.name for spec in kernel.discover() if not spec.on_ladder}
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(tables.timed([row for row in rows if row.kernel in known]))
        console.print(tables.verdicts([row for row in claims.verdicts(record) if row.claim in claims.ABOUT_LOOPS], 80))
    lines = [line.rstrip() for line in capture.get().splitlines() if line.strip()]
    return "\n".join([*lines, "…"])


def _shown(rows: Sequence[Summary]) -> list[Summary]:
    """Return the kernels of kernels/ itself, and of the ladder the fastest that only Python runs and the fastest."""
    ladder = {spec.name for spec in kernel.discover() if spec.on_ladder}
    falling = [row for row in reversed(rows) if row.kernel in ladder]
    picked = falling[:1] + [row for row in falling if row.kernel.startswith(claims.PURE_PYTHON)][:1]
    return [row for row in rows if row.kernel not in ladder or row in picked]
