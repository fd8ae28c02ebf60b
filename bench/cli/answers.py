"""What `check` and `run` print about the kernels' answers."""

from collections.abc import Iterable, Sequence

from bench.formatting import Grid
from bench.runner.checking import Verdict
from bench.task.problem import Problem


def dataset(problem: Problem) -> str:
    """Return the line that names the digits."""
    drawn = problem.name.partition("[")[0] == "drawn"
    note = " (drawn by this project, not MNIST: accuracies are not comparable)" if drawn else ""
    train, valid = (" + ".join(map(str, counts)) for counts in (problem.train_counts, problem.valid_counts))
    return f"{problem.name}{note}, {train} training and {valid} validation images, SHA-256 {problem.digest[:16]}…"


def agreement(problem: Problem, verdicts: Iterable[Verdict]) -> Iterable[str]:
    """Yield one line on who agrees, and one per distance."""
    ran = [verdict for verdict in verdicts if verdict.status != "unavailable"]
    agreeing = sum(verdict.status == "agrees" for verdict in ran)
    exact = problem.score(problem.correct(problem.answers["l1"].labels))
    if agreeing:
        all_of_them = "all " if 1 < agreeing == len(ran) else ""
        yield f"{all_of_them}{agreeing} kernel{'s agree' if agreeing > 1 else ' agrees'}: {exact}"
    else:
        yield f"no kernel agrees; the exact answer is {exact}"
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


def checked(judged: Sequence[tuple[Problem, Verdict]]) -> Grid:
    """Return the table of `check`: the verdicts, each with the problem that was put to the kernel."""
    rows = []
    for problem, verdict in judged:
        error = "" if verdict.mean_error is None else f"{verdict.mean_error:.1e}"
        scores = [_score(problem, verdict, distance) for distance in problem.answers]
        rows.append((verdict.name, *scores, error, verdict.status))
    columns = ("kernel", "L1 accuracy", "L2 accuracy", "mean-image error", "agreement")
    return Grid(columns, rows, right=["mean-image error"])


def _score(problem: Problem, verdict: Verdict, distance: str) -> str:
    if distance in verdict.correct:
        correct = verdict.correct[distance]
        of = f" ({problem.per_class} per class)" if problem.per_class else ""
        return f"{problem.accuracy(correct):.4f}  {problem.score(correct)}{of}"
    return "not offered" if verdict.status == "agrees" else ""
