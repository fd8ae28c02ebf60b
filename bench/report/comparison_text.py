"""Comparisons with one kernel, as a person, a pull request or a program reads them."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench import formatting
from bench.analysis.comparison import Comparison, Side
from bench.formatting import Grid
from bench.report import tables

VERSIONS = {"Python": "python_version", "NumPy": "numpy_version", "PyTorch": "torch_version"}
METADATA = ("cpu_model_name", "cpu_count", "gpu", "platform", *VERSIONS.values(), "dataset", "dataset_digest", "commit",
            "not_in_commit", "date")  # fmt: skip


def grids(comparisons: Sequence[Comparison]) -> tuple[Grid, Grid]:
    """Return the table of the kernels, first the one that all others are compared with, and what must be beside it."""
    sides = [comparisons[0].base, *(one.new for one in comparisons)]
    ratios = [("1×", "", str(sides[0].record.processes))]
    for one in comparisons:
        speedup = f"{_ratio(one.ratio.value)}{' [FORCED]' if one.differs else ''}"
        ratios.append((speedup, one.ratio.interval(show=_ratio) or "none", str(one.ratio.processes)))
    times = [(side.name, side.summary.median, formatting.time(side.summary.smallest)) for side in sides]
    rows = [(*seconds, *ratio) for seconds, ratio in zip(times, ratios, strict=True)]
    columns = ("kernel", "median", "smallest", "speedup", tables.ci(one.ratio for one in comparisons), "processes")
    return Grid(columns, rows, columns[1:], ("smallest", "processes")), Grid(("", ""), _beside(comparisons, sides))


def _ratio(times: float) -> str:
    """Return a ratio: 137×, 8.66×, 1.018×, 0.000540×. Similar kernels differ in the third decimal."""
    return formatting.ratio(times) if times >= 2 else f"{times:.{max(3, 2 - math.floor(math.log10(times)))}f}×"


def _beside(comparisons: Sequence[Comparison], sides: Sequence[Side]) -> list[tuple[str, str]]:
    first, ratios = comparisons[0], [one.ratio for one in comparisons]
    bounds = [(side.name, side.summary.share_of_bound) for side in sides]
    spread = ", ".join(f"{ratio.spread - 1:.1%}" for ratio in ratios if ratio.processes > 1)
    shares = [f"{name} {formatting.share_of_bound(share.value)}" for name, share in bounds if share]
    paired = f"round by round within one run, {first.ratio.rounds} rounds"
    if first.base.version:
        paired = "process by process in their order, between two runs"
    old, new = _metadata(first.base), _metadata(first.new)
    metadata = {what: text if text == new[what] else f"{text} (old), {new[what]} (new)" for what, text in old.items()}
    return [
        *(("result", _result(one)) for one in comparisons),
        *((f"{side.name} †", f"in two groups: {side.summary.two_groups}") for side in sides if side.summary.groups),
        ("noise floor", f"unknown, {first.unknown}" if first.noise_floor is None else f"±{first.noise_floor:.1%}"),
        ("spread between processes", spread or "unknown, there is one process"),
        ("drift (Spearman)", ", ".join("unknown" if one.drift is None else f"{one.drift:+.2f}" for one in ratios)),
        ("% of bound", ", ".join(shares) or "not measured"),
        ("paired", paired if first.paired else "no: one kernel after the other"),
        ("speedup", f"{'median of the paired ratios, not ' if first.paired else ''}ratio of the medians"),
        *metadata.items(),
    ]


def _result(one: Comparison) -> str:
    result = f"{one.new.name} is {one.outcome} than {one.base.name}"
    if one.outcome == "not resolved":
        result = f"the difference between {one.base.name} and {one.new.name} is not resolved"
    label = "" if one.paired else " (indicative, unpaired)"
    sure = "" if one.ratio.low else "; no confidence interval: it needs six processes per kernel, in paired rounds"
    forced = f"  [FORCED: {'; '.join(one.differs)}]" if one.differs else ""
    return f"{result}: {_ratio(one.ratio.value)} as fast{label}{sure}{forced}"


def _metadata(side: Side) -> dict[str, str]:
    """Return what a reviewer asks of a record, in words."""
    record, path, metadata = side.record, side.record.path, side.record.metadata
    cores, gpu = metadata["cpu_count"], record.hardware("gpu")
    outside = f", without {metadata['not_in_commit']}" if "not_in_commit" in metadata else ""
    with_gpu = "" if gpu in ("none", "unknown") else f", {gpu}"
    versions = {name: str(metadata.get(key, "unknown")).split(".")[:2] for name, key in VERSIONS.items()}
    return {
        "scope, configuration": f"{side.scope} {side.distance}, {record.configuration}",
        "machine": f"{metadata['cpu_model_name']}, {cores} core{'s' if cores > 1 else ''}{with_gpu}",
        "versions": ", ".join(f"{name} {'.'.join(numbers)}" for name, numbers in versions.items()),
        "digits": str(metadata["dataset"]),
        "commit": f"{metadata.get('commit', 'unknown')}{outside}",
        "date": str(metadata.get("date", "unknown")),
        "record": f"{path.parent.name}/{path.name}, {side.picked}" if side.picked else path.name,
    }


def as_json(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return what `--json` prints: the first comparison, and under `others` the further ones in the same form."""
    first, *others = [
        {
            **{key: value for key, value in asdict(one.ratio).items() if key != "value"},
            "base": _side_as_json(one.base),
            "new": _side_as_json(one.new),
            "scope": one.base.scope,
            "distance": one.base.distance,
            "ratio": one.ratio.value,
            "noise_floor": one.noise_floor,
            "outcome": one.outcome,
            "paired": one.paired,
            "forced": list(one.differs),
        }
        for one in comparisons
    ]
    return {**first, "others": others}


def _side_as_json(side: Side) -> dict[str, Any]:
    row = side.summary
    return {
        "kernel": side.kernel,
        "source_hash": side.record.kernel_metadata[side.kernel].get("source_hash"),
        "record": side.record.path.name,
        "configuration": side.record.configuration,
        "seconds": row.seconds,
        "groups": [asdict(group) for group in row.groups or ()],
        "smallest": row.smallest,
        "share_of_bound": row.share_of_bound.value if row.share_of_bound else None,
        "metadata": {key: side.record.metadata.get(key) for key in METADATA},
    }
