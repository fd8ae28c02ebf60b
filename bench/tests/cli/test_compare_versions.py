"""CONTRIBUTING.md, "Compare two versions of a kernel": its commands exist and do what it says."""

import re
import shlex
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from bench import __main__
from bench.cli import run
from bench.kernel import ROOT
from bench.records import model
from bench.tests.builders import write_kernel
from bench.tests.builders_records import record, samples

[SECTION] = re.findall(
    r"## Compare two versions of a kernel\n(.*?)\n## ",
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    re.DOTALL,
)
SHELL = "".join(re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL))
[WORKFLOW] = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)


def commands(text):
    """Return the arguments of each `python -m bench` in a text, without redirections and comments."""
    lines = re.sub(r"\n {10}", " ", text).splitlines()
    found = (re.search(r"python -m bench ([^>#]+)", line) for line in lines)
    return [shlex.split(match[1]) for match in found if match]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the kernels' files, and with the records that the runs of the section would write."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model, "LOCAL", tmp_path / "results" / "local")
    for name in ("mine", "mine_old", "in_place_old"):
        write_kernel(tmp_path / f"{name}.py")
    return model.LOCAL


def planted(place, name, **seconds):
    """Write the record of a run of two versions, as if on the published machine."""
    noise = {"mine": (1.0, 1.01, 0.99, 1.02, 0.98, 1.0), "mine_old": (1.01, 1.0, 1.0, 0.99, 1.0, 1.02)}
    taken = samples(python_loops=0, quick=0.004, slower=noise, **seconds)
    written = record(
        place, taken, cpu_model_name="Intel(R) Xeon(R) Processor", dataset="mnist_sample", commit="c5235da147c8",
        not_in_commit="mine_old.py (not in this repository)", reference="mine_old", date="2026-11-21T22:29:00+00:00",
    )  # fmt: skip
    return written.path.rename(place / f"{name}.json")


def test_every_command_of_the_section_parses_and_names_kernels_that_exist(place):
    for arguments in (every := [*commands(SHELL), *commands(WORKFLOW)]):
        with __main__.cli.make_context("bench", [*arguments]) as context:
            name, command, rest = __main__.cli.resolve_command(context, arguments)
            given = command.make_context(name, rest).params
        if name == "run":
            specs = run.kernels_of_against(SimpleNamespace(**given), given["against"])
            assert len(specs) == 2
            assert given["against"][0] in {spec.name for spec in specs}
    assert [arguments[0] for arguments in every] == ["run", "compare"] * 3


def test_the_commands_print_what_the_section_says(place):
    old = planted(place, "20261121T222900Z", mine=0.005, mine_old=0.00612)
    _, versions, _, older = commands(SHELL)
    done = CliRunner().invoke(__main__.cli, versions)
    assert done.exit_code == 0, done.output
    assert done.output.strip() in SECTION
    new = planted(place, "20261122T000000Z", mine=0.0025, mine_old=0.00612)
    done = CliRunner().invoke(__main__.cli, older)
    assert "mine (new) is faster than mine (old): " in done.output
    assert old.name in done.output
    assert new.name in done.output
    assert "--json" in SECTION


@pytest.mark.parametrize(("factor", "status"), [(0.9, 0), (1.0, 0), (1.2, 1)])
def test_the_workflow_fails_where_a_slowdown_is_confirmed(place, factor, status):
    planted(place, "20261121T222900Z", numpy_in_place=0.004 * factor, in_place_old=0.004)
    gate = commands(WORKFLOW)[-1]
    assert ({"--fail-slower", "5", "--fail-unresolved"}) <= {*gate}
    assert CliRunner().invoke(__main__.cli, gate).exit_code == status


def test_the_workflow_is_one():
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with the libraries of the ladder")
    workflow = yaml.safe_load(WORKFLOW)
    [job] = workflow["jobs"].values()
    steps = [step.get("run") or step["uses"] for step in job["steps"]]
    assert [word for word in steps if "bench" in word] == [" ".join(step.split()) for step in steps[-2:]]
    path = re.search(r"HEAD\^1:(\S+)", WORKFLOW)[1]
    assert (ROOT / path).is_file()
