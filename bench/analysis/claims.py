"""The verdict on every claim of the source documents, C1 to C9, each by its own rule, from records alone.

A claim about speed is decided by the whole interval: *supported* where its low end reaches what is claimed, *refuted*
where its high end does not, else *undetermined*. What was not recorded is undetermined, and the reason says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import formatting, stats
from bench.analysis import checklist, summary
from bench.analysis.speedup import Ratio
from bench.kernel import REFERENCE
from bench.records.model import Record
from bench.records.sample import AGAIN, GPU_LAUNCH

SUPPORTED, REFUTED, UNDETERMINED = "supported", "refuted", "undetermined"
THOUSANDS, MILLIONS = 1_000, 1_000_000  # the weakest readings of "thousands" and "millions of times faster"
TUTORIAL_CPU, TUTORIAL_GPU, NUMPY = "torch_broadcast@cpu", "torch_broadcast@cuda", "numpy_broadcast"
PURE_PYTHON = "python_"  # kernels so named loop in Python over single numbers
TWICE = 2
MNIST_SAMPLE = "d17cacbb445fe991b92e01e6c38fe65b12126650ee4a4d9e16f8f17be9e428d5"  # the digest of the documents' digits
PRINTED = "0.9511"  # the accuracy that the documents print
SURE = 0.05
NOT_ASKED = "fails:"  # and why: the process that should have asked both ranks ended without an answer to either
VIEW = 0.01  # an expansion that allocates less than this part of a copy is none
SEEN = 10**6  # bytes that a copy must have for that to be told: what a call allocates is known in pages alone
CLAIMS = {
    "C1": "broadcasting is a lot less code than loops",
    "C2": "PyTorch on a CPU is thousands of times faster than pure Python",
    "C3": "up to millions of times faster on a GPU",
    "C4": "broadcasting expands the smaller array without allocating memory",
    "C5": "the baseline reaches 0.9511",
    "C6": "the root mean squared distance gives a stronger signal",
    "C7": "NumPy cannot use a GPU, PyTorch can",
    "C8": "mean((-1, -2)) makes one function serve one image and a whole stack",
    "C9": "without abs or a square, positive and negative differences cancel",
}


@dataclass(frozen=True)
class Verdict:
    """One verdict.

    Attributes:
        claim: its id, "C1" to "C9"; one that says several things, or meets several baselines, has several verdicts.
        about: which part of the claim it decides; "" where it has one part.
        verdict: "supported", "refuted" or "undetermined".
        number: what was found, with its interval and level where it has one.
        condition: under which it was found.
        why: one sentence.
    """

    claim: str
    about: str
    verdict: str
    number: str
    condition: str
    why: str


def verdicts(record: Record, small: Sequence[Record] = ()) -> list[Verdict]:
    """Return the verdicts on C1 to C9 that a record of speed allows, in their order.

    Args:
        small: records of small data sets; of those taken from the record's own data set, under its configuration, come
            the verdicts against baselines that the record lacks.
    """
    whole = (record.metadata["dataset_digest"], record.configuration)
    parts = [part for part in small if part.per_class and (part.metadata["dataset_of"], part.configuration) == whole]
    on_gpu = (("baseline", "digits resident on the GPU"), ("end_to_end", "digits from host memory"))
    return [
        *_less_code([record, *parts]),
        *_times_faster(record, parts, "C2", TUTORIAL_CPU, THOUSANDS, (("baseline", ""),)),
        *_times_faster(record, parts, "C3", TUTORIAL_GPU, MILLIONS, on_gpu),
        *_no_memory(record),
        *_accuracy(record),
        *_stronger(record),
        *_devices(record),
        *_ranks(record),
        *_cancel(record),
    ]


def line(verdict: Verdict) -> str:
    """Return a verdict as one line of text."""
    about = f" ({verdict.about})" if verdict.about else ""
    number = f"{verdict.number}: " if verdict.number else ""
    return f"{verdict.claim} {verdict.verdict}{about}: {number}{verdict.why}"


def baselines(record: Record) -> list[str]:
    """Return the pure-Python kernels of a record, the reference first."""
    names = [name for name in record.kernels() if _pure_python(name)]
    return sorted(names, key=lambda name: (name != REFERENCE, name))


def _pure_python(name: str) -> bool:
    return name.startswith(PURE_PYTHON) and not name.endswith(AGAIN)


def _less_code(records: Sequence[Record]) -> Iterator[Verdict]:
    by_kernel = {name: metadata for record in reversed(records) for name, metadata in record.kernel_metadata.items()}
    tokens, lines = (
        {name: int(metadata[key]) for name, metadata in by_kernel.items() if key in metadata}
        for key in ("code_tokens", "code_lines")
    )
    tutorial = next((name for name in (TUTORIAL_CPU, TUTORIAL_GPU) if name in tokens), None)
    if tutorial is None or REFERENCE not in tokens:
        yield _missing("C1", f"the code of {REFERENCE} and {TUTORIAL_CPU} was not counted")
        return
    times = {name: count / tokens[tutorial] for name, count in tokens.items() if _pure_python(name)}
    ratio = times.pop(REFERENCE)
    why = f"{REFERENCE} has {lines[REFERENCE]} lines and {tutorial.partition('@')[0]} {lines[tutorial]}; "
    why += "the rule asks for at least twice the tokens."
    if NUMPY in tokens:
        why += f" Against {NUMPY} it is {tokens[REFERENCE] / tokens[NUMPY]:.2f}."
    if times:
        others = sorted(times.items(), key=lambda item: item[1])
        why += f" Of other loops: {', '.join(f'{name} {each:.2f}' for name, each in others)}."
    number = f"{ratio:.2f} times the tokens, {tokens[REFERENCE]} against {tokens[tutorial]}"
    condition = "functions that compute the baseline under L1, counted by Python's tokenizer; exact"
    yield Verdict("C1", "", SUPPORTED if ratio >= TWICE else REFUTED, number, condition, why)


def _times_faster(
    record: Record, parts: Sequence[Record], claim: str, kernel: str, claimed: int, scopes: Sequence[tuple[str, str]]
) -> Iterator[Verdict]:
    """Judge "kernel is so many times faster" against every pure-Python baseline, in every scope."""
    if not record.of(kernel):
        gpu = "no GPU recorded yet; " if kernel == TUTORIAL_GPU and not record.gpu_kernels() else ""
        yield _missing(claim, f"{gpu}the kernel {_absence(record, kernel)}")
        return
    whole = dict.fromkeys((REFERENCE, *baselines(record)))  # the headline is missed where it is missing
    judged = [(record, base) for base in whole]
    judged += [(part, base) for part in parts for base in baselines(part) if base not in whole]
    for scope, about in scopes:
        for one, base in judged:
            yield _against(one, claim, base, kernel, claimed, scope, about)


def _against(record: Record, claim: str, base: str, kernel: str, claimed: int, scope: str, about: str) -> Verdict:
    """Judge "kernel is so many times faster" against one baseline in one scope."""
    images = f"on {record.per_class} images per class" if record.per_class else ""
    about = ", ".join(filter(None, (f"against {base}", about, images)))
    if obstacle := _obstacle(record, base, kernel, scope):
        return _missing(claim, obstacle, about)
    ratio = summary.paired(record.of(base, scope), record.of(kernel, scope))
    if ratio is None:
        return _missing(claim, "no round holds both", about)
    return _by_interval(record, claim, about, scope, ratio, claimed, _bound(record, scope, base, kernel))


def _obstacle(record: Record, base: str, kernel: str, scope: str) -> str | None:
    """Return why a record allows no ratio of two kernels in a scope; None where nothing is in its way."""
    ours, theirs = record.of(base, scope), record.of(kernel, scope)
    if not record.of(base):
        return f"the kernel {_absence(record, base)}"
    if not ours or not theirs:
        return f"the scope {scope} was not recorded"
    if not record.paired:
        return f"the kernels did not take turns: {record.label}"
    read = sorted({sample.images for sample in (*ours, *theirs)})
    if len(read) > 1:
        return f"they read {' and '.join(f'{images:,}' for images in read)} images"
    failing = [line.found for line in checklist.review(record, scope, "l1", base) if line.level == "FAIL"]
    return f"the checklist fails: {'; '.join(failing)}" if failing else None


def _by_interval(record: Record, claim: str, about: str, scope: str, ratio: Ratio, claimed: int, bound: str) -> Verdict:
    number, verdict = f"{formatting.ratio(ratio.value)} as fast", UNDETERMINED
    if ratio.low is None or ratio.high is None:
        why = f"The record is {record.label}"
    else:
        number += f" ({ratio.interval(level=True)})"
        why = f"The interval holds {claimed:,}×"
        if ratio.low >= claimed:
            verdict, why = SUPPORTED, f"The whole interval reaches {claimed:,}×"
        elif ratio.high < claimed:
            verdict, why = REFUTED, f"The whole interval is below {claimed:,}×"
    condition = f"{scope} under L1, {record.configuration}, {record.label}"
    return Verdict(claim, about, verdict, number, condition, f"{why}.{bound}")


def _bound(record: Record, scope: str, base: str, kernel: str) -> str:
    """Return a sentence on how much faster than a baseline the device of a kernel could be at all."""
    whose, device = ("GPU", "cuda") if record.on_gpu(kernel) else ("machine", "cpu")
    share_of_bound = summary.share_of_bound(record, base, scope, "l1", device)
    if share_of_bound is None:
        return f" The {whose}'s limit was not measured."
    launch = summary.limit(record, scope, device)[0].kernel == GPU_LAUNCH
    what = "launching one kernel" if launch else "every byte read once"
    return f" The {whose}'s limit, {what}, is at {formatting.ratio(1 / share_of_bound.value)}."


def _no_memory(record: Record) -> Iterator[Verdict]:
    examined = [
        name
        for name, metadata in record.kernel_metadata.items()
        if "expansion_full_bytes" in metadata and AGAIN not in name
    ]
    if not examined:
        yield _missing("C4", "no kernel that broadcasts was examined")
        return
    name = min(examined, key=lambda name: (name != TUTORIAL_CPU, name != NUMPY, name))  # the picture has them all
    metadata = record.kernel_metadata[name]
    full = int(metadata["expansion_full_bytes"])
    if "expansion_bytes" not in metadata:
        yield _missing("C4", "this system does not tell what a call allocates", name)
        return
    if full < SEEN:
        yield _missing("C4", f"a copy would take {formatting.size(full)}, too little to be told from none", name)
        return
    taken, strides = int(metadata["expansion_bytes"]), str(metadata.get("expansion_strides", ""))
    why = f"The expanded array has strides ({strides or 'unknown'})"
    why += ": the one mean image is read again for every image." if strides.startswith("0,") else "."
    if "expression_bytes_l1" in metadata:
        why += f" The expression of L1 allocates {formatting.size(int(metadata['expression_bytes_l1']))} for its temporaries."
    verdict = SUPPORTED if taken < VIEW * full else REFUTED
    number = f"{formatting.size(taken)} allocated where a copy takes {formatting.size(full)}"
    condition = f"anonymous memory at its highest point; a mean image against {_valid(record):,} images"
    yield Verdict("C4", name, verdict, number, condition, why)


def _accuracy(record: Record) -> Iterator[Verdict]:
    score = record.metadata.get("exact_l1")
    if score is None:
        yield _missing("C5", "the exact answer was not recorded")
        return
    average = f"{_average(score):.4f}"
    why = "Integer arithmetic gives it, and every kernel that was timed is held to its labels, image by image."
    yield _of_the_documents(record, "C5", "", f"{average} ({score})", average == PRINTED, why)


def _stronger(record: Record) -> Iterator[Verdict]:
    metadata = record.metadata
    if "only_l1_right" not in metadata:
        yield _missing("C6", "the distances were not compared")
        return
    l1, l2 = int(metadata["only_l1_right"]), int(metadata["only_l2_right"])
    p = stats.sign_test(l2, l1)
    number = f"{l2} images are right under L2 alone, {l1} under L1 alone (p = {p:.1g})"
    why = f"An exact sign test on the images where only one is right; average {_average(metadata['exact_l2']):.4f} against"
    why += f" {_average(metadata['exact_l1']):.4f}."
    verdict = UNDETERMINED if p > SURE else SUPPORTED if l2 > l1 else REFUTED
    yield _of_the_documents(record, "C6", "accuracy", number, verdict, why)
    number = f"median relative margin {metadata['margin_l2']:.3f} under L2, {metadata['margin_l1']:.3f} under L1"
    verdict = UNDETERMINED
    if "margin_change_low" in metadata:
        low, high = metadata["margin_change_low"], metadata["margin_change_high"]
        number += f"; the median change of an image is {metadata['margin_change']:+.4f}"
        number += f" ({low:+.4f} to {high:+.4f}, {metadata['margin_change_level']:.1%} CI)"
        verdict = SUPPORTED if low > 0 else REFUTED if high < 0 else UNDETERMINED
    why = "The margin is the difference of both distances over their sum; a stronger signal would make it larger."
    if changes := str(metadata.get("margin_change_by_class", "")).split():
        classes = zip(str(metadata["classes"]).split(), changes, strict=True)
        why += f" By class its median changes by {', '.join(f'{change} ({name})' for name, change in classes)}."
    yield _of_the_documents(record, "C6", "signal", number, verdict, why)


def _devices(record: Record) -> Iterator[Verdict]:
    on_gpu = record.gpu_kernels()
    if not on_gpu:
        yield _missing("C7", "no GPU recorded yet")
        return
    verdict = UNDETERMINED
    why = "PyTorch can; whether NumPy's expressions can was not tried: no kernel with its interface ran there."
    if any(name.startswith(("cupy_", "jax_")) for name in on_gpu):
        verdict = REFUTED
        why = "NumPy runs on the CPU; its expressions run on a GPU by the import of a library with its interface."
    condition = f"{record.configuration}, {record.metadata.get('gpu', 'unknown GPU')}"
    yield Verdict("C7", "", verdict, f"{', '.join(on_gpu)} ran on a GPU", condition, why)


def _ranks(record: Record) -> Iterator[Verdict]:
    asked: dict[str, list[str]] = {}
    for name, metadata in sorted(record.kernel_metadata.items()):
        said = [str(metadata[key]) for key in ("ranks_l1", "ranks_l2") if key in metadata]
        said = [each for each in said if not each.startswith(NOT_ASKED)]
        if said and AGAIN not in name and not name.startswith(PURE_PYTHON):  # a loop never meant to take a stack
            asked[name] = said
    if not asked:
        yield _missing("C8", "no function was called with one image and with the stack")
        return
    serve = {name for name, said in asked.items() if not any("fails" in each for each in said)}
    exact = {name for name in serve if all(len(set(each.split("/"))) == 1 for each in asked[name])}
    number = [f"{len(serve)} of {len(asked)} functions take both ranks, {len(exact)} of them with equal bits"]
    for what, others in (("last bits differ", serve - exact), ("one rank alone", asked.keys() - serve)):
        number += [f"{what}: {', '.join(sorted(others))}"] if others else []
    why = "No such function takes both ranks."
    if serve:
        bits = "with the same results to the last bit" if exact == serve else "though last bits of results may differ"
        why = f"The same function takes both ranks, {bits}."
    condition = "results of one call on the stack that equal, to the last bit, those of one call per image"
    yield Verdict("C8", "", SUPPORTED if serve else REFUTED, "; ".join(number), condition, why)


def _cancel(record: Record) -> Iterator[Verdict]:
    if "exact_signed" not in record.metadata:
        yield _missing("C9", "the signed difference was not tried")
        return
    signed, right = record.metadata["exact_signed"], record.metadata["exact_l1"]
    number = f"{_average(signed):.4f} ({signed}) without abs"
    why = f"Nearest by the absolute signed mean difference; with abs it is {_average(right):.4f}."
    yield _of_the_documents(record, "C9", "", number, _average(signed) < _average(right), why)


def _of_the_documents(record: Record, claim: str, about: str, number: str, held: bool | str, why: str) -> Verdict:
    """Return a verdict on what is exact in the digits; on other digits than the documents' it stays undetermined."""
    verdict = held if isinstance(held, str) else SUPPORTED if held else REFUTED
    name = record.metadata.get("dataset", "unknown digits")
    if record.metadata.get("dataset_digest") != MNIST_SAMPLE:
        verdict, why = UNDETERMINED, f"The digits are {name}, not the documents' MNIST_SAMPLE. {why}"
    return Verdict(claim, about, verdict, number, f"{name}, all {_valid(record):,} validation images; exact", why)


def _missing(claim: str, why: str, about: str = "") -> Verdict:
    return Verdict(claim, about, UNDETERMINED, "", "", f"{why[:1].upper()}{why[1:]}.")


def _average(score: str) -> float:
    """Return the mean of the per-class accuracies of a score such as "926/1010, 1013/1028"."""
    parts = [tuple(map(int, each.split("/"))) for each in score.split(", ")]
    return sum(right / n for right, n in parts) / len(parts)


def _valid(record: Record) -> int:
    return sum(map(int, str(record.metadata["valid_counts"]).split()))


def _absence(record: Record, kernel: str) -> str:
    """Return a kernel's name and why it is not in a record, in a few words."""
    for each in record.not_timed:
        if each.kernel == kernel:
            return f"{kernel} is {each.status}, {each.in_short.rstrip('.')}"
    return f"{kernel} was not recorded"
