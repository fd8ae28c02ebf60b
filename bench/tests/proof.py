"""The recorder on trial: how often do its intervals hold the truth? `python -m bench.tests.proof 200`

Each recording is short: 6 processes of 3 rounds, scope predict under L1, of four kernels made from one
that takes 1 to 2 ms, NumPy image by image, whose time is proportional to its images: itself, itself again (true ratio
1), one that does the work twice (1/2), and one that predicts 2 % more images than it was asked to (100/102). With the
whole stack at once the last truth would not be known: 2 % more pixels were 6 % more page faults.

Beside each, the A/A comparison as others would make it: a loop that times one function to completion, then the other,
and (for every tenth recording, as it takes seconds) pyperf's, 6 processes of one and then 6 of the other.
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
from bench.runner import checking, configuration
from bench.runner.configuration import Configuration
from bench.runner.executor import Executor, Setup
from bench.runner.process import MEMORY_LIMIT
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


def paired(specs, posed, folder, seed):
    """Return the samples of one recording, by name."""
    rng, samples = random.Random(seed), {}
    for process in range(PROCESSES):
        environment = configuration.environment(Configuration(), rng)
        setup = Setup(posed, folder, environment, rng.randrange(2**32), process, 60, MEMORY_LIMIT)
        executors = [Executor(name, each, setup) for name, each in specs.items()]
        rng.shuffle(executors)
        try:
            for position, executor in enumerate(executors):
                executor.enter(position)
            for number in range(ROUNDS):
                for position, executor in enumerate(rng.sample(executors, len(executors))):
                    time.sleep(SETTLE_S)
                    executor.time("predict", "l1", IMAGES, number, position)
            for executor in executors:
                assert executor.result.status == "agrees", executor.result
                timed = [each for each in executor.samples if each.scope == "predict"]
                samples.setdefault(executor.name, []).extend(timed)
        finally:
            for executor in executors:
                executor.end()
    return samples


def sequential(prepared):
    """Return (ratio of means, whether its 95 % interval holds 1) of one function against itself, A's turn, then B's."""
    views, call = scopes.call(prepared, "predict", "l1")
    arms = []
    for _ in "AB":
        times = []
        for _ in range(SEQUENTIAL):
            started = time.perf_counter()
            call(views())
            times.append(time.perf_counter() - started)
        arms.append(times)
    return of_means(*arms)


def of_means(first, second):
    """Return (ratio of means, whether 1 is in its delta-method interval), t of 34 degrees of freedom, 95 %."""
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


def main():
    recordings = int(sys.argv[1])
    half = [*np.random.default_rng(1).integers(0, 256, (4, IMAGES // 2, 28, 28))]  # few, so that workers start fast
    posed = make_problem(digits(half[:2], half[2:]))
    truths = {"again": 1.0, "twice": 1 / 2, "more": IMAGES / (IMAGES + IMAGES // 50)}
    held = dict.fromkeys(truths, 0)
    values: dict[str, list[float]] = {name: [] for name in truths}
    others: dict[str, list[tuple[float, bool]]] = {"sequential": [], "pyperf": []}
    with tempfile.TemporaryDirectory() as name, checking.handed_over(posed) as handed:
        folder = Path(name)
        for stem, source in (("base", SOURCE), ("twice", TWICE), ("more", MORE)):
            (folder / f"{stem}.py").write_text(source)
        found = {each.kernel: each for each in kernel.discover(sorted(folder.glob("*.py")))}
        specs = {"base": found["base"], "again": found["base"], "twice": found["twice"], "more": found["more"]}
        prepared = scopes.prepare(kernel.load(found["base"]), "cpu", posed)
        for number in range(recordings):
            samples = paired(specs, posed, handed, number)
            for each, truth in truths.items():
                ratio = speedup.ratio(samples["base"], samples[each])
                held[each] += ratio.low <= truth <= ratio.high
                values[each].append(ratio.value / truth - 1)
            others["sequential"].append(sequential(prepared))
            if number % 10 == 0:
                others["pyperf"].append(by_pyperf(folder))
            print(f"{number + 1}: held {held}, sequential {sum(hold for _, hold in others['sequential'])}", flush=True)
    for each, truth in truths.items():
        off = sorted(abs(value) for value in values[each])
        bias = statistics.median(values[each])
        print(f"{each}: {held[each]} of {recordings} intervals hold {truth:.4f}; off by median "
              f"{statistics.median(off):.2%}, worst {off[-1]:.2%}, bias {bias:+.2%}")  # fmt: skip
    for each, pairs in others.items():
        off = sorted(abs(ratio - 1) for ratio, _ in pairs)
        print(f"{each}: {sum(hold for _, hold in pairs)} of {len(pairs)} intervals hold 1; off by median "
              f"{statistics.median(off):.2%}, worst {off[-1]:.2%}")  # fmt: skip


if __name__ == "__main__":
    main()
