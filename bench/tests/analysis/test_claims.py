"""Every verdict by its rule, on records with planted true ratios; and nothing that a record may lack is a crash."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import claims
from bench.analysis.claims import (
    CLAIMS,
    MNIST_SAMPLE,
    REFUTED,
    SUPPORTED,
    TUTORIAL_CPU,
    TUTORIAL_GPU,
    UNDETERMINED,
    Verdict,
)
from bench.analysis.speedup import Ratio
from bench.kernel import REFERENCE
from bench.records import reader
from bench.records.model import NotTimed
from bench.report import page_records
from bench.tests.builders_records import DOCUMENTS, changed, configurations, pytest_benchmark, record, samples, small

LOOPS_S = 4.0  # so that a thousandth of it is slower than the machine's bound, 1 ms
GPU_S = 1e-5
CPU, GPU = TUTORIAL_CPU, TUTORIAL_GPU
NO_GPU = (NotTimed(GPU, "unavailable", "no NVIDIA driver on this machine"),)
PAIRS = (("baseline", "l1"), ("end_to_end", "l1"))
HEADLINE = f"against {REFERENCE}"
ON_GPU = {"device": "cuda"}
WITHOUT_INTERVAL = {key: value for key, value in DOCUMENTS.items() if not key.startswith("margin_change")}
EXPANDED = {"expansion_strides": "0, 28, 1", "expansion_full_bytes": 6_000_000, "expansion_bytes": 0}


def verdicts_on(claim, record, small=()):
    return [verdict for verdict in sound(claims.verdicts(record, small)) if verdict.claim == claim]


def verdict_on(claim, record, about=""):
    (verdict,) = [verdict for verdict in verdicts_on(claim, record) if verdict.about == about]
    return verdict


def times(torch, **seconds):
    """Return samples of loops and of the tutorial's kernel on the CPU, so many times as fast."""
    return samples(**{"python_loops": LOOPS_S, CPU: LOOPS_S / torch, **seconds})


def with_kernels(folder, metadata, **more):
    """Return a record of kernels with their metadata."""
    return record(folder, samples(**dict.fromkeys(set(metadata) - {REFERENCE, "quick"}, 0.01)), (), metadata, **more)


def sound(verdicts):
    """Assert that every claim has its verdicts, in order, each a sentence of one line; return them."""
    assert list(dict.fromkeys(verdict.claim for verdict in verdicts)) == list(CLAIMS) == [f"C{n}" for n in range(1, 10)]
    for verdict in verdicts:
        assert verdict.verdict in (SUPPORTED, REFUTED, UNDETERMINED)
        assert verdict.why.endswith(".")
        assert not verdict.why.endswith("..")
        assert verdict.why[0].isupper() or "_" in verdict.why.split()[0]  # where a kernel's name begins the sentence
        assert verdict.verdict == UNDETERMINED or verdict.number
        assert "\n" not in f"{verdict.number}{verdict.why}"
    assert len({(verdict.claim, verdict.about) for verdict in verdicts}) == len(verdicts)
    return verdicts


def code(tokens):
    return {"code_tokens": tokens, "code_lines": 9}


def ranks(l1, l2=None):
    return {"ranks_l1": l1} if l2 is None else {"ranks_l1": l1, "ranks_l2": l2}


# claim, its part, metadata of the record and of its kernels, verdict, text of its line
RULES = [
    ("C1", "", {}, {REFERENCE: code(200), CPU: code(100)}, SUPPORTED, "2.00 times the tokens, 200 against 100"),
    ("C1", "", {}, {REFERENCE: code(199), GPU: code(100)}, REFUTED, "has 9 lines and torch_broadcast 9;"),  # one file
    ("C1", "", {}, {REFERENCE: code(9), "numpy_broadcast": code(9)}, UNDETERMINED, f": The kernel {CPU} was not rec"),
    ("C1", "", {}, {CPU: code(9)}, UNDETERMINED, f": The code of {REFERENCE} was not counted."),
    ("C4", CPU, {}, {CPU: EXPANDED}, SUPPORTED, "strides (0, 28, 1): the one mean image is read again"),
    ("C4", CPU, {}, {CPU: {**EXPANDED, "expansion_bytes": 60_000}}, REFUTED, "where a copy takes 6.00 MB"),
    ("C4", CPU, {}, {CPU: {**EXPANDED, "expression_bytes_l1": 12_000_000}}, SUPPORTED, "distance allocates 12.0 MB"),
    ("C4", CPU, {}, {CPU: {**EXPANDED, "expansion_full_bytes": 999_999}}, UNDETERMINED, "A copy takes 1000 kB"),
    ("C4", CPU, {}, {CPU: {"expansion_full_bytes": 6_000_000}}, UNDETERMINED, "This system does not measure"),
    ("C4", "", {}, {"quick~again": EXPANDED}, UNDETERMINED, "No kernel that broadcasts was examined."),
    ("C4", "numpy_broadcast", {}, {"a": EXPANDED, "numpy_broadcast": EXPANDED}, SUPPORTED, "0 B allocated"),
    ("C5", "", DOCUMENTS, {}, SUPPORTED, "0.9511 (926/1010, 1013/1028)"),
    ("C5", "", {**DOCUMENTS, "exact_l1": "925/1010, 1013/1028"}, {}, REFUTED, "0.9506 (925/1010, 1013/1028)"),
    ("C6", "accuracy", DOCUMENTS, {}, SUPPORTED, "42 images are right under the L2 distance alone, 12"),
    ("C6", "accuracy", {**DOCUMENTS, "only_l1_right": 99}, {}, REFUTED, "accuracy 0.9661 against 0.9511"),
    ("C6", "accuracy", {**DOCUMENTS, "only_l1_right": 144, "only_l2_right": 1662}, {}, SUPPORTED, "(p < 1e-300)"),
    ("C6", "signal", DOCUMENTS, {}, REFUTED, "margin 0.141 under the L2 distance, 0.151 under the L1 distance; "
     "the median change of an image is -0.0234 (-0.0322 to -0.0145, 95.1% CI)"),
    ("C6", "signal", {**DOCUMENTS, "margin_change_low": 0.01, "margin_change_high": 0.1}, {}, SUPPORTED, "+0.0100"),
    ("C6", "signal", WITHOUT_INTERVAL, {}, UNDETERMINED, "0.151 under the L1 distance: The margin"),
    ("C7", "", {}, {CPU: {}, "jax_broadcast@cpu": {}}, UNDETERMINED, "No GPU recorded yet."),
    ("C7", "", {}, {GPU: ON_GPU, "jax_broadcast@cpu": {}}, UNDETERMINED, "NumPy's expressions were not tried"),
    ("C7", "", {}, {GPU: ON_GPU, "cupy_broadcast@cuda": ON_GPU}, REFUTED, f"cupy_broadcast@cuda, {GPU} ran on a GPU"),
    ("C8", "", {}, {CPU: ranks("9/9", "9/9")}, SUPPORTED, "1 of 1 functions take both ranks, 1 of them with"),
    ("C8", "", {}, {CPU: ranks("9/9"), "b": ranks("9/9", "8/9"), "c": ranks("9/9", "fails on an image")}, SUPPORTED,
     "2 of 3 functions take both ranks, 1 of them with equal bits; last bits differ: b; one rank alone: c: The same "
     "function takes both ranks, though last bits of results may differ."),
    ("C8", "", {}, {CPU: ranks("fails on an image: TypeError")}, REFUTED, "No such function takes both ranks."),
    ("C8", "", {}, {CPU: ranks("fails: no answer within 9 s")}, UNDETERMINED, "No function was called"),
    ("C8", "", {}, {"quick~again": ranks("9/9"), "python_bytes": ranks("9/9")}, UNDETERMINED, "No function was called"),
    ("C9", "", DOCUMENTS, {}, SUPPORTED, "0.6586 (626/1010, 717/1028) without abs"),
    ("C9", "", {**DOCUMENTS, "exact_signed": DOCUMENTS["exact_l1"]}, {}, REFUTED, "with abs it is 0.9511"),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "about", "metadata", "by_kernel", "expected", "text"), RULES)
def test_a_verdict_follows_its_rule(claim, about, metadata, by_kernel, expected, text, tmp_path):
    verdict = verdict_on(claim, with_kernels(tmp_path, by_kernel, **metadata), about)
    assert (verdict.verdict, text in f"{verdict.number}: {verdict.why}") == (expected, True), verdict


def test_the_code_of_other_loops_is_compared_those_of_small_data_sets_too(tmp_path):
    whole = with_kernels(tmp_path, {REFERENCE: code(200), CPU: code(100), "numpy_broadcast": code(80)})
    tensors = {"python_tensor_elements": code(150)}
    few = small(tmp_path, taken=samples(python_tensor_elements=8.0), kernel_metadata=tensors)
    (verdict,) = verdicts_on("C1", whole, [few])
    assert verdict.why.endswith(
        " Against numpy_broadcast the ratio is 2.50. The ratios of other loops: python_tensor_elements 1.50."
    )


def test_other_digits_decide_nothing_that_is_exact_in_the_documents(tmp_path):
    drawn = record(tmp_path, **{**DOCUMENTS, "dataset_digest": "ab" * 32, "dataset": "drawn"})
    verdicts = [verdict for claim in ("C5", "C6", "C9") for verdict in verdicts_on(claim, drawn)]
    assert [verdict.verdict for verdict in verdicts] == [UNDETERMINED] * 4
    for verdict in verdicts:
        assert verdict.why.startswith("The digits are drawn, not the documents' MNIST_SAMPLE.")
        assert verdict.number


# C2 and C3, by the whole interval.


def by_interval(low, high, claimed=1000):
    ratio = Ratio(math.sqrt(low * high), low, high, 0.969, 6, 18, (low, high), high / low, None)
    return claims.by_interval(ratio, claimed)


@pytest.mark.parametrize("claimed", [claims.THOUSANDS, claims.MILLIONS])
def test_the_whole_interval_decides(claimed):
    planted = ((1, 1.2, SUPPORTED), (0.9999999, 1.2, UNDETERMINED), (0.5, 1, UNDETERMINED), (0.5, 0.9999999, REFUTED))
    for low, high, expected in planted:  # what is claimed is at least that
        assert by_interval(low * claimed, high * claimed, claimed) == expected


@given(st.floats(1, 1e7), st.floats(1, 1e7))
def test_no_interval_is_decided_both_ways_and_a_higher_one_is_never_worse(first, second):
    low, high = sorted((first, second))

    def verdict(factor):
        return by_interval(low * factor, high * factor)

    order = [REFUTED, UNDETERMINED, SUPPORTED]
    assert order.index(verdict(1)) <= order.index(verdict(1.5))
    assert verdict(1000 / high * 0.999) == REFUTED
    assert verdict(1000 / low * 1.001) == SUPPORTED
    assert verdict(1000 / math.sqrt(low * high)) == UNDETERMINED or high / low < 1.001


def test_thousands_of_times_as_planted(tmp_path):
    verdict = verdict_on("C2", record(tmp_path, times(2000), NO_GPU), HEADLINE)
    assert (verdict.verdict, verdict.number) == (SUPPORTED, "2,000× as fast (2,000× to 2,000×, 96.9% CI)")
    assert verdict.basis == "baseline under the L1 distance, all/default, paired, 6 processes per kernel"
    assert "bound, every byte read once, is at 4,000×" in verdict.why
    taken = samples(python_loops=LOOPS_S, slower={CPU: (1, 1, 1, 1, 1, 3)}, **{CPU: LOOPS_S / 2000})
    verdict = verdict_on("C2", record(tmp_path, taken), HEADLINE)
    assert (verdict.verdict, "The interval holds 1,000×" in verdict.why) == (UNDETERMINED, True)
    assert "667× to 2,000×" in verdict.number


def on_few(folder, torch, n=10, **options):
    """Return a small record in which tensor elements take 8 s, and the tutorial's kernel a part of that."""
    return small(folder, n, taken=samples(python_tensor_elements=8.0, quick=0, **{CPU: 8 / torch}), **options)


def test_baselines_of_small_data_sets_come_from_their_records(tmp_path):
    few = on_few(tmp_path, 2000)
    more = small(tmp_path, 200, taken=times(3000, python_ndarray_elements=LOOPS_S / 100))
    verdicts = verdicts_on("C2", record(tmp_path, times(500)), [few, more])
    assert [(verdict.about, verdict.verdict) for verdict in verdicts] == [
        (HEADLINE, REFUTED),  # and not again from the small ones, where it is 3,000× in one
        ("against python_tensor_elements, on 10 images per class", SUPPORTED),
        ("against python_ndarray_elements, on 200 images per class", REFUTED),
    ]
    assert verdicts[1].number == "2,000× as fast (2,000× to 2,000×, 96.9% CI)"
    verdicts = verdicts_on("C2", record(tmp_path, times(500, python_tensor_elements=9.0)), [few])
    assert [verdict.about for verdict in verdicts] == [HEADLINE, "against python_tensor_elements"]
    assert [verdict.about for verdict in verdicts_on("C2", few)] == [
        f"{HEADLINE}, on 10 images per class", "against python_tensor_elements, on 10 images per class",
    ]  # fmt: skip


def test_small_records_of_other_digits_or_configurations_decide_nothing(tmp_path):
    whole = record(tmp_path, times(500))
    keys = {"per_class": 10, "dataset_of": whole.metadata["dataset_digest"]}
    [kept] = configurations(tmp_path, "all/keep", taken=times(500, python_tensor_elements=8.0), **keys)
    for unfit in (on_few(tmp_path, 2000, dataset_of="cd" * 32), kept, whole):
        assert len(verdicts_on("C2", whole, [unfit])) == 1
    (verdict,) = verdicts_on("C2", whole, [on_few(tmp_path, 40_000)])[1:]  # faster than the machine can read
    assert (verdict.verdict, "The checklist fails" in verdict.why) == (UNDETERMINED, True)


OBSTACLES = {  # samples, and why they decide nothing against one baseline
    "without an interval": (
        samples(processes=5, **{"python_loops": LOOPS_S, CPU: LOOPS_S / 2000}), REFERENCE,
        "2,000× as fast: The record is indicative: 5 processes per kernel, no confidence interval.",
    ),
    "checklist": (times(40_000), REFERENCE, "The checklist fails: torch_broadcast@cpu is at 1000% of its bound"),
    "rounds": (
        changed(times(2000), CPU, lambda sample: replace(sample, process=sample.process + 6)),
        REFERENCE, "No round holds both.",
    ),
    "reference": (times(500, python_loops=0, python_bytes=4.0), REFERENCE, "The kernel python_loops was not recorded."),
}  # fmt: skip


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_allows_no_ratio_decides_nothing(name, tmp_path):
    taken, base, text = OBSTACLES[name]
    verdict = verdict_on("C2", record(tmp_path, taken), f"against {base}")
    assert (verdict.verdict, text in f"{verdict.number}: {verdict.why}") == (UNDETERMINED, True), verdict


def test_unpaired_times_decide_nothing(tmp_path):
    path = pytest_benchmark(tmp_path, python_loops=[LOOPS_S] * 9, **{CPU: [0.0001] * 9})
    (verdict,) = verdicts_on("C2", reader.read(path))
    assert (verdict.verdict, verdict.number) == (UNDETERMINED, "")
    assert "The kernels share no rounds: indicative, unpaired." in verdict.why


@pytest.mark.parametrize(
    ("not_timed", "why"),
    [
        (NotTimed(CPU, "unavailable", "torch is not installed"), "{} is unavailable, torch is not installed."),
        (NotTimed(CPU, "broken", "Traceback:\n  a line\nValueError: no.\n"), "{} is broken, ValueError: no."),
    ],
)
def test_why_the_tutorials_kernel_is_missing(tmp_path, not_timed, why):
    (verdict,) = verdicts_on("C2", record(tmp_path, None, (not_timed,)))
    assert verdict == Verdict("C2", "", UNDETERMINED, "", "", why.format("The kernel torch_broadcast@cpu"))


def test_millions_of_times_resident_and_from_host_memory(tmp_path):
    slow = (GPU, "end_to_end")
    taken = [
        replace(sample, seconds=sample.seconds * 100) if (sample.kernel, sample.scope) == slow else sample
        for sample in samples(pairs=PAIRS, python_loops=40.0, python_bytes=4.0, **{GPU: GPU_S})
    ]
    verdicts = verdicts_on("C3", record(tmp_path, taken, (), {GPU: ON_GPU}))
    assert [(verdict.about, verdict.verdict, verdict.number.partition(" ")[0]) for verdict in verdicts] == [
        (f"{HEADLINE}, digits resident on the GPU", SUPPORTED, "4,000,000×"),
        ("against python_bytes, digits resident on the GPU", REFUTED, "400,000×"),
        (f"{HEADLINE}, digits from host memory", REFUTED, "40,000×"),
        ("against python_bytes, digits from host memory", REFUTED, "4,000×"),
    ]
    assert all("The GPU's bound was not measured." in verdict.why for verdict in verdicts)
    resident = [sample for sample in taken if sample.scope != "end_to_end"]
    verdicts = verdicts_on("C3", record(tmp_path, resident, (), {GPU: ON_GPU}))
    assert (verdicts[2].verdict, verdicts[2].why) == (UNDETERMINED, "The scope end_to_end was not recorded.")


def test_a_missing_gpu_is_named_unless_there_was_one(tmp_path):
    verdict = verdict_on("C3", record(tmp_path, None, NO_GPU))
    assert verdict.why == f"No GPU recorded yet; the kernel {GPU} is unavailable, no NVIDIA driver on this machine."
    taken = samples(**{"cupy_broadcast@cuda": 0.01})
    on_gpu = record(tmp_path, taken, (NotTimed(GPU, "broken", "x"),), {"cupy_broadcast@cuda": ON_GPU})
    assert verdict_on("C3", on_gpu).why == f"The kernel {GPU} is broken, x."


# All of them.


def test_every_claim_has_a_verdict_whatever_a_record_holds(tmp_path):
    by_kernel = {name: {**code(100), **ranks("9/9"), **EXPANDED} for name in (REFERENCE, CPU, GPU)}
    by_kernel = {**by_kernel, GPU: {**by_kernel[GPU], **ON_GPU}, "jax_broadcast@cuda": ON_GPU}
    taken = samples(pairs=PAIRS, python_loops=LOOPS_S, **{CPU: 0.002, GPU: GPU_S, "jax_broadcast@cuda": GPU_S})
    full = sound(claims.verdicts(record(tmp_path, taken, (), by_kernel, **DOCUMENTS)))
    assert not [verdict for verdict in full if verdict.verdict == UNDETERMINED]
    for bare in (record(tmp_path), record(tmp_path, None, NO_GPU)):
        assert {verdict.verdict for verdict in sound(claims.verdicts(bare))} == {UNDETERMINED}


def test_every_published_record_has_verdicts():
    for published in page_records.published():
        for configuration in published.configurations:
            verdicts = sound(claims.verdicts(configuration, published.small))
            if configuration.metadata["dataset_digest"] == MNIST_SAMPLE:
                exact = [verdict.verdict for verdict in verdicts if verdict.claim in ("C5", "C6", "C9")]
                assert exact == [SUPPORTED, SUPPORTED, REFUTED, SUPPORTED]
