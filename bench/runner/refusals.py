"""Times that are refused: what they are compared with, and the sentences that say why. `run` and pytest share them."""

from collections.abc import Sequence

from bench.records.sample import WORST_SHARE, Sample

BUSY_CORES = 0.02  # CPU seconds per second that a kernel may use while another one is timed
MOST_CORES = 1.1  # CPU seconds per second under one thread
WAITED_CORES = 0.02  # seconds per second that threads were ready and had no core
STOLEN_CORES = 0.1  # below a hundredth of a second, which is how the system counts, in a sample of the usual length


def awake(cores: float) -> str:
    """Return why a kernel that used so many cores while another one was timed, twice, is broken."""
    return (
        f"used {cores:.2f} of a core while another kernel was timed, twice: a kernel must not work between its calls, "
        "so end its threads and processes, or let them sleep"
    )


def too_many_cores(cores: float) -> str:
    """Return why a kernel that used so many cores under one thread is broken; "" if it used no more than one."""
    why = "start no threads or processes of your own where OMP_NUM_THREADS is 1"
    return f"used {cores:.2f} cores under one thread: {why}" if cores > MOST_CORES else ""


def cores_of(samples: Sequence[Sample]) -> float:
    """Return the cores that a kernel used, the mean over all samples whose CPU time was measured, by their seconds."""
    known = [one for one in samples if one.scope != "first_call" and one.cpu_cores is not None]
    seconds = sum(one.seconds * one.loops for one in known)
    return sum(one.seconds * one.loops * (one.cpu_cores or 0.0) for one in known) / seconds if known else 0.0


def too_fast(seconds: float, size: int, bound_s: float) -> str:
    """Return why mean images of `size` bytes cannot take so few seconds where reading takes `bound_s`, or ""."""
    if seconds * WORST_SHARE >= bound_s:
        return ""
    return (
        f"mean_images took {seconds * 1e6:.0f} µs for {size / 1e6:.2f} MB of training images, which this machine takes "
        f"{bound_s * 1e6:.0f} µs to read: sums were taken before the call, such as in prepare; leave every sum to "
        "mean_images"
    )
