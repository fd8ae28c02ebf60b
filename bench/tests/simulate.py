"""Simulated records whose true ratio is known, on a machine as bad as those we met.

The machine has a pace, shared by all that run on it, which moves from slot to slot; one fast sample takes one slot.
All sizes are in log seconds, about fractions.
"""

from dataclasses import astuple, dataclass

import numpy as np

from bench import stats
from bench.analysis import speedup
from bench.records.sample import Sample

FAST, SLOW, SIDE = 0, 1, 2  # the kernels of a bracketed pair: SIDE fast samples come on either side of the slow one
SLOW_SLOTS = 12  # how long the slow one takes
T = 2.013  # Student's t for 95 % with 2 * 24 - 2 degrees of freedom: of six processes with four rounds each
RETAKEN = 3
GAP = 5  # slots that starting the processes of all kernels takes


@dataclass(frozen=True)
class World:
    drift: float = 0.10  # over the whole record, up or down
    memory: float = 0.9  # AR(1) coefficient
    wander: float = 0.03  # stationary standard deviation of the AR(1)
    switch: float = 0.05  # probability per slot of leaving the regime
    regime: float = 1.3  # factor between the two regimes
    process: float = 0.02  # standard deviation of what a kernel's process draws when it starts
    sample: float = 0.005  # standard deviation of what each sample draws for itself
    retaken: float = 0.0  # probability that a sample was disturbed, and taken again RETAKEN slots later
    unseen: float = 0.0  # probability that a sample was disturbed, by the factor between the regimes, and kept
    trapped: float = 0.0  # probability that a process of the last kernel falls into a second, slower group
    trap: float = 1.5  # factor between the two groups


@dataclass(frozen=True)
class Plan:
    records: int
    processes: int = 6
    rounds: int = 4


def pace(rng, records, slots, world):
    """Return the machine's log pace, records × slots."""
    drift = rng.choice([-1, 1], (records, 1)) * np.linspace(-0.5, 0.5, slots) * world.drift
    wander = rng.normal(0, world.wander, (records, slots))
    wander[:, 1:] *= np.sqrt(1 - world.memory**2)
    for slot in range(1, slots):
        wander[:, slot] += world.memory * wander[:, slot - 1]
    flips = np.cumsum(rng.random((records, slots)) < world.switch, axis=1) + rng.integers(0, 2, (records, 1))
    return drift + wander + flips % 2 * np.log(world.regime)


def effects(rng, shape, world):
    """Return what each process draws when it starts, of median 0: records × processes × 1 round × kernels."""
    records, processes, kernels = shape
    drawn = rng.normal(0, world.process, (records, processes, 1, kernels))
    drawn[..., -1] += (rng.random((records, processes, 1)) < world.trapped) * np.log(world.trap)
    return drawn


def fast(seed, ratios, plan, world=World()):
    """Return log seconds in rounds and in sequence, each records × processes × rounds × kernels, on one machine.

    Kernel k takes 1 / ratios[k] seconds. Both use the same slots, paces and process effects: only the kernel in a slot
    differs. In rounds the order is drawn anew for each round; in sequence a kernel finishes before the next starts.
    """
    rng, kernels = np.random.default_rng(seed), len(ratios)
    records, processes, rounds = astuple(plan)
    used = np.arange(processes)[:, None] * (GAP + rounds * kernels) + GAP + np.arange(rounds * kernels)
    machine = pace(rng, records, used.max() + 1 + RETAKEN, world)
    again = rng.random((records, used.size)) < world.retaken
    paces = np.where(again, machine[:, used.ravel() + RETAKEN], machine[:, used.ravel()])
    shape = (records, processes, rounds, kernels)
    own = effects(rng, (records, processes, kernels), world) + rng.normal(0, world.sample, shape) - np.log(ratios)
    if world.unseen:
        own += (rng.random(shape) < world.unseen) * np.log(world.regime)
    order = rng.permuted(np.broadcast_to(np.arange(kernels), shape), axis=-1)
    in_rounds = np.take_along_axis(paces.reshape(shape), order, axis=-1)
    in_sequence = np.moveaxis(paces.reshape(records, kernels, processes, rounds), 1, -1)
    return in_rounds + own, in_sequence + own


def bracketed(seed, ratio, plan, world=World()):
    """Return log seconds of a fast kernel (…× 2 SIDE samples) and of one `ratio` times slower (…× 1), F..F S F..F."""
    rng = np.random.default_rng(seed)
    records, processes, rounds = astuple(plan)
    slots = 2 * SIDE + SLOW_SLOTS
    used = np.arange(processes)[:, None] * (GAP + rounds * slots) + GAP + np.arange(rounds * slots)
    paces = pace(rng, records, used.max() + 1, world)[:, used.ravel()].reshape(records, processes, rounds, slots)
    own = effects(rng, (records, processes, 2), world)
    sides = np.concatenate([paces[..., :SIDE], paces[..., -SIDE:]], axis=-1) + own[..., FAST : FAST + 1]
    across = np.log(np.exp(paces[..., SIDE:-SIDE]).mean(axis=-1, keepdims=True))  # a long call meets all paces
    slow = across + own[..., SLOW:] + np.log(ratio)
    return tuple(logs + rng.normal(0, world.sample, logs.shape) for logs in (sides, slow))


def samples(logs):
    """Return one kernel's samples in one record, from log seconds: processes × rounds [× samples in the round]."""
    return [
        Sample("simulated", "baseline", "l1", 40, float(seconds), 1, process, number, 0)
        for (process, number, *_), seconds in np.ndenumerate(np.exp(logs))
    ]


def ratios(references, kernels):
    """Return `bench.analysis.speedup`'s own answer to each record."""
    return [speedup.ratio(samples(a), samples(b)) for a, b in zip(references, kernels, strict=True)]


def coverage(intervals, true_ratio):
    """Return the share of intervals (records × 2) that hold the true ratio."""
    low, high = np.asarray(intervals).T
    return float(np.mean((low <= true_ratio) & (true_ratio <= high)))


def ratio_of_means(reference, kernel):
    """Return the interval that a sequential tool prints, records × 2: t on mean / mean (delta method)."""
    means = [np.exp(logs).reshape(len(logs), -1).mean(axis=1) for logs in (reference, kernel)]
    errors = [
        np.exp(logs).reshape(len(logs), -1).std(axis=1, ddof=1) / np.sqrt(logs[0].size) for logs in (reference, kernel)
    ]
    ratio = means[0] / means[1]
    error = ratio * np.hypot(errors[0] / means[0], errors[1] / means[1])
    return np.stack([ratio - T * error, ratio + T * error], axis=1)


def pooled(reference, kernel):
    """Return the interval of all rounds as if rounds were independent, records × 2: a mistake."""
    return np.exp([stats.interval(rounds.ravel())[:2] for rounds in reference - kernel])
