"""A comparison as a person, a pull request or a program reads it."""

from dataclasses import asdict
from typing import Any

from bench import formatting
from bench.analysis.comparison import Comparison, Side
from bench.formatting import Grid


def lines(comparison: Comparison) -> list[tuple[str, str]]:
    """Return a comparison as (what, value) pairs, in the order a person wants them."""
    ratio, base, new = comparison.ratio, comparison.base, comparison.new
    names = [side.kernel for side in (base, new)]
    if base.kernel == new.kernel:
        names = [f"{side.kernel} of {side.record.path.name}" for side in (base, new)]
    result = f"{names[1]} is {comparison.outcome} than {names[0]}"
    if comparison.outcome == "not resolved":
        result = f"the difference between {names[0]} and {names[1]} is not resolved"
    interval = ratio.interval(level=True, show=_times)
    rows = [
        ("result", result),
        ("ratio", f"{_times(ratio.value)} as fast{'' if comparison.paired else ' (indicative, unpaired)'}"),
        ("confidence interval", interval or "none: it needs six processes per kernel, in paired rounds"),
        ("noise floor", "unknown" if comparison.noise_floor is None else f"±{comparison.noise_floor:.1%}"),
        *((name, _side(side)) for name, side in zip(names, (base, new), strict=True)),
        ("processes, rounds", f"{ratio.processes}, {ratio.rounds}"),
        ("spread between processes", f"{ratio.spread - 1:.1%}"),
        ("drift (Spearman)", "unknown" if ratio.drift is None else f"{ratio.drift:+.2f}"),
        ("scope, configuration", f"{base.scope} {base.distance}, {base.record.configuration}"),
        *((f"record of {side.kernel}", _record(side)) for side in (base, new)),
    ]
    if comparison.differs:
        rows = [(what, f"{value}  [FORCED: {'; '.join(comparison.differs)}]") for what, value in rows]
    return rows


def _record(side: Side) -> str:
    path = side.record.path
    return f"{path.parent.name}/{path.name}, {side.picked}" if side.picked else path.name


def _times(ratio: float) -> str:
    return f"{ratio:.3f}×" if ratio < 10 else formatting.ratio(ratio)  # similar kernels differ in the third decimal


def _side(side: Side) -> str:
    row = side.summary
    bound = f", {row.share_of_bound.value:.1%} of the bandwidth bound" if row.share_of_bound else ""
    groups = f", in two groups: {row.two_groups}" if row.groups else ""
    return f"{row.median} median, {formatting.time(row.smallest)} smallest{bound}{groups}"


def markdown(comparison: Comparison) -> str:
    """Return a comparison as a Markdown table."""
    return Grid(("", ""), lines(comparison)).markdown()


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as `--json` prints it: seconds, fractions and ratios as plain numbers."""
    ratio = asdict(comparison.ratio)
    return {
        "base": _side_as_json(comparison.base),
        "new": _side_as_json(comparison.new),
        "scope": comparison.base.scope,
        "distance": comparison.base.distance,
        "ratio": ratio.pop("value"),
        **ratio,
        "noise_floor": comparison.noise_floor,
        "outcome": comparison.outcome,
        "paired": comparison.paired,
        "forced": list(comparison.differs),
    }


def _side_as_json(side: Side) -> dict[str, Any]:
    row = side.summary
    return {
        "kernel": side.kernel,
        "record": side.record.path.name,
        "configuration": side.record.configuration,
        "seconds": row.seconds,
        "groups": [asdict(group) for group in row.groups or ()],
        "smallest": row.smallest,
        "share_of_bound": row.share_of_bound.value if row.share_of_bound else None,
    }
