"""What a sceptic asks of a record, answered PASS, WARN or FAIL, each with its remedy. FAIL: no ratio may be shown.

After Hoefler & Belli (SC15), Heiser's benchmarking crimes and Kalibera & Jones (ISMM 2013).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.analysis import bandwidth_bound, summary
from bench.analysis.summary import Summary
from bench.records.model import FEWEST_PROCESSES, NOT_MEASURED, NOT_THROTTLED, BadRecord, Record
from bench.records.sample import WORST_SHARE

WORST_NOISE_FLOOR = 0.05
WORST_DRIFT = 0.5
WORST_SPREAD = 3  # between processes, times that within them, in logarithms
SHORTEST_S = 1e-3  # of a sample; a shorter one measures the clock as much as the kernel
WORST_OTHERS = 0.02  # of a core
OVERHEAD_S = 2e-6  # of which slicing three NumPy stacks is about half
LISTED = "The page lists the reason"
RECORD = "Record again with python -m bench run"
CLOSE = "Close other programs and record again"


@dataclass(frozen=True)
class Item:
    """One answer: its level, what is so, and what to do about it ("" for PASS), as sentences without full stops."""

    level: str
    text: str
    remedy: str = ""

    @property
    def sentences(self) -> str:
        return f"{self.text}. {self.remedy}." if self.remedy else f"{self.text}."


def review(record: Record, scope: str = "baseline", distance: str = "l1", reference: str = "") -> list[Item]:
    """Return the checklist in one scope and distance, in its order; `reference` replaces that of the record."""
    rows = summary.summaries(record, scope, distance)
    return [
        *_scores(record, rows, distance),
        _reference(record, scope, distance, reference or record.reference),
        *_bounds(record, rows, scope),
        _processes(record),
        _noise_floor(record, scope, distance),
        *_circumstances(record, rows),
        *_times(record, rows, scope, distance),
        *_not_timed(record),
    ]


def failed(items: Sequence[Item]) -> bool:
    """Return whether no ratio may be shown."""
    return any(item.level == "FAIL" for item in items)


def failing(record: Record, scope: str = "baseline", distance: str = "l1", reference: str = "") -> list[Item]:
    """Return what forbids a ratio, as `review` takes it."""
    return [item for item in review(record, scope, distance, reference) if item.level == "FAIL"]


def failures(record: Record) -> list[str]:
    """Return what FAILs in any scope of a record, or at any of its sizes, as sentences."""
    parts = [record.at(size) for size in record.sizes] if record.kind == "sizes" else [record]
    items = [item for part in parts for pair in part.pairs for item in failing(part, *pair)]
    return list(dict.fromkeys(item.sentences for item in items))


def must_not_fail(record: Record, scope: str = "baseline", distance: str = "l1", reference: str = "") -> None:
    """Raise BadRecord, with every item that fails, where no ratio may be shown."""
    if items := failing(record, scope, distance, reference):
        reasons = " ".join(item.sentences for item in items)
        raise BadRecord(f"{record.path} fails its checklist in {scope} {distance}: {reasons}")


def _scores(record: Record, rows: Sequence[Summary], distance: str) -> Iterator[Item]:
    for scored in ("l1", "l2"):
        under = f"under the {scored.upper()} distance"
        scores = {row.kernel: record.kernel_metadata[row.kernel].get(f"correct_{scored}") for row in rows}
        if record.speed and (scored == distance or (scored, distance) == ("l1", "-")):  # L2 is optional
            for name in (name for name, score in scores.items() if not score):
                yield Item("FAIL", f"{name} was not verified {under}", "Verify it with python -m bench check")
        scores = {name: score for name, score in scores.items() if score}
        close = int(record.metadata.get(f"too_close_{scored}", 0))
        if len(set(scores.values())) > 1 and close:
            yield Item("PASS", f"Scores {under} may differ in {close} images that are too close to call")
        elif len(set(scores.values())) > 1:
            listed = ", ".join(f"{name} {score}" for name, score in sorted(scores.items()))
            yield Item("FAIL", f"Kernels score differently {under}: {listed}", "Run python -m bench check")
        elif scores:
            score = next(iter(scores.values()))
            who = "Every kernel" if len(scores) == len(rows) else "Every kernel that offers it"
            yield Item("PASS", f"{who} was verified before and every timed answer after, {under}: {score}")


def _reference(record: Record, scope: str, distance: str, reference: str) -> Item:
    if record.samples_of(reference, scope, distance):
        return Item("PASS", f"Every ratio is over {reference}, with both times beside it")
    if record.kind == "sizes":  # the slowest kernel is skipped at the largest sizes
        return Item("WARN", f"The reference {reference} was skipped, so there is no ratio", "Compare other kernels")
    return Item("FAIL", f"The reference {reference} was not timed", "Include it in the next run")


def _bounds(record: Record, rows: Sequence[Summary], scope: str) -> Iterator[Item]:
    shares = {row.kernel: row.share_of_own or row.share_of_bound for row in rows}
    faster = {name: share for name, share in shares.items() if share and share.value > 1}
    for row in rows:
        if row.share_of_own and row.share_of_bound and row.share_of_bound.value > 1:
            text = f"{row.kernel} is at {row.share_of_bound.value:.0%} of the bound of a byte per pixel"
            held = f"as it holds fewer: {row.share_of_own.value:.0%} of the bound of its own bytes"
            yield Item("PASS", f"{text}, {held}")
    for name, share in faster.items():
        text = f"{name} is at {share.value:.0%} of its bound"
        if (min(share.per_process) if share.low is None else share.low) > WORST_SHARE:
            yield Item("FAIL", text, "No machine reads that fast: the kernel omits work, or the bound is wrong")
        else:
            yield Item("WARN", text, "The bound is too low, or the kernel omits work")
    devices = sorted({str(record.kernel_metadata[row.kernel].get("device", "cpu")) for row in rows})
    measurable = [device for device in devices if device == "cpu" or scope != "end_to_end"]  # where bytes travel
    unmeasured = [device for device in measurable if not bandwidth_bound.bound_samples(record, scope, device)]
    for device in unmeasured:
        where = "" if device == "cpu" else f" on {device}"
        yield Item("WARN", f"The bound was not measured{where}", "Record baseline or predict with python -m bench run")
    if not faster and len(unmeasured) < len(measurable):
        yield Item("PASS", "No kernel is faster than this machine can read its bytes")


def _processes(record: Record) -> Item:
    if record.processes >= FEWEST_PROCESSES:
        return Item("PASS", f"There are {record.processes_in_words}, each with its own hash seed and environment size")
    what = f"has {record.processes_in_words}" if record.paired else "is unpaired"
    remedy = "Record six or more processes per kernel with python -m bench run"
    return Item("WARN", f"The record {what}, so there is no confidence interval", remedy)


def _noise_floor(record: Record, scope: str, distance: str) -> Item:
    noise_floor = summary.noise_floor(record, scope, distance)
    if noise_floor is None:
        return Item("WARN", "There is no A/A control", RECORD)
    if noise_floor <= WORST_NOISE_FLOOR:
        return Item("PASS", f"The noise floor is ±{noise_floor:.1%}, from the A/A control")
    others = sum(summary.cores_used(record, name) or 0.0 for name in ("other_cores", "steal_cores"))
    why = f"; other programs and the host took {others:.2f} of a core" if others > WORST_OTHERS else ""
    return Item("WARN", f"Differences below ±{noise_floor:.1%} are noise{why}", CLOSE)


def _circumstances(record: Record, rows: Sequence[Summary]) -> Iterator[Item]:
    metadata = record.metadata
    cores, load = int(metadata.get("cpu_count", 1)), float(metadata.get("load_average", 0))
    overhead_s, governor = float(metadata.get("overhead_s", 0)), metadata.get("governor", "unknown")
    yield from _threads(record, rows, cores)
    allocator = metadata.get("allocator")
    if (in_force := metadata.get("allocator_in_force", allocator)) != allocator:
        yield Item("WARN", f"The allocator setting is {in_force} here", "Use the default allocator")
    if "gpu_throttled" in metadata:
        yield _throttled(str(metadata["gpu_throttled"]))
    yield from _other_programs(record)
    if load > cores / 2:
        yield Item("WARN", f"The load average was {load:.1f} on {cores} cores at the start", CLOSE)
    if governor not in ("performance", "unknown"):
        yield Item("WARN", f"The frequency governor is {governor}", "Set it to performance")
    if record.paired and "checksum" not in metadata:
        yield Item("WARN", "The record has no checksum, so a change to it would not be noticed", RECORD)
    if str(metadata.get("commit", "")).endswith("-modified"):
        yield Item("WARN", "The checkout had uncommitted changes", "Commit them and record again")
    if overhead_s > OVERHEAD_S:
        yield Item("WARN", f"The harness adds {overhead_s * 1e6:.1f} µs to every call", CLOSE)
    elif overhead_s:
        yield Item("PASS", f"The harness adds {overhead_s * 1e6:.2f} µs to every call")


def _threads(record: Record, rows: Sequence[Summary], cores: int) -> Iterator[Item]:
    threads = record.metadata.get("threads")
    for name in (row.kernel for row in rows):
        in_force = str(record.kernel_metadata[name].get("threads_in_force", ""))
        counts = [int(count) for count in re.findall(r"[a-z] (\d+)", in_force)]  # "openblas 2, torch 2"; "1" of none
        if threads == "1" and max(counts, default=1) > 1:
            yield Item("WARN", f"{name} should use one thread and has {in_force}", "Limit its threads in the kernel")
        if threads == "all" and max(counts, default=cores) < cores:
            text = f"{name} should use {cores} threads and has {in_force}"
            yield Item("WARN", text, "Do not limit its threads in the kernel")


def _other_programs(record: Record) -> Iterator[Item]:
    """Say how much of a core others used while kernels were timed; records of protocol 1 do not know."""
    for name, taker, remedy in (
        ("other_cores", "Other programs", CLOSE),
        ("steal_cores", "The host of this virtual machine", "Record again when it is less busy"),
    ):
        cores = summary.cores_used(record, name)
        if cores is not None and cores > WORST_OTHERS:
            yield Item("WARN", f"{taker} took {cores:.2f} of a core during the samples", remedy)
        elif cores is not None:
            yield Item("PASS", f"{taker} took {cores:.1%} of a core during the samples")


def _throttled(reasons: str) -> Item:
    if reasons.startswith(NOT_MEASURED):
        why = reasons.removeprefix(NOT_MEASURED)
        return Item("WARN", f"GPU throttling was not measured: {why}", "The GPU's times may be too long")
    if reasons != NOT_THROTTLED:
        return Item("WARN", f"The GPU was throttled: {reasons}", "Let it cool or raise its power limit")
    return Item("PASS", "The GPU was not throttled")


def _times(record: Record, rows: Sequence[Summary], scope: str, distance: str) -> Iterator[Item]:
    warnings = []
    for row in rows:
        name, ratio = row.kernel, None if row.is_reference else row.ratio
        if row.groups:
            text = f"The processes of {name} fall into two groups, {row.two_groups}"
            warnings.append(Item("WARN", text, "Try another allocator with --configurations all/keep"))
        elif ratio and ratio.spread_within > 1 and ratio.spread > ratio.spread_within**WORST_SPREAD:
            spreads = f"{ratio.spread - 1:.1%} between its processes, {ratio.spread_within - 1:.1%} within"
            warnings.append(Item("WARN", f"{name} differs by {spreads}", "Record more processes with --rigorous"))
        if ratio and ratio.drift is not None and abs(ratio.drift) > WORST_DRIFT:
            warnings.append(Item("WARN", f"{name} drifts from round to round (Spearman {ratio.drift:+.2f})", RECORD))
        if min(sample.seconds * sample.loops for sample in record.samples_of(name, scope, distance)) < SHORTEST_S:
            text = f"{name} has samples below {SHORTEST_S * 1e3:g} ms"
            warnings.append(Item("WARN", text, "Repeat the call more often"))
    if without := [row.kernel for row in rows if row.first_call is None and record.speed]:
        warnings.append(Item("WARN", f"The first call of {', '.join(without)} was not timed", RECORD))
    if not warnings and record.processes > 1:  # of one process there are no groups
        warnings = [Item("PASS", "No kernel drifts or falls into two groups; first calls are shown")]
    yield from warnings


def _not_timed(record: Record) -> Iterator[Item]:
    """Warn of every kernel without times; those that need a GPU are one line where the machine has none."""
    for_gpu, no_gpu = 0, record.metadata.get("gpu", "none") == "none"
    for row in record.not_timed:
        if no_gpu and row.status == "unavailable" and row.kernel.endswith("@cuda"):
            for_gpu += 1
        else:
            yield Item("WARN", f"{row.kernel} was not timed: it is {row.status_in_words}", LISTED)
    if for_gpu:
        yield Item("PASS", f"No GPU was found, so kernels for one were not timed: {for_gpu}")
