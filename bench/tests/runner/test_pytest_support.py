"""The two pytest entry points, run as a user runs them: a wrong kernel fails, and none of its times is ever written."""

import json

import pytest

from bench.tests.builders import python, write_kernel
from bench.tests.wrong_kernels import ANSWERS, MEANS, WRONG

GROUPS = {"mean -", "predict l1", "predict l2", "baseline l1", "baseline l2", "end_to_end l1", "end_to_end l2"}
L1, L2 = ({group for group in GROUPS if group.endswith(distance)} for distance in ("l1", "l2"))
KERNELS = {  # the source, and the groups that are timed
    "right": ("", GROUPS),
    "no_l2": ("del predict_l2", GROUPS - L2),
    "wrong_l2": (WRONG["swapped_l2"][0], set()),
    "wrong_means": (MEANS.format("return means.round(3)"), set()),
    # Right for as many calls as verification makes, then wrong: only the timed calls can show it.
    "late_l1": (
        "calls = []\n" + ANSWERS.format("calls.append(1); return labels if len(calls) < 19 else 1 - labels"),
        GROUPS - L1,
    ),
    "late_means": (
        "calls = []\n" + MEANS.format("calls.append(1); return means + 0.1 * (len(calls) > 19)"),
        {"predict l1", "predict l2"},
    ),
    "unavailable": ("def unavailable(device):\n    return 'no beads'", set()),
    "slow": ("IMAGES = 3", GROUPS),
    "few": ("right = prepare\ndef prepare(images, device):\n    return right(images[:100], device)", set()),
}


@pytest.fixture(scope="module")
def run(small_data, tmp_path_factory):
    """A function that runs pytest with the kernels of KERNELS and no others."""
    folder = tmp_path_factory.mktemp("kernels")
    paths = [write_kernel(folder / f"{name}.py", source) for name, (source, _) in KERNELS.items()]
    options = ["-p", "no:cacheprovider", "--data", small_data, "--kernels", "right"]
    options += [part for path in paths for part in ("--kernel", path)]
    return lambda *arguments: python("-m", "pytest", *options, *arguments)


@pytest.fixture(scope="module")
def timed(run, tmp_path_factory):
    """What `pytest --benchmark-only` printed, and the rows of its JSON."""
    json_file = tmp_path_factory.mktemp("times") / "times.json"
    done = run("bench", "--benchmark-only", f"--benchmark-json={json_file}")
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout, json.loads(json_file.read_text())["benchmarks"]


@pytest.mark.parametrize("name", KERNELS)
def test_only_right_answers_are_timed(name, timed):
    """A kernel that verification refuses has no times in any scope; one that goes wrong later, none from there on."""
    output, rows = timed
    expected = KERNELS[name][1]
    groups = {row["group"] for row in rows if row["extra_info"]["kernel"] == name}
    assert groups <= expected if name.startswith("late") else groups == expected
    assert not [row for row in rows if f"[{name}" in row["name"] and row["extra_info"]["kernel"] != name]
    if name.startswith(("wrong", "late")):
        assert f"[{name}" in output  # the test's id in the summary of failures


def test_a_late_kernel_fails_in_a_timed_call(timed):
    output, _ = timed
    assert "WrongAnswer: l1: in a timed call: " in output
    assert "WrongAnswer: in a timed call: mean images are up to 1.00e-01" in output
    assert "unavailable is unavailable: no beads" in output


def test_of_what_is_not_timed_only_unavailable_kernels_are_listed(timed):
    """And neither other tests nor distances that a kernel does not offer."""
    (skipped,) = [line for line in timed[0].splitlines() if line.startswith("SKIPPED")]
    assert skipped.startswith("SKIPPED [7] ")
    assert skipped.endswith("unavailable is unavailable: no beads")
    assert "3 not offered" in timed[0]
    assert {row["fullname"].partition("::")[0] for row in timed[1]} == {"bench/test_speed.py"}


def test_every_row_has_its_metadata(timed):
    for row in timed[1]:
        info = row["extra_info"]
        assert f"[{info['kernel']}" in row["name"]
        assert row["group"] == f"{info['scope']} {info['distance']}"
        slow = info["kernel"] == "slow"
        assert (info["dataset"], info["device"]) == ("small[3 per class]" if slow else "small", "cpu")
        assert len(info["dataset_digest"]) == 64
        assert (info.get("per_class"), "dataset_of" in info) == ((3, True) if slow else (None, False))
        assert info["correct_l1"].count("/") == 2
        mean, predict = (6, 6) if slow else (27, 81)
        assert info["images"] == {"mean": mean, "predict": predict}.get(info["scope"], mean + predict)
        assert {"threads", "numpy_version", "python_version", "cpu_model_name"} <= set(info)
        assert "correct_l2" in info or info["kernel"] == "no_l2"
        assert 3 <= row["stats"]["rounds"] <= 50


@pytest.mark.parametrize("per_class", [None, 5])  # with 5, the classes are chosen too
def test_the_cross_check_has_one_test_per_kernel_and_distance(per_class, run):
    """With --per-class 5, the kernel that takes no more than ten images is right."""
    done = run("bench/test_accuracy.py", "-v", *(["--per-class", per_class, "--classes", "5,3"] if per_class else []))
    assert done.returncode == 1
    outcomes = {}
    for line in done.stdout.splitlines():
        if line.startswith("bench/test_accuracy.py::") and "[" in line:
            name, _, rest = line.partition("[")[2].partition("]")
            outcomes[name] = rest.split()[0]
    expected = dict.fromkeys(KERNELS, "PASSED") | {"wrong_l2": "ERROR", "wrong_means": "ERROR"}
    expected |= {"unavailable": "SKIPPED", "few": "PASSED" if per_class else "ERROR"}
    by_test = {f"{name}-{distance}": outcome for name, outcome in expected.items() for distance in ("l1", "l2")}
    assert outcomes == by_test | {"no_l2-l2": "SKIPPED"}
    assert "WrongAnswer: l2: " in done.stdout


@pytest.mark.parametrize("options", [["--kernels", "nobody"], ["--classes", "3,no/such"], ["--per-class", "0"]])
def test_bad_input_is_a_usage_error(options, small_data):
    command = ("-m", "pytest", "-p", "no:cacheprovider", "bench/test_accuracy.py", "--data", small_data)
    done = python(*command, "--kernels", "numpy_broadcast", *options)
    assert done.returncode in (2, 4)
    assert options[1].rpartition(",")[2] in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
