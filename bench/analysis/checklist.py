"""What a sceptic asks of a record, answered PASS, WARN or FAIL, each with its remedy. FAIL: no ratio may be shown.

After Hoefler & Belli (SC15), Heiser's benchmarking crimes and Kalibera & Jones (ISMM 2013).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.analysis import summary
from bench.analysis.summary import Summary
from bench.kernel import REFERENCE
from bench.records.model import NOT_MEASURED, NOT_THROTTLED, BadRecord, Record

FEWEST_PROCESSES = 6  # below, no distribution-free 95 % interval exists
WORST_NOISE_FLOOR = 0.05
WORST_DRIFT = 0.5
WORST_SPREAD = 3  # between processes, times that within them, in logarithms
WORST_SHARE = 1.25  # of the limit: beyond it, the whole interval, no error of the limit explains it
SHORTEST_S = 1e-3  # of a sample; a shorter one is the clock's as much as the kernel's
OVERHEAD_S = 1e-6


@dataclass(frozen=True)
class Line:
    """One answer: its level, what was found, and what to do about it ("" for PASS)."""

    level: str
    found: str
    remedy: str = ""


def review(record: Record, scope: str = "baseline", distance: str = "l1", reference: str = REFERENCE) -> list[Line]:
    """Return the checklist of a record in one scope and distance, in its order.

    Args:
        reference: what the ratios to be shown are over.
    """
    rows = summary.summaries(record, scope, distance)
    return [
        *_answers(record, rows, distance),
        *_reference(record, scope, distance, reference),
        *_bounds(record, rows, scope),
        *_processes(record),
        *_noise_floor(record, scope, distance),
        *_circumstances(record),
        *_times(record, rows, scope, distance),
        *(Line("WARN", f"{each.kernel} is not in it: {each.status}", "see its reason") for each in record.not_timed),
    ]


def failed(lines: list[Line]) -> bool:
    """Return whether no ratio may be shown."""
    return any(line.level == "FAIL" for line in lines)


def must_not_fail(record: Record, scope: str = "baseline", distance: str = "l1", reference: str = REFERENCE) -> None:
    """Stop where no ratio may be shown.

    Raises:
        BadRecord: with every line that fails.
    """
    failing = [line for line in review(record, scope, distance, reference) if line.level == "FAIL"]
    if failing:
        said = "; ".join(f"{line.found} ({line.remedy})" for line in failing)
        raise BadRecord(f"{record.path}: its checklist fails in {scope} {distance}: {said}")


def _answers(record: Record, rows: Sequence[Summary], distance: str) -> Iterator[Line]:
    for judged in ("l1", "l2"):
        scores = {row.kernel: record.kernel_metadata[row.kernel].get(f"correct_{judged}") for row in rows}
        if record.speed and (judged == distance or (judged, distance) == ("l1", "-")):  # L2 is optional
            for name in (name for name, score in scores.items() if not score):
                yield Line("FAIL", f"{name} was not verified under {judged}", "python -m bench check")
        scores = {name: score for name, score in scores.items() if score}
        close = int(record.metadata.get(f"too_close_{judged}", 0))
        if len(set(scores.values())) > 1 and close:
            yield Line("PASS", f"scores under {judged} may differ in {close} images that are too close to call")
        elif len(set(scores.values())) > 1:
            listed = ", ".join(f"{name} {score}" for name, score in sorted(scores.items()))
            yield Line("FAIL", f"kernels score differently under {judged}: {listed}", "python -m bench check")
        elif scores:
            agreed = next(iter(scores.values()))
            yield Line("PASS", f"every kernel verified before, every timed answer after, under {judged}: {agreed}")


def _reference(record: Record, scope: str, distance: str, reference: str) -> Iterator[Line]:
    if record.of(reference, scope, distance):
        yield Line("PASS", f"every ratio is over {reference}, with both times beside it")
    elif record.kind == "sizes":  # the slowest kernel is skipped at the largest sizes
        yield Line("WARN", f"{reference} was skipped, so there is no ratio", "compare other kernels there")
    else:
        yield Line("FAIL", f"{reference} is not in it, so there is no ratio to show", "record it too")


def _bounds(record: Record, rows: Sequence[Summary], scope: str) -> Iterator[Line]:
    faster = {row.kernel: row.share_of_bound for row in rows if row.share_of_bound and row.share_of_bound.value > 1}
    for name, share_of_bound in faster.items():
        found = f"{name} is at {share_of_bound.value:.0%} of the limit"
        if (min(share_of_bound.per_process) if share_of_bound.low is None else share_of_bound.low) > WORST_SHARE:
            yield Line("FAIL", found, "faster than the machine can read: work is missing, or the limit is wrong")
        else:
            yield Line("WARN", found, "the limit is underestimated or work is missing")
    devices = sorted({str(record.kernel_metadata[row.kernel].get("device", "cpu")) for row in rows})
    measurable = [each for each in devices if each == "cpu" or scope != "end_to_end"]  # where a GPU's bytes travel
    unmeasured = [each for each in measurable if not summary.limit(record, scope, each)]
    for device in unmeasured:
        of = "" if device == "cpu" else f" on {device}"
        yield Line("WARN", f"the limit was not measured for it{of}", "record baseline or predict: python -m bench run")
    if not faster and len(unmeasured) < len(measurable):
        yield Line("PASS", "no kernel is faster than this machine can read its bytes")


def _processes(record: Record) -> Iterator[Line]:
    if record.processes >= FEWEST_PROCESSES:
        found = f"{record.processes} processes per kernel, each with its own hash seed and environment size"
        yield Line("PASS", found)
    else:
        yield Line("WARN", record.label, "record six or more: python -m bench run")


def _noise_floor(record: Record, scope: str, distance: str) -> Iterator[Line]:
    noise_floor = summary.noise_floor(record, scope, distance)
    if noise_floor is None:
        yield Line("WARN", "no kernel ran against itself", "record anew: python -m bench run")
    elif noise_floor > WORST_NOISE_FLOOR:
        yield Line("WARN", f"resolution ±{noise_floor:.1%}: smaller differences are noise", "close what else runs")
    else:
        yield Line("PASS", f"resolution ±{noise_floor:.1%}, from a kernel against itself")


def _circumstances(record: Record) -> Iterator[Line]:
    metadata = record.metadata
    cores = int(metadata.get("cpu_count", 1))
    for name in record.kernels():
        in_force = str(record.kernel_metadata[name].get("threads_in_force", ""))
        counts = [int(count) for count in re.findall(r"[a-z] (\d+)", in_force)]  # "openblas 2, torch 2"; "1" of none
        if metadata.get("threads") == "1" and max(counts, default=1) > 1:
            yield Line("WARN", f"{name} was asked for one thread and has {in_force}", "limit it in the kernel")
        if metadata.get("threads") == "all" and max(counts, default=cores) < cores:
            yield Line("WARN", f"{name} was asked for {cores} threads and has {in_force}", "do not limit it")
    if metadata.get("allocator_in_force", metadata.get("allocator")) != metadata.get("allocator"):
        yield Line("WARN", f"the allocator setting is {metadata['allocator_in_force']} here", "use the default")
    if "gpu_throttled" in metadata:
        yield _throttled(str(metadata["gpu_throttled"]))
    load, overhead_s = float(metadata.get("load_average", 0)), float(metadata.get("overhead_s", 0))
    if load > cores / 2:
        yield Line("WARN", f"load average {load:.1f} on {cores} cores at the start", "close what else runs")
    if metadata.get("governor", "unknown") not in ("performance", "unknown"):
        yield Line("WARN", f"frequency governor {metadata['governor']}", "set it to performance")
    if str(metadata.get("commit", "")).endswith("-modified"):
        yield Line("WARN", "recorded from a checkout with uncommitted changes", "commit, then record")
    if overhead_s > OVERHEAD_S:
        yield Line("WARN", f"the harness itself takes {overhead_s * 1e6:.1f} µs per call", "close what else runs")
    elif overhead_s:
        yield Line("PASS", f"the harness itself takes {overhead_s * 1e6:.2f} µs per call")


def _throttled(reasons: str) -> Line:
    if reasons.startswith(NOT_MEASURED):
        why = reasons.removeprefix(NOT_MEASURED)
        return Line("WARN", f"whether the GPU was throttled was not measured: {why}", "its times may be too long")
    if reasons != NOT_THROTTLED:
        return Line("WARN", f"the GPU was throttled: {reasons}", "let it cool, or raise its power limit; record anew")
    return Line("PASS", "the GPU was not throttled")


def _times(record: Record, rows: Sequence[Summary], scope: str, distance: str) -> Iterator[Line]:
    found = []
    for row in rows:
        ratio = row.ratio if row.kernel != REFERENCE else None
        if row.groups:
            groups = f"{row.kernel}: its processes fall into two groups, {row.two_groups}"
            found.append(Line("WARN", groups, "try another allocator: --configurations all/keep"))
        elif ratio and ratio.spread_within > 1 and ratio.spread > ratio.spread_within**WORST_SPREAD:
            spreads = f"{ratio.spread - 1:.1%} between its processes, {ratio.spread_within - 1:.1%} within"
            found.append(Line("WARN", f"{row.kernel} differs by {spreads}", "record more: --rigorous"))
        if ratio and ratio.drift is not None and abs(ratio.drift) > WORST_DRIFT:
            drifts = f"{row.kernel} drifts over the rounds (Spearman {ratio.drift:+.2f})"
            found.append(Line("WARN", drifts, "record anew"))
        if min(sample.seconds * sample.loops for sample in record.of(row.kernel, scope, distance)) < SHORTEST_S:
            short = f"{row.kernel} has samples below {SHORTEST_S * 1e3:g} ms"
            found.append(Line("WARN", short, "repeat the call more"))
    without = [row.kernel for row in rows if row.first_call is None and record.speed]
    if without:
        found.append(Line("WARN", f"no first call of {', '.join(without)}", "record anew: python -m bench run"))
    yield from found or [Line("PASS", "no kernel drifts or falls into two groups; first calls are shown")]
