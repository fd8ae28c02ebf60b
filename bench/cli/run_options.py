"""The options of `run`: what they may be, which exclude each other, and the plan that they amount to."""

from dataclasses import dataclass

import click

from bench.cli.options import POSITIVE, Choice, names
from bench.kernel import REFERENCE, KernelSpec, select
from bench.runner.configuration import Configuration, parse
from bench.runner.plan import BASELINE, FULL, LONGEST_S, PREDICT, Plan
from bench.runner.worker_handle import MEMORY_LIMIT

MOST_PROCESSES = 15  # by default, of kernels that start fast
BUDGET_S = 10.0  # of the processes of a run with --against, which then takes at most 15 s in all


def _sizes(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...]:
    if value is None:
        return ()
    try:
        sizes = tuple(sorted({int(size) for size in value.split(",")}))
    except ValueError:
        sizes = (0,)
    if sizes[0] < 1:
        raise click.BadParameter("expected whole numbers from 1, such as 1,10,100,1000")
    return sizes


def _configurations(_: click.Context, __: click.Parameter, value: str | None) -> tuple[Configuration, ...]:
    """Return the configurations in the order in which a record is read."""
    if value is None:
        return ()
    try:
        chosen = {parse(name.strip()) for name in value.split(",")}
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return tuple(sorted(chosen, key=lambda configuration: (configuration.threads != "all", configuration.allocator)))


OPTIONS = [
    click.Option(["--processes"], type=click.IntRange(1), default=6, metavar="N",
                 help="Start N processes per kernel (default 6)."),
    click.Option(["--quick"], is_flag=True, help="Start one process per kernel. There is no confidence interval."),
    click.Option(["--rigorous"], is_flag=True, help="Start fifteen processes per kernel."),
    click.Option(["--full"], is_flag=True, help="Time all scopes, not only the baseline."),
    click.Option(["--against"], callback=names, metavar="A,B",
                 help="Time just the chosen kernels and these, in about 15 s. A is the reference."),
    click.Option(["--ladder"], is_flag=True, help="Include all kernels of kernels/ladder/."),
    click.Option(["--sizes"], callback=_sizes, metavar="N,N",
                 help="Time the scope predict on these numbers of validation images."),
    click.Option(["--no-time-limit"], is_flag=True, help="With --sizes: also time calls over 5 s, up to --timeout."),
    click.Option(["--memory"], is_flag=True, help="Measure peak memory and temporaries instead of times."),
    click.Option(["--configurations"], callback=_configurations, metavar="A,B",
                 help="Threads and allocator, such as all/keep,1/default (default all/default)."),
    click.Option(["--memory-limit", "memory_limit_gb"], type=POSITIVE, metavar="GB",
                 help="Memory limit per kernel in GB (default half of the machine's)."),
    click.Option(["--resume"], is_flag=True, help="Go on with the newest unfinished run."),
    click.Option(["--finish"], is_flag=True, help="Write the record of its finished processes, without going on."),
]  # fmt: skip
EXCLUSIVE = (
    ("--memory", "--full"), ("--memory", "--processes"), ("--memory", "--quick"), ("--memory", "--rigorous"),
    ("--memory", "--configurations"), ("--sizes", "--full"), ("--processes", "--quick"), ("--processes", "--rigorous"),
    ("--quick", "--rigorous"), ("--against", "--ladder"), ("--against", "--sizes"), ("--against", "--memory"),
)  # fmt: skip


@dataclass(frozen=True)
class RunOptions(Choice):
    """All options of `run`. `--help` explains them."""

    processes: int
    full: bool
    against: list[str]
    ladder: bool
    sizes: tuple[int, ...]
    no_time_limit: bool
    memory: bool
    configurations: tuple[Configuration, ...]
    memory_limit_gb: float | None
    resume: bool
    finish: bool
    command: str  # the command line, as it was typed
    budget_s: float | None
    most_processes: int

    def plan(self, specs: tuple[KernelSpec, ...]) -> Plan:
        """Return the plan for the kernels of one data set."""
        against = dict.fromkeys(spec.name for name in self.against for spec in select(specs, [name]))
        return Plan(
            specs,
            pairs=PREDICT if self.sizes else FULL if self.full else BASELINE,
            configurations=self.configurations or (Configuration(),),
            processes=self.processes,
            most_processes=self.most_processes,
            seed=self.seed,
            timeout_s=self.timeout_s,
            memory_limit=int(self.memory_limit_gb * 1e9) if self.memory_limit_gb else MEMORY_LIMIT,
            sizes=self.sizes,
            longest_s=self.timeout_s if self.no_time_limit else LONGEST_S,
            command=self.command,
            against=tuple(against),
            reference=next(iter(against), REFERENCE),
            budget_s=self.budget_s,
        )
