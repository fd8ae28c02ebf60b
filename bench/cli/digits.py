"""The digits that a command works on: whole data sets and small ones, and those that a record was made with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import data
from bench.kernel import KernelSpec
from bench.report.selection import Selection
from bench.task.problem import Problem, make_problem
from data import Digits


@dataclass(frozen=True)
class DataSet:
    """A data set, solved exactly, and the kernels that are checked or recorded on it."""

    problem: Problem
    specs: tuple[KernelSpec, ...]


def per_class_of(spec: KernelSpec, digits: Digits, per_class: int | None) -> int:
    """Return how many images of each class a kernel is checked on: --per-class, else its IMAGES; 0 for all there are.

    Nothing else knows a kernel's IMAGES: it is given a small data set, as any other kernel is with --per-class.
    """
    n = per_class or spec.images
    return digits.first_of_each_class(n).per_class if n else 0


def pose_first(digits: Digits, per_class: int) -> Problem:
    """Return the problem of the first so many images of each class; of all where `per_class` is 0."""
    return make_problem(digits.first_of_each_class(per_class) if per_class else digits)


def data_sets(specs: Iterable[KernelSpec], digits: Digits, per_class: int | None) -> list[DataSet]:
    """Return the data sets that the kernels ask for, the whole one first."""
    asking: dict[int, list[KernelSpec]] = {}
    for each in specs:
        asking.setdefault(per_class_of(each, digits, per_class), []).append(each)
    return [DataSet(pose_first(digits, n), tuple(asking[n])) for n in sorted(asking)]


def with_digits(without: Sequence[Selection], source: str | None) -> list[Selection]:
    """Return the cases with the recorded digits, where these are at hand; nothing is fetched for a picture."""
    load = cache(data.load)
    solved = cache(lambda name, per_class: pose_first(load(name), per_class))

    def answered(selection: Selection) -> Selection:
        recorded = str(selection.speed.metadata.get("dataset")).partition("[")[0]
        name = source or ("drawn" if recorded == "drawn" else data.at_hand())
        return selection.answering(solved(name, selection.speed.per_class) if name else None)

    return [answered(selection) for selection in without]
