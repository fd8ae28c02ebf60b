"""Speedup over the reference kernel, one bar per kernel on a log axis, its time beside it, a dot per process."""

from collections import defaultdict
from collections.abc import Sequence

from bench import formatting
from bench.analysis import checklist
from bench.analysis.summary import Summary, summaries
from bench.records.model import BadRecord, NotTimed
from bench.report import tables
from bench.report.charts import Drawing, bars, style
from bench.report.charts.bars import Row
from bench.report.page_records import Selection


def draw(selection: Selection) -> Drawing:
    """Draw the scope `baseline`, L1 distance.

    Raises:
        BadRecord: the record is not one of speed, lacks that scope or the reference in it, or its checklist FAILs.
    """
    record = selection.speed
    if not record.speed:
        raise BadRecord(f"{record.path} is a record of {record.kind}. Name a record of times.")
    if not record.samples_of(record.reference):
        raise BadRecord(f"{record.path} has no times of {record.reference} in baseline l1. Include it in the next run.")
    checklist.must_not_fail(record)
    kernels = sorted(summaries(record), key=lambda row: row.speedup or 0)
    rows = {row.kernel: _row(row, selection.stale(row.kernel)) for row in kernels}
    not_timed = _by_reason(record.not_timed)
    names = [names[0] if len(names) == 1 else f"{len(names)} others" for names in not_timed.values()]
    others = [Row(style.short(name), why, timed=False) for name, why in zip(names, not_timed, strict=True)]
    ratios = [row.ratio for row in kernels if row.ratio and not row.is_reference]
    legend = style.legend(
        "Bar: median.",
        "Dot: one process." if ratios else "",
        f"Line: {tables.ci(ratios)}." if any(ratio.level for ratio in ratios) else "",
        stale=any(row.stale for row in rows.values()),
        groups=any(row.groups for row in kernels),
    )
    bound = next(row.share_of_bound for row in kernels if row.is_reference)
    with style.drawing():
        title = f"Mean images and labels of {record.metadata.get('dataset', 'unknown digits')}, L1 distance"
        xlabel = f"times as fast as {record.reference} (log scale)"
        figure, _ = bars.draw(title, legend, record, [*rows.values(), *others], bound, xlabel)
    sentences = [f"Scope baseline, L1 distance, {record.label}."]
    sentences += [f"{row.kernel}: {rows[row.kernel].words}{_interval(row)}." for row in kernels]
    sentences += [f"The bandwidth bound of this machine is at {formatting.ratio(1 / bound.value)}."] if bound else []
    sentences += [f"{', '.join(names)}: {reason}." for reason, names in not_timed.items()]
    caption = f"How many times as fast as {record.reference} each kernel makes mean images and labels."
    return Drawing(figure, caption, " ".join(sentences))


def _row(row: Summary, stale: bool) -> Row:
    times = "1×, the reference" if row.is_reference else formatting.ratio(row.speedup)
    label, words = style.short(row.kernel), " · ".join([times, row.median, *(["stale"] if stale else [])])
    if row.is_reference or row.ratio is None:
        return Row(label, words, end=None if row.is_reference else row.speedup, stale=stale)
    ends = (row.ratio.low, row.ratio.high) if row.ratio.low and row.ratio.high else ()
    return Row(label, words, 1, row.ratio.value, ends, row.ratio.per_process, stale=stale)


def _interval(row: Summary) -> str:
    interval = row.ratio.interval(level=True) if row.ratio else ""
    return f", {interval}" if interval and not row.is_reference else ""


def _by_reason(not_timed: Sequence[NotTimed]) -> dict[str, list[str]]:
    """Return the kernels that were not timed by the reason, which is cut where it is long."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row in not_timed:
        line = row.in_short
        by_reason[f"{row.status_in_words}: {line if len(line) <= 60 else f'{line[:59]}…'}"].append(row.kernel)
    return by_reason
