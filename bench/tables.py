"""The sentences and tables that the verbs print."""

from collections.abc import Iterable, Sequence

from rich.table import Table

from bench import speedup, units
from bench.checking import Verdict
from bench.console import table
from bench.kernel import REFERENCE
from bench.problem import Problem
from bench.records import Record


def dataset(problem: Problem) -> str:
    """Return the line that names the digits."""
    drawn = " (drawn by this project, not MNIST: accuracies are not comparable)" if problem.name == "drawn" else ""
    train, valid = (" + ".join(map(str, counts)) for counts in (problem.train_counts, problem.valid_counts))
    return f"{problem.name}{drawn}, {train} training and {valid} validation images, SHA-256 {problem.digest[:16]}…"


def agreement(problem: Problem, verdicts: Iterable[Verdict]) -> Iterable[str]:
    """Yield one line on who agrees, one per distance, and one per kernel that does not agree or is unavailable."""
    ran = [verdict for verdict in verdicts if verdict.status != "unavailable"]
    agreeing = [verdict for verdict in ran if verdict.status == "agrees"]
    everyone = "all " if len(agreeing) == len(ran) else ""
    exact = problem.score(problem.correct(problem.answers["l1"].labels))
    yield f"{everyone}{len(agreeing)} {'kernel agrees' if len(agreeing) == 1 else 'kernels agree'}: {exact}"
    for distance, answer in problem.answers.items():
        correct = problem.correct(answer.labels)
        yield (
            f"exact {distance.upper()}: {problem.score(correct)}, average {problem.accuracy(correct):.4f}, "
            f"too close to call in float32: {answer.too_close}"
        )


def failures(verdicts: Iterable[Verdict]) -> Iterable[str]:
    """Yield why each kernel that does not agree does not."""
    for verdict in verdicts:
        if verdict.status != "agrees":
            yield f"{verdict.name} {'is ' if verdict.status != 'disagrees' else ''}{verdict.status}: {verdict.reason}"


def checked(problem: Problem, verdicts: Sequence[Verdict]) -> Table:
    """Return the table of `check`."""
    rows = []
    for verdict in verdicts:
        error = "" if verdict.mean_error is None else f"{verdict.mean_error:.1e}"
        scores = [_score(problem, verdict, distance) for distance in problem.answers]
        rows.append((verdict.name, *scores, error, verdict.status))
    return table(
        rows, "kernel", "L1 accuracy", "L2 accuracy", "mean-image error", "agreement", right=["mean-image error"]
    )


def _score(problem: Problem, verdict: Verdict, distance: str) -> str:
    if distance in verdict.correct:
        correct = verdict.correct[distance]
        return f"{problem.accuracy(correct):.4f}  {problem.score(correct)}"
    return "not offered" if verdict.status == "agrees" else ""


def timed(record: Record) -> Table:
    """Return the table of `run`: the scope `baseline` under L1, fastest last, and the first call."""
    reference = record.of(REFERENCE)
    rows = []
    for name in sorted(record.kernels(), key=lambda name: -speedup.seconds(record.of(name))[0]):
        samples = record.of(name)
        middle, smallest = speedup.seconds(samples)
        ratio = units.ratio(speedup.speedup(reference, samples)) if reference else "no reference"
        first, _ = speedup.seconds(record.of(name, "first_call"))
        per_image = f"{middle / samples[0].images * 1e9:,.0f}"
        rows.append((name, units.time(middle), units.time(smallest), ratio, per_image, units.time(first)))
    columns = ("kernel", "median", "smallest", f"speedup over {REFERENCE}", "ns per image", "first call")
    return table(rows, *columns, right=columns[1:])
