"""The older vocabularies: progress, its WebSocket frames, audit records and log names."""

from __future__ import annotations

from typing import Any

import pytest

from otel_agents.bus.event import Event
from otel_agents.bus.projections import (
    AuditProjection,
    log_name,
    progress,
    progress_frame,
    progress_message,
)
from otel_agents.semconv.events import EVENTS
from tests.bus.making import event

NOON = "2026-01-02T12:00:00.000Z"
FLAT = {"timestamp": NOON, "workOrderId": "wo-1", "runId": "run-1", "correlationId": "corr-1"}
ENTRY = {"ts": NOON, "run_id": "run-1", "session_id": None, "channel": "mail", "runtime": "flex"}
METRICS = {"iterationCount": 2, "totalDurationMs": 10, "phaseDurationsMs": {}, "gatesPassed": 1, "gatesFailed": 1}


def _event(type_: str, **fields: Any) -> Event:
    return event(type_, work_order_id="wo-1", channel="mail", **fields)


def _ended(status: str, **payload: object) -> Event:
    return _event("complete", status=status, duration_ms=12.5, payload={"status": status, **payload})


def _audit(*events: Event) -> list[dict[str, object]]:
    """Return the records of these events, one after the other."""
    audit = AuditProjection()
    return [record for one in events for record in audit.records(one)]


# --- Progress ---


def test_a_run_starts_with_its_task() -> None:
    """The goal is cut at 100 characters; what is unknown is left out."""
    one = _event("start", payload={"name": "n", "goal": "g" * 101, "strategy": "s", "maxIterations": 3})
    spec = {"goal": "g" * 100, "strategy": "s", "maxIterations": 3}

    assert progress(one) == {"type": "run_started", **FLAT, "taskSpec": spec}
    assert progress_frame(one) == {"type": "run:started", **FLAT, "taskSpec": spec}
    assert progress(_event("start")) == {"type": "run_started", **FLAT, "taskSpec": {}}


def test_a_resumed_run_starts_again_and_says_so() -> None:
    """Each segment has a start and an ending."""
    one = _event("start", payload={"name": "n", "resumed": True})

    assert progress(one) == {"type": "run_started", **FLAT, "taskSpec": {}, "resumed": True}


@pytest.mark.parametrize(
    ("status", "payload", "name", "own", "frame"),
    [
        ("completed", {"iterations": 2, "metrics": METRICS}, "run_completed", {}, {"result": "succeeded"}),
        ("cancelled", {"reason": "abandoned"}, "run_canceled", {"reason": "abandoned"}, {"result": "canceled"}),
        ("failed", {"errorType": "ValueError"}, "run_failed", {"errorType": "ValueError"}, {"result": "failed"}),
        ("awaiting_hitl", {"iterations": 1}, "run_paused", {}, {}),
        ("no status", {}, "run_failed", {}, {"result": "failed"}),
    ],
)
def test_a_run_has_one_of_four_endings(
    status: str, payload: dict[str, object], name: str, own: dict[str, object], frame: dict[str, object]
) -> None:
    """Over WebSocket all but a pause are `run:completed` with a result; what is no status is no success."""
    one = _ended(status, **payload)
    sums: dict[str, object] = {key: payload[key] for key in ("iterations", "metrics") if key in payload}

    assert progress(one) == {"type": name, **FLAT, **own, **sums, "durationMs": 12.5}
    frame_name = "run:paused" if name == "run_paused" else "run:completed"
    assert progress_frame(one) == {"type": frame_name, **FLAT, **frame, **sums, "durationMs": 12.5}


@pytest.mark.parametrize(
    ("name", "frame", "payload", "duration_ms"),
    [
        ("iteration_started", "iteration:started", {"iteration": 1, "maxIterations": 3, "feedback": "f"}, None),
        (
            "iteration_completed",
            "iteration:completed",
            {"iteration": 1, "success": True, "phaseTimings": {"build": 5}, "gateResults": []},
            7.5,
        ),
        ("phase_started", "phase:started", {"iteration": 1, "phase": "build"}, None),
        ("phase_completed", "phase:completed", {"iteration": 1, "phase": "build", "success": False}, 7.5),
        ("gate_checked", "gate:checked", {"iteration": 1, "gate": "lint", "passed": False}, None),
        ("delivery_started", "delivery:started", {}, None),
        ("delivery_completed", "delivery:completed", {"success": True, "prUrl": "u", "ciStatus": "ok"}, 7.5),
    ],
)
def test_steps_keep_their_names_and_fields(
    name: str, frame: str, payload: dict[str, object], duration_ms: float | None
) -> None:
    """Fields stand beside type and ids; what the contract does not name is left out."""
    one = _event(name, payload={**payload, "more": 1}, duration_ms=duration_ms)
    beside = {**payload, **({} if duration_ms is None else {"durationMs": duration_ms})}

    assert progress(one) == {"type": name, **FLAT, **beside}
    assert progress_frame(one) == {"type": frame, **FLAT, **beside}
    assert progress_message(one) == f"Progress: {name}"


def test_a_frame_without_work_order_still_has_the_field() -> None:
    """Clients filter by it."""
    assert progress_frame(event("delivery_started")) == {
        "type": "delivery:started", **FLAT, "workOrderId": None,
    }  # fmt: skip


def test_progress_is_runs_and_the_progress_family_and_nothing_else() -> None:
    """Every event type of the vocabulary was asked."""
    told = {row.name for row in EVENTS if progress(_event(row.name)) is not None}
    framed = {row.name for row in EVENTS if progress_frame(_event(row.name)) is not None}

    assert told == framed == {row.name for row in EVENTS if row.family in ("run", "progress")}
    assert progress_message(_event("node_start")) is None


# --- Audit ---


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (_event("start"), "start"),
        (_event("start", payload={"resumed": True}), "resumed"),
        (_event("cancel_requested"), "cancel_requested"),
        (_ended("completed"), "complete"),
        (_ended("failed"), "error"),
        (_ended("cancelled"), "cancelled"),
        (_ended("awaiting_hitl"), "paused"),
    ],
)
def test_runs_enter_states(one: Event, state: str) -> None:
    """Each of the seven states has its event."""
    assert _audit(one) == [{"type": "run.state", **ENTRY, "state": state}]


def test_a_cancel_that_is_heard_is_one_record_with_its_latency() -> None:
    """Written at the acknowledgement; the run's end adds no second one."""
    records = _audit(
        _event("cancel_requested", payload={"source": "user"}),
        _event("cancel_requested", payload={"source": "again"}),
        _event("cancel_acknowledged", payload={"source": "user", "latencyMs": 40.0}),
        _event("cancel_acknowledged", payload={"source": "user", "latencyMs": 50.0}),
        _event("cancel_requested", payload={"source": "late"}),
        _ended("cancelled"),
    )

    assert [record for record in records if record["type"] == "run.cancel"] == [
        {"type": "run.cancel", **ENTRY, "source": "user", "requested": True, "acknowledged": True, "latency_ms": 40.0}
    ]
    states = [record["state"] for record in records if record["type"] == "run.state"]
    assert states == ["cancel_requested", "cancel_requested", "cancel_requested", "cancelled"]


def test_a_cancel_that_is_not_heard_is_recorded_at_the_runs_end() -> None:
    """Not acknowledged, no latency, at the time of the end, and before the end's own state."""
    later = _ended("completed")._replace(timestamp_ns=_ended("completed").timestamp_ns + 1_000_000_000)
    records = _audit(_event("cancel_requested", payload={"source": "user"}), later)
    at = {**ENTRY, "ts": "2026-01-02T12:00:01.000Z"}

    assert records[1:] == [
        {"type": "run.cancel", **at, "source": "user", "requested": True, "acknowledged": False, "latency_ms": None},
        {"type": "run.state", **at, "state": "complete"},
    ]


def test_a_pause_is_not_the_end_of_a_run_that_is_to_be_cancelled() -> None:
    """The cancel may still be heard after the pause."""
    records = _audit(
        _event("cancel_requested", payload={"source": "user"}),
        _ended("awaiting_hitl"),
        _event("start", payload={"resumed": True}),
        _event("cancel_acknowledged", payload={"latencyMs": 40.0}),
    )

    assert [record["type"] for record in records] == ["run.state", "run.state", "run.state", "run.cancel"]
    assert (records[-1]["source"], records[-1]["acknowledged"]) == ("user", True)


def test_an_acknowledgement_of_a_request_made_elsewhere_is_recorded() -> None:
    """Another process may have been asked."""
    (record,) = _audit(_event("cancel_acknowledged", payload={"source": "user"}, duration_ms=30.0))

    assert (record["requested"], record["acknowledged"], record["latency_ms"]) == (True, True, 30.0)


def test_a_run_that_ends_is_forgotten() -> None:
    """Its next segment may be cancelled again."""
    asked = _event("cancel_requested", payload={"source": "user"})
    heard = _event("cancel_acknowledged", payload={"source": "user", "latencyMs": 1.0})
    records = _audit(asked, heard, _ended("cancelled"), asked, heard)

    assert len([record for record in records if record["type"] == "run.cancel"]) == 2


def test_runs_that_never_end_are_bounded_and_their_cancels_still_recorded() -> None:
    """The oldest request is given up as not acknowledged."""
    audit = AuditProjection(size=2)
    records = [
        audit.records(event("cancel_requested", run_id=f"run-{number}", payload={"source": f"s{number}"}))
        for number in range(4)
    ]
    given_up = [[record for record in one if record["type"] == "run.cancel"] for one in records]

    assert [len(one) for one in given_up] == [0, 0, 1, 1]
    assert [(one["run_id"], one["source"], one["acknowledged"]) for one in (*given_up[2], *given_up[3])] == [
        ("run-0", "s0", False),
        ("run-1", "s1", False),
    ]


def test_runs_that_were_cancelled_and_never_end_are_bounded_too() -> None:
    """An acknowledged cancel that is given up adds no record."""
    audit = AuditProjection(size=2)
    records = [audit.records(event("cancel_acknowledged", run_id=f"run-{number}")) for number in range(4)]

    assert [len(one) for one in records] == [1, 1, 1, 1]


def test_reactions_are_recorded() -> None:
    """Match and skip, with the fields of the audit."""
    matched = _event("reaction_matched", payload={"rule": "r", "sender": "s", "filterSummary": "f"})
    skipped = _event("reaction_skipped", payload={"reason": "no_rule", "candidateCount": 3})

    assert _audit(matched, skipped) == [
        {"type": "reaction.match", **ENTRY, "rule_name": "r", "sender": "s", "filter_summary": "f"},
        {"type": "reaction.skip", **ENTRY, "reason": "no_rule", "candidate_count": 3},
    ]


def test_what_is_withheld_from_all_others_stands_in_the_audit() -> None:
    """Session and sender come from what only the audit may see, before what everybody sees."""
    one = event(
        "reaction_matched",
        session_id="in clear",
        payload={"rule": "r", "sender": "in clear"},
        withheld={"session_id": "hash-1", "sender": "hash-2"},
    )
    (record,) = _audit(one)

    assert (record["session_id"], record["sender"]) == ("hash-1", "hash-2")
    assert _audit(event("start", session_id="in clear"))[0]["session_id"] == "in clear"


def test_most_events_leave_no_audit_record() -> None:
    """Every event type of the vocabulary was asked."""
    told = {row.name for row in EVENTS if _audit(_event(row.name))}

    assert told == {
        "start", "complete", "cancel_requested", "cancel_acknowledged", "reaction_matched", "reaction_skipped",
    }  # fmt: skip


# --- Log names ---


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plan_requested", "flex_plan_requested"),
        ("plan_rejected", "flex_plan_rejected"),
        ("plan_generated", "flex_plan_generated"),
        ("plan_updated", "flex_plan_updated"),
        ("node_start", "flex_node_start"),
        ("node_complete", "flex_node_complete"),
        ("node_error", "flex_node_error"),
        ("policy_triggered", "flex_policy_triggered"),
        ("validation_error", "flex_validation_failed"),
        ("hitl_request", "flex_hitl_request"),
        ("hitl_resolved", "flex_hitl_resolved"),
        ("complete", "flex_run_complete"),
        ("iteration_started", "flex_iteration_started"),
        ("handoff", "yolo_handoff"),
        ("somebody_elses", "flex_somebody_elses"),
    ],
)
def test_log_names_are_the_older_ones(name: str, expected: str) -> None:
    """Where no older name exists, the prefix and the type."""
    assert log_name(name) == expected
