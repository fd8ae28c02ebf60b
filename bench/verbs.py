"""What each verb does, from the digits to what a person reads at the end."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import data
from bench import case as cases
from bench import checking, comparing, comparison_text, console, reading, tables, writing
from bench.case import Case
from bench.checking import Verdict
from bench.comparing import Side
from bench.grid import Grid
from bench.kernel import Contestant, UnknownKernel, discover, select
from bench.problem import Problem, pose


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

    def contestants(self, always: Iterable[str] = (), ladder: bool = False) -> list[Contestant]:
        """Return the contestants: those named, else those of the files, else those of `kernels/`.

        `always` and `require` join them, and every rung of the ladder where `ladder` says so.
        """
        everyone = discover(self.files)
        extra = [*(path.stem for path in self.files), *self.require]
        named = [*self.kernels, *extra, *always] if self.kernels or self.files else []
        chosen = {each.name for each in select(everyone, named or extra)}
        if not named:
            chosen |= {each.name for each in everyone if not each.rung}
        return [each for each in everyone if each.name in chosen or (ladder and each.rung)]

    def status(self, verdicts: Sequence[Verdict], sized: bool = False) -> int:
        """Return the exit status: 1 if a kernel is wrong or broken, a required one unavailable, or none agrees.

        Where sizes were recorded it is no failure to run out of memory at one of them, but a result.
        """
        for verdict in verdicts:
            if sized and (verdict.reason or "").startswith(checking.OUT_OF_MEMORY):
                continue
            required = {verdict.name, verdict.name.partition("@")[0]} & set(self.require)
            if verdict.status in ("disagrees", "broken") or (verdict.status == "unavailable" and required):
                return 1
        return int(not sized and all(verdict.status != "agrees" for verdict in verdicts))  # nothing was proven


def check(choice: Choice, json_file: Path | None) -> int:
    """Verify the chosen kernels, print the table, write the JSON; return the exit status."""
    contestants = choice.contestants(ladder=not choice.kernels and not choice.files)
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
        console.out().print(Grid(("", ""), comparison_text.lines(found)))
    return int(fail_slower is not None and found.slower_by(fail_slower))


def publish(path: Path | None, slug: str) -> None:
    """Publish a record, by default the newest local one, and print what was written."""
    from bench import publishing

    console_out = console.out()
    console_out.print(console.shown(publishing.publish(path or reading.newest(), slug)))
    console_out.print("Next    python -m bench report --readme writes the machine's page and pictures, and the README")


def plot(path: Path | None, source: str | None) -> None:
    """Draw what a record, by default the newest local one with what belongs to it, has to show; print the paths."""
    from bench import charts
    from bench.charts import files

    drawn = cases.alone(reading.read(path)) if path else cases.local() or cases.alone(reading.read(reading.newest()))
    drawn = _with_digits([drawn], source)[0]
    only = {"sizes": ("scaling",), "memory": ("memory",)}.get(drawn.speed.kind, charts.PICTURES)
    for name in only if drawn.speed.paired else ("speedup",):
        try:
            pictures = files.save(charts.draw(name, drawn), drawn.picture(name))
        except charts.NotDrawn as missing:
            print(f"{name} is not drawn: {missing}")
        else:
            for picture in pictures:
                print(console.shown(picture))


def report(paths: Sequence[Path], source: str | None, readme: bool) -> None:
    """Write the pages of every published machine and of the newest local record, or of the records named.

    Raises:
        BadRecord: there is no record, one cannot be read, or they do not belong on one page.
    """
    from bench import charts
    from bench import readme as readmes
    from bench import report as reports

    published = [] if paths and not readme else list(cases.published())
    if paths:
        found = [cases.of([reading.read(path) for path in paths], reading.stem(paths[0]).with_suffix(".html"))]
    else:
        found = [*published, *filter(None, [cases.local()])]
    if not found:
        reading.newest()  # says what is wrong, or that there is no record
    text = readmes.README.read_bytes().decode() if readme else ""  # with its own ends of lines
    if readme:
        readmes.around(text, published)  # refuses before anything is written
    for case in _with_digits([*found, *(published if paths else [])], source):
        for written in reports.write(case):
            print(console.shown(written))
        if case.published and case.problem is None:
            left = " and ".join(charts.OF_DIGITS)
            print(f"Left as they are: {left}, for the digits that were recorded are not at hand; --data names them.")
    if readme:
        with writing.whole(readmes.README) as partial:
            partial.write_bytes(readmes.rewritten(text, published).encode())
        print(console.shown(readmes.README))


def _with_digits(found: Sequence[Case], source: str | None) -> list[Case]:
    """Return the cases with the recorded digits, where these are at hand; nothing is fetched for a picture."""

    @cache
    def digits(name: str) -> data.Digits:
        return data.load(name)

    @cache
    def solved(name: str) -> Problem:
        return pose(digits(name))

    def with_digits(case: Case, name: str | None) -> Case:
        same = name and digits(name).digest == case.speed.facts.get("dataset_digest")
        return case.answering(solved(name) if name and same else None)

    drawn = (each.speed.facts.get("dataset") == "drawn" for each in found)
    return [
        with_digits(each, source or ("drawn" if own else data.at_hand()))
        for each, own in zip(found, drawn, strict=True)
    ]
