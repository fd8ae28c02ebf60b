"""Outputs that take no more, signals, and names with control characters: a sentence, no traceback."""

import copy
import errno
import io
import json
import math
import os
import signal
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import __main__, atomic, kernel
from bench.analysis import claims
from bench.atomic import printable
from bench.cli import console
from bench.kernel import REFERENCE, ROOT
from bench.records import reader
from bench.report import page, page_records
from bench.runner import checkpoint
from bench.runner.check_kernels import CheckResult
from bench.runner.scheduler import FinishedProcess
from bench.tests.builders import write_kernel
from bench.tests.builders_records import DOCUMENTS, KERNEL_METADATA, METADATA, record, samples

CLEAR = "\x1b[2J\x9b1m\x07\u202e"  # what a terminal obeys


@pytest.fixture
def bench(monkeypatch):
    """A function that runs a command as `python -m bench` does, in this process, and returns its exit status."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            __main__.main()
        return int(ended.value.code)

    return run


@pytest.fixture
def measured(monkeypatch):
    """A run whose processes take no time."""
    taken = samples(processes=1, numpy_broadcast=0.01, quick=0, **{"quick~again": 0})
    results = tuple(CheckResult(name, "agrees", None, {"l1": [1, 1]}, 0.0) for name in ("numpy_broadcast", REFERENCE))
    finished = FinishedProcess(tuple(taken), results, None, {}, {}, 1e-7, 0.1)
    monkeypatch.setattr(checkpoint, "measure_process", lambda *_: finished)


RUN = ("run", "--kernels", "numpy_broadcast", "--quick", "--quiet", "--data")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "cp932"])
def test_characters_that_an_output_does_not_know_are_replaced(bench, encoding, place, measured, monkeypatch, capsys):
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    (place / "small").rename(place / "größe≥3")
    assert bench("kernels") == 0
    assert bench("check", "--kernels", "größe≥3") == 2
    if encoding == "ascii":
        assert bench(*RUN, place / "größe≥3") == 0
        (written,) = (place / "local").glob("*.html")
        assert "größe≥3" in written.read_text(encoding="utf-8")
    for stream, words in ((out, "Broadcasting in NumPy"), (err, "no kernel is called 'gr")):
        stream.flush()
        assert words in stream.buffer.getvalue().decode(encoding)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
@pytest.mark.parametrize("command", ["--help", "kernels"])
def test_an_output_on_a_full_disk_or_that_nobody_reads(command):
    for output, status in (("/dev/full", 2), ("pipe", 141)):
        reader, writer = os.pipe()
        os.close(reader)
        with open("/dev/full", "wb") as full:
            stdout = full if output == "/dev/full" else writer
            done = subprocess.run(
                [sys.executable, "-m", "bench", command], cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True,
                check=False,
            )  # fmt: skip
        os.close(writer)
        assert done.returncode == status
        said = "Error: standard output: No space left on device."
        assert done.stderr.startswith(said) if status == 2 else done.stderr == ""
        assert len(done.stderr.splitlines()) <= 1


@pytest.mark.parametrize(
    ("file", "remains", "advice"),
    [
        ("plan.json", [], ""),
        ("0-all-default-0.json", [], ""),
        ("2*.json", [".unfinished"], "-m bench run --resume continues after the finished processes."),
        ("*.svg", [".json"], "The record is safe: "),
    ],
)
def test_a_full_disk_is_one_sentence_and_leaves_what_is_worth_keeping(
    bench, file, remains, advice, place, measured, monkeypatch, capsys
):
    replace, whole = os.replace, []

    def full(partial, path):
        if fnmatch(Path(path).name, file) and not whole:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(partial, path)

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(checkpoint, "_in_progress", lambda folder: False)
    assert bench(*RUN, place / "small") == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"Error: {place / 'local'}{os.sep}2")
    assert ": No space left on device. Free some space on its disk" in said
    assert (advice or said) in said
    assert [path.suffix for path in (place / "local").glob("[!.]*")] == remains
    if "--resume" in advice:
        whole.append(True)
        assert bench("run", "--resume", "--quiet") == 0
        assert [*(place / "local").glob("*.html")]


def test_an_error_shows_escape_sequences_and_a_closed_output_is_no_error(bench, capsys, monkeypatch):
    assert bench("check", "--data", f"/nowhere{CLEAR}") == 2
    assert r"/nowhere\x1b[2J\x9b1m" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", None)
    assert bench("check", "--data", "drawn", "--per-class", "3", "--kernels", "numpy_broadcast") == 0


def test_a_file_is_written_whole_or_not_at_all_and_replaces_no_device(tmp_path):
    path, pipe = tmp_path / "file", tmp_path / "pipe"
    atomic.write(path, "a\x1b[1mb\nü")
    assert path.read_bytes() == b"a\\x1b[1mb\n\xc3\xbc"
    with pytest.raises(OSError, match="No space") as caught, atomic.whole(path):
        raise OSError(errno.ENOSPC, "No space")
    assert caught.value.filename == str(path)
    assert [*tmp_path.iterdir()] == [path]
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
        descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        atomic.write(pipe, b"through")
        assert os.read(descriptor, 99) == b"through"
        os.close(descriptor)
        assert not pipe.is_file()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_says_how_to_resume(bench, name, place, measured, monkeypatch, capsys):
    """As far as this process can send one to itself."""
    if not hasattr(signal, name):
        pytest.skip("Windows has no such signal")
    number, handlers = getattr(signal, name), {signal.SIGINT: signal.default_int_handler}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    write = checkpoint._write

    def end(path, content):
        write(path, content)
        if path.name.startswith("0-"):
            handlers[number](number, None)

    monkeypatch.setattr(checkpoint, "_write", end)
    assert bench(*RUN, place / "small") == 128 + number
    said = f"Interrupted. No file is left half-written. {console.bench()} run --resume continues after"
    assert capsys.readouterr().err.startswith(f"\n{said}")
    assert [path.suffix for path in (place / "local").iterdir()] == [".unfinished"]


# Names.


@pytest.mark.parametrize("text", ["plain ü ≥ 3\n\tx", CLEAR, "".join(map(chr, range(0x3000))), "\udcff\ufffe"])
def test_what_is_printable_can_be_written_and_is_obeyed_by_nothing(text):
    shown = printable(text)
    assert shown.encode().decode() == shown == printable(shown)
    assert not [letter for letter in shown if not letter.isprintable() and ord(letter) < 0xA0 and letter not in "\n\t"]
    ElementTree.fromstring(f"<a>{shown.replace('&', '').replace('<', '')}</a>")
    if text.startswith("plain"):
        assert shown == text


def test_control_characters_of_a_docstring_or_a_record_reach_no_terminal_and_no_file(place, monkeypatch):
    mine = write_kernel(place / "mine.py", base=f'"""Wipe {CLEAR} out."""\nDEVICES = ("cpu",)\n')
    folder = ROOT / "kernels"
    monkeypatch.setattr(kernel, "_files", lambda: [folder / f"{REFERENCE}.py", folder / f"bad{CLEAR} name.py"])
    path = record(place / "local", dataset=f"three{CLEAR}", cpu_model_name=f"CPU{CLEAR}").path

    def invoke(*arguments):
        done = CliRunner().invoke(__main__.cli, [str(argument) for argument in arguments])
        assert not set(CLEAR) & set(done.output) - {*"[2J1m"}, arguments
        return done

    assert r"Wipe \x1b[2J\x9b1m\x07\u202e out." in invoke("kernels", "--kernel", mine).stdout
    assert r"bad\x1b[2J\x9b1m\x07\u202e name.py is no kernel" in invoke("kernels").stderr
    assert invoke("plot", path).exit_code == 0
    assert invoke("report", path).exit_code == 0
    texts = [*(place / "local").glob("*.svg"), *(place / "local").glob("*.html")]
    assert len(texts) > 2
    for file in texts:
        text = file.read_text(encoding="utf-8")
        assert printable(text) == text
        assert r"three\x1b[2J" in text
        if file.suffix == ".svg":
            ElementTree.fromstring(text)


# Files that somebody has changed.


@pytest.mark.parametrize("variable", ["missing.tgz", "damaged.tgz"])
@pytest.mark.parametrize("command", ["plot", "report"])
def test_digits_that_cannot_be_read_leave_out_their_pictures(command, variable, place, monkeypatch):
    (place / "damaged.tgz").write_bytes(b"\x1f\x8b cut short")
    monkeypatch.setenv("MNIST_SAMPLE", str(place / variable))
    path = record(place / "local", dataset="mnist_sample").path
    done = CliRunner().invoke(__main__.cli, [command, str(path)])
    assert done.exit_code == 0, done.output
    said = f"The picture gallery is not drawn, because the digits cannot be read. {place / variable}: "
    assert done.stdout.count(said) == 1
    assert command == "report" or "gallery is not drawn: The recorded digits were not found." in done.stdout
    named = CliRunner().invoke(__main__.cli, [command, str(path), "--data", str(place / variable)])
    assert (named.exit_code, named.stdout) == (2, "")


def of_pytest() -> dict[str, Any]:
    """Return what `pytest --benchmark-json` writes of two kernels."""
    shared = {key: value for key, value in METADATA.items() if key not in ("kind", "run", "order_seed")}
    shared |= {**KERNEL_METADATA, "scope": "baseline", "distance": "l1", "images": 9}
    benchmarks = [
        {"extra_info": {**shared, "kernel": name}, "stats": {"data": [seconds, 2 * seconds], "iterations": 1}}
        for name, seconds in ((REFERENCE, 0.1), ("quick", 0.01))
    ]
    return {"machine_info": {}, "datetime": "2026-11-21T00:00:00", "version": "5.2.3", "benchmarks": benchmarks}


def places(node: Any) -> list[tuple[Any, Any]]:
    """Return every container of a tree with every key in it; of a list only the ends."""
    keys = [*node] if isinstance(node, dict) else [*{0, len(node) - 1}] if isinstance(node, list) and node else []
    return [(node, key) for key in keys] + [place for key in keys for place in places(node[key])]


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> tuple[dict[str, Any], dict[str, Any]]:
    ours = record(tmp_path_factory.mktemp("ours"), **(DOCUMENTS | {"margin_change_by_class": "+0.1 -0.2"})).path
    return json.loads(ours.read_text(encoding="utf-8")), of_pytest()


@given(data=st.data())
@settings(max_examples=60)
def test_an_edited_file_is_refused_or_compared_but_ends_no_command_in_a_traceback(data, originals, tmp_path_factory):
    content = copy.deepcopy(originals[data.draw(st.integers(0, 1))])
    node, key = places(content)[data.draw(st.integers(0, len(places(content)) - 1))]
    value = data.draw(st.sampled_from([None, "x", "", -1, 0, 7, math.nan, math.inf, True, [], {}, "gone"]))
    if value == "gone":
        del node[key]
    else:
        node[key] = value
    path = tmp_path_factory.mktemp("edited") / "edited.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    done = CliRunner().invoke(__main__.cli, ["compare", REFERENCE, "quick", "--record", str(path)])
    assert isinstance(done.exception, SystemExit | None), (key, value, done.exception)
    assert done.exit_code in (0, 2)
    if done.exit_code == 0:
        assert not {"nan", "inf", "nan×", "inf×"} & {*done.stdout.split()}
        selection = page_records.alone(reader.read_all(path))
        claims.verdicts(selection.speed)
        page._contents(selection)


def test_outside_of_the_environment_a_sentence_says_what_to_run():
    done = subprocess.run([sys.executable, "-S", "-m", "bench"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("click is not installed in this Python: run .venv/bin/python -m bench ")
