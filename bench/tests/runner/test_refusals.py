"""Which samples are refused or taken again, and how many processes there are: with stand-ins for the workers."""

from types import SimpleNamespace

import pytest

from bench.records.sample import AGAIN, BOUND, ONE_CORE, Sample
from bench.runner import scheduler
from bench.runner.configuration import Configuration
from bench.runner.executor import RETAKES, Executor, RunEnded
from bench.runner.plan import Plan
from bench.runner.worker_handle import Failure
from bench.task import scopes
from bench.tests import builders


def scheduled(*executors, **options):
    """Return a scheduler whose executors are stand-ins."""
    plan = Plan((), **options)
    setup = SimpleNamespace(problem=builders.problem(), folder="", plan=plan, process=0)
    one = scheduler._Scheduler(plan, Configuration("1"), setup, None, None)
    one.executors += executors
    return one


def stand_in(name, *, device="cpu", samples=(), seconds=(), own=1.0):
    failures, seconds = [], iter(seconds)
    return SimpleNamespace(
        name=name,
        spec=SimpleNamespace(device=device),
        worker=True,
        samples=samples,
        seconds=lambda scope, distance: next(seconds),
        bytes_read=lambda scope, size=0: int(own * scopes.bytes_read(builders.problem(), scope, size)),
        failures=failures,
        fail=lambda failure: failures.append(failure.reason),
    )


def test_a_disturbed_sample_is_taken_again_and_only_a_kernel_that_disturbs_twice_is_broken(monkeypatch):
    pauses = []
    monkeypatch.setattr(scheduler.time, "sleep", pauses.append)
    once, twice, control = stand_in("once"), stand_in("twice"), stand_in("twice~again")
    measured = iter([{"once": 0.5, "twice": 0.03}, {"twice": 0.04}, {}])
    scheduled(once, twice, control)._undisturbed(lambda: next(measured))
    assert next(measured, "none is left") == "none is left"
    assert pauses == [scheduler.CALM_S]
    assert (once.failures, len(twice.failures), len(control.failures)) == ([], 1, 1)
    assert "used 0.04 of a core while another kernel was timed, twice" in twice.failures[0]


def test_a_failing_control_is_called_by_its_kernels_name():
    plan = Plan((), against=("a",))
    control = Executor("a~again", SimpleNamespace(name="a"), SimpleNamespace(plan=plan, problem=builders.problem()))
    with pytest.raises(RunEnded) as ended:
        control.fail(Failure("broken", "why"))
    assert ended.value.result.name == "a"


@pytest.mark.parametrize(
    ("budget_s", "seconds", "expected"),
    [
        (None, [], 6),
        (20.0, [2.0] * 5, 6),  # so many whatever they take
        (20.0, [2.0, *[1.0] * 5], 9),  # three more take three seconds
        (9.9, [2.0, *[1.0] * 5], 6),
        (15.9, [2.0, *[1.0] * 11], 12),  # the next number with a narrower interval is 15
        (16.0, [2.0, *[1.0] * 11], 15),
    ],
)
def test_time_alone_decides_how_many_processes_there_are(budget_s, seconds, expected):
    assert Plan((), budget_s=budget_s).count(seconds) == expected


@pytest.mark.parametrize(
    ("waited", "steal", "retakes"), [(0.0, 0.0, 0), (0.03, None, 1), (None, 0.5, 1), (None, None, 0)]
)
def test_a_sample_without_a_core_is_taken_again_a_few_times_whatever_its_value(waited, steal, retakes, monkeypatch):
    one = Executor("a", SimpleNamespace(device="cpu"), SimpleNamespace(plan=Plan(()), problem=builders.problem()))
    asked = []

    def ask(do, **arguments):
        asked.append(do)
        return {"seconds": 0.02, "usage": {"waited_cores": waited, "steal_cores": steal}}

    monkeypatch.setattr(one, "ask", ask)
    one._call_s["baseline", "l1"] = 0.02
    for _ in range(2 * RETAKES):
        one._sample("baseline", "l1", {})
    assert len(asked) == 2 * RETAKES + retakes * RETAKES


def test_more_than_a_core_under_one_thread_is_judged_over_all_samples():
    def with_cores(*cores):
        fields = "baseline", "l1", 1, 0.01, 2, 0, 0, 0
        return [Sample("a", *fields, cpu_cores=used) for used in cores] + [Sample("a", "first_call", *fields[1:])]

    fine, pool = stand_in("fine", samples=with_cores(1.3, 0.8)), stand_in("pool", samples=with_cores(0.9, 1.5))
    unknown, gpu = stand_in("unknown", samples=with_cores(None)), stand_in("gpu", device="cuda", samples=with_cores(2))
    scheduled(fine, pool, unknown, gpu)._must_use_one_thread()
    assert [len(one.failures) for one in (fine, pool, unknown, gpu)] == [0, 1, 0, 0]
    assert pool.failures[0].startswith("used 1.20 cores under one thread: ")


def mean_bound(problem):
    """Return what was measured as the bound of another scope: the images of the scope `mean` take a second."""
    seconds = scopes.bytes_read(problem, "baseline") / scopes.bytes_read(problem, "mean")
    return [Sample(ONE_CORE, "baseline", "-", 1, seconds, 1, 0, 0, 0)]


@pytest.mark.parametrize("sizes", [(), (5,)])
def test_a_mean_that_is_faster_than_reading_the_images_is_broken_unless_it_was_the_bound_that_was_slow(sizes):
    honest, prefix = stand_in("honest", seconds=[1.0]), stand_in("prefix", seconds=[1e-3, 2e-3])
    lucky = stand_in("lucky", seconds=[1e-2, 1e-2])
    one = scheduled(honest, prefix, lucky, stand_in("gpu", device="cuda"), sizes=sizes)
    reads = iter([1.0, 1.0, 3e-3, 3e-3, 3e-3, 3e-3])
    one.bounds.workers["cpu"] = SimpleNamespace(ask=lambda *_, **__: {"seconds": next(reads)})
    refused = dict(one.bounds.faster_than_reading(one.executors, [] if sizes else mean_bound(one.setup.problem)))
    assert [*refused] == ["prefix"]
    assert refused["prefix"].startswith("mean_images took 2000 µs for 0.00 MB of training images")


@pytest.mark.parametrize(("own", "broken"), [(1.0, 1), (0.25, 0)])
def test_a_mean_is_compared_with_reading_the_bytes_that_the_kernel_holds(own, broken):
    kernel = stand_in("kernel", seconds=[0.3, 0.3], own=own)
    one, asked = scheduled(kernel), []
    dense = scopes.bytes_read(one.setup.problem, "mean")
    one.bounds.workers["cpu"] = SimpleNamespace(
        ask=lambda *_, size, **__: asked.append(size) or {"seconds": size / dense}
    )
    assert len([*one.bounds.faster_than_reading(one.executors, [])]) == broken
    assert set(asked) == {int(own * dense)}


def test_only_a_kernel_that_holds_fewer_bytes_has_a_bound_of_its_own():
    sample = Sample("sparse", "baseline", "l1", 1, 0.1, 1, 0, 0, 0)
    names = ("dense", 1.0), ("sparse", 0.25), ("sparse" + AGAIN, 0.25)
    one = scheduled(*(stand_in(name, samples=[sample], own=own) for name, own in names))
    dense = scopes.bytes_read(one.setup.problem, "baseline")
    one.bounds.workers["cpu"] = SimpleNamespace(ask=lambda *_, size, **__: {"seconds": size / dense})
    (bound,) = one.bounds.of_own_bytes(one.executors, 0, 1)
    assert (bound.kernel, round(bound.seconds, 1)) == (BOUND + "sparse", 0.2)
