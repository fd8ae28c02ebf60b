"""Options and fixtures that join data, kernels and bench."""

import argparse
import os
from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

import data
from bench import kernel
from bench.cli.data_sets import per_class_of, problem_of_first
from bench.runner import lock
from bench.runner.pytest_support import Verified, verified_in_process
from bench.task.problem import Problem
from data import Digits
from data.limit import DEFAULT


def number_from_1(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, not {text!r}")
    return int(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("the benchmark")
    group.addoption(
        "--data", default="auto", help="Digits: auto, mnist_sample, drawn, or a folder or archive of images."
    )
    group.addoption("--data-limit", type=float, help="Most memory that the digits may take, in GB.", metavar="GB")
    group.addoption("--classes", default="", help="Use only these classes, such as 3,7.", metavar="A,B")
    group.addoption("--per-class", type=number_from_1, help="Use only the first N images of each class.", metavar="N")
    group.addoption("--kernels", default="", help="Test only kernels A,B; NAME alone means all of its devices.")
    group.addoption("--ladder", action="store_true", help="Also test every kernel of kernels/ladder/.")
    group.addoption("--kernel", action="append", default=[], type=Path, help="Also test the kernel in this file.")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.benchmark_only and getattr(config.option, "dist", "no") != "no":
        raise pytest.UsageError("--benchmark-only times one kernel at a time. Leave out -n and --dist.")
    if config.option.benchmark_only:
        timing = ExitStack()
        timing.enter_context(lock.only_timing_run())
        config.add_cleanup(timing.close)
    else:  # runs of tests may be side by side
        os.environ.setdefault(lock.VARIABLE, "1")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --benchmark-only collect the speed tests alone: every other test would be listed as skipped, or timed."""
    other = collection_path.is_file() and collection_path.name != "test_speed.py"
    return True if config.option.benchmark_only and other else None


def pytest_report_teststatus(report: pytest.TestReport, config: pytest.Config) -> tuple[str, str, str] | None:
    """With --benchmark-only count what a kernel does not offer, so that only unavailable kernels are listed."""
    not_offered = report.skipped and "does not predict" in str(report.longrepr)
    return ("not offered", "-", "NOT OFFERED") if config.option.benchmark_only and not_offered else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Name no line where a kernel is unavailable, so that all of its tests are listed as one."""
    report = yield
    if "verified" in item.fixturenames and isinstance(report.longrepr, tuple):
        file, _, reason = report.longrepr
        report.longrepr = file, None, reason  # type: ignore[assignment]  # pytest does the same for marks
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "verified" not in metafunc.fixturenames:
        return
    option = metafunc.config.option
    try:
        specs = kernel.discover(option.kernel)
        if names := [name.strip() for name in option.kernels.split(",") if name.strip()]:
            specs = kernel.select(specs, [*names, *(path.stem for path in option.kernel)])
        elif not option.ladder:
            specs = [one for one in specs if not one.on_ladder or one.kernel in {path.stem for path in option.kernel}]
    except kernel.UnknownKernel as error:
        pytest.exit(str(error), returncode=2)  # a UsageError would be shown as a traceback of this file
    metafunc.parametrize("verified", specs, ids=[spec.name for spec in specs], indirect=True, scope="session")


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info: dict[str, object]) -> None:
    """Leave the host name out of pytest-benchmark's JSON."""
    machine_info.pop("node", None)


@pytest.fixture(scope="session")
def problem_of(pytestconfig: pytest.Config) -> Callable[[kernel.KernelSpec], Problem]:
    """Return a function from a kernel to its exactly solved problem: all digits of `--data`, or a small data set."""
    option = pytestconfig.option
    try:
        classes = [name.strip() for name in option.classes.split(",") if name.strip()]
        limit = int(option.data_limit * 1e9) if option.data_limit else DEFAULT
        digits = data.load(option.data, classes=classes, limit=limit)
        solved = cache(lambda per_class: problem_of_first(digits, per_class))
        return lambda spec: solved(per_class_of(spec, digits, option.per_class))
    except data.DataError as error:
        pytest.exit(str(error), returncode=2)


@pytest.fixture(scope="session")
def verified(request: pytest.FixtureRequest, problem_of: Callable[[kernel.KernelSpec], Problem]) -> Verified:
    """One kernel, verified in this process: a test that uses this fixture never runs with a wrong kernel."""
    try:
        return verified_in_process(request.param, problem_of(request.param))
    except SystemExit as error:  # it would end pytest, and with it the tests of the other kernels
        raise RuntimeError(f"{request.param.name} called sys.exit({error.code})") from error
    except kernel.Unavailable as error:
        pytest.skip(f"{request.param.name} is unavailable: {error}")


@pytest.fixture(scope="session")
def real_digits() -> Digits:
    """The digits that the environment variable MNIST_SAMPLE names."""
    if not os.environ.get("MNIST_SAMPLE"):
        pytest.skip("MNIST_SAMPLE is not set")
    return data.load("auto")
