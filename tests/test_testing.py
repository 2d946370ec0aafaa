"""The test kit, as others use it in their tests."""

from __future__ import annotations

import pytest

import otel_agents
from otel_agents import guard, pipeline, record
from otel_agents.operation import Operation, Signal
from otel_agents.recorder import RECORDER
from otel_agents.testing import EPOCH_NS, TICK_NS, capture


def work() -> None:
    with otel_agents.run("brief"), otel_agents.node("research", kind="agent"):
        record.node_retry(attempt=1, error_type="TimeoutError")


def test_ids_and_times_are_counted() -> None:
    """Ids and times are the same in every test run: counted from 1, one millisecond for each look at the clock."""
    with capture() as telemetry:
        work()
    assert [span.context.span_id for span in telemetry.spans] == [2, 1]
    assert {span.context.trace_id for span in telemetry.spans} == {1}
    assert {event.run_id for event in telemetry.events} == {"run-1"}
    assert telemetry.span("flex.run brief").start_time == EPOCH_NS + TICK_NS


def test_two_captures_are_equal() -> None:
    """Two captures of the same program see the same, byte for byte."""
    seen = []
    for _ in range(2):
        with capture() as telemetry:
            work()
        seen.append([span.to_json() for span in telemetry.spans])
    assert seen[0] == seen[1]


def test_tree_shows_what_is_under_what() -> None:
    """The tree has a line for each operation, indented under its parent, also while it runs."""
    with capture() as telemetry, otel_agents.run("brief"):
        with otel_agents.node("research", kind="agent"):
            pass
        assert telemetry.tree() == ["run brief: running", "  node research (agent): ok"]


def test_metrics_since_the_last_reset() -> None:
    """Metrics are those since the last reset; a gauge is as it stands."""
    name = "flex.node.retries{capability=research,runtime=manual}"
    with capture() as telemetry:
        work()
        assert telemetry.metrics()[name] == 1
        telemetry.reset()
        assert telemetry.metrics().keys() <= {"yolo_memory_usage_mb", "yolo_cpu_usage_percent"}
        assert (telemetry.tree(), telemetry.spans, telemetry.logs, telemetry.events) == ([], [], [], [])
        work()
        work()
        assert telemetry.metrics()[name] == 2


def test_zeros_are_shown_when_asked_for() -> None:
    """Counters that start at 0 are shown only when asked for."""
    with capture() as telemetry:
        work()
        name = "flex.run.status{runtime=manual,status=failed}"
        assert name not in telemetry.metrics()
        assert telemetry.metrics(zero=True)[name] == 0


def test_a_span_that_is_not_alone_is_refused() -> None:
    """``span`` wants exactly one span of the name, and says what there is otherwise."""
    with capture() as telemetry:
        work()
        work()
    with pytest.raises(AssertionError, match=r"2 spans 'flex\.run brief'"):
        telemetry.span("flex.run brief")
    with pytest.raises(AssertionError, match="0 spans 'nothing' among"):
        telemetry.span("nothing")


def test_strict_shows_errors_of_ours() -> None:
    """In a strict capture an error inside a signal reaches the test; otherwise it is swallowed and counted."""

    class Broken(Signal):
        def started(self, operation: Operation) -> None:
            raise LookupError("broken")

    with capture(), pytest.raises(LookupError, match="broken"):
        RECORDER.install([Broken()], listening=lambda: True)
        work()
    guard.reset()
    with capture(strict=False):
        RECORDER.install([Broken()], listening=lambda: True)
        work()
    assert guard.errors() == {"signals.started": 2}
    guard.reset()


def test_everything_is_put_back() -> None:
    """After a capture no pipeline is active, and ids and clocks are the real ones again."""
    before = (RECORDER.wall_ns, RECORDER.clock_ns, RECORDER.new_id)
    with capture():
        pass
    assert pipeline.active() is None
    assert (RECORDER.wall_ns, RECORDER.clock_ns, RECORDER.new_id) == before
