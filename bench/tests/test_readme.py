"""Every command that the README shows is run: here, on small digits, or by the set-up and .ci/run."""

import re
import shlex

import pytest
from click.testing import CliRunner

from bench import __main__, case, kernel, records, report
from bench import readme as readmes
from bench.kernel import ROOT
from data.tests.builders import small_set, write

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = list(
    dict.fromkeys(
        line.partition(" #")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
        for line in block.splitlines()
        if line.strip()
    )
)
BENCH = [command.removeprefix("python -m bench ") for command in COMMANDS if command.startswith("python -m bench ")]
OTHERS = [command for command in COMMANDS if not command.startswith("python -m bench ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder to stand in, with small digits, a kernel mine.py, and records of its own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("reader")
        patch.setenv("MNIST_SAMPLE", str(write(folder / "small", small_set())))
        patch.setattr(records, "LOCAL", folder / "results" / "local")
        patch.setattr(readmes, "README", folder / "README.md")
        patch.setattr(readmes, "ROOT", folder)
        (folder / "README.md").write_text(README, encoding="utf-8")
        patch.chdir(folder)
        (folder / "ladder").mkdir()
        (folder / "ladder" / "rung.py").write_text((ROOT / "kernels" / "numpy_broadcast.py").read_text())
        patch.setattr(kernel, "LADDER", folder / "ladder")  # of one rung: .ci/run times the others
        (folder / "mine.py").write_text((ROOT / "kernels" / "numpy_broadcast.py").read_text())
        first = CliRunner().invoke(__main__.cli, ["run", "--quick", "--quiet"])  # with its page
        assert first.exit_code == 0, first.output
        yield folder


@pytest.mark.parametrize("command", BENCH)
def test_a_command_of_the_tool_does_what_it_says(place, command, monkeypatch):
    words = shlex.split(command)
    if words[0] == "run":  # test_run.py has its page with every picture
        monkeypatch.setattr(report.charts, "PICTURES", ())
        monkeypatch.setattr(report, "render", lambda *_, **__: "<!DOCTYPE html>")
    due = 0
    if words == ["plot", "bench.json"]:
        pytest.skip("needs the file of pytest --benchmark-only: .ci/run runs both")
    if words == ["run", "--resume"]:
        due = 2  # nothing is unfinished here; test_unfinished.py resumes for real
    elif words == ["report", "--readme"]:
        due = 2  # nothing is published here; test_report.py rewrites a README for real
    elif words[0] == "run":
        words += [
            *([] if "--memory" in words else ["--quick"]),
            "--quiet",
            *([] if "--kernel" in words else ["--kernels", "numpy_broadcast"]),
        ]
    if words == ["check"]:  # of every rung of the ladder that can run here: .ci/run does that
        words += ["--kernels", "numpy_broadcast"]
    if "compare" in words:
        pytest.importorskip("torch")
    result = CliRunner().invoke(__main__.cli, words)
    assert result.exit_code == due, result.output


@pytest.mark.parametrize("command", OTHERS)
def test_any_other_command_is_run_by_the_set_up_or_by_ci(command):
    if command == "pytest bench/test_accuracy.py":
        return  # part of the suite that runs this test
    run = "\n".join((ROOT / name).read_text() for name in ("Makefile", ".ci/run"))
    run = run.replace("$(pip_install)", "pip install")
    words = command.removeprefix("python -m ").removesuffix('# or ".[dev]", without torch').strip()
    assert words in run or words == ". .venv/bin/activate"  # which CI spells out as .venv/bin/python


def test_there_are_commands_to_run():
    assert COMMANDS[:2] == ["make bench", "make test"]
    assert len(BENCH) > 10


def test_the_results_are_what_the_published_records_say(monkeypatch):
    monkeypatch.setattr(records, "LOCAL", ROOT / "results" / "local")  # the checkout's own, not the reader's
    monkeypatch.setattr(kernel, "LADDER", ROOT / "kernels" / "ladder")
    monkeypatch.setattr(readmes, "README", ROOT / "README.md")
    monkeypatch.setattr(readmes, "ROOT", ROOT)
    text = readmes.README.read_bytes().decode()
    same = text == readmes.rewritten(text, list(case.published()))
    assert same, "README.md is not what results/ gives: python -m bench report --readme writes it, after publishing"


def test_the_pictures_are_there():
    for picture in re.findall(r"\]\((results/.+?)\)", README):
        assert (ROOT / picture).is_file(), picture
