"""Collects what tests prove: a plugin for pytest, `-p tests.checklist --checklist FILE`; knows no item by name.

A test says so by a marker, with a kind and with names: `proves("alert", "Watchdog")`; or with the parameter in which
the name stands: `proves("alert", of="name")`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

KEY = "proves"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
# What counts when a test was run several times, or in several phases.
WORST = (FAILED, SKIPPED, PASSED)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the file."""
    parser.addoption("--checklist", type=Path, metavar="FILE", help="where to write what the tests prove")


def pytest_configure(config: pytest.Config) -> None:
    """Collect where the reports of all workers come together."""
    file = config.getoption("--checklist")
    if file is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Checklist(file), "checklist of this run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have reports carry what their test proves, also from one process to another."""
    for item in items:
        item.user_properties += [(KEY, list(each)) for each in proven(item)]


def proven(item: pytest.Item) -> Iterator[tuple[str, str]]:
    """Yield kind and name of all that a test is the proof of."""
    for mark in item.iter_markers(KEY):
        kind, *names = mark.args
        if "of" in mark.kwargs:
            names.append(item.callspec.params[mark.kwargs["of"]])  # type: ignore[attr-defined]
        yield from ((kind, name) for name in names)


class Checklist:
    """The outcomes of tests, by kind and name of what they prove."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: dict[str, dict[str, dict[str, str]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a phase of a test; a phase before or after the test itself counts when it went wrong."""
        if report.when != "call" and report.outcome == PASSED:
            return
        test = report.nodeid.partition("[")[0]
        for key, value in report.user_properties:
            if key == KEY and isinstance(value, list):
                kind, name = value
                tests = self._found.setdefault(kind, {}).setdefault(name, {})
                tests[test] = min(report.outcome, tests.get(test, PASSED), key=WORST.index)

    def pytest_sessionfinish(self) -> None:
        """Write what was found."""
        written = {"date": dt.datetime.now(dt.UTC).date().isoformat(), "results": self._found}
        self._file.write_text(json.dumps(written, indent=1, sort_keys=True) + "\n", encoding="utf-8")
