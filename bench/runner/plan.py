"""What to measure on one data set: kernels, scopes, configurations, and how often."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from bench.kernel import REFERENCE, KernelSpec
from bench.runner.configuration import Configuration
from bench.runner.worker_handle import MEMORY_LIMIT
from bench.stats import interval

Progress = Callable[[str, str, int, int], None]  # stage, kernel, steps done, steps in all
BASELINE = (("baseline", "l1"),)
PREDICT = (("predict", "l1"),)
FULL = (("mean", "-"), ("predict", "l1"), ("predict", "l2"), ("baseline", "l1"), ("end_to_end", "l1"))
LONGEST_S = 5.0  # the default of `Plan.longest_s`


@dataclass(frozen=True)
class Plan:
    """What to measure on one data set."""

    specs: tuple[KernelSpec, ...]
    pairs: tuple[tuple[str, str], ...] = BASELINE  # (scope, distance), which every round times
    configurations: tuple[Configuration, ...] = (Configuration(),)  # each is measured in processes of its own
    processes: int = 6  # per kernel and configuration; the fewest where one of the next two is given
    most_processes: int = 0  # of a kernel whose first call was fast (see `scheduler.chosen`); 0: no more
    budget_s: float | None = None  # for the processes of all kernels; as many more are begun as are expected to fit
    rounds: int = 5  # of one process; each calls every kernel for each pair, but only every fourth those that are slow
    seed: int = 0  # from which everything random is drawn
    timeout_s: float = 120.0  # of one request to a kernel
    memory_limit: int = MEMORY_LIMIT  # bytes of anonymous memory that one worker may take
    sizes: tuple[int, ...] = ()  # if any, `pairs` are timed at each of these numbers of validation images
    longest_s: float = LONGEST_S  # a kernel whose call would take longer at some size is skipped there
    command: str = ""  # the command line that asked for it
    against: tuple[str, ...] = ()  # kernels that others are compared with, if named; a wrong kernel then ends the run
    reference: str = REFERENCE  # the kernel that every ratio is over

    @property
    def kind(self) -> str:
        """The kind of record that it makes: "ladder" (the scope baseline), "scopes" or "sizes"."""
        return "sizes" if self.sizes else "scopes" if self.pairs == FULL else "ladder"

    @property
    def steps(self) -> int:
        """How many steps of progress the whole plan takes."""
        return self.count([]) * len(self.configurations) * self.steps_of_a_process

    @property
    def steps_of_a_process(self) -> int:
        """How many of them one process of every kernel takes."""
        return len(self.specs) + 1 + self.rounds * len(self.pairs) * max(1, len(self.sizes))

    def count(self, seconds: Sequence[float]) -> int:
        """Return how many processes there are to be under one configuration, from the seconds of the finished ones.

        With a budget, time alone decides, never what was measured. The next number is that whose confidence interval
        leaves one more process outside on either side: 6, 9, 12, 15, 17, 20, ... Each of them is expected to take as
        long as the slower of the last two.
        """
        n = max(self.processes, self.most_processes)
        while self.budget_s is not None and n <= len(seconds):
            more = next(more for more in count(n + 1) if _outside(more) > _outside(n))
            expected_s = sum(seconds[:n]) + (more - n) * max(seconds[n - 2 : n])
            if expected_s > self.budget_s / len(self.configurations):
                break
            n = more
        return n


def _outside(n: int) -> float:
    """Return how many of n values lie below the confidence interval of their median; -1 where there is none."""
    ends = interval(range(n))
    return ends[0] if ends else -1
