"""Flex, watched: each frame is one event, one log record and one step of a counter, whatever happens in a run."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from otel_agents.adapters.flex import ADAPTER
from otel_agents.bus.event import Event
from otel_agents.recorder import RECORDER
from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.hitl import Answer
from otel_agents.semconv import events as e
from otel_agents.semconv.model import EventType
from otel_agents.testing import Telemetry
from tests.adapters.flexing import ASKS, RUNS, answered, at_work, begin, crowd, day, simply
from tests.adapters.watching import watched
from tests.runtime.flex.house import frames_of

CANARY = "c4n4ry"
TREE = """\
run walls: ok
  plan: ok
  node dig (step): ok
    validation: ok
    validation: ok
  node melt (step): ok
    validation: ok
    validation: ok
  node wash (step): ok
    validation: ok
    validation: ok
  node build (step): ok
    validation: ok
    validation: ok
""".splitlines()


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Watch flex."""
    with watched(ADAPTER) as recorded:
        yield recorded


def _names(row: EventType) -> list[str]:
    """Return the metrics of which one event of the type is one step."""
    return [count.metric.name for count in row.counts if not count.value and not count.duration]


def _summed(metrics: dict[str, float], name: str) -> float:
    return sum(value for series, value in metrics.items() if series.partition("{")[0] == name)


def _ledger(frames: list[Frame], telemetry: Telemetry) -> None:
    """Compare frames, events, log records and metrics, type by type."""
    expected = Counter(frame.type for frame in frames)
    assert Counter(event.type for event in telemetry.events) == expected
    assert Counter(str(log.log_record.event_name).partition(".")[2] for log in telemetry.logs) == expected
    metrics = telemetry.metrics()
    steps = Counter({name: 0 for row in e.EVENTS for name in _names(row)})
    for row in e.EVENTS:
        for name in _names(row):
            steps[name] += expected[row.name]
    steps["flex.run.transitions"] = expected["start"] + expected["complete"] + expected["cancel_requested"]
    assert {name: _summed(metrics, name) for name in steps if steps[name]} == {n: c for n, c in steps.items() if c}
    assert _summed(metrics, "flex.node.duration_count") == expected["node_complete"]
    assert _summed(metrics, "flex.planner.duration_count") == expected["plan_requested"]
    assert _summed(metrics, "flex.run.duration_count") == expected["complete"]
    assert _summed(metrics, "flex.hitl.wait.duration_count") == expected["hitl_resolved"]
    assert _summed(metrics, "flex.run.cancel.latency_count") == expected["cancel_acknowledged"]


async def test_every_frame_is_one_event_one_record_and_one_step(telemetry: Telemetry) -> None:
    """Over every ending, decision, action and failure that flex knows, all four agree for each type."""
    async with at_work() as coordinator:
        stories = await day(coordinator)
    frames = [frame for story in stories.values() for frame in story]
    unseen = {"plan_updated", "policy_triggered", "node_retry", "cancel_acknowledged", "log"} - {f.type for f in frames}

    assert unseen == set()
    _ledger(frames, telemetry)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_so_it_is_of_many_runs_at_once(telemetry: Telemetry) -> None:
    """Two hundred and more runs side by side in one process: nothing is lost, and nothing is told twice."""
    async with at_work(max_runs=400) as coordinator:
        frames = await crowd(coordinator, 15)

    _ledger(frames, telemetry)
    assert telemetry.metrics().get("flex.run.active{runtime=flex}", 0) == 0
    assert telemetry.metrics().get("flex.hitl.pending{runtime=flex}", 0) == 0


@pytest.mark.parametrize("name", RUNS)
async def test_frames_and_events_say_the_same(name: str, telemetry: Telemetry) -> None:
    """Of each kind of run, the events of each type have what the frames have: ids, status, duration, payload."""
    async with at_work() as coordinator:
        frames = await RUNS[name](coordinator)

    told = [_told(frame) for frame in frames]
    heard = [_heard(event) for event in telemetry.events]
    assert sorted(map(str, told)) == sorted(map(str, heard))


def _told(frame: Frame) -> tuple[object, ...]:
    """Return of a frame what is no content, no time and no object."""
    provenance = json.dumps(frame.facet_provenance) if frame.facet_provenance else None
    payload = {name: value for name, value in frame.payload.items() if name in SAID[frame.type]}
    who = frame.run_id, frame.correlation_id, "flex", frame.plan_version, frame.node_id, frame.capability_id
    return frame.type, *who, frame.status, frame.duration_ms is not None, provenance, _sorted(payload)


def _heard(event: Event) -> tuple[object, ...]:
    facets: Any = event.facet_provenance
    provenance = json.dumps(json.loads(facets) if isinstance(facets, str) else dict(facets)) if facets else None
    payload = {name: value for name, value in event.payload.items() if name in SAID[event.type]}
    who = event.run_id, event.correlation_id, event.runtime, event.plan_version, event.node_id, event.capability_id
    return event.type, *who, event.status, event.duration_ms is not None, provenance, _sorted(payload)


def _sorted(payload: dict[str, Any]) -> str:
    known = {name: value for name, value in payload.items() if value is not False}
    if "errorType" in known:  # telemetry tells the module, too
        known["errorType"] = known["errorType"].rpartition(".")[2]
    return json.dumps(known, sort_keys=True)


# The fields of a frame that telemetry has to have, too.
SAID: dict[str, tuple[str, ...]] = {
    "start": ("name", "resumed"),
    "complete": ("status", "reason", "errorType"),
    "plan_requested": ("phase", "attempt"),
    "plan_rejected": ("attempt", "diagnosticCount", "codes"),
    "plan_generated": ("version", "nodeCount"),
    "plan_updated": ("previousVersion", "version", "trigger"),
    "node_start": ("kind", "label"),
    "node_complete": ("kind", "attempts"),
    "node_error": ("attempt", "errorType"),
    "node_retry": ("attempt", "errorType"),
    "policy_triggered": ("policyId", "trigger", "action"),
    "hitl_request": ("requestId", "origin", "pendingNodeId"),
    "hitl_resolved": ("requestId", "decision", "waitMs"),
    "validation_error": ("scope", "errorCount", "attempt", "retried"),
    "cancel_requested": ("source",),
    "cancel_acknowledged": ("source", "latencyMs"),
    "log": (),
}


async def test_the_tree_of_a_run(telemetry: Telemetry) -> None:
    """A run has its plan, its nodes and what is validated below it, and all spans know whose they are."""
    async with at_work() as coordinator:
        await simply(coordinator, "works", metadata={"correlationId": "c-1", "runLabel": "walls"})

    assert sorted(telemetry.tree()) == sorted(TREE)
    assert {span.attributes["flex.runtime"] for span in telemetry.spans if span.attributes} == {"flex"}
    assert len({span.context.trace_id for span in telemetry.spans if span.context}) == 1
    run = telemetry.span("flex.run walls")
    assert run.attributes is not None
    assert run.attributes["flex.correlation.id"] == "c-1"
    assert run.attributes["flex.plan.version"] == 1
    node = telemetry.span("flex.node dig")
    assert node.attributes is not None
    assert node.attributes["flex.facet.input"] == ("objective",)
    assert node.attributes["flex.facet.output"] == ("ore",)


async def test_an_error_is_recorded_once_where_it_happened(telemetry: Telemetry) -> None:
    """The node that failed has the exception, the run its type and status, and nothing in between."""
    async with at_work() as coordinator:
        await simply(coordinator, "fails")

    recorded = [(span.name, [event.name for event in span.events]) for span in telemetry.spans if span.events]
    red = {span.name: str(span.status.status_code) for span in telemetry.spans if not span.status.is_unset}
    assert recorded == [("flex.node dig", ["exception"])]
    assert red == {"flex.node dig": "StatusCode.ERROR", "flex.run flex": "StatusCode.ERROR"}
    run = telemetry.span("flex.run flex")
    assert run.attributes is not None
    assert str(run.attributes["error.type"]).endswith(".CapabilityError")
    assert run.attributes["flex.run.reason"] == "node_failed"


async def test_a_pause_is_linked_to_what_goes_on(telemetry: Telemetry) -> None:
    """The resumed segment is a span of the same run that links to the paused one; the wait is measured."""
    async with at_work() as coordinator:
        await answered(coordinator, Answer("approved"), "works", **ASKS)

    paused, resumed = (span for span in telemetry.spans if span.name == "flex.run flex")
    assert paused.attributes is not None
    assert resumed.attributes is not None
    assert paused.attributes["flex.run.id"] == resumed.attributes["flex.run.id"]
    assert [link.context.span_id for link in resumed.links] == [paused.context and paused.context.span_id]
    assert paused.status.is_unset
    assert telemetry.metrics()["flex.hitl.resolved{decision=approved,runtime=flex}"] == 1


async def test_another_process_goes_on_and_links_back(tmp_path) -> None:
    """With a pause store that lasts, a run that another process resumes is one story: one id, a link, no question."""
    store = f"sqlite:///{tmp_path}/pauses.db"
    with watched(ADAPTER, pause_store=store) as first:
        async with at_work(tmp_path / "flex.db") as coordinator:
            run_id, frames = await begin(coordinator, "works", **ASKS)
        pending = first.metrics()["flex.hitl.pending{runtime=flex}"]
    with watched(ADAPTER, pause_store=store) as second:
        async with at_work(tmp_path / "flex.db") as coordinator:
            await coordinator.resume(run_id, answer=Answer("approved"))
            await frames_of(coordinator, run_id, frames[-1].seq)
        left = second.metrics().get("flex.hitl.pending{runtime=flex}", 0)
    (paused,) = (span for span in first.spans if span.name == "flex.run flex")
    (resumed,) = (span for span in second.spans if span.name == "flex.run flex")

    assert (pending, left) == (1, 0)
    assert [link.context.trace_id for link in resumed.links] == [paused.context and paused.context.trace_id]
    assert {event.run_id for event in (*first.events, *second.events)} == {run_id}


async def test_a_question_that_was_never_stored_is_not_counted_for_ever(tmp_path) -> None:
    """A process may die while it asks; what it remembered of that is forgotten when the run is over."""
    with watched(ADAPTER, pause_store=f"sqlite:///{tmp_path}/pauses.db") as recorded:
        async with at_work(tmp_path / "flex.db") as coordinator:
            run_id, frames = await begin(coordinator, "works", **ASKS)
            (asked,) = RECORDER.pauses.find(f"flex:{run_id}")
            RECORDER.pauses.put(replace(asked, request_id="lost"))
            waiting = recorded.metrics()["flex.hitl.pending{runtime=flex}"]
            await coordinator.resume(run_id, answer=Answer("approved"))
            await frames_of(coordinator, run_id, frames[-1].seq)
        left = recorded.metrics().get("flex.hitl.pending{runtime=flex}", 0)

    assert (waiting, left) == (2, 0)


async def test_no_value_leaves_with_telemetry(telemetry: Telemetry) -> None:
    """Objectives, inputs, outputs, prompts, answers and messages of errors are in no span, record, event or label."""
    async with at_work() as coordinator:
        await day(coordinator)
        await simply(coordinator, "works", inputs={"secret": CANARY}, specialInstructions=[CANARY])

    signals = [
        [span.to_json() for span in telemetry.spans],
        [log.to_json() for log in telemetry.logs],
        [event.to_json() for event in telemetry.events],
        list(telemetry.metrics()),
    ]
    assert [CANARY in text for said in signals for text in said].count(True) == 0
    assert all(signals)


async def test_a_segment_that_is_given_back_is_no_failure(telemetry: Telemetry) -> None:
    """A process that stops in the middle of a run ends its segment as cancelled, with the reason."""
    async with at_work() as coordinator:
        accepted = await coordinator.accept(_hanging())
        async with asyncio.timeout(10):
            async for frame in coordinator.frames(accepted.run_id):
                if frame.type == "node_start":
                    break
        await coordinator.stop(grace_s=0.05)

    last = telemetry.events[-1]
    assert (last.type, last.status, last.payload.get("reason")) == ("complete", "cancelled", "given_back")


def _hanging() -> Any:
    from tests.runtime.flex.house import envelope

    return envelope(objective="hangs")
