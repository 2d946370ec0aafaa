"""Millions of operations: memory stays flat, whatever a program leaves behind, and what gets lost is counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from otel_agents import guard
from otel_agents.bus.counts import MAX_NAMES
from otel_agents.bus.hub import INBOX, QUEUE_SIZE, RING_SIZE
from otel_agents.handoffs import PENDING
from otel_agents.pauses import LIMIT
from otel_agents.signals.metrics.signal import RUNTIMES
from tests.soaking import FLOOD, NODES_OF_ROUND

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[1]
WANTED = 1_500_000  # operations, in each of two processes
LEAST = 100_000  # on a machine that is slow, or does other things too
SECONDS = 180  # in which to do them
THREADS = (1, 4)
MEGABYTE = 1_000_000
SETS = 500  # label sets of an instrument, unless it has a bound of its own
Report = dict[str, Any]


@pytest.fixture(scope="module")
def reports() -> dict[int, Report]:
    """Let both programs run beside each other, one of them in several threads; gives what they held at the end."""
    command = [sys.executable, "-X", "faulthandler", "-W", "error", "-m", "tests.soaking", str(WANTED)]
    programs = {
        count: subprocess.Popen([*command, str(count), str(SECONDS)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for count in THREADS
    }
    try:
        said = {count: program.communicate(timeout=850)[0] for count, program in programs.items()}
    finally:
        for program in programs.values():
            program.kill()
    assert {count: program.returncode for count, program in programs.items()} == dict.fromkeys(THREADS, 0)
    return {count: json.loads(text) for count, text in said.items()}


@pytest.fixture(params=THREADS, ids=lambda count: f"{count} threads")
def report(request: pytest.FixtureRequest, reports: dict[int, Report]) -> Report:
    return reports[request.param]


def series(report: Report, name: str, **labels: str) -> list[float]:
    """Return the amounts of a metric's series that have these labels."""
    return [amount for each, has, amount in report["points"] if each == name and labels.items() <= has.items()]


def test_memory_is_flat(reports: dict[int, Report]) -> None:
    """Over so many operations the processes grow by a few megabytes, and by less than a block in ten operations."""
    for report in reports.values():
        assert report["operations"] >= LEAST
        assert report["after"]["rss"] - report["before"]["rss"] < 12 * MEGABYTE
        assert report["after"]["blocks"] - report["before"]["blocks"] < report["operations"] / 10


def test_what_is_over_is_let_go_of(report: Report) -> None:
    """What is alive is the run that goes on with the handoffs that wait, the questions, and the newest events."""
    alive = report["after"]["alive"]
    assert alive.pop("Operation") <= 1 + PENDING + 16  # what the collector's contexts still hold
    assert alive.pop("Run") <= 1 + 16
    assert RING_SIZE <= alive.pop("Event") <= 2 * QUEUE_SIZE + RING_SIZE + 1
    assert alive == {"Fact": 0, "Pause": LIMIT, "Payload": 0}
    assert report["open"] <= 1 + 8


def test_questions_that_nobody_answers_give_way(report: Report) -> None:
    """The newest questions are kept, the oldest are gone, and all were counted."""
    assert report["pauses"] == {"manual": LIMIT}
    assert (report["oldest"], report["newest"]) == (0, 1)
    assert sum(series(report, "flex.hitl.requests")) == FLOOD + report["rounds"]
    assert series(report, "flex.hitl.pending", runtime="manual") == [LIMIT]


def test_handoffs_to_nobody_give_way(report: Report) -> None:
    """Of the handoffs that one run asked for a few wait; each other has ended, once."""
    assert report["pending_handoffs"] == PENDING
    assert sum(series(report, "yolo_handoffs_total")) == report["rounds"]


def test_every_node_is_measured_once(report: Report) -> None:
    """Nodes are measured in whatever thread they end; those that are dropped, as abandoned."""
    assert sum(series(report, "flex.node.duration")) == report["rounds"] * NODES_OF_ROUND
    assert series(report, "flex.node.duration", capability="stream") == [3 * report["rounds"]]
    assert series(report, "flex.node.duration", capability="fail", outcome="error") == [report["rounds"]]


@pytest.mark.parametrize(
    ("name", "label", "sets"),
    [
        ("flex.node.duration", "capability", SETS),
        ("flex.phase.duration", "phase", SETS),
        ("flex.reaction.matches", "rule", SETS),
        ("yolo_decisions_total", "agent", SETS),
        ("yolo_decision_time_seconds", "agent", SETS),
        ("yolo_handoffs_total", "to_agent", SETS),
        ("yolo_handoff_duration_seconds", "to_agent", 100),
    ],
)
def test_label_sets_are_bounded(report: Report, name: str, label: str, sets: int) -> None:
    """An instrument has so many label sets and one for all others, and the counter says how often that was used."""
    beyond = series(report, name, **{label: "_other"})
    assert len(series(report, name)) == sets + len(beyond)
    assert sum(beyond) == sum(series(report, "otel_agents.metrics.overflow", instrument=name)) > 0


def test_names_of_runtimes_and_agents_are_bounded(report: Report) -> None:
    """Gauges show no more runtimes and agents than they may, and the counter tells of the others."""
    assert len(series(report, "flex.run.active")) == RUNTIMES
    assert len(series(report, "yolo_agent_status_info")) == SETS
    assert sum(series(report, "otel_agents.metrics.overflow", instrument="yolo_agent_status_info")) > 0


def test_events_that_nobody_takes_are_dropped_and_counted(report: Report) -> None:
    """A listener that hangs and a reader who does not read miss the oldest events, each of which is counted."""
    lost, published = report["lost"], report["published"]
    assert (report["unread"], report["ring"]) == (QUEUE_SIZE, RING_SIZE)
    assert lost["unread"] == published - QUEUE_SIZE
    assert lost["stalled"] == published - QUEUE_SIZE - 1  # one is what it hangs at
    assert lost["_other"] > 0
    assert len(lost) <= MAX_NAMES + 1 + (INBOX in lost)
    assert len(series(report, "otel_agents.events.dropped")) == len(lost)
    assert report["flushed"]


def test_errors_of_ours_are_bounded_in_places(report: Report) -> None:
    """Every swallowed error is counted, under one of so many places, and nothing else failed."""
    errors: Counter[str] = Counter(report["errors"])
    assert len(errors) == guard.MAX_PLACES + 1
    assert errors.total() == report["rounds"]
    assert errors["_other"] == report["rounds"] - guard.MAX_PLACES
    assert report["places"] <= guard.MAX_PLACES + 1


def test_nothing_is_left_over(report: Report) -> None:
    """A last operation works as the first did; then the hub's thread is the only one of ours, and ends with it.

    Nobody holds a lock of ours, and no file descriptor is open that was not before.
    """
    assert report["last"] == 3
    assert report["threads"] == ["MainThread", "otel-agents-bus"]
    assert report["threads_after"] == ["MainThread"]
    count, held = report["locks"]
    assert (count > 0, held) == (True, [])
    assert report["descriptors"] == 0
