"""What `check` and `run` print about the kernels' answers, and the exit status that follows from them."""

from collections.abc import Iterable, Sequence

from bench.cli import console
from bench.formatting import Grid
from bench.records.model import STATUS_IN_WORDS, is_drawn
from bench.runner.check_kernels import OUT_OF_MEMORY, CheckResult
from bench.task.problem import FEW_CLASSES, Problem


def dataset(problem: Problem) -> str:
    """Return the line that names the digits."""
    note = " (drawn by this project, not MNIST: accuracies are not comparable)" if is_drawn(problem.name) else ""
    few = len(problem.classes) <= FEW_CLASSES
    train, valid = (
        " + ".join(map(str, counts)) if few else f"{sum(counts):,}"
        for counts in (problem.train_counts, problem.valid_counts)
    )
    of = "" if few else f" of {len(problem.classes)} classes"
    return f"{problem.name}{note}, {train} training and {valid} validation images{of}, SHA-256 {problem.digest[:16]}…"


def agreement(problem: Problem, results: Sequence[CheckResult], verbose: bool = False) -> Iterable[str]:
    """Yield one line that counts the verified kernels, and one per distance with the exact answer."""
    ran = sum(result.status != "unavailable" for result in results)
    verified = sum(result.status == "agrees" for result in results)
    score = _shown(problem, problem.correct(problem.answers["l1"].labels), verbose)
    if verified:
        count = f"{verified} kernels are" if verified > 1 else "1 kernel is"
        yield f"{'All ' if 1 < verified == ran else ''}{count} verified: {score}"
    else:
        yield f"No kernel is verified. The exact answer is {score}"
    for distance, answer in problem.answers.items():
        correct = problem.correct(answer.labels)
        yield (
            f"exact answer, {distance.upper()} distance: {_shown(problem, correct, verbose)}, "
            f"average {problem.accuracy(correct):.4f}, too close to call in float32: {answer.too_close}"
        )


def failures(results: Iterable[CheckResult]) -> Iterable[str]:
    """Yield a line for each reason why kernels are not verified."""
    failed = [result for result in results if result.status != "agrees"]
    return console.by_reason((one.name, f"{_in_words(one.status)}: {one.reason}") for one in failed)


def _in_words(status: str) -> str:
    return STATUS_IN_WORDS.get(status, status)


def table(checked: Sequence[tuple[Problem, CheckResult]], verbose: bool = False) -> Grid:
    """Return the table of `check`: a row per kernel, scored on the problem that it was checked on."""
    rows = []
    for problem, result in checked:
        error = "" if result.mean_error is None else f"{result.mean_error:.1e}"
        scores = [_score(problem, result, distance, verbose) for distance in problem.answers]
        rows.append((result.name, *scores, error, _in_words(result.status)))
    columns = ("kernel", "L1 accuracy", "L2 accuracy", "mean-image error", "status")
    return Grid(columns, rows, right=["mean-image error"], optional=("mean-image error", "L2 accuracy"))


def _score(problem: Problem, result: CheckResult, distance: str, verbose: bool) -> str:
    if distance in result.correct:
        correct = result.correct[distance]
        per_class = f" ({problem.per_class} per class)" if problem.per_class else ""
        return f"{problem.accuracy(correct):.4f}  {_shown(problem, correct, verbose)}{per_class}"
    return "not offered" if result.status == "agrees" else ""


def _shown(problem: Problem, correct: Sequence[int], verbose: bool) -> str:
    return problem.score(correct) if verbose else problem.short_score(correct)


def exit_status(results: Sequence[CheckResult], require: Iterable[str], sized: bool = False) -> int:
    """Return 1 if a kernel is wrong or broken, a required one is unavailable, or none is verified; otherwise 0.

    In a record of sizes, running out of memory at a size is a result and no failure.
    """
    for result in results:
        if sized and (result.reason or "").startswith(OUT_OF_MEMORY):
            continue
        required = {result.name, result.name.partition("@")[0]} & set(require)
        if result.status in ("disagrees", "broken") or (result.status == "unavailable" and required):
            return 1
    return int(not sized and all(result.status != "agrees" for result in results))
