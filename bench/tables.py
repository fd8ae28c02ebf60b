"""The sentences and tables that the verbs print."""

from collections.abc import Iterable, Sequence
from statistics import median

from bench import standing, units
from bench.checking import Verdict
from bench.checklist import Line
from bench.grid import Grid
from bench.kernel import REFERENCE
from bench.limit import cache_level
from bench.problem import Problem
from bench.records import Record
from bench.sample import GPU_LAUNCH, GPU_READ, ONE_CORE, Footprint
from bench.speedup import interval
from bench.standing import Standing, standings


def dataset(problem: Problem) -> str:
    """Return the line that names the digits."""
    drawn = " (drawn by this project, not MNIST: accuracies are not comparable)" if problem.name == "drawn" else ""
    train, valid = (" + ".join(map(str, counts)) for counts in (problem.train_counts, problem.valid_counts))
    return f"{problem.name}{drawn}, {train} training and {valid} validation images, SHA-256 {problem.digest[:16]}…"


def agreement(problem: Problem, verdicts: Iterable[Verdict]) -> Iterable[str]:
    """Yield one line on who agrees, one per distance, and one per kernel that does not agree or is unavailable."""
    ran = [verdict for verdict in verdicts if verdict.status != "unavailable"]
    agreeing = [verdict for verdict in ran if verdict.status == "agrees"]
    exact = problem.score(problem.correct(problem.answers["l1"].labels))
    on = exact if any(not each.images for each in agreeing) else "on the first images of each class, as each one says"
    if not agreeing:
        yield f"no kernel agrees; the exact answer is {exact}"
    elif len(agreeing) == 1:
        yield f"1 kernel agrees: {on}"
    else:
        yield f"{'all ' if len(agreeing) == len(ran) else ''}{len(agreeing)} kernels agree: {on}"
    for distance, answer in problem.answers.items():
        correct = problem.correct(answer.labels)
        yield (
            f"exact {distance.upper()}: {problem.score(correct)}, average {problem.accuracy(correct):.4f}, "
            f"too close to call in float32: {answer.too_close}"
        )


def failures(verdicts: Iterable[Verdict]) -> Iterable[str]:
    """Yield why each kernel that does not agree does not."""
    for verdict in verdicts:
        if verdict.status != "agrees":
            yield f"{verdict.name} {'is ' if verdict.status != 'disagrees' else ''}{verdict.status}: {verdict.reason}"


def checked(problem: Problem, verdicts: Sequence[Verdict]) -> Grid:
    """Return the table of `check`."""
    rows = []
    for verdict in verdicts:
        error = "" if verdict.mean_error is None else f"{verdict.mean_error:.1e}"
        scores = [_score(problem, verdict, distance) for distance in problem.answers]
        rows.append((verdict.name, *scores, error, verdict.status))
    columns = ("kernel", "L1 accuracy", "L2 accuracy", "mean-image error", "agreement")
    return Grid(columns, rows, right=["mean-image error"])


def _score(problem: Problem, verdict: Verdict, distance: str) -> str:
    if distance in verdict.correct:
        correct, part = verdict.correct[distance], problem.part(verdict.images)
        of = f" (first {verdict.images} of each class)" if verdict.images else ""
        return f"{part.accuracy(correct):.4f}  {part.score(correct)}{of}"
    return "not offered" if verdict.status == "agrees" else ""


def timed(standings: Sequence[Standing], ratios: bool = True) -> Grid:
    """Return the table of `run`, fastest last; without the ratios where the checklist forbids them."""
    rows = []
    for each in standings:
        interval = ""
        if each.ratio and each.ratio.low is not None and each.ratio.high is not None and each.kernel != REFERENCE:
            interval = f"{units.ratio(each.ratio.low)} to {units.ratio(each.ratio.high)}"
        ratio = units.either(each.speedups, units.ratio) if each.speedups else "no reference"
        if not ratios:
            ratio, interval = "withheld", ""
        elif len(each.speedups) > 1:
            interval = ""  # it spans both modes, and would pass for doubt about one number
        per_image = f"{each.seconds / each.images * 1e9:,.0f}" if len(each.modes) == 1 else ""
        share = units.either(each.share.modes, units.share) if each.share else ""
        first = units.time(each.first_call) if each.first_call else ""
        seconds = units.either(each.modes, units.time)
        rows.append((each.kernel, seconds, units.time(each.smallest), ratio, interval, per_image, share, first))
    levels = {f"{each.ratio.level:.1%}" for each in standings if each.ratio and each.ratio.level}
    ends = " ".join(("interval", *levels)) if len(levels) == 1 else "interval"  # which belongs beside every interval
    columns = ("kernel", "median", "smallest", "speedup", ends, "ns per image", "of limit", "first call")
    return Grid(columns, rows, right=columns[1:])


def limit(record: Record, scope: str) -> str:
    """Return the sentences that say what the limits of the machine, and of its GPU, were taken from."""
    readings, gpu = standing.limit(record, scope), _gpu_limit(record, scope)
    if not readings:
        return f"The limit was not measured.{gpu}"
    size = readings[0].images * int(record.facts["image_pixels"])
    threads = 1 if readings[0].kernel == ONE_CORE else int(record.facts["cpu_count"])
    rates = [size / each.seconds / 1e9 for each in readings]
    found = interval(rates)
    spread = f", median of the process sets {median(rates):.0f}" + (
        f" ({found[0]:.0f} to {found[1]:.0f})" if found else ""
    )
    level = cache_level(size, threads, str(record.facts["caches"]))
    cores = f"{threads} core{'s' if threads > 1 else ''}"
    return f"The limit: {units.size(size)} read from {level} by {cores} at {max(rates):.0f} GB/s{spread}.{gpu}"


def _gpu_limit(record: Record, scope: str) -> str:
    """Return the sentence on the GPU's limit, "" where none was measured: both bounds, and which one binds."""
    reading, launching = (record.of(name, scope, "-") for name in (GPU_READ, GPU_LAUNCH))
    if not reading:
        return ""
    size = reading[0].images * int(record.facts["image_pixels"])
    read_s, launch_s = (min(each.seconds for each in samples) for samples in (reading, launching))
    binds = "launching" if standing.limit(record, scope, "cuda")[0].kernel == GPU_LAUNCH else "reading"
    return (
        f" The GPU's limit, {binds}: {units.size(size)} read in {units.time(read_s)}, at "
        f"{size / read_s / 1e9:,.0f} GB/s; one launch and the arrival of the least answer take {units.time(launch_s)}."
    )


def answers_for(lines: Sequence[Line]) -> Iterable[str]:
    """Yield the checklist, the worst last; what passed is one line."""
    passed = [line.found for line in lines if line.level == "PASS"]
    if passed:
        yield f"PASS  {'; '.join(passed)}"
    for level in ("WARN", "FAIL"):
        yield from (f"{level}  {line.found}: {line.remedy}" for line in lines if line.level == level)


def by_condition(told: Sequence[Record]) -> Grid:
    """Return the medians of several conditions side by side, in the scope `baseline` under L1."""
    found = [{each.kernel: each for each in standings(record)} for record in told]
    names = sorted({name for each in found for name in each})
    rows = [
        (name, *(units.either(each[name].modes, units.time) if name in each else "" for each in found))
        for name in names
    ]
    columns = [record.condition for record in told]
    return Grid(("kernel", *columns), rows, right=columns)


def memory(footprints: Sequence[Footprint]) -> Grid:
    """Return the table of the memory pass, in megabytes (10^6 bytes) and joules per million images.

    What no kernel has, of the GPU and of energy, has no column.
    """
    columns = {
        "held, MB": [_megabytes(each.anonymous_before_bytes) or "not applicable" for each in footprints],
        "temporaries, MB": [_megabytes(each.temporaries_bytes) or "not applicable" for each in footprints],
    }
    optional = {
        "on GPU, MB": [_megabytes(each.device_before_bytes) for each in footprints],
        "temporaries on GPU, MB": [_megabytes(each.device_temporaries_bytes) for each in footprints],
        "CPU, J per 10⁶ images": [_joules(each.per_million(each.cpu_joules)) for each in footprints],
        "GPU, J per 10⁶ images": [_joules(each.per_million(each.gpu_joules)) for each in footprints],
    }
    columns |= {title: cells for title, cells in optional.items() if any(cells)}
    cells = zip(*columns.values(), strict=True)
    rows = [
        (each.kernel, f"{each.scope} {each.distance}", f"{each.images:,}", *row)
        for each, row in zip(footprints, cells, strict=True)
    ]
    return Grid(("kernel", "scope", "images", *columns), rows, right=["images", *columns])


def not_measured(footprints: Sequence[Footprint]) -> Iterable[str]:
    """Yield the line that says what the memory pass did not measure and why; none where nothing is missing."""
    why = dict.fromkeys(reason for each in footprints for reason in each.not_measured.split("; ") if reason)
    if why:
        yield f"Not measured: {'; '.join(why)}."
    if any(each.energy_calls for each in footprints):
        yield "Energy is by the counters of the whole processor and GPU; idle power is not subtracted."


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:,.1f}"


def _joules(taken: float | None) -> str:
    return "" if taken is None else f"{taken:,.3g}" if taken < 100 else f"{taken:,.0f}"
