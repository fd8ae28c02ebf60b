"""`run` and `plot` as a person meets them: what they print, what they leave behind, how they end."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from bench import __main__, reading
from bench.kernel import REFERENCE, ROOT


def invoke(*arguments):
    return CliRunner().invoke(__main__.cli, [str(each) for each in arguments])


def test_run_ends_with_what_a_person_wants_to_see(place):
    mine = place / "mine.py"
    mine.write_text((ROOT / "kernels" / "numpy_broadcast.py").read_text())
    (place / "absent.py").write_text("import no_such_package\n")
    result = invoke("run", "--quick", "--data", place / "small", "--kernel", mine, "--kernel", place / "absent.py")
    assert result.exit_code == 0, result.output
    said = result.stdout
    assert "small, 2 + 2 training and 1 + 1 validation images, SHA-256 " in said
    assert "all 2 kernels agree: " in said
    for name in (REFERENCE, "mine"):
        assert any(line.strip().startswith(f"{name} ") and "×" in line for line in said.splitlines())
    assert "absent is unavailable: no_such_package is not installed" in said
    assert "indicative: 1 process set, no interval" in said
    assert "resolution ±" in said
    tail = said.splitlines()[-20:]
    for claim in range(1, 10):
        assert any(line.startswith(f"C{claim} ") for line in tail), claim
    left = sorted(path.suffix for path in (place / "local").iterdir())
    assert left == [".html", ".json", ".png", ".svg"]
    assert re.fullmatch(r"Page +\S+\.html", tail[-1])
    svg = next((place / "local").glob("*.svg"))
    before = svg.read_bytes()
    assert invoke("plot").exit_code == 0
    assert svg.read_bytes() == before


def test_a_wrong_kernel_is_not_timed_and_the_exit_status_says_so(place):
    wrong = place / "wrong.py"
    wrong.write_text((ROOT / "kernels" / "numpy_broadcast.py").read_text().replace("argmin", "argmax"))
    result = invoke("run", "--quick", "--data", place / "small", "--kernel", wrong, "--quiet")
    assert result.exit_code == 1
    assert "wrong disagrees: l1: " in result.stdout
    assert "1 kernel agrees" in result.stdout
    record = reading.read(next((place / "local").glob("*.json")))
    assert record.kernels() == [REFERENCE]
    assert [each.kernel for each in record.absent] == ["wrong"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--data", "no/such/place"], "no/such/place: cannot be read"),
        (["run", "--kernels", "no_such_kernel"], "no kernel is called 'no_such_kernel'"),
        (["run", "--kernel", "no_such.py"], "no_such.py does not exist"),
        (["run", "--timeout", "0"], "--timeout"),
        (["run", "--memory", "--sizes", "1"], "exclude each other"),
        (["run", "--kernels", ","], "name at least one kernel"),
        (["plot", "no_such.json"], "no_such.json: cannot be read"),
        (["plot"], "there is no record yet"),
        (["run", "--no-such-option"], "--no-such-option"),
    ],
)
def test_bad_input_is_one_message_and_nothing_written(place, arguments, says):
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert not (place / "local").exists()


def test_bad_input_ends_a_process_without_a_traceback(place):
    command = [sys.executable, "-c", PATCHED, str(place / "local"), "run", "--data", "no/such/place"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no/such/place: cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


PATCHED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background it is ignored
from pathlib import Path
from bench import __main__, records
records.LOCAL = Path(sys.argv.pop(1))
__main__.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_leaves_nothing_and_ends_with_130(place):
    hang = place / "hang.py"
    marker = place / "hanging"
    source = f"import os, time\ndef prepare(images, device):\n    open({str(marker)!r}, 'w').write(str(os.getpid()))\n"
    hang.write_text(source + "    time.sleep(600)\nmean_images = predict_l1 = prepare\n")
    command = [sys.executable, "-c", PATCHED, str(place / "local"), "run", "--data", str(place / "small")]
    with subprocess.Popen([*command, "--kernel", str(hang)], cwd=ROOT, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 60
        while not (marker.exists() and marker.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert not list((place / "local").iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


def test_help_fits_a_screen():
    for verb in ("kernels", "check", "run", "plot", "report", "compare", "publish"):
        lines = invoke(verb, "--help").output.splitlines()
        assert len(lines) <= 27
        assert max(map(len, lines)) <= 80
