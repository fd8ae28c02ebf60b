"""How soon is a known difference resolved, and how often wrongly? `python -m bench.tests.proof 10 --seconds 15`

Two kernels that work image by image, where one does 0, 2, 5 or 100 % more of the same work: so their true ratio is 1,
1.02, 1.05 or 2. Three tools have the same seconds in turns: this project (`run --against`), pyperf (one command for
each kernel, then `compare_to`) and pytest-benchmark (a test for each kernel, then the medians). Each says "different":

    this project        the confidence interval excludes 1
    pyperf              compare_to calls the difference significant
    pytest-benchmark    its medians are over 2.5 % apart, half of the smallest difference asked for: it has no interval

Seconds until then: the processes so far, in their order, are judged as if the run had ended there.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.analysis import speedup
from bench.kernel import ROOT
from bench.records import reader

RATIOS = (1.0, 1.02, 1.05, 2.0)
IMAGES = 50  # of each class, for training and for validation; 2 % of them is one
GATE = 0.025
SHORTEST_S = 5  # in which six processes fit
PYPERF_S = 1.0  # of a process of pyperf: its start, and a warm-up and three samples of 0.1 s
KERNEL = """
import numpy as np


def prepare(images, device):
    return images.astype(np.float32) / 255


def more(stack):
    return stack[: len(stack) * {percent} // 100]


def total(stack):
    pixel_sums = np.zeros(stack[0].shape)
    for image in stack:
        pixel_sums += image
    return pixel_sums


def mean_images(stacks):
    for stack in stacks:
        total(more(stack)) if len(more(stack)) else None
    return np.stack([total(stack) / len(stack) for stack in stacks])


def nearest(images, means):
    return [int(np.argmin([np.abs(image - mean).mean() for mean in means])) for image in images]


def predict_l1(images, means):
    nearest(more(images), means)
    return nearest(images, means)
"""
INPUT = """
import runpy
import numpy as np

kernel = runpy.run_path({kernel!r})
images = np.random.default_rng(0).integers(0, 256, ({images}, 28, 28), dtype=np.uint8)
stack = kernel["prepare"](images, "cpu")


def call():
    return kernel["predict_l1"](stack, kernel["mean_images"]([stack[: len(stack) // 2], stack[len(stack) // 2 :]]))
"""
PYPERF = INPUT + "\n\nimport pyperf\npyperf.Runner().bench_func('baseline', call)\n"
PYTEST = "{calls}\n\ndef test_a(benchmark):\n    benchmark(call_a)\n\n\ndef test_b(benchmark):\n    benchmark(call_b)\n"


@dataclass(frozen=True)
class Answer:
    """What a tool said: the ratio, whether it is another one than 1, and after how many seconds it first said so."""

    ratio: float
    differs: bool
    seconds: float
    until_s: float | None = None


def this_project(folder: Path, percent: int, seconds: float) -> Answer:
    """Return what `run --against` says; its own budget limits the seconds, but of a test, which has few."""
    kernels = [argument for name in ("base", f"more_{percent}") for argument in ("--kernel", folder / f"{name}.py")]
    arguments = ["--against", "base", "--data", "drawn", "--per-class", IMAGES, "--quiet", *kernels]
    arguments += ["--quick"] if seconds < SHORTEST_S else []
    before = {*folder.glob("*.json")}
    took = _run("-m", "bench", "run", *arguments, folder=folder, BENCH_LOCAL=str(folder))
    record = reader.read(({*folder.glob("*.json")} - before).pop())
    base, more = (record.samples_of(name) for name in ("base", f"more_{percent}"))

    def judged(processes: int) -> speedup.Ratio:
        return speedup.ratio(*([sample for sample in side if sample.process < processes] for side in (more, base)))

    def differs(ratio: speedup.Ratio) -> bool:
        return ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high

    all_of_them = record.processes
    until = next((n for n in range(6, all_of_them + 1) if differs(judged(n))), None)
    whole = judged(all_of_them)
    return Answer(whole.value, differs(whole), took, until and took * until / all_of_them)


def by_pyperf(folder: Path, percent: int, seconds: float) -> Answer:
    """Return what pyperf says: as many processes as it has time for, of one kernel and then of the other."""
    import pyperf
    from pyperf._utils import is_significant

    files, took = [folder / "a.pyperf", folder / "b.pyperf"], 0.0
    for file, name in zip(files, (f"more_{percent}", "base"), strict=True):
        script = folder / "script.py"
        script.write_text(PYPERF.format(kernel=str(folder / f"{name}.py"), images=2 * IMAGES))
        file.unlink(missing_ok=True)
        processes = max(2, round(seconds / 2 / PYPERF_S) - 1)  # one more calibrates
        took += _run(script, "-q", "-p", processes, "-o", file, folder=folder)
    runs = [pyperf.Benchmark.load(str(file)).get_runs() for file in files]
    runs = [[run for run in of_one if run.values] for of_one in runs]

    def values(n: int) -> list[list[float]]:
        return [[value for run in of_one[:n] for value in run.values] for of_one in runs]

    until = next((n for n in range(2, processes + 1) if is_significant(*values(n))[0]), None)
    a, b = values(processes)
    said = subprocess.run(
        [sys.executable, "-m", "pyperf", "compare_to", *files], capture_output=True, text=True, check=True
    )
    differs = "not significant" not in said.stdout
    return Answer(sum(a) / len(a) / (sum(b) / len(b)), differs, took, until and took * until / processes)


def by_pytest_benchmark(folder: Path, percent: int, seconds: float) -> Answer:
    """Return what pytest-benchmark says: each of two tests has half of the time, as its own limit."""
    calls = [
        INPUT.format(kernel=str(folder / f"{name}.py"), images=2 * IMAGES)
        .replace("kernel =", f"{letter} =")
        .replace("kernel[", f"{letter}[")
        .replace("def call", f"def call_{letter}")
        for letter, name in (("a", f"more_{percent}"), ("b", "base"))
    ]
    (folder / "test_pair.py").write_text(PYTEST.format(calls="\n".join(calls)))
    limits = [f"--benchmark-max-time={seconds / 2}", "--benchmark-min-rounds=5", "--benchmark-json=pair"]
    alone = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", folder, "test_pair.py"]
    took = _run("-m", "pytest", *alone, *limits, folder=folder, cwd=folder)
    medians = [benchmark["stats"]["median"] for benchmark in json.loads((folder / "pair").read_text())["benchmarks"]]
    ratio = medians[0] / medians[1]
    return Answer(ratio, abs(math.log(ratio)) > math.log1p(GATE), took)


def _run(*command: object, folder: Path, cwd: Path = ROOT, **variables: str) -> float:
    started = time.perf_counter()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # pytest-xdist's
    environment = {**inherited, **variables}
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return time.perf_counter() - started


TOOLS = {"this project": this_project, "pyperf": by_pyperf, "pytest-benchmark": by_pytest_benchmark}


def measure(repetitions: int, seconds: float, ratios=RATIOS, tools=tuple(TOOLS), told=print):
    """Return the answers by tool and true ratio, all of them in turns."""
    answers = {(tool, ratio): [] for tool in tools for ratio in ratios}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for ratio in (1.0, *ratios):
            percent = round(100 * (ratio - 1))
            source = KERNEL.format(percent=percent)
            (folder / f"more_{percent}.py").write_text(source)
        (folder / "base.py").write_text(KERNEL.format(percent=0))
        for number in range(repetitions):
            for (tool, ratio), given in answers.items():
                answer = TOOLS[tool](folder, round(100 * (ratio - 1)), seconds)
                given.append(answer)
                told(number + 1, tool, ratio, answer, flush=True)
    return answers


def table(answers):
    """Return the answers as a table in Markdown, a row for each tool and true ratio."""
    head = ("tool", "true ratio", "called different", "after, median", "off by, median", "off by, worst", "takes")
    rows = [head, ("---",) * len(head)]
    for (tool, ratio), given in answers.items():
        off = [abs(answer.ratio / ratio - 1) for answer in given]
        until = [answer.until_s for answer in given if answer.until_s is not None]
        rows.append(
            (
                tool,
                f"{ratio:g}",
                f"{sum(answer.differs for answer in given)} of {len(given)}",
                f"{median(until):.0f} s" if until else "",
                f"{median(off):.1%}",
                f"{max(off):.1%}",
                f"{median(answer.seconds for answer in given):.0f} s",
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repetitions", type=int)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--ratios", type=lambda text: [float(part) for part in text.split(",")], default=RATIOS)
    parser.add_argument("--tools", type=lambda text: text.split(","), default=tuple(TOOLS))
    options = parser.parse_args()
    print(table(measure(options.repetitions, options.seconds, options.ratios, options.tools)))


if __name__ == "__main__":
    main()
