"""Cancels of runs: told where the run goes on, once, and obeyed inside."""

from __future__ import annotations

import threading

from otel_agents import cancels
from otel_agents.operation import Identity, Operation
from otel_agents.recorder import RECORDER
from otel_agents.testing import Telemetry, capture


def _run(run_id: str, runtime: str = "gateway") -> Operation:
    operation = RECORDER.start_run("x", Identity(runtime, run_id))
    assert operation is not None
    return operation


def _told(telemetry: Telemetry) -> list[tuple[str, str, dict[str, object]]]:
    return [(e.type, e.run_id, dict(e.payload)) for e in telemetry.events if e.type.startswith("cancel")]


def test_a_wish_is_told_in_the_run_that_it_is_for() -> None:
    """From another thread, of the right runtime and id, and only once."""
    with capture() as telemetry:
        runs = [_run("a"), _run("b"), _run("a", "flex")]
        for source in ("user", "again"):
            thread = threading.Thread(target=cancels.wish, args=("gateway", "a", source))
            thread.start()
            thread.join()
        for run in runs:
            RECORDER.end(run)
        assert [(e.run_id, e.runtime, e.type) for e in telemetry.events if "cancel" in e.type] == [
            ("a", "gateway", "cancel_requested")
        ]
        assert _told(telemetry) == [("cancel_requested", "a", {"source": "user"})]


def test_a_wish_for_a_run_that_does_not_go_on_is_not_told() -> None:
    """One that is over, or was never seen."""
    with capture() as telemetry:
        RECORDER.end(_run("a"))
        cancels.wish("gateway", "a", "user")
        cancels.wish("gateway", "nobody", "user")
        assert _told(telemetry) == []


def test_an_acknowledgement_is_told_inside_a_run_of_the_runtime() -> None:
    """With the latency in milliseconds, to the microsecond."""
    with capture() as telemetry:
        run = _run("a")
        cancels.obeyed("gateway", "user", 0.5)
        entered = RECORDER.enter(run)
        cancels.obeyed("flex", "user", 0.5)
        cancels.obeyed("gateway", "user", 0.0123456)
        RECORDER.leave(run, entered)
        RECORDER.end(run)
        assert _told(telemetry) == [("cancel_acknowledged", "a", {"source": "user", "latencyMs": 12.346})]
