"""The README's results, written from the published records between two markers, so that they cannot differ."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import kernel
from bench.analysis import claims
from bench.analysis.summary import Summary, summaries
from bench.atomic import printable
from bench.formatting import Grid
from bench.kernel import ROOT
from bench.records.model import BadRecord
from bench.report import gpu_tables, page, tables
from bench.report.charts import svg
from bench.report.page_records import Selection

README = ROOT / "README.md"
BEGIN = "<!-- results: written by python -m bench report --readme -->"
END = "<!-- end of results -->"


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
    record, small = selection.speed, selection.with_small(selection.speed)[1:]
    metadata, rows = record.metadata, summaries(record)
    shown = _shown(rows)
    more = {name for part in (record, *small) for name in part.kernels()} - {row.kernel for row in shown}
    verdicts = [
        (
            f"{verdict.claim} {claims.CLAIMS[verdict.claim]}{f' ({verdict.about})' if verdict.about else ''}",
            f"**{verdict.verdict}**",
            verdict.number or verdict.why,
        )
        for verdict in claims.verdicts(record, small)
    ]
    title = f"{metadata['cpu_model_name']}, {metadata['cpu_count']} cores"
    return {
        "title": title,
        "folder": selection.page.parent.relative_to(ROOT).as_posix(),
        "side_by_side_alt": _alt(selection.picture("side_by_side")),
        "speedup_alt": _alt(selection.picture("speedup")),
        "verdicts": Grid(("claim", "verdict", "result"), verdicts).markdown(),
        "timed_caption": f"The scope `baseline`, L1 distance, on {title} ({metadata['caches']}). "
        f"{page.subtitle(record)} {tables.bound(record, 'baseline')}",
        "timed": tables.timed(shown).markdown(),
        "more": len(more),
        "notes": f"{claims.not_judged(record)} {gpu_tables.no_gpu(record)}".strip(),
    }


def _shown(rows: Sequence[Summary]) -> list[Summary]:
    """Return the kernels of kernels/ itself, and of the ladder the fastest; what is not in the checkout is shown."""
    ladder = {spec.name for spec in kernel.discover() if spec.on_ladder}
    fastest = next((row for row in reversed(rows) if row.kernel in ladder), None)
    return [row for row in rows if row.kernel not in ladder or row is fastest]


def _alt(stem: Path) -> str:
    """Return a picture's words as they may appear in Markdown's brackets; "" where it could not be drawn."""
    path = stem.with_name(f"{stem.name}.svg")
    _, alt = svg.described(path.read_text(encoding="utf-8")) if path.exists() else ("", "")
    return re.sub(r"[\[\]\s]+", " ", alt).strip()
