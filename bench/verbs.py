"""What each verb does, from the digits to what a person reads at the end."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import data
from bench import checking, comparing, comparison_text, console, reading, tables, writing
from bench.checking import Verdict
from bench.comparing import Side
from bench.kernel import Contestant, UnknownKernel, discover, select
from bench.problem import pose


@dataclass(frozen=True)
class Choice:
    """The options that choose digits and kernels; `--help` explains them."""

    source: str
    kernels: list[str]
    files: tuple[Path, ...]
    require: tuple[str, ...]
    seed: int
    timeout_s: float
    quiet: bool

    def contestants(self, always: Iterable[str] = ()) -> list[Contestant]:
        """Return the contestants: those named, else those of the files, else all; `always` and `require` join them."""
        everyone = discover(self.files)
        extra = [*(path.stem for path in self.files), *self.require]
        if self.kernels or self.files:
            return select(everyone, [*self.kernels, *extra, *always])
        select(everyone, extra)  # an unknown name in `require` is bad input here too
        return everyone

    def status(self, verdicts: Sequence[Verdict]) -> int:
        """Return the exit status: 1 if a kernel is wrong or broken, a required one unavailable, or none agrees."""
        for verdict in verdicts:
            required = {verdict.name, verdict.name.partition("@")[0]} & set(self.require)
            if verdict.status in ("disagrees", "broken") or (verdict.status == "unavailable" and required):
                return 1
        return int(all(verdict.status != "agrees" for verdict in verdicts))  # nothing was proven


def check(choice: Choice, json_file: Path | None) -> int:
    """Verify the chosen kernels, print the table, write the JSON; return the exit status."""
    contestants = choice.contestants()
    if json_file and not os.access(json_file if json_file.exists() else json_file.parent, os.W_OK):
        raise UnknownKernel(f"{json_file}: cannot be written; name a file in a folder that exists and is yours")
    problem = pose(data.load(choice.source))
    verdicts: list[Verdict] = []
    with console.progress(choice.quiet) as progress, checking.handed_over(problem) as folder:
        for done, contestant in enumerate(contestants):
            progress("verify", contestant.name, done, len(contestants))
            verdicts.append(checking.judge(contestant, folder, choice.seed, choice.timeout_s))
    if json_file:
        with writing.whole(json_file) as partial:
            partial.write_text(json.dumps(checking.report(problem, verdicts), indent=1) + "\n", encoding="utf-8")
    out = console.out()
    out.print(tables.dataset(problem))
    out.print(tables.checked(problem, verdicts))
    for line in (
        *tables.agreement(problem, verdicts),
        *tables.failures(verdicts),
        f"orders drawn from seed {choice.seed}",
    ):
        out.print(line)
    return choice.status(verdicts)


def compare(sides: tuple[Side, Side], force: bool, shape: str, fail_slower: float | None) -> int:
    """Print a comparison as a table, "markdown" or "json"; return 1 if the new side is slower than allowed."""
    found = comparing.compare(*sides, force)
    if shape == "json":
        print(json.dumps(comparison_text.as_json(found), indent=1))
    elif shape == "markdown":
        print(comparison_text.markdown(found))
    else:
        console.out().print(console.table(comparison_text.lines(found), "", ""))
    return int(fail_slower is not None and found.slower_by(fail_slower))


def publish(path: Path | None, slug: str) -> None:
    """Publish a record, by default the newest local one, and print what was written."""
    from bench import publishing

    for written in publishing.publish(path or reading.newest(), slug):
        print(console.shown(written))


def plot(path: Path | None) -> None:
    """Draw a record, by default the newest, and print where the pictures are."""
    from bench.charts import speedup as chart

    path = path or reading.newest()
    for picture in chart.draw(reading.read(path), reading.stem(path)):
        print(console.shown(picture))
