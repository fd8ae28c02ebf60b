"""What each verb does, from the digits to what a person reads at the end."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import data
from bench import checking, console, records, tables
from bench.checking import Verdict
from bench.kernel import REFERENCE, Contestant, UnknownKernel, discover, select
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

    def status(self, verdicts: Iterable[Verdict]) -> int:
        """Return the exit status: 1 if a kernel is wrong or broken, or a required one is unavailable."""
        for verdict in verdicts:
            required = {verdict.name, verdict.name.partition("@")[0]} & set(self.require)
            if verdict.status in ("disagrees", "broken") or (verdict.status == "unavailable" and required):
                return 1
        return 0


def check(choice: Choice, json_file: Path | None) -> int:
    """Verify the chosen kernels, print the table, write the JSON; return the exit status."""
    contestants = choice.contestants()
    if json_file and not json_file.parent.is_dir():
        raise UnknownKernel(f"{json_file}: there is no folder {json_file.parent} to write to; make it first")
    problem = pose(data.load(choice.source))
    verdicts: list[Verdict] = []
    with console.progress(choice.quiet) as progress, checking.handed_over(problem) as folder:
        for done, contestant in enumerate(contestants):
            progress("verify", contestant.name, done, len(contestants))
            verdicts.append(checking.judge(contestant, folder, choice.seed, choice.timeout_s))
    if json_file:
        json_file.write_text(json.dumps(checking.report(problem, verdicts), indent=1) + "\n", encoding="utf-8")
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


def run(choice: Choice) -> int:
    """Check, time, save, draw, print; return the exit status."""
    from bench import recording
    from bench.charts import speedup as chart

    contestants = choice.contestants(always=[REFERENCE])
    problem = pose(data.load(choice.source))
    plan = recording.Plan(contestants, seed=choice.seed, timeout_s=choice.timeout_s)
    with console.progress(choice.quiet) as progress:
        recorded = recording.record(plan, problem, progress)
    out = console.out()
    out.print(tables.dataset(problem))
    out.print(next(iter(tables.agreement(problem, recorded.verdicts))))
    where = ["Nothing was timed, so there is no record and no chart."]
    if recorded.samples:
        path = records.write(recorded.samples, recorded.absent, recorded.facts, recorded.facts_by_kernel)
        record = records.read(path)
        pictures = chart.draw(record, path.with_suffix("")) if record.of(REFERENCE) else []
        out.print(tables.timed(record))
        out.print(f"Speedups are {record.label}. One call reads {record.samples[-1].images:,} images.")
        where = [f"Record  {console.shown(path)}", *(f"Chart   {console.shown(picture)}" for picture in pictures)]
    for line in (*tables.failures(recorded.verdicts), *where):
        out.print(line)
    out.print("Next    python -m bench run --kernel mine.py")
    return choice.status(recorded.verdicts)


def plot(path: Path | None) -> None:
    """Draw a record, by default the newest, and print where the pictures are."""
    from bench.charts import speedup as chart

    path = path or records.newest()
    for picture in chart.draw(records.read(path), path.with_suffix("")):
        print(console.shown(picture))
