"""Every command that the README shows is run: here, on small digits, or by the set-up and .ci/run."""

import re
import shlex
import shutil

import pytest
from click.testing import CliRunner

from bench import __main__, kernel
from bench.cli import run as run_command
from bench.kernel import ROOT
from bench.records import model
from bench.report import page, page_records, readme
from data.tests.builders import small_set, write

README, REFERENCE_TEXT = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "bench/README.md"))
COMMANDS = list(
    dict.fromkeys(
        line.partition(" #")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", README + REFERENCE_TEXT, flags=re.DOTALL)
        for line in block.splitlines()
        if line.strip()
    )
)
BENCH = [command.removeprefix("python -m bench ") for command in COMMANDS if command.startswith("python -m bench ")]
BENCH.sort(key=lambda command: command.startswith("run"))  # so that the others read one record of several kernels
OTHERS = [command for command in COMMANDS if not command.startswith("python -m bench ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder to work in, with small digits, a kernel mine.py, and records of its own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("reader")
        patch.setenv("MNIST_SAMPLE", str(write(folder / "small", small_set())))
        patch.setattr(model, "LOCAL", folder / "results" / "local")
        patch.setattr(readme, "README", folder / "README.md")
        patch.setattr(readme, "ROOT", folder)
        (folder / "README.md").write_text(README, encoding="utf-8")
        patch.chdir(folder)
        (folder / "ladder").mkdir()
        shutil.copy(ROOT / "kernels" / "numpy_broadcast.py", folder / "ladder" / "step.py")
        patch.setattr(kernel, "LADDER", folder / "ladder")  # of one kernel: .ci/run times the others
        shutil.copy(ROOT / "kernels" / "numpy_broadcast.py", folder / "mine.py")
        with pytest.MonkeyPatch.context() as without_pages:
            without_pages.setattr(page, "write", lambda shown: [shown.page])
            first = CliRunner().invoke(__main__.cli, ["run", "--quick", "--quiet"])
        assert first.exit_code == 0, first.output
        yield folder


@pytest.fixture(scope="module")
def invoked():
    """The commands that were invoked already."""
    return set()


@pytest.mark.parametrize("command", BENCH)
def test_a_command_of_the_tool_does_what_it_says(place, command, invoked, monkeypatch):
    words = shlex.split(command)
    if words == ["plot", "bench.json"]:
        pytest.skip("needs the file of pytest --benchmark-only: .ci/run runs both")
    if words[0] == "compare":
        pytest.importorskip("torch")
    # Nothing is unfinished or published here, and the run was a quick one: other tests resume, publish, and rewrite a
    # README.
    due = 2 if words in (["run", "--resume"], ["run", "--finish"], ["report", "--readme"], ["publish"]) else 0
    if words[0] == "run" and not due and "--memory" not in words:  # `place` ran one; other tests run the others
        monkeypatch.setattr(run_command, "run", lambda options: options.plan(kernel.discover(options.files)) is None)
    if words[0] in ("check", "run") and not due and "--kernel" not in words:
        words += ["--kernels", "numpy_broadcast"]  # .ci/run takes all that can run here
    if tuple(words) not in invoked:
        invoked.add(tuple(words))
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


def test_the_results_are_what_the_published_records_say(monkeypatch):
    monkeypatch.setattr(model, "LOCAL", ROOT / "results" / "local")  # the checkout's own, not the reader's
    monkeypatch.setattr(kernel, "LADDER", ROOT / "kernels" / "ladder")
    monkeypatch.setattr(readme, "README", ROOT / "README.md")
    monkeypatch.setattr(readme, "ROOT", ROOT)
    text = readme.README.read_bytes().decode()
    same = text == readme.rewritten(text, list(page_records.published()))
    assert same, "README.md is not what results/ gives: python -m bench report --readme writes it, after publishing"


def test_the_first_screen():
    lines = README.splitlines()
    assert len(lines) <= 150
    assert max(map(len, lines)) <= 300
    assert next(number for number, line in enumerate(lines, 1) if line.startswith("make bench")) <= 60
    assert max(len(alt) for alt in re.findall(r"!\[(.*?)\]", README)) <= 150
    [output] = re.findall(r"```text\nkernel(.*?)```", README, flags=re.DOTALL)
    assert 10 <= len(output.splitlines()) <= 12


def test_what_the_texts_link_to_is_there():
    for folder, text in ((ROOT, README), (ROOT / "bench", REFERENCE_TEXT)):
        for target in re.findall(r"\]\((?!http)([^)#]+)", text):
            assert (folder / target).is_file(), target
