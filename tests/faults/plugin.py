"""The pytest plugin of fault tests: their seed, what they measure, and what became of them.

It is a plugin of the whole run, since options are known only to those that are there when it begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.faults.cases import CASES
from tests.faults.record import Figures, Result, merge, today

_FIGURES = pytest.StashKey[Figures]()
_PROPERTY = "fault"
"""Where a report carries the result: the process that runs a test need not be the one that tells of it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--fault-seed", type=int, default=11, help="seed of histories and of when faults happen")
    group.addoption("--soak-minutes", type=float, default=2.0, help="length of each soak (default: 2)")
    group.addoption("--fault-results", type=Path, default=None, help="write results to this JSON file, merged")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Results(config))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome: Any = yield
    report: pytest.TestReport = outcome.get_result()
    marker = item.get_closest_marker("fault")
    known = hasattr(report, "wasxfail")
    if marker is None or (report.skipped and not known) or (report.when != "call" and report.passed):
        return
    result = Result(
        case=marker.args[0],
        test=item.nodeid.partition("tests/faults/")[2],
        outcome=("xfailed" if report.skipped else "xpassed") if known else report.outcome,
        seed=item.config.getoption("--fault-seed"),
        seconds=round(report.duration, 1),
        date=today(),
        soak=item.get_closest_marker("soak") is not None,
        figures=item.stash.get(_FIGURES, {}),
    )
    report.user_properties.append((_PROPERTY, msgspec.to_builtins(result)))


class _Results:
    """Collects what reports carry, wherever the tests ran."""

    def __init__(self, config: pytest.Config) -> None:
        self._path: Path | None = config.getoption("--fault-results")
        self._results: dict[str, Result] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first that is not well of a test: its end may fail, too."""
        found = next((carried for name, carried in report.user_properties if name == _PROPERTY), None)
        before = self._results.get(report.nodeid)
        if found is None or (before is not None and before.outcome != "passed"):
            return
        result = self._results[report.nodeid] = msgspec.convert(found, Result)
        if self._path is not None:
            merge(self._path, [result])  # at once: an interrupted run leaves what it has

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print them as a table."""
        if self._results:
            terminalreporter.section("fault cases")
        for result in sorted(self._results.values()):
            what = CASES[result.case].fault if result.case else "operations"
            figures = ", ".join(f"{name} {value}" for name, value in result.figures.items())
            number = f"{result.case:2}" if result.case else " -"
            terminalreporter.line(f"{number}  {result.outcome:7} {result.seconds:6.1f} s  {what}: {figures}")


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """By which a run can be repeated."""
    found: int = pytestconfig.getoption("--fault-seed")
    return found


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """What the test measures, for the table."""
    found: Figures = {}
    request.node.stash[_FIGURES] = found
    return found
