"""What each verb does, from the digits to what a person reads at the end."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import data
from bench import files
from bench.analysis import comparison as comparing
from bench.analysis.comparison import Side
from bench.cli import console
from bench.grid import Grid
from bench.kernel import Contestant, UnknownKernel, discover, select
from bench.records import reader as reading
from bench.report import comparison_text, tables
from bench.report import selection as cases
from bench.report.selection import Case
from bench.runner import checking
from bench.runner.checking import Verdict
from bench.task.problem import Problem, pose
from data import Digits


@dataclass(frozen=True)
class Choice:
    """The options that choose digits and kernels; `--help` explains them."""

    source: str
    per_class: int | None
    kernels: list[str]
    files: tuple[Path, ...]
    require: tuple[str, ...]
    seed: int
    timeout_s: float
    quiet: bool

    def contestants(self, ladder: bool = False) -> list[Contestant]:
        """Return the kernels that are named, else those of the files, else those of `kernels/`.

        Those of `require` join them, and all of the ladder where `ladder` says so.
        """
        everyone = discover(self.files)
        extra = [*(path.stem for path in self.files), *self.require]
        named = [*self.kernels, *extra] if self.kernels or self.files else []
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


@dataclass(frozen=True)
class DataSet:
    """A data set, solved exactly, and the kernels that are checked or recorded on it."""

    problem: Problem
    contestants: tuple[Contestant, ...]


def per_class_of(contestant: Contestant, digits: Digits, per_class: int | None) -> int:
    """Return how many images of each class a kernel is checked on: --per-class, else its IMAGES; 0 for all there are.

    Nothing else knows a kernel's IMAGES: it is given a small data set, as any other kernel is with --per-class.
    """
    n = per_class or contestant.images
    return digits.first_of_each_class(n).per_class if n else 0


def pose_first(digits: Digits, per_class: int) -> Problem:
    """Return the problem of the first so many images of each class; of all where `per_class` is 0."""
    return pose(digits.first_of_each_class(per_class) if per_class else digits)


def data_sets(contestants: Iterable[Contestant], digits: Digits, per_class: int | None) -> list[DataSet]:
    """Return the data sets that the kernels ask for, the whole one first."""
    asking: dict[int, list[Contestant]] = {}
    for each in contestants:
        asking.setdefault(per_class_of(each, digits, per_class), []).append(each)
    return [DataSet(pose_first(digits, n), tuple(asking[n])) for n in sorted(asking)]


def check(choice: Choice, json_file: Path | None) -> int:
    """Verify the chosen kernels, print the table, write the JSON; return the exit status."""
    contestants = choice.contestants(ladder=not choice.kernels and not choice.files)
    if json_file and not os.access(json_file if json_file.exists() else json_file.parent, os.W_OK):
        raise UnknownKernel(f"{json_file}: cannot be written; name a file in a folder that exists and is yours")
    digits = data.load(choice.source)
    sets = data_sets(contestants, digits, choice.per_class)
    judged: list[tuple[Problem, Verdict]] = []
    with console.progress(choice.quiet) as progress:
        for each in sets:
            with checking.handed_over(each.problem) as folder:
                for contestant in each.contestants:
                    progress("verify", contestant.name, len(judged), len(contestants))
                    verdict = checking.judge(contestant, folder, choice.seed, choice.timeout_s)
                    judged.append((each.problem, verdict))
    if json_file:
        first = sets[0].problem if choice.per_class or not sets[0].problem.per_class else pose(digits)
        with files.whole(json_file) as partial:
            partial.write_text(json.dumps(checking.report(first, judged), indent=1) + "\n", encoding="utf-8")
    verdicts = [verdict for _, verdict in judged]
    out = console.out()
    for each in sets:
        out.print(tables.dataset(each.problem))
    out.print(tables.checked(judged))
    for each in sets:
        where = f"{each.problem.name}: " if len(sets) > 1 else ""
        own = [verdict for problem, verdict in judged if problem is each.problem]
        for line in tables.agreement(each.problem, own):
            out.print(f"{where}{line}")
    for line in (*tables.failures(verdicts), f"orders drawn from seed {choice.seed}"):
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


def publish(paths: Sequence[Path]) -> None:
    """Publish records, by default those of the newest local page, and print what was written."""
    from bench.cli import publish as publishing

    out = console.out()
    for written in publishing.publish(paths):
        out.print(console.shown(written))
    out.print("Next    python -m bench report --readme writes the machine's page and pictures, and the README")


def plot(path: Path | None, source: str | None) -> None:
    """Draw what a record, by default the newest local run's, has to show; print the paths."""
    from bench.report import charts
    from bench.report.charts import files as pictures

    drawn = cases.alone(reading.read_all(path)) if path else cases.local() or cases.alone(reading.newest())
    drawn = _with_digits([drawn], source)[0]
    only = {"sizes": ("scaling",), "memory": ("memory",)}.get(drawn.speed.kind, charts.PICTURES)
    for name in only if drawn.speed.paired else ("speedup",):
        try:
            drawing = charts.draw(name, drawn)
        except charts.NotDrawn as missing:
            print(f"{name} is not drawn: {missing}")
        else:
            for written in pictures.save(drawing, drawn.picture(name)):
                print(console.shown(written))


def report(paths: Sequence[Path], source: str | None, readme: bool) -> None:
    """Write the pages of every published machine and of the newest local run, or of the records named.

    Raises:
        BadRecord: there is no record, one cannot be read, or they do not belong on one page.
    """
    from bench.report import charts
    from bench.report import page as reports
    from bench.report import readme as readmes

    published = [] if paths and not readme else cases.published()
    chosen = [cases.from_paths(paths)] if paths else [*published, *filter(None, [cases.local()])]
    if not chosen:
        reading.newest()  # says what is wrong, or that there is no record
    text = readmes.README.read_bytes().decode() if readme else ""  # with its own ends of lines
    if readme:
        readmes.around(text, published)  # refuses before anything is written
    for case in _with_digits([*chosen, *(published if paths else [])], source):
        for written in reports.write(case):
            print(console.shown(written))
        if case.published and case.problem is None:
            left = " and ".join(charts.OF_DIGITS)
            print(f"Left as they are: {left}, for the digits that were recorded are not at hand; --data names them.")
    if readme:
        with files.whole(readmes.README) as partial:
            partial.write_bytes(readmes.rewritten(text, published).encode())
        print(console.shown(readmes.README))


def _with_digits(without: Sequence[Case], source: str | None) -> list[Case]:
    """Return the cases with the recorded digits, where these are at hand; nothing is fetched for a picture."""
    load = cache(data.load)
    solved = cache(lambda name, per_class: pose_first(load(name), per_class))

    def with_digits(case: Case) -> Case:
        recorded = str(case.speed.facts.get("dataset")).partition("[")[0]
        name = source or ("drawn" if recorded == "drawn" else data.at_hand())
        return case.answering(solved(name, case.speed.per_class) if name else None)

    return [with_digits(case) for case in without]
