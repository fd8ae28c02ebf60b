"""The answer that a record gives, in plain sentences: for the end of a run, for the README and for the page."""

from collections.abc import Iterator, Sequence

from bench import formatting
from bench.analysis import checklist, claims, speedup, summary
from bench.analysis.claims import MILLIONS, MNIST_SAMPLE, NUMPY, THOUSANDS, TUTORIAL_CPU, TUTORIAL_GPU, Verdict
from bench.kernel import REFERENCE
from bench.records.model import ELSEWHERE, Record, is_drawn

BROADCASTING = (TUTORIAL_CPU, TUTORIAL_GPU, NUMPY)  # the first that was recorded is compared with the loops
IN_WORDS = {
    REFERENCE: "the loops", TUTORIAL_CPU: "PyTorch", TUTORIAL_GPU: "PyTorch on the GPU", NUMPY: "NumPy",
    "python_tensor_elements": "loops that index a tensor element by element",
    "python_ndarray_elements": "loops over the elements of a NumPy array",
}  # fmt: skip
LOOPS = f"as fast as {IN_WORDS[REFERENCE]}"
BUSY = 0.5  # of a core that other programs took: PyTorch, which uses all cores, is then slower than it could be


def sentences(record: Record, small: Sequence[Record] = (), scopes: Record | None = None) -> list[str]:
    """Return the answer of a record of speed, in sentences; what was not recorded has no sentence.

    `small` are records of small data sets, as `claims.verdicts` takes them; `scopes` is a record with the scope
    `end_to_end` on the same machine, if `record` lacks it.
    """
    reference = record.reference
    others = [row.kernel for row in reversed(summary.summaries(record)) if row.kernel != reference]  # fastest first
    if not record.samples_of(reference):
        return [f"The kernel {record.why_missing(reference)}, so there is no ratio."]
    if failing := checklist.failing(record):
        return [f"No ratio is shown, because the checklist fails: {'. '.join(item.text for item in failing)}."]
    if not others:
        [alone] = summary.summaries(record)
        return [f"Only {reference} was timed: {alone.median} for {alone.images:,} images, so there is no ratio."]
    if reference != REFERENCE:
        return [*(_compared(record, name) for name in others), *_busy(record, others)]
    kernel = next((name for name in BROADCASTING if name in others), others[0])
    elsewhere = str(record.metadata.get("not_in_commit", "")).split(", ")
    own = [name for name in others if f"{name.partition('@')[0]}.py{ELSEWHERE}" in elsewhere]  # the reader's
    return [
        _headline(record, kernel),
        *(f"{name} is {_times(record, name, LOOPS)}." for name in own if name != kernel),
        *_busy(record, [kernel]),
        *_not_timed(record),
        *other_loops([verdict for verdict in claims.verdicts(record, small) if verdict.claim == "C2"]),
        *_first_call(record, kernel),
        *_from_files(scopes or record, kernel),
    ]


def _headline(record: Record, kernel: str) -> str:
    sentence = f"{where(record) or 'Here '}{_word(kernel)} is {_times(record, kernel, LOOPS)}"
    if kernel == TUTORIAL_CPU and record.samples_of(TUTORIAL_GPU):
        sentence += f"; on the GPU it is {_times(record, TUTORIAL_GPU, 'as fast')}"
    return f"{sentence}."


def _times(record: Record, kernel: str, as_fast: str) -> str:
    """Return a ratio in words, with its interval and what that says of the claim about the kernel."""
    samples = record.samples_of(record.reference), record.samples_of(kernel)
    ratio = speedup.paired_ratio(*samples) if record.paired else None
    times = f"{formatting.ratio(ratio.value if ratio else speedup.unpaired(*samples))} {as_fast}"
    if ratio is None or ratio.low is None:
        return f"{times} ({record.label if ratio or not record.paired else 'no round holds both'})"
    times += f" ({ratio.interval()})"
    if kernel not in BROADCASTING or record.reference != REFERENCE:
        return times
    claimed, word = (MILLIONS, "millions") if kernel == TUTORIAL_GPU else (THOUSANDS, "thousands")
    return (
        times
        + {
            claims.SUPPORTED: f": {word} of times, as claimed",
            claims.REFUTED: f", not {word} of times",
            claims.UNDETERMINED: f"; whether {word} hold is undetermined",
        }[claims.by_interval(ratio, claimed)]
    )


def _busy(record: Record, kernels: Sequence[str]) -> Iterator[str]:
    """Say that other programs took much of the processor, and what that does to PyTorch."""
    cores = summary.cores_used(record, "other_cores")
    if cores is not None and cores >= BUSY:
        why = "; PyTorch's lead needs idle cores" if TUTORIAL_CPU in kernels else ""
        yield f"Other programs took {cores:.1f} of a core meanwhile{why}: record again on an idle machine."


def _not_timed(record: Record) -> Iterator[str]:
    """Say why PyTorch is missing, where it was asked for."""
    asked = any(entry.kernel == TUTORIAL_CPU for entry in record.not_timed)
    if asked and not record.samples_of(TUTORIAL_GPU):
        yield f"PyTorch was not timed: {record.why_missing(TUTORIAL_CPU)}."


def other_loops(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Say against which other loops the claim of thousands holds."""
    others = sorted((one for one in verdicts if one.ratio and one.baseline != REFERENCE), key=_value, reverse=True)
    held, failed, unsure = (
        [one for one in others if one.verdict == wanted]
        for wanted in (claims.SUPPORTED, claims.REFUTED, claims.UNDETERMINED)
    )
    everywhere = any(one.verdict == claims.SUPPORTED for one in verdicts if one.baseline == REFERENCE)
    told = []
    if held:
        but = f", not as {_listed(failed)}" if everywhere and failed else ""
        told.append(f"it is thousands of times as fast {'also' if everywhere else 'only'} as {_listed(held)}{but}")
    elif failed and everywhere:
        told.append(f"it is not thousands of times as fast as {_listed(failed)}")
    elif failed:
        most = f"{formatting.ratio(_value(failed[0]))}, as {_word(failed[0].baseline)}"
        told.append(f"it is thousands of times as fast as no other loops: the most is {most}")
    if unsure:
        what = "so against" if told else "thousands of times as fast as"
        told.append(f"the record cannot tell whether it is {what} {_listed(unsure, ends=True)}")
    if sentence := "; ".join(told):
        yield f"{sentence[0].upper()}{sentence[1:]}."


def _listed(verdicts: Sequence[Verdict], ends: bool = False) -> str:
    """Return loops with their ratios, or for `ends` with the ends of their intervals too."""
    words = []
    for one in verdicts:
        name, times, interval = _word(one.baseline), formatting.ratio(_value(one)), one.ratio and one.ratio.interval()
        words.append(f"{name}, {times} ({interval})" if ends and interval else f"{name} ({times})")
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _value(verdict: Verdict) -> float:
    return verdict.ratio.value if verdict.ratio else 0.0


def _first_call(record: Record, kernel: str) -> Iterator[str]:
    """Say which of both a fresh process finishes first, with its imports."""
    first, second = record.samples_of(REFERENCE, "first_call"), record.samples_of(kernel, "first_call")
    if not first or not second:
        return
    slow, fast = (speedup.median_and_smallest(samples)[0] for samples in (first, second))
    ratio = speedup.paired_ratio(first, second) if record.paired else None
    if ratio and ratio.low is not None and not ratio.sign:
        both = _seconds(slow, fast, f", {_word(kernel)} ")
        yield f"In a fresh process neither surely finishes first: {_word(REFERENCE)} take {both}."
    elif slow < fast:
        yield f"In a fresh process {_word(REFERENCE)} finish first: {_seconds(slow, fast)}."
    else:
        yield f"In a fresh process {_word(kernel)} finishes first: {_seconds(fast, slow)}."


def _from_files(record: Record, kernel: str) -> Iterator[str]:
    """Say what is left of the speedup from files to accuracy; from arrays where loading was not timed."""
    slow, fast = (record.samples_of(name, "end_to_end") for name in (REFERENCE, kernel))
    if not slow or not fast or checklist.failing(record, "end_to_end"):
        return
    loading = float(record.metadata.get("loading_s", 0.0))
    first, second = (loading + speedup.median_and_smallest(samples)[0] for samples in (slow, fast))
    start = "uint8 arrays"
    if loading:
        start = "PNG files" if record.metadata.get("dataset") == "mnist_sample" else "files"
    yield f"From {start} to accuracy it is {formatting.ratio(first / second)}: {_seconds(first, second)}."


def _compared(record: Record, kernel: str) -> str:
    """Return how a kernel compares with a reference that is not the loops."""
    ratio = speedup.paired_ratio(record.samples_of(record.reference), record.samples_of(kernel))
    sentence = f"{where(record)}{kernel} is {_times(record, kernel, f'as fast as {record.reference}')}"
    if ratio and ratio.low and speedup.outcome(ratio, summary.noise_floor(record) or 0.0) == "not resolved":
        sentence += ", a difference that is not resolved"
    return f"{sentence}."


def where(record: Record) -> str:
    """Return the words that begin the answer where the digits are not the documents': which they are; else ""."""
    dataset = str(record.metadata.get("dataset", "unknown digits"))
    if record.metadata.get("dataset_digest") == MNIST_SAMPLE:
        return ""
    return f"On {dataset} digits, which are not MNIST, " if is_drawn(dataset) else f"On {dataset}, "


def _word(kernel: str) -> str:
    return IN_WORDS.get(kernel, kernel)


def _seconds(first: float, second: float, between: str = " against ") -> str:
    """Return two times, both in seconds where that shows them."""
    in_seconds = min(first, second) >= 0.1
    return between.join(f"{value:.2f} s" if in_seconds else formatting.time(value) for value in (first, second))
