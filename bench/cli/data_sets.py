"""The digits that a command works on: whole data sets, small ones, and those that a record was made with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import data
from bench.cli import console
from bench.kernel import KernelSpec
from bench.records.model import is_drawn
from bench.report.charts import OF_DIGITS
from bench.report.page_records import Selection
from bench.task.digits_metadata import in_one_word
from bench.task.problem import Problem, make_problem
from data import Digits


@dataclass(frozen=True)
class DataSet:
    """A data set with its exact answer, and the kernels that are checked or timed on it."""

    problem: Problem
    specs: tuple[KernelSpec, ...]


def per_class_of(spec: KernelSpec, digits: Digits, per_class: int | None) -> int:
    """Return how many images of each class a kernel gets: `per_class`, else its IMAGES, else 0, which means all.

    Only the command line reads IMAGES: below it, a slow kernel is an ordinary kernel on a small data set.
    """
    n = per_class or spec.images
    return digits.first_of_each_class(n).per_class if n else 0


def problem_of_first(digits: Digits, per_class: int) -> Problem:
    """Return the problem of the first `per_class` images of each class, or of all images if `per_class` is 0."""
    return make_problem(digits.first_of_each_class(per_class) if per_class else digits)


def data_sets(specs: Iterable[KernelSpec], digits: Digits, per_class: int | None) -> list[DataSet]:
    """Return the data sets that the kernels need, the whole one first."""
    by_size: dict[int, list[KernelSpec]] = {}
    for spec in specs:
        by_size.setdefault(per_class_of(spec, digits, per_class), []).append(spec)
    return [DataSet(problem_of_first(digits, n), tuple(by_size[n])) for n in sorted(by_size)]


def with_digits(selections: Sequence[Selection], source: str | None, limit: int) -> list[Selection]:
    """Return the selections with the digits they were recorded on, if these are here. Nothing is downloaded.

    Digits that cannot be read leave out the pictures that show them, which is said; it is a DataError if `source`
    names them.
    """
    load = cache(lambda name: data.load(name, limit=limit))
    solve = cache(lambda name, classes, per_class: problem_of_first(_chosen(load(name), classes), per_class))
    completed, unreadable = [], dict[str, None]()
    for selection in selections:
        metadata, problem = selection.speed.metadata, None
        drawn = is_drawn(str(metadata.get("dataset")))
        try:
            if name := source or ("drawn" if drawn else data.at_hand()):
                problem = solve(name, str(metadata.get("classes", "")), selection.speed.per_class)
        except data.DataError as error:
            if source:
                raise
            unreadable[str(error)] = None
        completed.append(selection.with_problem(problem))
    for reason in unreadable:
        console.out().say(f"The picture {OF_DIGITS} is not drawn, because the digits cannot be read. {reason}")
    return completed


def _chosen(digits: Digits, recorded: str) -> Digits:
    """Return the digits of the classes that a record names, or all if they are not of its data set."""
    words = {in_one_word(name): name for name in digits.classes}
    chosen = [name for word, name in words.items() if word in recorded.split()]
    return digits.of_classes(chosen) if recorded and " ".join(map(in_one_word, chosen)) == recorded else digits
