"""Facts as events on the bus: the whole envelope, payloads by their own names, nothing while nobody watches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from otel_agents.bus.event import Event
from otel_agents.bus.hub import Hub
from otel_agents.content import Capture
from otel_agents.operation import Fact, Identity, Signal
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import gen_ai as g
from otel_agents.semconv import kinds as k
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.model import EventType
from otel_agents.signals.feed import Envelope, Feed, columns
from tests.signals.recording import recorded, run, spans, step

EVENTS_ON = Capture(events=True)
CANARY = "c4n4ry"


class Watch:
    """A hub with one reader."""

    def __init__(self) -> None:
        self.hub = Hub(new_id=iter(f"e{number}" for number in range(1, 1000)).__next__)
        self._stream = self.hub.stream()

    def events(self) -> list[Event]:
        return self._stream.take()

    def dicts(self) -> list[dict[str, object]]:
        return [event.as_dict() for event in self.events()]


@pytest.fixture
def watch() -> Iterator[Watch]:
    """A hub that somebody reads."""
    watch = Watch()
    yield watch
    watch.hub.close()


def test_the_whole_envelope(watch: Watch) -> None:
    """A failing node in a run: all events with all their fields, in order."""
    error = ValueError("x")
    identity = Identity("gateway", "r", "c", "wo", "s", "web", 2)
    with recorded(spans(), Feed(watch.hub)), run(identity, error=error), step(error=error):
        pass
    envelope: dict[str, object] = {"planVersion": 2, "traceId": f"{1:032x}"}
    envelope |= {"runId": "r", "correlationId": "c", "runtime": "gateway", "workOrderId": "wo", "channel": "web"}
    node = envelope | {"nodeId": "draft-1", "capabilityId": "draft", "spanId": f"{2:016x}"}
    ended = {"status": "error", "durationMs": 2.0}
    assert watch.dicts() == [
        {"id": "e1", "type": "start", "timestamp": "2026-01-01T00:00:00.001Z", **envelope, "spanId": f"{1:016x}",
         "payload": {"name": "brief"}},
        {"id": "e2", "type": "node_start", "timestamp": "2026-01-01T00:00:00.002Z", **node,
         "payload": {"kind": "agent"}},
        {"id": "e3", "type": "node_error", "timestamp": "2026-01-01T00:00:00.004Z", **node, **ended,
         "payload": {"errorType": "ValueError"}},
        {"id": "e4", "type": "node_complete", "timestamp": "2026-01-01T00:00:00.004Z", **node, **ended,
         "payload": {"kind": "agent"}},
        {"id": "e5", "type": "complete", "timestamp": "2026-01-01T00:00:00.008Z", **envelope, "spanId": f"{1:016x}",
         "status": "failed", "durationMs": 7.0, "payload": {"status": "failed", "errorType": "ValueError"}},
    ]  # fmt: skip


def test_a_type_may_have_its_own_word_for_an_attribute(watch: Watch) -> None:
    """The attempts of a completed node and the attempt of a failed one are the same attribute."""
    with recorded(Feed(watch.hub)):
        RECORDER.fact(e.NODE_COMPLETE, {a.FLEX_NODE_ATTEMPT: 3})
        RECORDER.fact(e.NODE_ERROR, {a.FLEX_NODE_ATTEMPT: 3, g.ERROR_TYPE: "T"})
    assert [event.payload for event in watch.events()] == [{"attempts": 3}, {"attempt": 3, "errorType": "T"}]


def test_structured_fields_are_structures(watch: Watch) -> None:
    """What travels as JSON text in attributes is an object in the payload, a list is a list."""
    with recorded(Feed(watch.hub)):
        RECORDER.fact(e.PLAN_REJECTED, {a.FLEX_PLAN_CODES: ["cycle", "unknown_node"]})
        RECORDER.fact(e.ITERATION_COMPLETED, {a.FLEX_ITERATION_PHASE_TIMINGS: {"build": 1.5}})
        RECORDER.fact(e.PLAN_GENERATED, {a.FLEX_PLAN_NODES: [{"id": "a"}]})
        RECORDER.fact(e.PLAN_GENERATED, {a.FLEX_PLAN_NODES: 3})
    assert [event.payload for event in watch.events()] == [
        {"codes": ["cycle", "unknown_node"]},
        {"phaseTimings": {"build": 1.5}},
        {"nodes": [{"id": "a"}]},
        {"nodes": 3},
    ]


def test_facets_are_an_object_without_values(watch: Watch) -> None:
    """Facet provenance of the node stands on facts inside it."""
    given = {"output": [{"facet": "mail", "title": "Mail", "pointer": "/mail", "value": CANARY}]}
    with recorded(Feed(watch.hub)), run(), step(attributes={a.FLEX_FACET_PROVENANCE: given}):
        RECORDER.fact(e.POLICY_UPDATE)
    facts = [event.facet_provenance for event in watch.events() if event.type == "policy_update"]
    assert facts == [{"input": [], "output": [{"facet": "mail", "title": "Mail", "pointer": "/mail"}]}]


def _leak() -> None:
    error = ValueError(CANARY)
    with run(Identity("langgraph", session_id=CANARY), {a.FLEX_RUN_GOAL: CANARY}, error=error), step(error=error):
        RECORDER.fact(e.REACTION_MATCHED, {a.FLEX_REACTION_RULE: "r", a.FLEX_REACTION_FILTER_SUMMARY: CANARY})


def test_content_stays_out(watch: Watch) -> None:
    """Goal, session, filter summary and messages of exceptions are in no event, though spans may have them."""
    with recorded(Feed(watch.hub, Capture(spans=True)), capture=Capture(spans=True)):
        _leak()
    lines = [event.to_json() for event in watch.events()]
    assert len(lines) == 6
    assert [line for line in lines if CANARY in line] == []


def test_content_is_shown_when_asked_for(watch: Watch) -> None:
    """With content capture on for events, content fields stand in payloads, and the session in the envelope."""
    with recorded(Feed(watch.hub, EVENTS_ON), capture=EVENTS_ON):
        _leak()
    events = watch.events()
    assert {(event.type, name) for event in events for name, value in event.payload.items() if value == CANARY} == {
        ("start", "goal"),
        ("reaction_matched", "filterSummary"),
        ("node_error", "error"),
        ("complete", "error"),
    }
    assert {event.session_id for event in events} == {CANARY}


@pytest.mark.parametrize(("sampler", "shown"), [(ALWAYS_ON, (f"{1:032x}", f"{1:016x}")), (ALWAYS_OFF, (None, None))])
def test_trace_ids_are_those_of_a_recording_span(
    watch: Watch, sampler: Sampler, shown: tuple[str | None, str | None]
) -> None:
    """A span that is not sampled cannot be looked up, so that it is not named."""
    with recorded(spans(sampler), Feed(watch.hub)), run():
        pass
    assert {(event.trace_id, event.span_id) for event in watch.events()} == {shown}


def test_a_line_for_people_is_a_message(watch: Watch) -> None:
    """The text of a `log` event stands in the envelope and in its payload; other events have no message."""
    with recorded(Feed(watch.hub)):
        RECORDER.fact(e.LOG, {a.FLEX_MESSAGE: "half way"})
        RECORDER.fact(e.POLICY_UPDATE)
    assert [(event.message, event.payload) for event in watch.events()] == [
        ("half way", {"message": "half way"}),
        (None, {}),
    ]


def test_the_status_of_a_run_is_its_own(watch: Watch) -> None:
    """A run that was measured elsewhere has the status that its payload tells."""
    with recorded(Feed(watch.hub)):
        RECORDER.fact(e.COMPLETE, {a.FLEX_RUN_STATUS: "failed"}, status="ok")
        RECORDER.fact(e.COMPLETE, status="completed")
    assert [event.status for event in watch.events()] == ["failed", "completed"]


def test_durations_are_milliseconds_to_the_microsecond(watch: Watch) -> None:
    """Nanoseconds beyond that are noise."""
    with recorded(Feed(watch.hub)):
        RECORDER.fact(e.DECISION, duration_ns=12_345_678)
        RECORDER.completed(k.DECISION, "route", {a.YOLO_AGENT: "x"}, duration_ns=5_000_000)
    assert [event.duration_ms for event in watch.events()] == [12.345, 6.0]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_attribute_of_a_type_has_a_field(event: EventType) -> None:
    """No payload field is lost for lack of a name, and no two share one."""
    fields = [column.field for column in columns(event, content=True)]
    assert len(fields) == len(event.attributes) == len(set(fields))


def test_nothing_is_made_while_nobody_watches() -> None:
    """Without a subscriber the hub gets no event, and the feed says that nobody listens."""
    hub = Hub()
    feed = Feed(hub)
    with recorded(feed), run():
        assert not feed.listening()
    assert hub.published == 0
    with hub.stream():
        assert feed.listening()


def test_an_envelope_has_no_id_of_its_own() -> None:
    """The hub numbers events in the order in which everybody sees them."""
    seen: list[Event] = []

    class Keep(Signal):
        def happened(self, fact: Fact) -> None:
            seen.append(Envelope()(fact))

    with recorded(Keep()):
        RECORDER.fact(e.STATE_LOADED)
    assert [event.id for event in seen] == [""]
