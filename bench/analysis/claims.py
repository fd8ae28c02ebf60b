"""The verdict on every claim of the source documents, C1 to C9, each by its own rule, from records alone.

The whole interval decides a claim about speed: *supported* where its low end reaches what is claimed, *refuted* where
its high end does not, else *undetermined*. A claim without measurements is undetermined, and the reason says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench import formatting, stats
from bench.analysis import bandwidth_bound, checklist, speedup
from bench.analysis.speedup import Ratio
from bench.kernel import REFERENCE
from bench.records.model import Record
from bench.records.sample import AGAIN, GPU_LAUNCH

SUPPORTED, REFUTED, UNDETERMINED = "supported", "refuted", "undetermined"
THOUSANDS, MILLIONS = 1_000, 1_000_000  # the weakest readings of "thousands" and "millions of times faster"
TUTORIAL_CPU, TUTORIAL_GPU, NUMPY = "torch_broadcast@cpu", "torch_broadcast@cuda", "numpy_broadcast"
ABOUT_LOOPS = ("C1", "C2", "C3")
PURE_PYTHON = "python_"  # begins the names of kernels that loop in Python over single numbers
TWICE = 2
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
    """One verdict.

    Attributes:
        claim: its id, "C1" to "C9"; a claim with several parts or baselines has several verdicts.
        about: which part of the claim it decides; "" for a claim of one part.
        verdict: "supported", "refuted" or "undetermined".
        number: what was measured, with its interval and level if it has one.
        basis: what was compared or counted, and under which configuration.
        why: one sentence.
        baseline: the kernel that a claim about speed is decided against; "" for other claims.
        ratio: how many times as fast as that the tutorial's kernel is; None where no ratio may be shown.
    """

    claim: str
    about: str
    verdict: str
    number: str
    basis: str
    why: str
    baseline: str = ""
    ratio: Ratio | None = None


def verdicts(record: Record, small: Sequence[Record] = ()) -> list[Verdict]:
    """Return the verdicts on C1 to C9 that a record of speed allows, in their order.

    Those that need the loops are left out of a record without them, see `not_judged`.

    Args:
        small: records of small data sets. Those taken from the record's own data set, under its configuration, give
            the verdicts against baselines that the record lacks.
    """
    whole = (record.metadata["dataset_digest"], record.configuration)
    small = [part for part in small if part.per_class and (part.metadata["dataset_of"], part.configuration) == whole]
    on_gpu = (("baseline", "digits resident on the GPU"), ("end_to_end", "digits from host memory"))
    without_loops = bool(not_judged(record))
    judged = [
        *_less_code([record, *small]),
        *_times_faster(record, small, "C2", TUTORIAL_CPU, THOUSANDS, (("baseline", ""),)),
        *_times_faster(record, small, "C3", TUTORIAL_GPU, MILLIONS, on_gpu),
        *_no_memory(record),
        *_accuracy(record),
        *_stronger(record),
        *_devices(record),
        *_ranks(record),
        *_cancel(record),
    ]
    return [verdict for verdict in judged if not (without_loops and verdict.claim in ABOUT_LOOPS)]


def not_judged(record: Record) -> str:
    """Return which claims a record of `run --against` says nothing about, as a sentence; "" where all are judged."""
    if REFERENCE in (record.reference, *record.kernels()):
        return ""
    return f"{', '.join(ABOUT_LOOPS)} are not judged, for they are about {REFERENCE}, which this run left out."


def baselines(record: Record) -> list[str]:
    """Return the pure-Python kernels of a record, the reference first."""
    names = [name for name in record.kernels() if _pure_python(name)]
    return sorted(names, key=lambda name: (name != REFERENCE, name))


def _pure_python(name: str) -> bool:
    return name.startswith(PURE_PYTHON) and not name.endswith(AGAIN)


def _less_code(records: Sequence[Record]) -> Iterator[Verdict]:
    by_kernel = {name: metadata for record in reversed(records) for name, metadata in record.kernel_metadata.items()}
    counted = {name: metadata for name, metadata in by_kernel.items() if "code_tokens" in metadata}
    tokens = {name: int(metadata["code_tokens"]) for name, metadata in counted.items()}
    tutorial = next((name for name in (TUTORIAL_CPU, TUTORIAL_GPU) if name in tokens), None)
    if tutorial is None or REFERENCE not in tokens:
        missing = [] if REFERENCE in tokens else [f"the code of {REFERENCE} was not counted"]
        if tutorial is None:
            timed = records[0].samples_of(TUTORIAL_CPU)
            why = f"the code of {TUTORIAL_CPU} was not counted"
            missing.append(why if timed else f"the kernel {why_missing(records[0], TUTORIAL_CPU)}")
        yield _undetermined("C1", "; ".join(missing))
        return
    lines = {name: int(counted[name]["code_lines"]) for name in (REFERENCE, tutorial)}
    times = {name: count / tokens[tutorial] for name, count in tokens.items() if _pure_python(name)}
    ratio = times.pop(REFERENCE)
    why = f"{REFERENCE} has {lines[REFERENCE]} lines and {tutorial.partition('@')[0]} {lines[tutorial]}; "
    why += "the rule asks for at least twice the tokens."
    if NUMPY in tokens:
        why += f" Against {NUMPY} the ratio is {tokens[REFERENCE] / tokens[NUMPY]:.2f}."
    if times:
        others = sorted(times.items(), key=lambda item: item[1])
        why += f" The ratios of other loops: {', '.join(f'{name} {value:.2f}' for name, value in others)}."
    number = f"{ratio:.2f} times the tokens, {tokens[REFERENCE]} against {tokens[tutorial]}"
    basis = "functions that compute the baseline under the L1 distance, counted by Python's tokenizer; exact"
    yield Verdict("C1", "", SUPPORTED if ratio >= TWICE else REFUTED, number, basis, why)


def _times_faster(
    record: Record, small: Sequence[Record], claim: str, kernel: str, claimed: int, scopes: Sequence[tuple[str, str]]
) -> Iterator[Verdict]:
    """Decide "kernel is so many times faster" against every pure-Python baseline, in every scope."""
    if not record.samples_of(kernel):
        gpu = "no GPU recorded yet; " if kernel == TUTORIAL_GPU and not record.gpu_kernels() else ""
        yield _undetermined(claim, f"{gpu}the kernel {why_missing(record, kernel)}")
        return
    whole = dict.fromkeys((REFERENCE, *baselines(record)))  # a missing reference is a verdict too
    compared = [(record, base) for base in whole]
    compared += [(part, base) for part in small for base in baselines(part) if base not in whole]
    for scope, about in scopes:
        for holder, base in compared:
            yield _against(holder, claim, base, kernel, claimed, scope, about)


def _against(record: Record, claim: str, base: str, kernel: str, claimed: int, scope: str, about: str) -> Verdict:
    """Decide "kernel is so many times faster" against one baseline in one scope."""
    images = f"on {record.per_class} images per class" if record.per_class else ""
    about = ", ".join(filter(None, (f"against {base}", about, images)))
    if obstacle := _obstacle(record, base, kernel, scope):
        return replace(_undetermined(claim, obstacle, about), baseline=base)
    ratio = speedup.paired_ratio(record.samples_of(base, scope), record.samples_of(kernel, scope))
    if ratio is None:
        return replace(_undetermined(claim, "no round holds both", about), baseline=base)
    decided = _by_interval(record, claim, about, scope, ratio, claimed, _bound(record, scope, base, kernel))
    return replace(decided, baseline=base, ratio=ratio)


def _obstacle(record: Record, base: str, kernel: str, scope: str) -> str | None:
    """Return why a record allows no ratio of two kernels in a scope; None if it allows one."""
    samples = [record.samples_of(name, scope) for name in (base, kernel)]
    if not record.samples_of(base):
        return f"the kernel {why_missing(record, base)}"
    if not all(samples):
        return f"the scope {scope} was not recorded"
    if not record.paired:
        return f"the kernels share no rounds: {record.label}"
    images = sorted({sample.images for sample in (*samples[0], *samples[1])})
    if len(images) > 1:
        return f"they read {' and '.join(f'{count:,}' for count in images)} images"
    failing = [item.text for item in checklist.review(record, scope, "l1", base) if item.level == "FAIL"]
    return f"the checklist fails: {'. '.join(failing)}" if failing else None


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
    basis = f"{scope} under the L1 distance, {record.configuration}, {record.label}"
    return Verdict(claim, about, verdict, number, basis, f"{why}.{bound}")


def _bound(record: Record, scope: str, base: str, kernel: str) -> str:
    """Return a sentence on how much faster than a baseline any kernel could be on the device of `kernel`."""
    whose, device = ("GPU", "cuda") if record.on_gpu(kernel) else ("machine", "cpu")
    share_of_bound = bandwidth_bound.share_of_bound(record, base, scope, "l1", device)
    if share_of_bound is None:
        return f" The {whose}'s bound was not measured."
    launch = bandwidth_bound.bound_samples(record, scope, device)[0].kernel == GPU_LAUNCH
    what = "launching one kernel" if launch else "every byte read once"
    return f" The {whose}'s bound, {what}, is at {formatting.ratio(1 / share_of_bound.value)}."


def _no_memory(record: Record) -> Iterator[Verdict]:
    by_kernel = {
        name: metadata
        for name, metadata in record.kernel_metadata.items()
        if "expansion_full_bytes" in metadata and AGAIN not in name
    }
    if not by_kernel:
        yield _undetermined("C4", "no kernel that broadcasts was examined")
        return
    name = min(by_kernel, key=lambda name: (name != TUTORIAL_CPU, name != NUMPY, name))  # the picture has them all
    metadata = by_kernel[name]
    full = int(metadata["expansion_full_bytes"])
    if "expansion_bytes" not in metadata:
        yield _undetermined("C4", "this system does not measure what a call allocates", name)
        return
    if full < SMALLEST_COPY:
        yield _undetermined("C4", f"a copy would take {formatting.size(full)}, too little to tell it from a view", name)
        return
    taken, strides = int(metadata["expansion_bytes"]), str(metadata.get("expansion_strides", ""))
    why = f"The expanded array has strides ({strides or 'unknown'})"
    why += ": the one mean image is read again for every image." if strides.startswith("0,") else "."
    if "expression_bytes_l1" in metadata:
        temporaries = formatting.size(int(metadata["expression_bytes_l1"]))
        why += f" The expression of the L1 distance allocates {temporaries} for its temporaries."
    verdict = SUPPORTED if taken < VIEW * full else REFUTED
    number = f"{formatting.size(taken)} allocated where a copy takes {formatting.size(full)}"
    basis = f"anonymous memory at its highest point; a mean image against {_valid(record):,} images"
    yield Verdict("C4", name, verdict, number, basis, why)


def _accuracy(record: Record) -> Iterator[Verdict]:
    score = record.metadata.get("exact_l1")
    if score is None:
        yield _undetermined("C5", "the exact answer was not recorded")
        return
    average = f"{_average(score):.4f}"
    why = "Integer arithmetic gives this accuracy, and every timed kernel gave the same labels, image by image."
    yield _of_the_documents(record, "C5", "", f"{average} ({score})", average == PRINTED, why)


def _stronger(record: Record) -> Iterator[Verdict]:
    metadata = record.metadata
    if "only_l1_right" not in metadata:
        yield _undetermined("C6", "the distances were not compared")
        return
    l1, l2 = int(metadata["only_l1_right"]), int(metadata["only_l2_right"])
    p = stats.sign_test(l2, l1)
    shown = f"p = {p:.1g}" if p else "p < 1e-300"  # a float has none so small
    number = f"{l2} images are right under the L2 distance alone, {l1} under the L1 distance alone ({shown})"
    why = "An exact sign test on the images that only one distance labels correctly; accuracy "
    why += f"{_average(metadata['exact_l2']):.4f} against {_average(metadata['exact_l1']):.4f}."
    verdict = UNDETERMINED if p > SURE else SUPPORTED if l2 > l1 else REFUTED
    yield _of_the_documents(record, "C6", "accuracy", number, verdict, why)
    number = f"median relative margin {metadata['margin_l2']:.3f} under the L2 distance, "
    number += f"{metadata['margin_l1']:.3f} under the L1 distance"
    verdict = UNDETERMINED
    if "margin_change_low" in metadata:
        low, high = metadata["margin_change_low"], metadata["margin_change_high"]
        number += f"; the median change of an image is {metadata['margin_change']:+.4f}"
        number += f" ({low:+.4f} to {high:+.4f}, {metadata['margin_change_level']:.1%} CI)"
        verdict = SUPPORTED if low > 0 else REFUTED if high < 0 else UNDETERMINED
    why = "The margin is the difference of both distances over their sum; a stronger signal would make it larger."
    names, changes = (str(metadata.get(key, "")).split() for key in ("classes", "margin_change_by_class"))
    if changes and len(names) == len(changes):
        classes = zip(names, changes, strict=True)
        why += f" By class its median changes by {', '.join(f'{change} ({name})' for name, change in classes)}."
    yield _of_the_documents(record, "C6", "signal", number, verdict, why)


def _devices(record: Record) -> Iterator[Verdict]:
    on_gpu = record.gpu_kernels()
    if not on_gpu:
        yield _undetermined("C7", "no GPU recorded yet")
        return
    verdict = UNDETERMINED
    why = "PyTorch can. NumPy's expressions were not tried: no kernel with NumPy's interface ran there."
    if any(name.startswith(("cupy_", "jax_")) for name in on_gpu):
        verdict = REFUTED
        why = "NumPy runs on the CPU; its expressions run on a GPU with the import of a library that has its interface."
    basis = f"{record.configuration}, {record.metadata.get('gpu', 'unknown GPU')}"
    yield Verdict("C7", "", verdict, f"{', '.join(on_gpu)} ran on a GPU", basis, why)


def _ranks(record: Record) -> Iterator[Verdict]:
    compared: dict[str, list[str]] = {}
    for name, metadata in sorted(record.kernel_metadata.items()):
        results = [str(metadata[key]) for key in ("ranks_l1", "ranks_l2") if key in metadata]
        results = [result for result in results if not result.startswith(NOT_COMPARED)]
        if results and AGAIN not in name and not name.startswith(PURE_PYTHON):  # a loop is not meant to take a stack
            compared[name] = results
    if not compared:
        yield _undetermined("C8", "no function was called with one image and with the stack")
        return
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
    yield Verdict("C8", "", SUPPORTED if serve else REFUTED, number, basis, why)


def _cancel(record: Record) -> Iterator[Verdict]:
    if "exact_signed" not in record.metadata:
        yield _undetermined("C9", "the signed difference was not tried")
        return
    signed, right = record.metadata["exact_signed"], record.metadata["exact_l1"]
    number = f"{_average(signed):.4f} ({signed}) without abs"
    why = f"Nearest by the absolute signed mean difference; with abs it is {_average(right):.4f}."
    yield _of_the_documents(record, "C9", "", number, _average(signed) < _average(right), why)


def _of_the_documents(record: Record, claim: str, about: str, number: str, held: bool | str, why: str) -> Verdict:
    """Return a verdict on what is exact in the digits; undetermined on other digits than the documents'."""
    verdict = held if isinstance(held, str) else SUPPORTED if held else REFUTED
    name = record.metadata.get("dataset", "unknown digits")
    if record.metadata.get("dataset_digest") != MNIST_SAMPLE:
        verdict, why = UNDETERMINED, f"The digits are {name}, not the documents' MNIST_SAMPLE. {why}"
    return Verdict(claim, about, verdict, number, f"{name}, all {_valid(record):,} validation images; exact", why)


def _undetermined(claim: str, why: str, about: str = "") -> Verdict:
    return Verdict(claim, about, UNDETERMINED, "", "", f"{why[:1].upper()}{why[1:]}.")


def _average(score: str) -> float:
    """Return the mean of the per-class accuracies of a score such as "926/1010, 1013/1028"."""
    classes = [tuple(map(int, part.split("/"))) for part in score.split(", ")]
    return sum(right / images for right, images in classes) / len(classes)


def _valid(record: Record) -> int:
    return sum(map(int, str(record.metadata["valid_counts"]).split()))


def why_missing(record: Record, kernel: str) -> str:
    """Return a kernel's name and why a record does not hold it, in a few words."""
    for entry in record.not_timed:
        if entry.kernel == kernel:
            return f"{kernel} is {entry.status_in_words}, {entry.in_short.rstrip('.')}"
    return f"{kernel} was not recorded"
