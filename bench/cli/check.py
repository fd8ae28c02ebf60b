"""check: verify every kernel, and time nothing."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

import data
from bench import files
from bench.cli import answers, console
from bench.cli.digits import data_sets
from bench.cli.options import FILE, Choice, choosing
from bench.kernel import UnknownKernel
from bench.runner import checking
from bench.runner.checking import CheckResult
from bench.task.problem import Problem, make_problem


@click.command("check")
@choosing
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the results to FILE.")
def command(json_file: Path | None, **choice: Any) -> None:
    """Verify every kernel against the exact answer, image by image. Time nothing."""
    sys.exit(check(Choice(**choice), json_file))


def check(choice: Choice, json_file: Path | None) -> int:
    """Verify the chosen kernels, print the table, write the JSON; return the exit status."""
    specs = choice.specs(ladder=not choice.kernels and not choice.files)
    if json_file and not os.access(json_file if json_file.exists() else json_file.parent, os.W_OK):
        raise UnknownKernel(f"{json_file}: cannot be written; name a file in a folder that exists and is yours")
    digits = data.load(choice.source)
    sets = data_sets(specs, digits, choice.per_class)
    judged: list[tuple[Problem, CheckResult]] = []
    with console.progress(choice.quiet) as progress:
        for each in sets:
            with checking.handed_over(each.problem) as folder:
                for spec in each.specs:
                    progress("verify", spec.name, len(judged), len(specs))
                    result = checking.check_kernel(spec, folder, choice.seed, choice.timeout_s)
                    judged.append((each.problem, result))
    if json_file:
        first = sets[0].problem if choice.per_class or not sets[0].problem.per_class else make_problem(digits)
        with files.whole(json_file) as partial:
            partial.write_text(json.dumps(checking.report(first, judged), indent=1) + "\n", encoding="utf-8")
    results = [result for _, result in judged]
    out = console.out()
    for each in sets:
        out.print(answers.dataset(each.problem))
    out.print(answers.checked(judged))
    for each in sets:
        where = f"{each.problem.name}: " if len(sets) > 1 else ""
        own = [result for problem, result in judged if problem is each.problem]
        for line in answers.agreement(each.problem, own):
            out.print(f"{where}{line}")
    for line in (*answers.failures(results), f"orders drawn from seed {choice.seed}"):
        out.print(line)
    return choice.status(results)
