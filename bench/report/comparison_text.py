"""A comparison as a person, a pull request or a program reads it."""

from dataclasses import asdict
from typing import Any

from bench import formatting
from bench.analysis.comparison import Comparison, Side
from bench.analysis.summary import Summary
from bench.formatting import Grid


def lines(found: Comparison) -> list[tuple[str, str]]:
    """Return a comparison as (what, value) pairs, in the order a person wants them."""
    ratio, base, new = found.ratio, found.base, found.new
    names = [side.kernel for side in (base, new)]
    if base.kernel == new.kernel:
        names = [f"{side.kernel} of {side.record.path.name}" for side in (base, new)]
    resolved = found.verdict != "not resolved"
    interval = ratio.interval(level=True, show=_times)
    indicative = "" if found.paired else " (indicative, unpaired)"
    rows = [
        ("verdict", f"{names[1]} is {found.verdict}{' than ' + names[0] if resolved else ''}"),
        ("ratio", f"{_times(ratio.value)} as fast{indicative}"),
        ("interval", interval or "none: six processes per kernel, in paired rounds, make one"),
        ("resolution", "unknown" if found.noise_floor is None else f"±{found.noise_floor:.1%}"),
        *((name, _side(side.summary)) for name, side in zip(names, (base, new), strict=True)),
        ("processes, rounds", f"{ratio.processes}, {ratio.rounds}"),
        ("spread between processes", f"{ratio.spread - 1:.1%}"),
        ("drift (Spearman)", "unknown" if ratio.drift is None else f"{ratio.drift:+.2f}"),
        ("scope, configuration", f"{base.scope} {base.distance}, {base.record.configuration}"),
        *((f"record of {side.kernel}", side.record.path.name) for side in (base, new)),
    ]
    if found.differs:
        rows = [(what, f"{value}  [FORCED: {'; '.join(found.differs)}]") for what, value in rows]
    return rows


def _times(ratio: float) -> str:
    return f"{ratio:.3f}×" if ratio < 10 else formatting.ratio(ratio)  # two like kernels differ in the third decimal


def _side(row: Summary) -> str:
    seconds = f"{row.median} median, {formatting.time(row.smallest)} smallest"
    groups = f", in two groups: {row.two_groups}" if row.groups else ""
    return f"{seconds}{f', {row.share_of_bound.value:.1%} of the limit' if row.share_of_bound else ''}{groups}"


def markdown(found: Comparison) -> str:
    """Return a comparison as a Markdown table."""
    return Grid(("", ""), lines(found)).markdown()


def as_json(found: Comparison) -> dict[str, Any]:
    """Return a comparison as `--json` prints it: seconds, fractions and ratios as plain numbers."""

    def side(each: Side) -> dict[str, Any]:
        row = each.summary
        return {
            "kernel": each.kernel,
            "record": each.record.path.name,
            "configuration": each.record.configuration,
            "seconds": row.seconds,
            "groups": [asdict(group) for group in row.groups or ()],
            "smallest": row.smallest,
            "share_of_limit": row.share_of_bound.value if row.share_of_bound else None,
        }

    ratio = asdict(found.ratio)
    return {
        "base": side(found.base),
        "new": side(found.new),
        "scope": found.base.scope,
        "distance": found.base.distance,
        "ratio": ratio.pop("value"),
        **ratio,
        "resolution": found.noise_floor,
        "verdict": found.verdict,
        "paired": found.paired,
        "forced": list(found.differs),
    }
