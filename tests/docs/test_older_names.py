"""The table of older method names: each line is run, and tells what stands behind it."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

import otel_agents
from otel_agents import record
from otel_agents.testing import capture
from tests.docs.pages import CODE, ROOT, read

PAGE = ROOT / "docs" / "reference" / "older-names.md"
WANTED = {
    "record_handoff", "record_decision", "record_error", "record_safety_block", "update_context_tokens",
    "record_context_refresh", "record_workflow", "record_state_save", "record_state_load",
    "emitRunStarted", "emitRunCompleted", "emitRunFailed", "emitRunCanceled", "emitIterationStarted",
    "emitIterationCompleted", "emitPhaseStarted", "emitPhaseCompleted", "emitGateChecked", "emitDeliveryStarted",
    "emitDeliveryCompleted",
}  # fmt: skip
STATUS = {"emitRunCompleted": "completed", "emitRunFailed": "failed", "emitRunCanceled": "cancelled"}


class Line(NamedTuple):
    """A line of the table."""

    older: str
    recorded: str
    around: str
    event: str
    metric: str


def _lines() -> list[Line]:
    rows = re.findall(r"^\| `.*\|$", read(PAGE), re.MULTILINE)
    return [Line(*("".join(CODE.findall(cell)) for cell in row.split(" |")[:5])) for row in rows]


LINES = _lines()
EVERY_LINE = pytest.mark.parametrize("line", LINES, ids=[line.older for line in LINES])


class Told(NamedTuple):
    """What a line of code told: the types of its events, and what moved."""

    events: list[str]
    metrics: dict[str, float]

    def moved(self, metric: str) -> bool:
        """Whether a metric has a value."""
        return any(name == metric or name.startswith((f"{metric}{{", f"{metric}_count")) for name in self.metrics)


def _run(code: str) -> Told:
    with capture() as telemetry:
        exec(code, {"otel_agents": otel_agents, "record": record})
        return Told(telemetry.event_types(), telemetry.metrics())


def test_no_older_name_is_left_out() -> None:
    """Every method of the older monitors and emitters has a line."""
    assert {line.older for line in LINES} == WANTED
    assert len(LINES) == len(WANTED)


@EVERY_LINE
def test_what_was_measured_elsewhere_is_recorded(line: Line) -> None:
    """The call tells that one event, and its metric moves."""
    told = _run(line.recorded)

    assert told.events == [line.event]
    assert not line.metric or told.moved(line.metric)
    if line.older in STATUS:
        assert told.metrics[f"flex.run.status{{runtime=manual,status={STATUS[line.older]}}}"] == 1


@EVERY_LINE
def test_the_block_tells_the_same(line: Line) -> None:
    """Where there is a block, it tells the same event, and moves the same metric."""
    told = _run(line.around or line.recorded)

    assert line.event in told.events
    assert not line.metric or told.moved(line.metric)
    if line.older in STATUS:
        assert told.metrics[f"flex.run.status{{runtime=manual,status={STATUS[line.older]}}}"] == 1
