"""check: verify the kernels. Nothing is timed."""

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

import data
from bench import atomic
from bench.cli import answers, console
from bench.cli.data_sets import data_sets
from bench.cli.options import CHOICE, FILE, Choice
from bench.runner import check_kernels
from bench.task.problem import make_problem


@click.command("check", params=[*CHOICE])
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the results to FILE as JSON.")
@click.option("--verbose", is_flag=True, help="Show how many labels are right in every class, also of more than four.")
def command(json_file: Path | None, verbose: bool, **options: Any) -> None:
    """Verify kernels against the exact answer, image by image.

    Without --kernels and --kernel all kernels are verified. Nothing is timed.
    """
    choice = Choice(**options)
    specs = choice.specs(ladder=not choice.kernels and not choice.files)
    if json_file and not os.access(json_file if json_file.exists() else json_file.parent, os.W_OK):
        raise click.UsageError(f"{json_file}: cannot be written; name a file in a folder that exists and is yours")
    digits = data.load(**choice.digits)
    sets = data_sets(specs, digits, choice.per_class)
    with console.progress(choice.quiet) as progress, ExitStack() as folders:
        opened = [folders.enter_context(check_kernels.problem_folder(data_set.problem)) for data_set in sets]
        kernels = [(spec, folder) for data_set, folder in zip(sets, opened, strict=True) for spec in data_set.specs]
        results = check_kernels.check_all(kernels, choice.seed, choice.timeout_s, progress)
    problems = [data_set.problem for data_set in sets for _ in data_set.specs]
    checked = [*zip(problems, results, strict=True)]
    if json_file:
        first = sets[0].problem if choice.per_class or not sets[0].problem.per_class else make_problem(digits)
        atomic.write(json_file, json.dumps(check_kernels.check_as_json(first, checked), indent=1) + "\n")
    out = console.out()
    for data_set in sets:
        out.print(answers.dataset(data_set.problem))
    out.print(answers.table(checked, verbose))
    for line in answers.failures(results):
        out.print(line)
    for data_set in sets:
        name = f"{data_set.problem.name}: " if len(sets) > 1 else ""
        own = [result for problem, result in checked if problem is data_set.problem]
        for line in answers.agreement(data_set.problem, own, verbose):
            out.print(f"{name}{line}")
    out.print(f"All orders were drawn from seed {choice.seed}.")
    sys.exit(answers.exit_status(results, choice.require))
