"""How often do the intervals of this project contain the true ratio? `python -m bench.tests.proof 200`

Each repetition is short: 6 processes of 3 rounds, scope predict under the L1 distance, of four kernels made from one
that takes 1 to 2 ms, NumPy image by image, whose time is proportional to its images: itself, itself again (true ratio
1), one that does the work twice (1/2), and one that predicts 2% more images than it was asked to (100/102). With the
whole stack at once the last true ratio would not be known: 2% more pixels were 6% more page faults.

For comparison, the A/A control as other tools would time it: a loop that times one function to completion, then the
other, and (for every tenth repetition, as it takes seconds) pyperf's, 6 processes of one and then 6 of the other.
"""

import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench import kernel
from bench.analysis import speedup
from bench.kernel import ROOT
from bench.runner import check_kernels
from bench.runner.configuration import Configuration, environment
from bench.runner.executor import Executor, Setup
from bench.runner.plan import Plan
from bench.runner.scheduler import SETTLE_S
from bench.task import scopes
from bench.task.problem import make_problem
from bench.tests.builders import digits

PROCESSES, ROUNDS, SEQUENTIAL, IMAGES = 6, 3, 18, 100
SOURCE = """
import numpy as np


def prepare(images, device):
    return images.astype(np.float32) / 255


def mean_images(stacks):
    return np.stack([stack.mean(0) for stack in stacks])


def nearest(image, means):
    return int(np.argmin([np.abs(image - mean).mean() for mean in means]))


def predict_l1(images, means):
    return [nearest(image, means) for image in images]
"""
TWICE = SOURCE.replace("    return [nearest", "    [nearest(image, means) for image in images]\n    return [nearest")
MORE = TWICE.replace("in images]\n    return", "in images[: len(images) // 50]]\n    return")
PYPERF = """
import runpy
import numpy as np, pyperf
kernel = runpy.run_path({kernel!r})
images = kernel["prepare"](np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8), "cpu")
means = kernel["mean_images"]([images[:50], images[50:]])
pyperf.Runner(processes=6, values=3, warmups=1).bench_func("a", kernel["predict_l1"], images, means)
"""


def paired(specs, problem, folder, seed):
    """Return the samples of one repetition, by kernel."""
    rng, samples = random.Random(seed), {}
    for process in range(PROCESSES):
        variables = environment(Configuration(), rng)
        setup = Setup(Plan((), timeout_s=60), problem, folder, variables, rng.randrange(2**32), process)
        executors = [Executor(name, spec, setup) for name, spec in specs.items()]
        rng.shuffle(executors)
        try:
            for position, executor in enumerate(executors):
                executor.start(position)
            for number in range(ROUNDS):
                for position, executor in enumerate(rng.sample(executors, len(executors))):
                    time.sleep(SETTLE_S)
                    executor.time("predict", "l1", IMAGES, number, position)
            for executor in executors:
                assert executor.result.status == "agrees", executor.result
                timed = [sample for sample in executor.samples if sample.scope == "predict"]
                samples.setdefault(executor.name, []).extend(timed)
        finally:
            for executor in executors:
                executor.end()
    return samples


def sequential(prepared):
    """Return (ratio of means, whether its 95% CI contains 1) of one function against itself, A before B."""
    call = scopes.call(prepared, "predict", "l1")
    arms = []
    for _ in "AB":
        times = []
        for window in scopes.inputs(prepared, "predict", SEQUENTIAL):
            started = time.perf_counter()
            call(window)
            times.append(time.perf_counter() - started)
        arms.append(times)
    return of_means(*arms)


def of_means(first, second):
    """Return (ratio of means, whether its delta-method 95% CI contains 1), by t of 34 degrees of freedom."""
    means = [statistics.mean(arm) for arm in (first, second)]
    errors = [
        statistics.stdev(arm) / math.sqrt(len(arm)) / mean for arm, mean in zip((first, second), means, strict=True)
    ]
    ratio = means[0] / means[1]
    return ratio, abs(math.log(ratio)) <= 2.03 * math.hypot(*errors)


def by_pyperf(folder):
    """Return the same of two pyperf benchmarks of one function."""
    import pyperf

    arms = []
    for name in "AB":
        script, file = folder / "a.py", folder / f"{name}.json"
        script.write_text(PYPERF.format(kernel=str(folder / "base.py")))
        file.unlink(missing_ok=True)
        subprocess.run([sys.executable, script, "-q", "-o", file], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        arms.append(pyperf.Benchmark.load(str(file)).get_values())
    return of_means(*arms)


def describe(errors, in_interval):
    """Return how many intervals contain the true ratio, and how far the ratios are from it."""
    off = sorted(map(abs, errors))
    median, bias = statistics.median(off), statistics.median(errors)
    contained = f"{sum(in_interval)} of {len(off)} intervals contain the true ratio"
    return f"{contained}; off by median {median:.2%}, worst {off[-1]:.2%}, bias {bias:+.2%}"


def main():
    half = [*np.random.default_rng(1).integers(0, 256, (4, IMAGES // 2, 28, 28))]  # few, so that workers start fast
    problem = make_problem(digits(half[:2], half[2:]))
    true_ratios = {"again": 1.0, "twice": 1 / 2, "more": IMAGES / (IMAGES + IMAGES // 50), "sequential": 1, "pyperf": 1}
    errors, in_interval = {name: [] for name in true_ratios}, {name: [] for name in true_ratios}

    def note(name, ratio, contained):
        errors[name].append(ratio / true_ratios[name] - 1)
        in_interval[name].append(contained)

    with tempfile.TemporaryDirectory() as temporary, check_kernels.problem_folder(problem) as problem_folder:
        folder = Path(temporary)
        for stem, source in (("base", SOURCE), ("twice", TWICE), ("more", MORE)):
            (folder / f"{stem}.py").write_text(source)
        by_name = {spec.kernel: spec for spec in kernel.discover(sorted(folder.glob("*.py")))}
        specs = {"base": by_name["base"], "again": by_name["base"], "twice": by_name["twice"], "more": by_name["more"]}
        base = kernel.load(specs["base"])
        for number in range(int(sys.argv[1])):
            samples = paired(specs, problem, problem_folder, number)
            for name in ("again", "twice", "more"):
                ratio = speedup.ratio(samples["base"], samples[name])
                note(name, ratio.value, ratio.low <= true_ratios[name] <= ratio.high)
            note("sequential", *sequential(scopes.prepare(base, "cpu", problem, np.random.default_rng(number))))
            if number % 10 == 0:
                note("pyperf", *by_pyperf(folder))
            print(number + 1, {name: sum(contained) for name, contained in in_interval.items()}, flush=True)
    for name, ratio in true_ratios.items():
        print(f"{name}, true ratio {ratio:.4f}: {describe(errors[name], in_interval[name])}")


if __name__ == "__main__":
    main()
