"""The digits that a command works on: whole data sets and small ones, and those that a record was made with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import data
from bench.kernel import Contestant
from bench.report.selection import Case
from bench.task.problem import Problem, pose
from data import Digits


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


def with_digits(without: Sequence[Case], source: str | None) -> list[Case]:
    """Return the cases with the recorded digits, where these are at hand; nothing is fetched for a picture."""
    load = cache(data.load)
    solved = cache(lambda name, per_class: pose_first(load(name), per_class))

    def answered(case: Case) -> Case:
        recorded = str(case.speed.facts.get("dataset")).partition("[")[0]
        name = source or ("drawn" if recorded == "drawn" else data.at_hand())
        return case.answering(solved(name, case.speed.per_class) if name else None)

    return [answered(case) for case in without]
