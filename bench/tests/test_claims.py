"""Every verdict by its rule, on records whose truth is planted; and nothing that a record may lack is a crash."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import claims, reading
from bench.claims import CLAIMS, MNIST_SAMPLE, REFUTED, SUPPORTED, TUTORIAL_CPU, TUTORIAL_GPU, UNDETERMINED, Ruling
from bench.kernel import REFERENCE, ROOT
from bench.records import Absent
from bench.speedup import Ratio
from bench.tests.builders_records import DOCUMENTS, pytest_benchmark, record, samples

LOOPS_S = 4.0  # so that a thousandth of it is slower than the machine's limit, 1 ms
GPU_S = 1e-5
CPU, GPU = TUTORIAL_CPU, TUTORIAL_GPU
NO_GPU = (Absent(GPU, "unavailable", "no NVIDIA driver on this machine"),)
CELLS = (("baseline", "l1"), ("end_to_end", "l1"))


def ruled(found, claim, about=None):
    """Return a record's rulings on a claim, or its one ruling about a part of it."""
    rulings = [each for each in claims.rulings(found) if each.claim == claim]
    if about is None:
        return rulings
    (ruling,) = [each for each in rulings if each.about == about]
    return ruling


def times(torch, **seconds):
    """Return samples of loops and of the tutorial's kernel on the CPU, so many times as fast."""
    return samples(**{"python_loops": LOOPS_S, CPU: LOOPS_S / torch, **seconds})


def with_kernels(folder, facts, taken=None, **more):
    """Write a record with facts by kernel, and read it."""
    taken = samples(**dict.fromkeys(set(facts) - {REFERENCE, "quick"}, 0.01)) if taken is None else taken
    return record(folder, taken, (), facts, **more)


def sound(rulings):
    """Whatever a record says or lacks: every claim has its rulings, in order, each a sentence of one line."""
    assert list(dict.fromkeys(each.claim for each in rulings)) == list(CLAIMS) == [f"C{n}" for n in range(1, 10)]
    for each in rulings:
        assert each.verdict in (SUPPORTED, REFUTED, UNDETERMINED)
        assert each.why.endswith(".")
        assert not each.why.endswith("..")
        assert each.why[0].isupper() or "_" in each.why.split()[0]  # a sentence, or one that a kernel's name begins
        assert each.verdict == UNDETERMINED or each.number
        assert "\n" not in claims.line(each)
        assert claims.line(each).startswith(f"{each.claim} {each.verdict}")
    assert len({(each.claim, each.about) for each in rulings}) == len(rulings)
    return rulings


# C1.


@pytest.mark.parametrize(
    ("loops", "torch", "verdict"), [(200, 100, SUPPORTED), (199, 100, REFUTED), (500, 92, SUPPORTED), (90, 92, REFUTED)]
)
def test_less_code_is_twice_the_tokens(tmp_path, loops, torch, verdict):
    facts = {REFERENCE: {"code_tokens": loops, "code_lines": 9}, CPU: {"code_tokens": torch, "code_lines": 90}}
    (ruling,) = ruled(with_kernels(tmp_path, facts), "C1")
    assert ruling.verdict == verdict
    assert ruling.number == f"{loops / torch:.2f} times the tokens, {loops} against {torch}"
    assert "python_loops has 9 lines and torch_broadcast 90" in ruling.why


def test_code_of_a_gpu_kernel_is_the_same_file_and_without_both_counts_there_is_no_verdict(tmp_path):
    code = {"code_tokens": 100, "code_lines": 9}
    assert ruled(with_kernels(tmp_path, {REFERENCE: code, GPU: code}), "C1", "").verdict == REFUTED
    for facts in ({REFERENCE: code, "numpy_broadcast": code}, {CPU: code}, {}):
        ruling = ruled(with_kernels(tmp_path, facts), "C1", "")
        assert (ruling.verdict, ruling.number) == (UNDETERMINED, "")
        assert "was not counted" in ruling.why


# C2 and C3, by the whole interval.


def ratio_of(low, high, *per_process):
    middle = math.sqrt(low * high)
    return Ratio(middle, low, high, 0.969, 6, 18, per_process or (low, middle, high), high / low, None)


@pytest.mark.parametrize("claimed", [claims.THOUSANDS, claims.MILLIONS])
@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1, 1.2, SUPPORTED),  # what is claimed is at least that
        (0.9999999, 1.2, UNDETERMINED),
        (0.5, 1, UNDETERMINED),
        (0.5, 0.9999999, REFUTED),
        (1, 1, SUPPORTED),
        (2, 3, SUPPORTED),
        (0.001, 0.002, REFUTED),
        (0.001, 1000, UNDETERMINED),
    ],
)
def test_the_whole_interval_decides(tmp_path, claimed, low, high, verdict):
    found = record(tmp_path)
    ruling = claims._by_interval(found, "C2", "", "baseline", ratio_of(low * claimed, high * claimed), claimed, "")
    assert ruling.verdict == verdict
    assert f"{claimed:,}×" in ruling.why
    assert "level 96.9%" in ruling.number


@given(st.floats(1, 1e7), st.floats(1, 1e7))
def test_no_interval_is_decided_both_ways_and_a_higher_one_is_never_worse(one, other):
    low, high = sorted((one, other))
    found = reading.Record(ROOT, {}, {}, [], [], paired=True)

    def verdict(times):
        return claims._by_interval(found, "C2", "", "x", ratio_of(low * times, high * times), 1000, "").verdict

    order = [REFUTED, UNDETERMINED, SUPPORTED]
    assert order.index(verdict(1)) <= order.index(verdict(1.5))
    assert verdict(1000 / high * 0.999) == REFUTED
    assert verdict(1000 / low * 1.001) == SUPPORTED
    assert verdict(1000 / math.sqrt(low * high)) == UNDETERMINED or high / low < 1.001


@pytest.mark.parametrize(("torch", "verdict"), [(2000, SUPPORTED), (500, REFUTED)])
def test_thousands_of_times_as_planted(tmp_path, torch, verdict):
    ruling = ruled(record(tmp_path, times(torch), NO_GPU), "C2", f"against {REFERENCE}")
    assert ruling.verdict == verdict
    assert ruling.number.startswith({2000: "2,000× as fast (2,000× to 2,000×", 500: "500× as fast (500× to"}[torch])
    assert ruling.condition == "baseline under L1, all/default, paired, 6 process sets"
    assert "limit, every byte read once, is at 4,000×" in ruling.why


def test_one_process_set_on_the_other_side_leaves_it_open(tmp_path):
    taken = samples(python_loops=LOOPS_S, slower={CPU: (1, 1, 1, 1, 1, 3)}, **{CPU: LOOPS_S / 2000})
    ruling = ruled(record(tmp_path, taken), "C2", f"against {REFERENCE}")
    assert (ruling.verdict, "The interval holds 1,000×" in ruling.why) == (UNDETERMINED, True)
    assert "667× to 2,000×" in ruling.number


def test_two_modes_are_told_as_two(tmp_path):
    taken = samples(python_loops=LOOPS_S, slower={CPU: (1, 1, 1, 1.8, 1.8, 1.8)}, **{CPU: LOOPS_S / 3600})
    ruling = ruled(record(tmp_path, taken), "C2", f"against {REFERENCE}")
    assert ruling.number.startswith("3,600× (3 sets) or 2,000× (3 sets) as fast (2,000× to 3,600×")
    assert ruling.verdict == SUPPORTED  # both are, and so is the interval


def test_the_weakest_loops_do_not_decide_for_the_others(tmp_path):
    taken = times(500, python_bytes=LOOPS_S / 10, python_indexed=10 * LOOPS_S, quick=0.5)
    rulings = ruled(record(tmp_path, taken), "C2")
    assert [(each.about, each.verdict) for each in rulings] == [
        (f"against {REFERENCE}", REFUTED),  # the headline first
        ("against python_bytes", REFUTED),
        ("against python_indexed", SUPPORTED),
    ]
    assert claims.baselines(record(tmp_path, taken)) == [REFERENCE, "python_bytes", "python_indexed"]


def test_without_an_interval_nothing_is_decided(tmp_path):
    taken = samples(processes=5, **{"python_loops": LOOPS_S, CPU: LOOPS_S / 2000})
    ruling = ruled(record(tmp_path, taken), "C2", f"against {REFERENCE}")
    assert ruling.verdict == UNDETERMINED
    assert ruling.number == "2,000× as fast"
    assert "There is no interval: indicative: 5 process sets, no interval." in ruling.why


def test_a_record_that_its_checklist_fails_decides_nothing(tmp_path):
    ruling = ruled(record(tmp_path, times(40_000)), "C2", f"against {REFERENCE}")
    assert (ruling.verdict, ruling.number) == (UNDETERMINED, "")
    assert "the checklist fails: torch_broadcast@cpu is at 1000% of the limit" in ruling.why.replace("T", "t")
    assert ruled(record(tmp_path, times(500)), "C2", f"against {REFERENCE}").verdict == REFUTED


def test_unpaired_times_decide_nothing(tmp_path):
    path = pytest_benchmark(tmp_path, python_loops=[LOOPS_S] * 9, **{CPU: [0.0001] * 9})
    rulings = sound(claims.rulings(reading.read(path)))
    (ruling,) = [each for each in rulings if each.claim == "C2"]
    assert (ruling.verdict, ruling.number) == (UNDETERMINED, "")
    assert "The kernels did not take turns: indicative, unpaired." in ruling.why


def test_times_of_other_numbers_of_images_decide_nothing(tmp_path):
    taken = [
        dataclasses.replace(each, images=20) if each.kernel == "python_slow" else each
        for each in times(2000, python_slow=LOOPS_S)
    ]
    found = record(tmp_path, taken)
    assert ruled(found, "C2", f"against {REFERENCE}").verdict == SUPPORTED
    assert ruled(found, "C2", "against python_slow").verdict == UNDETERMINED
    assert "They read 20 and 108 images." in ruled(found, "C2", "against python_slow").why


def test_kernels_that_share_no_round_decide_nothing(tmp_path):
    taken = [
        dataclasses.replace(each, process=each.process + 6 * (each.kernel == CPU), round=9) for each in times(2000)
    ]
    ruling = ruled(record(tmp_path, taken), "C2", f"against {REFERENCE}")
    assert (ruling.verdict, "No round holds both" in ruling.why) == (UNDETERMINED, True)


def test_without_the_reference_the_headline_is_open_and_the_other_loops_are_judged(tmp_path):
    found = record(tmp_path, times(500, python_loops=0, python_bytes=LOOPS_S))
    about = f"against {REFERENCE}"
    assert (ruled(found, "C2", about).verdict, ruled(found, "C2", about).number) == (UNDETERMINED, "")
    assert "The kernel python_loops was not recorded." in ruled(found, "C2", about).why
    assert ruled(found, "C2", "against python_bytes").verdict == REFUTED
    absent = (Absent(REFERENCE, "broken", "Traceback\n\nValueError: no."),)
    alone = sound(claims.rulings(record(tmp_path, times(500, python_loops=0), absent)))
    assert [each.why for each in alone if each.claim == "C2"] == ["The kernel python_loops is broken, ValueError: no."]


@pytest.mark.parametrize(
    ("absent", "why"),
    [
        ((), "The kernel torch_broadcast@cpu was not recorded."),
        ((Absent(CPU, "unavailable", "torch is not installed"),), "{} is unavailable, torch is not installed."),
        ((Absent(CPU, "broken", "Traceback:\n  a line\nValueError: no.\n"),), "{} is broken, ValueError: no."),
        ((Absent(CPU, "broken", ""),), "{} is broken, no reason given."),
        ((Absent("other", "broken", "x"),), "The kernel torch_broadcast@cpu was not recorded."),
    ],
)
def test_why_the_tutorials_kernel_is_missing(tmp_path, absent, why):
    (ruling,) = [each for each in sound(claims.rulings(record(tmp_path, None, absent))) if each.claim == "C2"]
    assert ruling == Ruling("C2", "", UNDETERMINED, "", "", why.format("The kernel torch_broadcast@cpu"))


def gpu_record(folder, seconds=GPU_S, loops=LOOPS_S, cells=CELLS, **more):
    facts = {GPU: {"device": "cuda"}}
    return record(folder, samples(cells=cells, python_loops=loops, **{GPU: seconds}, **more), (), facts)


def test_millions_of_times_resident_and_from_host_memory(tmp_path):
    taken = [
        dataclasses.replace(each, seconds=each.seconds * 100)
        if (each.kernel, each.scope) == (GPU, "end_to_end")
        else each
        for each in samples(cells=CELLS, python_loops=40.0, python_bytes=4.0, **{GPU: GPU_S})
    ]
    rulings = ruled(record(tmp_path, taken, (), {GPU: {"device": "cuda"}}), "C3")
    assert [(each.about, each.verdict) for each in rulings] == [
        (f"against {REFERENCE}, digits resident on the GPU", SUPPORTED),
        ("against python_bytes, digits resident on the GPU", REFUTED),
        (f"against {REFERENCE}, digits from host memory", REFUTED),
        ("against python_bytes, digits from host memory", REFUTED),
    ]
    assert rulings[0].number.startswith("4,000,000× as fast")
    assert rulings[2].number.startswith("40,000× as fast")
    assert all("The GPU's limit was not measured." in each.why for each in rulings)


def test_a_scope_that_was_not_recorded_is_open(tmp_path):
    resident, from_host = ruled(gpu_record(tmp_path, cells=(("baseline", "l1"),)), "C3")
    assert (resident.verdict, from_host.verdict) == (REFUTED, UNDETERMINED)
    assert from_host.why == "The scope end_to_end was not recorded."


def test_no_gpu_is_said_unless_there_was_one(tmp_path):
    (ruling,) = ruled(record(tmp_path, None, NO_GPU), "C3")
    assert ruling.verdict == UNDETERMINED
    assert ruling.why == f"No GPU recorded yet; the kernel {GPU} is unavailable, no NVIDIA driver on this machine."
    taken = samples(**{"cupy_broadcast@cuda": 0.01})
    on_gpu = record(tmp_path, taken, (Absent(GPU, "broken", "x"),), {"cupy_broadcast@cuda": {"device": "cuda"}})
    assert ruled(on_gpu, "C3", "").why == f"The kernel {GPU} is broken, x."


# C4.

EXPANDED = {"expansion_strides": "0, 28, 1", "expansion_full_bytes": 6_000_000, "expansion_bytes": 0}


@pytest.mark.parametrize(
    ("taken", "verdict"),
    [(0, SUPPORTED), (59_999, SUPPORTED), (60_000, REFUTED), (6_000_000, REFUTED), (600_000, REFUTED)],
)
def test_an_expansion_that_takes_next_to_nothing_is_none(tmp_path, taken, verdict):
    facts = {CPU: {**EXPANDED, "expansion_bytes": taken, "expression_bytes_l1": 12_000_000}}
    ruling = ruled(with_kernels(tmp_path, facts), "C4", CPU)
    assert ruling.verdict == verdict
    assert "allocated where a copy takes 6.00 MB" in ruling.number
    assert "strides (0, 28, 1): the one mean image is read again" in ruling.why
    assert "The expression of L1 allocates 12.0 MB for its temporaries." in ruling.why
    assert "81 images" in ruling.condition


def test_a_copy_is_not_said_to_read_one_image_again(tmp_path):
    facts = {CPU: {**EXPANDED, "expansion_strides": "784, 28, 1", "expansion_bytes": 6_000_000}}
    ruling = ruled(with_kernels(tmp_path, facts), "C4", CPU)
    assert (ruling.verdict, ruling.why) == (REFUTED, "The expanded array has strides (784, 28, 1).")


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({}, "No kernel that broadcasts was examined."),
        ({CPU: {"expansion_strides": "0, 28, 1", "expansion_full_bytes": 6_000_000}}, "This system does not tell"),
        ({CPU: {**EXPANDED, "expansion_full_bytes": 999_999}}, "A copy would take 1000 kB, too little to be told"),
        ({"quick~again": EXPANDED}, "No kernel that broadcasts was examined."),
    ],
)
def test_what_memory_cannot_decide(tmp_path, facts, why):
    (ruling,) = ruled(with_kernels(tmp_path, facts), "C4")
    assert (ruling.verdict, ruling.why.startswith(why)) == (UNDETERMINED, True)


def test_the_tutorials_kernel_is_judged_before_others(tmp_path):
    copying = {**EXPANDED, "expansion_bytes": 6_000_000}
    others = {"a_kernel": copying, "numpy_broadcast": EXPANDED}
    assert [each.about for each in ruled(with_kernels(tmp_path, {**others, CPU: EXPANDED}), "C4")] == [CPU]
    assert [each.about for each in ruled(with_kernels(tmp_path, others), "C4")] == ["numpy_broadcast"]
    assert ruled(with_kernels(tmp_path, {"a_kernel": copying}), "C4", "a_kernel").verdict == REFUTED


# C5, C6, C9: exact in the documents' digits.


def exact(folder, **facts):
    return record(folder, **{**DOCUMENTS, **facts})


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        ("926/1010, 1013/1028", SUPPORTED),
        ("925/1010, 1013/1028", REFUTED),  # 0.9506
        ("968/1010, 1001/1028", REFUTED),
    ],
)
def test_the_accuracy_that_is_printed(tmp_path, score, verdict):
    ruling = ruled(exact(tmp_path, exact_l1=score), "C5", "")
    assert ruling.verdict == verdict
    assert ruling.number.endswith(f"({score})")
    assert ruling.condition == "mnist_sample, all 2,038 validation images; exact"


@pytest.mark.parametrize(
    ("l1", "l2", "verdict"),
    [
        (12, 42, SUPPORTED),
        (42, 12, REFUTED),
        (20, 22, UNDETERMINED),
        (0, 0, UNDETERMINED),
        (0, 5, UNDETERMINED),
        (0, 6, SUPPORTED),
        (6, 0, REFUTED),
    ],
)
def test_a_stronger_signal_in_accuracy_by_a_sign_test(tmp_path, l1, l2, verdict):
    ruling = ruled(exact(tmp_path, only_l1_right=l1, only_l2_right=l2), "C6", "accuracy")
    assert ruling.verdict == verdict
    assert f"{l2} images are right under L2 alone, {l1} under L1 alone" in ruling.number
    assert "average 0.9661 against 0.9511" in ruling.why


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.03, -0.01, REFUTED),
        (0.01, 0.03, SUPPORTED),
        (-0.01, 0.01, UNDETERMINED),
        (0.0, 0.03, UNDETERMINED),
        (-0.03, 0.0, UNDETERMINED),
    ],
)
def test_a_stronger_signal_in_the_margin_by_its_interval(tmp_path, low, high, verdict):
    ruling = ruled(exact(tmp_path, margin_change_low=low, margin_change_high=high), "C6", "signal")
    assert ruling.verdict == verdict
    assert "median relative margin 0.141 under L2, 0.151 under L1" in ruling.number
    assert "level 95.1%" in ruling.number


def test_a_margin_without_an_interval_is_open(tmp_path):
    facts = {key: value for key, value in DOCUMENTS.items() if not key.startswith("margin_change")}
    ruling = ruled(record(tmp_path, **facts), "C6", "signal")
    assert (ruling.verdict, "level" in ruling.number) == (UNDETERMINED, False)


@pytest.mark.parametrize(
    ("signed", "verdict"),
    [("626/1010, 717/1028", SUPPORTED), ("926/1010, 1013/1028", REFUTED), ("1010/1010, 1028/1028", REFUTED)],
)
def test_without_abs_differences_cancel(tmp_path, signed, verdict):
    ruling = ruled(exact(tmp_path, exact_signed=signed), "C9", "")
    assert ruling.verdict == verdict
    assert "with abs it is 0.9511" in ruling.why
    if verdict == SUPPORTED:
        assert ruling.number == "0.6586 (626/1010, 717/1028) without abs"


def test_other_digits_decide_nothing_that_is_exact_in_the_documents(tmp_path):
    for other in ({"dataset_digest": "ab" * 32, "dataset": "drawn"}, {"dataset_digest": "ab" * 32}):
        found = exact(tmp_path, **other)
        rulings = [each for claim in ("C5", "C6", "C9") for each in ruled(found, claim)]
        assert [each.verdict for each in rulings] == [UNDETERMINED] * 4
        for each in rulings:
            assert each.why.startswith(f"The digits are {found.facts['dataset']}, not the documents' MNIST_SAMPLE.")
            assert each.number  # what was found is told all the same
    assert [each.verdict for each in ruled(exact(tmp_path), "C6")] == [SUPPORTED, REFUTED]


def test_three_classes(tmp_path):
    facts = {"classes": "3 5 7", "valid_counts": "10 20 40", "dataset_digest": "cd" * 32, "dataset": "three"}
    found = exact(tmp_path, exact_l1="5/10, 10/20, 40/40", exact_signed="10/10, 0/20, 0/40", **facts)
    sound(claims.rulings(found))
    assert ruled(found, "C5", "").number == "0.6667 (5/10, 10/20, 40/40)"  # of classes, not of images
    assert ruled(found, "C5", "").condition == "three, all 70 validation images; exact"
    assert ruled(found, "C9", "").number.startswith("0.3333")


# C7.


@pytest.mark.parametrize(
    ("kernels", "verdict"),
    [
        ({CPU: "cpu"}, UNDETERMINED),
        ({CPU: "cpu", "jax_broadcast@cpu": "cpu"}, UNDETERMINED),
        ({GPU: "cuda"}, UNDETERMINED),  # that PyTorch can says nothing of NumPy's expressions
        ({GPU: "cuda", "jax_broadcast@cpu": "cpu"}, UNDETERMINED),
        ({GPU: "cuda", "cupy_broadcast@cuda": "cuda"}, REFUTED),
        ({GPU: "cuda", "jax_broadcast@cuda": "cuda"}, REFUTED),
        ({"torch_in_place@cuda": "cuda"}, UNDETERMINED),
    ],
)
def test_who_can_use_a_gpu(tmp_path, kernels, verdict):
    facts = {name: {"device": device} for name, device in kernels.items()}
    (ruling,) = ruled(with_kernels(tmp_path, facts, gpu="A Fine GPU"), "C7")
    assert ruling.verdict == verdict
    on_gpu = sorted(name for name, device in kernels.items() if device == "cuda")
    assert ruling.number == (f"{', '.join(on_gpu)} ran on a GPU" if on_gpu else "")
    assert ("A Fine GPU" in ruling.condition) == bool(on_gpu)


# C8.


@pytest.mark.parametrize(
    ("found", "verdict", "why"),
    [
        ({CPU: ("9/9", "9/9")}, SUPPORTED, "to the last bit"),
        ({CPU: ("9/9", "8/9")}, SUPPORTED, "last bits of results may differ"),
        ({CPU: ("9/9", "9/9"), "b": ("8/9", "9/9")}, SUPPORTED, "last bits of results may differ"),
        ({CPU: ("9/9", "9/9"), "b": ("fails on the stack: ValueError", "9/9")}, SUPPORTED, "to the last bit"),
        ({CPU: ("9/9", "fails on the stack: ValueError")}, REFUTED, "No such function takes both ranks."),
        ({CPU: ("fails on an image: TypeError", None)}, REFUTED, "No such function takes both ranks."),
        ({CPU: ("9/9", None)}, SUPPORTED, "to the last bit"),
        ({CPU: ("fails: gave no answer within 9 s", None)}, UNDETERMINED, "No function was called"),
        ({"quick~again": ("9/9", "9/9")}, UNDETERMINED, "No function was called"),
        ({}, UNDETERMINED, "No function was called"),
    ],
)
def test_one_function_for_both_ranks(tmp_path, found, verdict, why):
    facts = {
        name: {key: said for key, said in zip(("ranks_l1", "ranks_l2"), each, strict=True) if said}
        for name, each in found.items()
    }
    (ruling,) = ruled(with_kernels(tmp_path, facts), "C8")
    assert (ruling.verdict, why in ruling.why) == (verdict, True)
    for name, (l1, l2) in found.items():
        if verdict != UNDETERMINED:
            assert f"{name} L1 {l1}" + (f", L2 {l2}" if l2 else "") in ruling.number


# All of them.


def test_every_claim_has_a_ruling_whatever_a_record_holds(tmp_path):
    by_kernel = {name: {"code_tokens": 100, "code_lines": 9, "ranks_l1": "9/9", **EXPANDED} for name in (CPU, GPU)}
    by_kernel[GPU]["device"] = "cuda"
    by_kernel["jax_broadcast@cuda"] = {"device": "cuda"}
    taken = samples(cells=CELLS, python_loops=LOOPS_S, **{CPU: 0.002, GPU: GPU_S, "jax_broadcast@cuda": GPU_S})
    full = sound(claims.rulings(record(tmp_path, taken, (), {REFERENCE: by_kernel[CPU], **by_kernel}, **DOCUMENTS)))
    assert not [each for each in full if each.verdict == UNDETERMINED]
    for bare in (record(tmp_path), record(tmp_path, NO_GPU and None, NO_GPU), record(tmp_path, kind="sizes")):
        assert {each.verdict for each in sound(claims.rulings(bare))} == {UNDETERMINED}


def test_a_ruling_as_a_line():
    assert claims.line(Ruling("C1", "", REFUTED, "", "x", "Why.")) == "C1 refuted: Why."
    assert claims.line(Ruling("C1", "a part", REFUTED, "7×", "x", "Why.")) == "C1 refuted (a part): 7×: Why."


@pytest.mark.parametrize("path", sorted((ROOT / "results").glob("*/*.json.gz")), ids=lambda path: path.name)
def test_every_published_record_is_judged_without_a_crash(path):
    found = reading.read(path)
    rulings = sound(claims.rulings(found))
    if "exact_l1" not in found.facts:  # from before there was such
        assert {each.verdict for each in rulings if each.claim in ("C1", "C4", "C6", "C8", "C9")} == {UNDETERMINED}
    if found.facts["dataset_digest"] == MNIST_SAMPLE and "exact_l1" in found.facts:
        assert [each.verdict for each in rulings if each.claim in ("C5", "C6", "C9")] == [
            SUPPORTED, SUPPORTED, REFUTED, SUPPORTED,
        ]  # fmt: skip
