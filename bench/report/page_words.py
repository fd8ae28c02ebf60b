"""What a page says in words: its glossary, one row for each claim, and the answers to a sceptic's questions."""

from collections.abc import Sequence
from dataclasses import replace

from bench.analysis import answer, claims, summary
from bench.analysis.claims import TUTORIAL_CPU, Verdict
from bench.kernel import REFERENCE
from bench.records.model import Record
from bench.report import tables
from bench.report.page_records import Selection

SPEEDUP = "*speedup*: The median of the ratios taken round by round, which is not the ratio of the two medians."


def claim_rows(record: Record, small: Sequence[Record]) -> list[tuple[Verdict, list[Verdict]]]:
    """Return a row for each claim and part, with the verdicts that fold away below it.

    A claim about speed is one row, whose verdict is that against the first baseline, the reference.
    """
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in claims.verdicts(record, small):
        groups.setdefault((verdict.claim, "" if verdict.baseline else verdict.about), []).append(verdict)
    return [_claim_row(group) for group in groups.values()]


def _claim_row(group: list[Verdict]) -> tuple[Verdict, list[Verdict]]:
    first, *others = group
    if not others:
        return first, []
    number = " ".join(filter(None, (first.number, first.about)))
    loops = answer.other_loops(group) if first.claim == "C2" else ()
    return replace(first, about="", number=". ".join([number, *loops])), group


def glossary(record: Record) -> dict[str, str]:
    """Return what the page's words mean, in the order in which they occur; its figures are the record's."""
    level = tables.ci(row.ratio for row in summary.summaries(record))
    of_hundred, why = "at least 95 of 100", ""
    if "%" in level:
        of_hundred = f"about {level.partition('%')[0]} of 100"
        why = f" {record.processes} processes reach no level between 95% and this one."
    floor = summary.noise_floor(record)
    times = "once" if record.processes == 1 else f"{record.processes} times"
    return {
        "kernel": "One file that makes the mean images and the labels in its own way.",
        "scope": "What one timed call contains; in `baseline`, the headline, the mean images and every label.",
        "L1 and L2 distance": "How far two images are apart: the mean absolute difference of their pixels, or the "
        "root of the mean squared difference.",
        "process": f"A kernel's own program. Each kernel was started afresh {times}, because what a "
        "start draws by chance, such as where its memory lies, stays with it.",
        level: f"A confidence interval. Record again and again, and {of_hundred} such intervals hold the true "
        f"ratio.{why}",
        "noise floor": "How much a kernel seems to differ from itself"
        + (f", here {floor:.1%}. A smaller difference between two kernels is not resolved." if floor else "."),
        "bandwidth bound": "The time in which this machine can read every pixel once. Only a kernel that leaves "
        "pixels out can be faster; % of bound is that time over the kernel's time.",
        "first call": "The import of the libraries and the first call, in a fresh process.",
    }


def questions(selection: Selection) -> list[tuple[str, str]]:
    """Return what a sceptic asks and the answer, as far as the records know it."""
    record = selection.speed
    cores = record.metadata.get("cpu_count", "?")
    about_loops = [
        (
            "Why twice the tokens, and why 1,000×?",
            "They are the weakest readings of “a lot less code” and “thousands of times faster”, so they favour the "
            "claims. Half of the loops' tokens, as Python's tokenizer counts them, is the least that can be called a "
            "lot less; 1,000 is the least that can be called thousands. The whole confidence interval must be above "
            "1,000× for supported and below it for refuted.",
        ),
        (
            "Why does PyTorch's lead need idle cores?",
            f"PyTorch shares every operation among all {cores} cores and waits for the slowest part; loops and NumPy's "
            "expressions use one. So a program that takes one core hardly slows the loops, but every operation of "
            "PyTorch.",
        ),
    ]
    return [
        *(about_loops if record.reference == REFERENCE else ()),
        ("Which slowdown could this record show?", _detectable(record)),
        (
            "What was controlled?",
            f"The digits, the threads and the allocator ({record.configuration}), the variables that change how "
            "libraries run, the versions, and the order: it changes from round to round, and a slow kernel stands "
            "between calls of the fast ones, so that a machine that slows down slows all of them down. Every answer "
            "was compared with the exact one before and after it was timed.",
        ),
        ("What could not be controlled?", _circumstances(record)),
    ]


def _detectable(record: Record) -> str:
    floor = summary.noise_floor(record)
    if floor is None:
        return "None: without an A/A control, a kernel measured against itself, nobody knows how much is noise."
    text = f"A difference of up to {floor:.1%} is the noise floor and not resolved."
    row = next((row for row in summary.summaries(record) if row.kernel == TUTORIAL_CPU), None)
    if row and row.ratio and row.ratio.low and row.ratio.high:
        down, up = 1 - row.ratio.low / row.ratio.value, row.ratio.high / row.ratio.value - 1
        text += f" The interval of {TUTORIAL_CPU} ends {down:.0%} below and {up:.0%} above its ratio, so a kernel "
        text += "that is slower by less than that could hide in it."
    else:
        text += " Fewer than six processes per kernel give no confidence interval, so nothing is resolved."
    return f"{text} More processes narrow it: python -m bench run --rigorous."


def _circumstances(record: Record) -> str:
    governor = str(record.metadata.get("governor", "unknown"))
    frequency = f"is {governor}" if governor != "unknown" else "cannot be read here, as on most virtual machines"
    users = {"other_cores": "Other programs", "steal_cores": "The host of the virtual machine"}
    taken = {who: summary.cores_used(record, name) for name, who in users.items()}
    used = [f"{who} took {cores:.1%} of a core meanwhile." for who, cores in taken.items() if cores is not None]
    throttled = record.metadata.get("gpu_throttled")
    return " ".join(
        [
            f"The governor of the processor's frequency {frequency}.",
            *(used or ["How much other programs took was not recorded."]),
            "Caches and memory are shared with whatever else runs there.",
            *([f"The GPU was throttled: {throttled}."] if throttled else []),
        ]
    )
