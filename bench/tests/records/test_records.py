"""Records: written whole, never over another, read by pyperf too; readers refuse what they do not know."""

import getpass
import gzip
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyperf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import atomic
from bench.analysis import checklist
from bench.kernel import ROOT
from bench.probes import machine
from bench.records import keys, model, reader
from bench.records.model import BadRecord, NotTimed
from bench.records.sample import Footprint, Sample
from bench.tests.builders_records import (
    DOCUMENTS,
    KERNEL_METADATA,
    configurations,
    memory,
    pytest_benchmark,
    record,
    samples,
    write,
)

NOT_TIMED = (NotTimed("gpu@cuda", "unavailable", "no driver\nat all"),)

TIMES = st.floats(min_value=1e-9, max_value=1e4)
COUNTS = st.integers(0, 2**40)
SAMPLES = st.builds(
    Sample,
    kernel=st.sampled_from(["quick", "slow@cuda", "quick~again", "bound@one_core"]),
    scope=st.sampled_from(["mean", "predict", "baseline", "first_call"]),
    distance=st.sampled_from(["l1", "l2", "-"]),
    images=st.sampled_from([1, 10, 14434]),
    seconds=TIMES,
    loops=st.integers(1, 10**6),
    process=st.integers(0, 14),
    round=st.integers(0, 9),
    position=st.integers(0, 9),
    minor_faults=st.floats(0, 1e9),
    context_switches=st.floats(0, 1e9),
    peak_rss_bytes=COUNTS,
    threads=st.just("all"),
    allocator=st.just("default"),
)
FOOTPRINTS = st.builds(
    Footprint,
    kernel=st.sampled_from(["quick", "slow@cuda"]),
    scope=st.sampled_from(["mean", "baseline"]),
    distance=st.sampled_from(["l1", "-"]),
    images=st.integers(1, 10**6),
    anonymous_before_bytes=st.none() | st.integers(1, 2**40),
    temporaries_bytes=st.none() | COUNTS,
    device_before_bytes=st.none() | st.integers(1, 2**40),
    device_temporaries_bytes=st.none() | COUNTS,
    not_measured=st.sampled_from(["", "device memory: why"]),
).filter(lambda footprint: footprint.peak_bytes is not None)


def same(left, right):
    return sorted(left, key=repr) == sorted(right, key=repr)


@given(st.lists(SAMPLES, min_size=1, max_size=8), st.sampled_from(["ladder", "sizes"]))
def test_a_record_reads_back_as_it_was_written(tmp_path_factory, taken, kind):
    written = record(tmp_path_factory.mktemp("r"), taken, NOT_TIMED, kind=kind)
    read = reader.read(written.path)
    assert same(read.samples, taken)
    assert (read.metadata, read.kernel_metadata) == (written.metadata, written.kernel_metadata)
    assert (read.kind, read.paired, tuple(read.not_timed)) == (kind, True, NOT_TIMED)
    for size in read.sizes:
        assert same(read.at(size).samples, [sample for sample in taken if sample.images == size])
    assert not {name for name in read.kernels() if name not in {"quick", "slow@cuda"}}


@given(st.lists(FOOTPRINTS, min_size=1, max_size=6))
def test_memory_is_written_in_bytes_as_a_kind_of_its_own(tmp_path_factory, footprints):
    written = memory(tmp_path_factory.mktemp("m"), footprints, NOT_TIMED)
    values, expected = [], []
    for benchmark in pyperf.BenchmarkSuite.load(str(written.path)):
        assert benchmark.get_unit() == "byte"
        values += benchmark.get_values()
    for one in footprints:  # the GPU's peak where the host's is unknown
        host = None not in (one.anonymous_before_bytes, one.temporaries_bytes)
        both = (one.anonymous_before_bytes, one.temporaries_bytes) if host else (
            one.device_before_bytes, one.device_temporaries_bytes)  # fmt: skip
        expected.append(sum(both))
    assert sorted(values) == sorted(expected)
    read = reader.read(written.path)
    assert (read.kind, read.pairs, tuple(read.not_timed)) == ("memory", [], NOT_TIMED)
    assert same(read.footprints, footprints)
    assert not Footprint.__dataclass_fields__.keys() & read.metadata.keys()


def test_a_file_holds_every_configuration_of_a_run(tmp_path):
    written = configurations(tmp_path, "1/keep", "1/default", "all/keep", "all/default")
    names = pyperf.BenchmarkSuite.load(str(written[0].path)).get_benchmark_names()
    assert {"baseline/l1/quick/1/keep", "baseline/-/bound@one_core/all/default"} <= {*names}
    read = reader.read_all(written[0].path)
    assert [part.configuration for part in read] == ["all/default", "all/keep", "1/default", "1/keep"]
    for before, after in zip(reversed(written), read, strict=True):
        assert (after.metadata, after.kernel_metadata) == (before.metadata, before.kernel_metadata)
        assert same(after.samples, before.samples)
    alone = pyperf.BenchmarkSuite.load(str(write(tmp_path)))  # names no configuration
    assert alone.get_benchmark_names()[0].count("/") == 2


def test_the_label_says_how_far_to_trust_it(tmp_path):
    labels = [record(tmp_path, samples(processes=processes)).label for processes in (1, 5, 6)]
    assert labels == [
        "indicative: 1 process per kernel, no confidence interval",
        "indicative: 5 processes per kernel, no confidence interval",
        "paired, 6 processes per kernel",
    ]


# A pyperf file.


def run_pyperf(*arguments):
    command = [sys.executable, "-m", "pyperf", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_pyperf_shows_counts_draws_and_compares_it(tmp_path):
    fast, slow = write(tmp_path), write(tmp_path, samples(quick=0.008))
    shown = run_pyperf("show", "--metadata", fast)
    for text in ("baseline/l1/quick", "dataset_digest", "Mean +- std dev: 4.00 ms +- 0.00 ms"):
        assert text in shown
    assert run_pyperf("stats", fast).count("values: 18") >= 2
    assert "baseline/l1/quick" in run_pyperf("hist", fast)
    compared = run_pyperf("compare_to", fast, slow)
    assert re.search(r"4\.00 ms.* -> .* 8\.00 ms.*: 2\.00x slower", compared)


# No names and no places.


def names_and_places():
    """Return what a record of this machine must not hold."""
    places = {str(Path.home()), str(ROOT), sys.prefix, sys.executable, os.getcwd(), tempfile.gettempdir() + os.sep}
    return {text for text in places | {socket.gethostname(), getpass.getuser()} if len(text) > 2}


def failing(folder):
    """Return the traceback of a kernel below a folder."""
    try:
        exec(compile("1 / 0", str(folder / "mine.py"), "exec"), {})
    except ZeroDivisionError:
        return traceback.format_exc()


def test_a_system_without_a_user_s_name_and_home_records_too(tmp_path, monkeypatch):
    """As a container does that was given a number for a user: after everything is timed it is too late to fail."""

    def missing(*_):
        raise KeyError("getpwuid(): uid not found: 12345")

    pwd = pytest.importorskip("pwd")
    monkeypatch.setattr(pwd, "getpwuid", missing)
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    written = record(tmp_path, not_timed=(NotTimed("mine", "broken", 'File "/somewhere/mine.py"'),))
    assert written.not_timed[0].reason == 'File "mine.py"'


def test_a_record_names_nobody_and_no_place(tmp_path):
    reasons = [
        failing(tmp_path / "home of alice" / "secret project"),
        "FileNotFoundError: [Errno 2] No such file or directory: '/home/alice/my data/weights.bin'",
        "cannot open /home/alice/x/lib.so.1: no such file, see C:\\Users\\alice\\x\\lib.dll and /opt/alice/",
        f"no right to read {Path.home()}",
    ]
    not_timed = tuple(NotTimed(f"kernel{n}", "broken", reason) for n, reason in enumerate(reasons))
    path = write(tmp_path, None, not_timed, **machine.metadata())
    for text in (path.read_text(), memory(tmp_path, (), not_timed).path.read_text()):
        for name in ("alice", "secret", *names_and_places()):
            assert not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text), name
        for key in ("hostname", "python_executable", "boot_time", "command", "user"):
            assert f'"{key}"' not in text
    kept = [entry.reason for entry in reader.read(path).not_timed]
    assert 'File "mine.py", line 1' in kept[0]
    assert kept[0].endswith("ZeroDivisionError: division by zero\n")
    assert "weights.bin" in kept[1]
    assert kept[2].startswith("cannot open lib.so.1: no such file, see lib.dll")


def test_text_with_control_characters_is_written_escaped(tmp_path):
    odd = {"dataset": "a\nb\x1b[31m\udcff ü", "governor": " "}
    written = record(tmp_path, kernel_metadata={"quick": {"ranks_l1": "fails:\r\n", "threads_in_force": ""}}, **odd)
    read = reader.read(written.path)
    assert read.metadata["dataset"] == written.metadata["dataset"] == r"a\nb\x1b[31m\udcff ü"
    assert "governor" not in read.metadata
    assert read.kernel_metadata["quick"]["ranks_l1"] == r"fails:\r\n"
    assert "threads_in_force" not in read.kernel_metadata["quick"]  # what is unknown is left out


@pytest.mark.parametrize("reason", ["l1: 2 of 81 labels are wrong, image 3/40", "see https://example.org/a/b", "a / b"])
def test_what_is_no_path_stays(tmp_path, reason):
    assert record(tmp_path, None, (NotTimed("kernel", "broken", reason),)).not_timed[0].reason == reason


def test_every_metadata_key_is_explained_in_one_table(tmp_path):
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| [^|]+ \|$", keys.README.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(name for names in keys.KEYS.values() for name in names)
    assert {*keys.REQUIRED, *keys.PER_KERNEL, *DOCUMENTS} <= keys.NAMES
    with pytest.raises(ValueError, match=r"another_key: not a key of bench/records/keys\.py"):
        write(tmp_path, another_key=1)
    assert list(tmp_path.iterdir()) == []


# Files.


def test_records_of_one_instant_have_names_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_names", lambda suffix: (f"now-{copy}{suffix}" for copy in range(1, 99)))
    with ThreadPoolExecutor(5) as pool:
        paths = [*pool.map(lambda number: write(tmp_path, samples(processes=1, quick=0.1 + number)), range(25))]
        folders = [*pool.map(lambda _: atomic.new_folder(tmp_path, ".unfinished"), range(25))]
    assert len({*paths}) == len({*folders}) == 25
    assert sorted(tmp_path.iterdir()) == sorted([*paths, *folders])
    times = sorted(reader.read(path).samples_of("quick")[0].seconds for path in paths)
    assert times == pytest.approx([0.1 + number for number in range(25)])


@pytest.mark.parametrize("fails", ["os.replace", "pyperf.BenchmarkSuite.dump"])
def test_nothing_half_written_is_left(tmp_path, monkeypatch, fails):
    monkeypatch.setattr(fails, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda text: text[:-40], "is not complete JSON"),
        (lambda text: "[]", "neither a pyperf file nor"),
        (lambda text: '{"version": "1.0", "metadata": {}}', "has schema None"),
        (lambda text: text.replace('"schema":2', '"schema":99'), "has schema 99, expected 2"),
        (lambda text: without_checksum(text).replace('"loops":3', '"lops":3'), "'loops'"),
        (lambda text: text.replace("bound@one_core", "bounb@one_core"), "has changed since it was written"),
        (lambda text: '{"machine_info": {}, "datetime": "", "benchmarks": [7]}', "not written by this project"),
    ],
)
def test_a_bad_record_is_refused_by_name(tmp_path, change, text):
    bad = tmp_path / "bad.json"
    bad.write_text(change(write(tmp_path).read_text()))
    with pytest.raises(BadRecord, match=text) as refusal:
        reader.read(bad)
    assert "bad.json" in str(refusal.value)


def without_checksum(text):
    """Return a record's text as an older version would have written it."""
    return re.sub(r'"checksum":"[0-9a-f]{64}",', "", text)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write(tmp_path_factory.mktemp("text"), samples(processes=1, rounds=1)).read_text()


@given(st.data())
def test_a_changed_digit_is_noticed(text, tmp_path_factory, data):
    places = [match.start() for match in re.finditer(r"\d", text)]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([digit for digit in "123456789" if digit != text[place]]))
    path = tmp_path_factory.mktemp("changed") / "record.json"
    path.write_text(f"{text[:place]}{digit}{text[place + 1 :]}")
    with pytest.raises(BadRecord, match=r"record\.json .*(changed since|schema|neither)"):
        reader.read(path)


def test_a_record_without_a_checksum_is_read_and_marked(text, tmp_path):
    path = tmp_path / "record.json"
    for has, content in ((True, json.dumps(json.loads(text), indent=1)), (False, without_checksum(text))):
        path.write_text(content)  # blanks change nothing
        items = checklist.review(reader.read(path))
        assert any("has no checksum" in item.text for item in items if item.level == "WARN") != has


@pytest.mark.parametrize("change", [("temporaries_bytes", -5), ("anonymous_before_bytes", "abc"), ("scope", "all")])
def test_an_edited_record_of_memory_is_refused(change, tmp_path):
    content = json.loads(without_checksum(memory(tmp_path).path.read_text()))
    for part in (content, *content["benchmarks"], *content["benchmarks"][0]["runs"]):
        if change[0] in part.get("metadata", {}):
            part["metadata"] |= dict([change])
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadRecord, match="impossible measurement of memory"):
        reader.read(path)


def test_a_packed_record_cut_short_or_missing_is_refused_by_name(tmp_path, monkeypatch):
    packed = gzip.compress(write(tmp_path).read_bytes())
    for content in (packed[:-20], packed[:5], b"plain", packed[:100] + b"x" * 100 + packed[200:]):
        (tmp_path / "bad.json.gz").write_bytes(content)
        with pytest.raises(BadRecord, match=r"bad\.json\.gz is not a complete gzip file"):
            reader.read(tmp_path / "bad.json.gz")
    with pytest.raises(BadRecord, match="python -m bench run"):
        reader.read(tmp_path / "none.json")
    monkeypatch.setattr(model, "LOCAL", tmp_path / "results" / "local")
    with pytest.raises(BadRecord, match="There is no record yet"):
        reader.newest()


def test_pytest_benchmark_files_are_unpaired_and_without_samples_say_what_to_add(tmp_path):
    path = pytest_benchmark(tmp_path, quick=[0.2, 0.1])
    read = reader.read(path)
    assert (read.paired, read.label) == (False, "indicative, unpaired")
    assert [sample.seconds for sample in read.samples_of("quick")] == [0.2, 0.1]
    assert read.configuration == "all/default"
    assert read.kernel_metadata["quick"]["correct_l1"] == KERNEL_METADATA["correct_l1"]

    content = json.loads(path.read_text())
    del content["benchmarks"][1]["stats"]["data"]
    path.write_text(json.dumps(content))
    with pytest.raises(BadRecord, match="--benchmark-save-data"):
        reader.read(path)
