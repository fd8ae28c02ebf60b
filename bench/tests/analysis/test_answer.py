"""The answer in plain sentences, as it reads for every outcome; its figures are those of planted records."""

from dataclasses import replace

import pytest

from bench.analysis import answer
from bench.analysis.claims import TUTORIAL_CPU as CPU
from bench.analysis.claims import TUTORIAL_GPU as GPU
from bench.kernel import REFERENCE
from bench.records import reader
from bench.records.model import ELSEWHERE, NotTimed
from bench.report import page_records
from bench.tests.builders_records import DOCUMENTS, pytest_benchmark, record, samples, small

LOOPS_S = 4.0
NO_TORCH = (NotTimed(CPU, "unavailable", "torch is not installed"),)
LAST = (1, 1, 1, 1, 1, 3)  # its last process is three times as slow, so that the interval is wide
HERE, DRAWN = "Here PyTorch is", "On drawn digits, which are not MNIST, PyTorch is"
FIRST_CALL = "In a fresh process PyTorch finishes first: {} against 4.10 s."


def torch(times=500, **more):
    """Return samples of loops and PyTorch, so many times as fast, of end_to_end too where `pairs` says so."""
    return samples(quick=0, **{REFERENCE: LOOPS_S, CPU: LOOPS_S / times, **more})


def on_few(folder, times, kernel="python_tensor_elements", n=10):
    return small(folder, n, taken=samples(quick=0, **{kernel: 8.0, CPU: 8.0 / times}))


def slow_start(taken, kernel, *seconds):
    """Return samples in which a kernel's first calls take so long, from process to process, over and over."""
    first = (kernel, "first_call")
    return [
        replace(one, seconds=seconds[one.process % len(seconds)]) if (one.kernel, one.scope) == first else one
        for one in taken
    ]


def answered(folder, taken, *not_timed, few=(), **metadata):
    return answer.sentences(record(folder, taken, not_timed, {GPU: {"device": "cuda"}}, **metadata), few)


@pytest.mark.parametrize(
    ("taken", "metadata", "first"),
    [
        (torch(), DOCUMENTS, f"{HERE} 500× as fast as the loops (500× to 500×), not thousands of times."),
        (torch(2000), DOCUMENTS,
         f"{HERE} 2,000× as fast as the loops (2,000× to 2,000×): thousands of times, as claimed."),
        (torch(2000, slower={CPU: LAST}), DOCUMENTS,
         f"{HERE} 2,000× as fast as the loops (667× to 2,000×); whether thousands hold is undetermined."),
        (torch(processes=1), DOCUMENTS,
         f"{HERE} 500× as fast as the loops (indicative: 1 process per kernel, no confidence interval)."),
        (torch(), {}, f"{DRAWN} 500× as fast as the loops (500× to 500×), not thousands of times."),
        (torch(), {"dataset": "kmnist[3,7]"},
         "On kmnist[3,7], PyTorch is 500× as fast as the loops (500× to 500×), not thousands of times."),
        (torch(**{GPU: 1e-4}), DOCUMENTS, f"{HERE} 500× as fast as the loops (500× to 500×), not thousands of times; "
         "on the GPU it is 40,000× as fast (40,000× to 40,000×), not millions of times."),
        (samples(quick=0, **{REFERENCE: 40.0, GPU: 1e-5}), DOCUMENTS,
         "Here PyTorch on the GPU is 4,000,000× as fast as the loops (4,000,000× to 4,000,000×): "
         "millions of times, as claimed."),
    ],
)  # fmt: skip
def test_the_headline(taken, metadata, first, tmp_path):
    assert answered(tmp_path, taken, **metadata)[0] == first


@pytest.mark.parametrize(
    ("kernel", "cores", "told"),
    [
        (CPU, 1.04, "Other programs took 1.0 of a core meanwhile; PyTorch's lead needs idle cores: record again on an "
         "idle machine."),
        ("numpy_broadcast", 0.5, "Other programs took 0.5 of a core meanwhile: record again on an idle machine."),
        (CPU, 0.49, None),
    ],
)  # fmt: skip
def test_a_busy_machine_is_named_beside_the_headline(kernel, cores, told, tmp_path):
    taken = [replace(one, other_cores=cores) for one in samples(quick=0, **{kernel: 0.04})]
    sentences = answered(tmp_path, taken, **DOCUMENTS)
    assert (sentences[1] if told else told) == told
    assert told or not any("Other programs" in sentence for sentence in sentences)


def test_without_torch_numpy_is_compared_and_the_reason_named(tmp_path):
    taken = samples(quick=0, numpy_broadcast=0.004)
    assert answered(tmp_path, taken, *NO_TORCH, **DOCUMENTS) == [
        "Here NumPy is 100× as fast as the loops (100× to 100×), not thousands of times.",
        "PyTorch was not timed: torch_broadcast@cpu is unavailable, torch is not installed.",
        "In a fresh process NumPy finishes first: 0.10 s against 0.50 s.",
    ]
    assert answered(tmp_path, samples())[0] == (
        "On drawn digits, which are not MNIST, quick is 100× as fast as the loops (100× to 100×)."
    )


def test_a_reference_alone_a_missing_one_and_a_failing_checklist(tmp_path):
    assert answered(tmp_path, samples(quick=0)) == [
        "Only python_loops was timed: 400 ms for 108 images, so there is no ratio."
    ]
    assert answered(tmp_path, samples(python_loops=0)) == [
        "The kernel python_loops was not recorded, so there is no ratio."
    ]
    (failing,) = answered(tmp_path, torch(40_000))  # faster than the machine can read
    assert failing.startswith("No ratio is shown, because the checklist fails: torch_broadcast@cpu is at 1000%")


def test_the_readers_own_kernel_is_named_and_torch_only_where_it_was_asked_for(tmp_path):
    taken = samples(quick=0, numpy_broadcast=0.004, mine=0.008)
    own = f"numpy_broadcast.py, mine.py{ELSEWHERE}"
    told = answered(tmp_path, taken, not_in_commit=own, **DOCUMENTS)
    assert told[1] == "mine is 50.0× as fast as the loops (50.0× to 50.0×)."
    assert len(told) == 3  # nothing of PyTorch


def test_against_another_reference_every_kernel_is_compared_with_it(tmp_path):
    written = record(tmp_path, samples(python_loops=0, mine=0.002, same=0.00401))
    elsewhere = "On drawn digits, which are not MNIST, "
    assert answer.sentences(replace(written, metadata={**written.metadata, "reference": "quick"})) == [
        f"{elsewhere}mine is 2.00× as fast as quick (2.00× to 2.00×).",
        f"{elsewhere}same is 1.00× as fast as quick (1.00× to 1.00×), a difference that is not resolved.",
    ]


@pytest.mark.parametrize(
    ("times", "others", "few", "sentence"),
    [
        (500, {"python_bytes": 0.4}, (9000, 500),
         "It is thousands of times as fast only as loops that index a tensor element by element (9,000×)."),
        (500, {"python_generators": 6.0}, (),
         "It is thousands of times as fast as no other loops: the most is 750×, as python_generators."),
        (2000, {"python_bytes": 0.4, "python_indexed": 5.0}, (9000,),
         "It is thousands of times as fast also as loops that index a tensor element by element (9,000×) and "
         "python_indexed (2,500×), not as python_bytes (200×)."),
    ],
)  # fmt: skip
def test_the_other_loops(times, others, few, sentence, tmp_path):
    names = ("python_tensor_elements", "python_ndarray_elements")
    parts = [on_few(tmp_path, value, name, 10 + at) for at, (name, value) in enumerate(zip(names, few, strict=False))]
    assert answered(tmp_path, torch(times, **others), few=parts)[1] == sentence


def test_other_loops_that_decide_nothing(tmp_path):
    wide = torch(500, python_indexed=3.0, python_bytes=0.4, slower={"python_indexed": LAST})
    assert answered(tmp_path, wide)[1] == (
        "It is thousands of times as fast as no other loops: the most is 50.0×, as python_bytes; "
        "the record cannot tell whether it is so against python_indexed, 375× (375× to 1,125×)."
    )


def test_the_first_call(tmp_path):
    assert answered(tmp_path, torch())[1:] == [FIRST_CALL.format("0.11 s")]
    assert answered(tmp_path, slow_start(torch(), CPU, 5.5))[1:] == [
        "In a fresh process the loops finish first: 4.10 s against 5.50 s."
    ]
    wide = slow_start(torch(), CPU, 4.0, 4.2, 4.3)
    assert answered(tmp_path, wide)[1:] == [
        "In a fresh process neither surely finishes first: the loops take 4.10 s, PyTorch 4.20 s."
    ]
    without = [sample for sample in torch() if sample.scope != "first_call"]
    assert len(answered(tmp_path, without)) == 1


def test_from_files_or_from_arrays(tmp_path):
    both = torch(pairs=(("baseline", "l1"), ("end_to_end", "l1")))
    whole = record(tmp_path, torch(), **DOCUMENTS)
    for metadata, sentence in (
        ({**DOCUMENTS, "loading_s": 2}, "From PNG files to accuracy it is 2.99×: 6.00 s against 2.01 s."),
        ({"loading_s": 2}, "From files to accuracy it is 2.99×: 6.00 s against 2.01 s."),
        ({}, "From uint8 arrays to accuracy it is 500×: 4.00 s against 8.00 ms."),
    ):
        scopes = record(tmp_path, both, kind="scopes", **metadata)
        assert answer.sentences(scopes)[-1] == answer.sentences(whole, scopes=scopes)[-1] == sentence


def test_unpaired_times(tmp_path):
    path = pytest_benchmark(tmp_path, python_loops=[LOOPS_S] * 9, **{CPU: [0.01] * 9})
    assert answer.sentences(reader.read(path)) == [f"{DRAWN} 400× as fast as the loops (indicative, unpaired)."]


def test_every_published_record_has_an_answer():
    for published in page_records.published():
        for configuration in published.configurations:
            told = answer.sentences(configuration, published.small, published.scopes)
            assert 2 <= len(told) <= 6
            for sentence in told:
                assert sentence.endswith(".")
                assert ".." not in sentence
                assert "\n" not in sentence
