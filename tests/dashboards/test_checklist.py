"""The checklist of the docs: everything is on it, what is proven is what a run has shown, and little is not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.checklist import FAILED, NOT_PROVEN, PASSED, RESULTS, THINGS, result, to_markdown
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.metrics import METRICS
from tests.dashboards.promtool import ALERTS
from tests.dashboards.reading import BOARDS, panels
from tests.docs.pages import ROOT

KEPT = json.loads(RESULTS.read_text())
# What nobody needs to be shown: who does not ask does not hear.
UNPROVEN = {"metrics on the page to scrape"}
TESTS = """
import pytest

@pytest.mark.proves("alert", "Watchdog", "CollectorDown")
def test_one(): pass

@pytest.mark.proves("metric", of="name")
@pytest.mark.parametrize("name", ["good", "bad"])
def test_each(name): assert name == "good"

@pytest.mark.proves("event", "flex.start")
def test_skipped(): pytest.skip("not here")

@pytest.fixture
def broken(): raise ValueError

@pytest.mark.proves("event", "flex.log")
def test_not_reached(broken): pass
"""


def names(kind: str) -> set[str]:
    """Return all things of a kind."""
    [found] = [things() for name, _, things in THINGS if name == kind]
    return {*found}


def test_everything_is_on_the_list() -> None:
    """Each event, metric, panel and alert is a thing to be proven."""
    assert names("event") == {event.event_name for event in EVENTS}
    assert names("metric") == {metric.name for metric in METRICS}
    assert names("alert") == {*ALERTS}
    assert names("panel") == {
        f"{name.removeprefix('otel-agents-')}: {panel['title']}" for name in BOARDS for panel in panels(BOARDS[name])
    }


def test_the_last_proof_shows_all_of_it() -> None:
    """Nothing has failed, and what is not proven is known; what is new needs a proof: `make checklist`."""
    page = to_markdown(KEPT["results"], KEPT["date"]).partition("\n## ")[2]
    results = dict(re.findall(r"^\| (.+?) \| (.+?) \| .*\|$", page, re.MULTILINE))
    assert [thing for thing, outcome in results.items() if outcome == FAILED] == []
    assert {thing for thing, outcome in results.items() if outcome == NOT_PROVEN} == UNPROVEN
    assert len(results) > 300


def test_what_was_proven_is_still_there() -> None:
    """No kind of thing, and no test, stands in the results that there is not."""
    assert KEPT["results"].keys() == {kind for kind, *_ in THINGS}
    tests = {test for found in KEPT["results"].values() for each in found.values() for test in each}
    files = {test.partition("::")[0] for test in tests}
    assert [path for path in files if not (ROOT / path).is_file()] == []
    assert [test for test in tests if f"def {test.partition('::')[2]}(" not in read(test)] == []


def read(test: str) -> str:
    """Return the file in which a test stands."""
    return (ROOT / test.partition("::")[0]).read_text()


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], NOT_PROVEN),
        (["passed"], PASSED),
        (["passed", "skipped"], NOT_PROVEN),
        (["passed", "skipped", "failed"], FAILED),
    ],
)
def test_passed_is_said_of_what_was_run(outcomes: list[str], expected: str) -> None:
    """All tests of a thing have to have passed; one that could not be run proves nothing."""
    assert result({str(number): outcome for number, outcome in enumerate(outcomes)}) == expected


def test_outcomes_are_collected(tmp_path: Path) -> None:
    """A run writes for each thing that its tests prove how they ended, in one process and in several."""
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = proves: x\n")
    for number, more in enumerate(([], ["-n", "2"])):
        file = tmp_path / f"{number}.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.checklist", "--checklist", str(file), *more]
        subprocess.run([*command, "--rootdir", str(tmp_path), str(tmp_path)], cwd=ROOT, check=False, timeout=60)
        assert json.loads(file.read_text())["results"] == {
            "alert": {name: {"test_it.py::test_one": "passed"} for name in ("Watchdog", "CollectorDown")},
            "metric": {
                "good": {"test_it.py::test_each": "passed"},
                "bad": {"test_it.py::test_each": "failed"},
            },
            "event": {
                "flex.start": {"test_it.py::test_skipped": "skipped"},
                "flex.log": {"test_it.py::test_not_reached": "failed"},
            },
        }
