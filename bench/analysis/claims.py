"""The verdict on every claim of the source documents, C1 to C9, each by its own rule, from records alone.

The whole interval decides a claim about speed: *supported* where its low end reaches what is claimed, *refuted* where
its high end does not, else *undetermined*. A claim without measurements is undetermined, and the reason says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench import formatting, stats
from bench.analysis import bandwidth_bound, checklist, speedup
from bench.analysis.speedup import Ratio
from bench.kernel import REFERENCE
from bench.records.model import Record
from bench.records.sample import AGAIN

SUPPORTED, REFUTED, UNDETERMINED = "supported", "refuted", "undetermined"
THOUSANDS, MILLIONS = 1_000, 1_000_000  # the weakest readings of "thousands" and "millions of times faster"
TUTORIAL_CPU, TUTORIAL_GPU, NUMPY = "torch_broadcast@cpu", "torch_broadcast@cuda", "numpy_broadcast"
ABOUT_LOOPS = ("C1", "C2", "C3")
PURE_PYTHON = "python_"  # begins the names of kernels that loop in Python over single numbers
MNIST_SAMPLE = "57604c9051980ad1ef6945ca2324a1216ef8c37df2e0093830e977ddbc062a33"  # the digest of the documents' digits
PRINTED = "0.9511"  # the accuracy that the documents print
SURE = 0.05
NOT_COMPARED = "fails:"  # begins `ranks_l1` where the process ended before it had called the function at either rank
VIEW = 0.01  # an expansion that allocates less than this part of a copy is a view
SMALLEST_COPY = 10**6  # bytes; a smaller copy cannot be told from a view, as allocations are measured in pages
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
IN_SHORT = {
    "C1": "much less code", "C2": "thousands of times", "C3": "millions on a GPU", "C4": "no memory",
    "C5": "reaches 0.9511", "C6": "stronger", "C7": "not NumPy on GPU", "C8": "one function", "C9": "they cancel",
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """One verdict; a claim with several parts or baselines has several."""

    claim: str  # "C1" to "C9"
    about: str  # which part of the claim it decides; "" for a claim of one part
    verdict: str  # "supported", "refuted" or "undetermined"
    number: str  # what was measured, with its interval and level if it has one
    basis: str  # what was compared or counted, and under which configuration
    why: str  # one sentence
    baseline: str = ""  # the kernel that a claim about speed is decided against
    ratio: Ratio | None = None  # how many times as fast as that the tutorial's kernel is; None where none may be shown


def verdicts(record: Record, small: Sequence[Record] = ()) -> list[Verdict]:
    """Return the verdicts on C1 to C9 that a record of speed allows, in their order.

    Records of small data sets, taken from the record's own under its configuration, give the verdicts against baselines
    that the record lacks.
    """
    whole = (record.metadata["dataset_digest"], record.configuration)
    small = [part for part in small if part.per_class and (part.metadata["dataset_of"], part.configuration) == whole]
    on_gpu = {"baseline": "digits resident on the GPU", "end_to_end": "digits from host memory"}
    about_loops = [
        _less_code([record, *small]),
        *_times_faster(record, small, "C2", TUTORIAL_CPU, THOUSANDS, {"baseline": ""}),
        *_times_faster(record, small, "C3", TUTORIAL_GPU, MILLIONS, on_gpu),
    ]
    others = [rule(record) for rule in (_no_memory, _accuracy, _stronger, _signal, _devices, _ranks, _cancel)]
    return [*([] if not_judged(record) else about_loops), *filter(None, others)]


def not_judged(record: Record) -> str:
    """Return which claims a record of `run --against` says nothing about, as a sentence; "" where all are judged."""
    if REFERENCE in (record.reference, *record.kernels()):
        return ""
    return f"{', '.join(ABOUT_LOOPS)} are not judged, for they are about {REFERENCE}, which this run left out."


def by_interval(ratio: Ratio, claimed: int) -> str:
    """Return the verdict on "so many times faster"."""
    if ratio.low is None or ratio.high is None:
        return UNDETERMINED
    return SUPPORTED if ratio.low >= claimed else REFUTED if ratio.high < claimed else UNDETERMINED


def _kernels_with(key: str, record: Record) -> dict[str, dict[str, Any]]:
    """Return by name the metadata of the kernels that have a key, without the A/A control."""
    by_kernel = record.kernel_metadata
    return {name: by_kernel[name] for name in by_kernel if key in by_kernel[name] and not name.endswith(AGAIN)}


def _less_code(records: Sequence[Record]) -> Verdict:
    counted: dict[str, dict[str, Any]] = {}
    for record in reversed(records):
        counted |= _kernels_with("code_tokens", record)
    tokens = {name: int(metadata["code_tokens"]) for name, metadata in counted.items()}
    tutorial = next((name for name in (TUTORIAL_CPU, TUTORIAL_GPU) if name in tokens), TUTORIAL_CPU)
    for name in (REFERENCE, tutorial):
        if name not in tokens:
            timed, why_missing = records[0].samples_of(name), f"the kernel {records[0].why_missing(name)}"
            return _undetermined("C1", f"the code of {name} was not counted" if timed else why_missing)
    loops, ratio = tokens[REFERENCE], tokens[REFERENCE] / tokens[tutorial]
    why = f"{REFERENCE} has {counted[REFERENCE]['code_lines']} lines and {tutorial.partition('@')[0]} "
    why += f"{counted[tutorial]['code_lines']}; the rule asks for at least twice the tokens."
    if NUMPY in tokens:
        why += f" Against {NUMPY} the ratio is {loops / tokens[NUMPY]:.2f}."
    others = sorted((count / tokens[tutorial], name) for name, count in tokens.items() if name.startswith(PURE_PYTHON))
    if listed := ", ".join(f"{name} {value:.2f}" for value, name in others if name != REFERENCE):
        why += f" The ratios of other loops: {listed}."
    number = f"{ratio:.2f} times the tokens, {loops} against {tokens[tutorial]}"
    basis = "functions that compute the baseline under the L1 distance, counted by Python's tokenizer; exact"
    return Verdict("C1", "", _decided(ratio >= 2), number, basis, why)


def _times_faster(
    record: Record, small: Sequence[Record], claim: str, kernel: str, claimed: int, scopes: dict[str, str]
) -> Iterator[Verdict]:
    """Decide "kernel is so many times faster" against every pure-Python baseline, in every scope."""
    if not record.samples_of(kernel):
        gpu = "no GPU recorded yet; " if kernel == TUTORIAL_GPU and not record.gpu_kernels() else ""
        yield _undetermined(claim, f"{gpu}the kernel {record.why_missing(kernel)}")
        return
    compared = {REFERENCE: record}  # also where it is missing: that is a verdict too
    for holder in (record, *small):
        for name in holder.kernels():
            if name.startswith(PURE_PYTHON):
                compared.setdefault(name, holder)
    for scope, where in scopes.items():
        for base, holder in compared.items():
            yield _against(holder, claim, base, kernel, claimed, scope, where)


def _against(record: Record, claim: str, base: str, kernel: str, claimed: int, scope: str, where: str) -> Verdict:
    images = f"on {record.per_class} images per class" if record.per_class else ""
    about = ", ".join(filter(None, (f"against {base}", where, images)))
    ratio = speedup.paired_ratio(record.samples_of(base, scope), record.samples_of(kernel, scope))
    obstacle = _obstacle(record, base, kernel, scope) or ("" if ratio else "no round holds both")
    if obstacle or not ratio:
        return _undetermined(claim, obstacle, about, base)
    verdict, number = by_interval(ratio, claimed), f"{formatting.ratio(ratio.value)} as fast"
    why = f"The record is {record.label}"
    if ratio.low is not None:
        number += f" ({ratio.interval(level=True)})"
        whole = {SUPPORTED: "whole interval reaches", REFUTED: "whole interval is below"}
        why = f"The {whole.get(verdict, 'interval holds')} {claimed:,}×"
    basis = f"{scope} under the L1 distance, {record.configuration}, {record.label}"
    why = f"{why}.{bandwidth_bound.sentence(record, scope, base, kernel)}"
    return Verdict(claim, about, verdict, number, basis, why, base, ratio)


def _obstacle(record: Record, base: str, kernel: str, scope: str) -> str:
    """Return why a record allows no ratio of two kernels in a scope; "" if it allows one."""
    if not record.samples_of(base):
        return f"the kernel {record.why_missing(base)}"
    if not all(record.samples_of(name, scope) for name in (base, kernel)):
        return f"the scope {scope} was not recorded"
    if not record.paired:
        return f"the kernels share no rounds: {record.label}"
    failing = ". ".join(item.text for item in checklist.failing(record, scope, "l1", base))
    return f"the checklist fails: {failing}" if failing else ""


def _no_memory(record: Record) -> Verdict:
    by_kernel = _kernels_with("expansion_full_bytes", record)
    if not by_kernel:
        return _undetermined("C4", "no kernel that broadcasts was examined")
    name = min(by_kernel, key=lambda name: (name != TUTORIAL_CPU, name != NUMPY, name))  # the picture has them all
    metadata = by_kernel[name]
    full, taken = int(metadata["expansion_full_bytes"]), metadata.get("expansion_bytes")
    if taken is None:
        return _undetermined("C4", "this system does not measure what a call allocates", name)
    if full < SMALLEST_COPY:
        return _undetermined("C4", f"a copy takes {formatting.size(full)}, too little to tell it from a view", name)
    strides = str(metadata.get("expansion_strides", "unknown"))
    why = f"The expanded array has strides ({strides})"
    why += ": the one mean image is read again for every image." if strides.startswith("0,") else "."
    if "expression_bytes_l1" in metadata:
        temporaries = formatting.size(int(metadata["expression_bytes_l1"]))
        why += f" The expression of the L1 distance allocates {temporaries} for its temporaries."
    number = f"{formatting.size(int(taken))} allocated where a copy takes {formatting.size(full)}"
    basis = f"anonymous memory at its highest point; a mean image against {_valid(record):,} images"
    return Verdict("C4", name, SUPPORTED if taken < VIEW * full else REFUTED, number, basis, why)


def _accuracy(record: Record) -> Verdict:
    if "exact_l1" not in record.metadata:
        return _undetermined("C5", "the exact answer was not recorded")
    score, average = record.metadata["exact_l1"], f"{_average(record.metadata['exact_l1']):.4f}"
    why = "Integer arithmetic gives this accuracy, and every timed kernel gave the same labels, image by image."
    return _of_the_documents(record, "C5", "", f"{average} ({score})", _decided(average == PRINTED), why)


def _stronger(record: Record) -> Verdict:
    metadata = record.metadata
    if "only_l1_right" not in metadata:
        return _undetermined("C6", "the distances were not compared")
    l1, l2 = int(metadata["only_l1_right"]), int(metadata["only_l2_right"])
    p = stats.sign_test(l2, l1)
    shown = f"p = {p:.1g}" if p else "p < 1e-300"  # a float has none so small
    number = f"{l2} images are right under the L2 distance alone, {l1} under the L1 distance alone ({shown})"
    why = "An exact sign test on the images that only one distance labels correctly; accuracy "
    why += f"{_average(metadata['exact_l2']):.4f} against {_average(metadata['exact_l1']):.4f}."
    verdict = UNDETERMINED if p > SURE else _decided(l2 > l1)
    return _of_the_documents(record, "C6", "accuracy", number, verdict, why)


def _signal(record: Record) -> Verdict | None:
    metadata, verdict = record.metadata, UNDETERMINED
    if "margin_l1" not in metadata:
        return None
    number = f"median relative margin {metadata['margin_l2']:.3f} under the L2 distance, "
    number += f"{metadata['margin_l1']:.3f} under the L1 distance"
    if "margin_change_low" in metadata:
        low, high = metadata["margin_change_low"], metadata["margin_change_high"]
        number += f"; the median change of an image is {metadata['margin_change']:+.4f}"
        number += f" ({low:+.4f} to {high:+.4f}, {metadata['margin_change_level']:.1%} CI)"
        verdict = SUPPORTED if low > 0 else REFUTED if high < 0 else UNDETERMINED
    why = "The margin is the difference of both distances over their sum; a stronger signal would make it larger."
    names, changes = (str(metadata.get(key, "")).split() for key in ("classes", "margin_change_by_class"))
    if changes and len(names) == len(changes):
        by_class = (f"{change} ({name})" for name, change in zip(names, changes, strict=True))
        why += f" By class its median changes by {', '.join(by_class)}."
    return _of_the_documents(record, "C6", "signal", number, verdict, why)


def _devices(record: Record) -> Verdict:
    on_gpu = record.gpu_kernels()
    if not on_gpu:
        return _undetermined("C7", "no GPU recorded yet")
    verdict = UNDETERMINED
    why = "PyTorch can. NumPy's expressions were not tried: no kernel with NumPy's interface ran there."
    if any(name.startswith(("cupy_", "jax_")) for name in on_gpu):
        verdict = REFUTED
        why = "NumPy runs on the CPU; its expressions run on a GPU with the import of a library that has its interface."
    basis = f"{record.configuration}, {record.metadata.get('gpu', 'unknown GPU')}"
    return Verdict("C7", "", verdict, f"{', '.join(on_gpu)} ran on a GPU", basis, why)


def _ranks(record: Record) -> Verdict:
    compared: dict[str, list[str]] = {}
    for name, metadata in sorted(_kernels_with("ranks_l1", record).items()):
        results = [str(metadata[key]) for key in ("ranks_l1", "ranks_l2") if key in metadata]
        results = [result for result in results if not result.startswith(NOT_COMPARED)]
        if results and not name.startswith(PURE_PYTHON):  # a loop is not meant to take a stack
            compared[name] = results
    if not compared:
        return _undetermined("C8", "no function was called with one image and with the stack")
    serve = {name for name, results in compared.items() if not any("fails" in result for result in results)}
    exact = {name for name in serve if all(len(set(result.split("/"))) == 1 for result in compared[name])}
    number = f"{len(serve)} of {len(compared)} functions take both ranks, {len(exact)} of them with equal bits"
    for what, others in (("last bits differ", serve - exact), ("one rank alone", compared.keys() - serve)):
        number += f"; {what}: {', '.join(sorted(others))}" if others else ""
    why = "No such function takes both ranks."
    if serve:
        bits = "with the same results to the last bit" if exact == serve else "though last bits of results may differ"
        why = f"The same function takes both ranks, {bits}."
    basis = "one call on the stack against one call per image; results that are equal to the last bit"
    return Verdict("C8", "", _decided(bool(serve)), number, basis, why)


def _cancel(record: Record) -> Verdict:
    if "exact_signed" not in record.metadata:
        return _undetermined("C9", "the signed difference was not tried")
    signed, right = (_average(record.metadata[key]) for key in ("exact_signed", "exact_l1"))
    number = f"{signed:.4f} ({record.metadata['exact_signed']}) without abs"
    why = f"Nearest by the absolute signed mean difference; with abs it is {right:.4f}."
    return _of_the_documents(record, "C9", "", number, _decided(signed < right), why)


def _decided(held: bool) -> str:
    return SUPPORTED if held else REFUTED


def _of_the_documents(record: Record, claim: str, about: str, number: str, verdict: str, why: str) -> Verdict:
    """Return a verdict on what is exact in the digits; undetermined on other digits than the documents'."""
    name = record.metadata.get("dataset", "unknown digits")
    if record.metadata.get("dataset_digest") != MNIST_SAMPLE:
        verdict, why = UNDETERMINED, f"The digits are {name}, not the documents' MNIST_SAMPLE. {why}"
    return Verdict(claim, about, verdict, number, f"{name}, all {_valid(record):,} validation images; exact", why)


def _undetermined(claim: str, why: str, about: str = "", baseline: str = "") -> Verdict:
    return Verdict(claim, about, UNDETERMINED, "", "", f"{why[:1].upper()}{why[1:]}.", baseline)


def _average(score: str) -> float:
    """Return the mean of the per-class accuracies of a score such as "926/1010, 1013/1028"."""
    classes = [tuple(map(int, part.split("/"))) for part in score.split(", ")]
    return sum(right / images for right, images in classes) / len(classes)


def _valid(record: Record) -> int:
    return sum(map(int, str(record.metadata["valid_counts"]).split()))
