"""What `check` and `run` print about the kernels' answers."""

from collections.abc import Iterable, Sequence

from bench.formatting import Grid
from bench.runner.checking import CheckResult
from bench.task.problem import Problem


def dataset(problem: Problem) -> str:
    """Return the line that names the digits."""
    drawn = problem.name.partition("[")[0] == "drawn"
    note = " (drawn by this project, not MNIST: accuracies are not comparable)" if drawn else ""
    train, valid = (" + ".join(map(str, counts)) for counts in (problem.train_counts, problem.valid_counts))
    return f"{problem.name}{note}, {train} training and {valid} validation images, SHA-256 {problem.digest[:16]}…"


def agreement(problem: Problem, results: Iterable[CheckResult]) -> Iterable[str]:
    """Yield one line on who agrees, and one per distance."""
    ran = [result for result in results if result.status != "unavailable"]
    agreeing = sum(result.status == "agrees" for result in ran)
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


def failures(results: Iterable[CheckResult]) -> Iterable[str]:
    """Yield why each kernel that does not agree does not."""
    for result in results:
        if result.status != "agrees":
            yield f"{result.name} {'is ' if result.status != 'disagrees' else ''}{result.status}: {result.reason}"


def checked(judged: Sequence[tuple[Problem, CheckResult]]) -> Grid:
    """Return the table of `check`: the verdicts, each with the problem that was put to the kernel."""
    rows = []
    for problem, result in judged:
        error = "" if result.mean_error is None else f"{result.mean_error:.1e}"
        scores = [_score(problem, result, distance) for distance in problem.answers]
        rows.append((result.name, *scores, error, result.status))
    columns = ("kernel", "L1 accuracy", "L2 accuracy", "mean-image error", "agreement")
    return Grid(columns, rows, right=["mean-image error"])


def _score(problem: Problem, result: CheckResult, distance: str) -> str:
    if distance in result.correct:
        correct = result.correct[distance]
        of = f" ({problem.per_class} per class)" if problem.per_class else ""
        return f"{problem.accuracy(correct):.4f}  {problem.score(correct)}{of}"
    return "not offered" if result.status == "agrees" else ""
