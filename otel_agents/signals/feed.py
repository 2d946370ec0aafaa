"""Facts as events on the bus, for whoever watches from inside the process; must not know OpenTelemetry."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from otel_agents.bus.event import NOTHING, Event, Place
from otel_agents.bus.hub import Hub
from otel_agents.content import Capture, redact_text
from otel_agents.operation import Fact, Operation, Signal, Trace
from otel_agents.semconv import agents as a
from otel_agents.semconv.agents import attribute
from otel_agents.semconv.events import COMPLETE, EVENTS
from otel_agents.semconv.model import EventType

SAMPLED: Final = 1


class Column(NamedTuple):
    """A field of a payload: the attribute it is taken from, its name, and whether the attribute holds JSON text."""

    name: str
    field: str
    is_json: bool


def columns(event: EventType, *, content: bool) -> tuple[Column, ...]:
    """Return the payload of an event type, in order; content only when asked for."""
    known = ((event.fields.get(name), attribute(name)) for name in event.attributes)
    return tuple(
        Column(row.name, field or row.field, row.type == "json")
        for field, row in known
        if row is not None and (field or row.field) and (content or not row.content)
    )


class Envelope:
    """Puts facts into the event envelope; content only where it is captured for events.

    ``conceal`` makes of session ids and senders what an audit may say of them; without it they are not said at all.
    """

    def __init__(self, capture: Capture | None = None, conceal: Callable[[object], object] | None = None) -> None:
        self._content = capture is not None and capture.events
        self._conceal = conceal
        self._columns = {event.name: columns(event, content=self._content) for event in EVENTS}

    def __call__(self, fact: Fact) -> Event:
        """Return the event of a fact, without an id: the hub gives it one."""
        run, operation, own = fact.run, fact.operation, fact.attributes
        trace_id, span_id = recording(operation.trace if operation is not None else None)
        return Event(
            id="",
            type=fact.type.name,
            timestamp_ns=fact.time_ns,
            run_id=run.id,
            correlation_id=run.correlation_id,
            runtime=run.runtime,
            work_order_id=run.work_order_id,
            session_id=redact_text(run.session_id) if self._content and run.session_id else None,
            channel=run.channel,
            plan_version=run.plan_version,
            node_id=text(fact.of_node(a.FLEX_NODE_ID)),
            capability_id=text(fact.of_node(a.FLEX_CAPABILITY_ID)),
            facet_provenance=facets(fact.of_node(a.FLEX_FACET_PROVENANCE)),
            status=text(own.get(a.FLEX_RUN_STATUS, fact.status)) if fact.type is COMPLETE else fact.status,
            duration_ms=fact.duration_ms,
            trace_id=trace_id,
            span_id=span_id,
            payload=self._payload(fact),
            message=text(own.get(a.FLEX_MESSAGE)),
            withheld=NOTHING if self._conceal is None else withheld(fact, self._conceal),
            place=place(operation) if operation is not None else None,
        )

    def _payload(self, fact: Fact) -> Mapping[str, object]:
        own, payload = fact.attributes, {}
        for name, field, is_json in self._columns[fact.type.name]:
            value = own.get(name)
            if value is not None:
                payload[field] = parsed(value) if is_json else value
        return payload or NOTHING


class Feed(Signal):
    """The feed signal. It costs nothing while nobody is subscribed to the hub."""

    name = "feed"

    def __init__(self, hub: Hub, capture: Capture | None = None) -> None:
        self._hub = hub
        self._envelope = Envelope(capture)

    def listening(self) -> bool:
        """Whether anybody would see an event."""
        return self._hub.active

    def happened(self, fact: Fact) -> None:
        """Publish the fact."""
        if self._hub.active:
            self._hub.publish(self._envelope(fact))


def withheld(fact: Fact, conceal: Callable[[object], object]) -> Mapping[str, object]:
    """Return what only the audit may see, concealed; it goes before what everybody sees."""
    given = fact.given or NOTHING
    return {"session_id": conceal(fact.run.session_id), "sender": conceal(given.get(a.FLEX_REACTION_SENDER))}


def place(operation: Operation) -> Place:
    """Return where in the tree an operation stands."""
    around = operation.parent
    return Place(
        operation.number,
        around.number if around is not None else 0,
        operation.kind.name,
        operation.subject,
        operation.tokens,
    )


def recording(trace: Trace | None) -> tuple[str | None, str | None]:
    """Return trace id and span id as hex, or None for both when no span is recording."""
    traceparent = trace.traceparent if trace is not None else ""
    if not traceparent:
        return None, None
    _, trace_id, span_id, flags = traceparent.split("-")
    return (trace_id, span_id) if int(flags, 16) & SAMPLED else (None, None)


def text(value: object) -> str | None:
    """Return an attribute's value as text."""
    return value if isinstance(value, str) or value is None else str(value)


def facets(value: object) -> Mapping[str, object] | None:
    """Return the two sides of facet provenance from its JSON text."""
    known = parsed(value) if isinstance(value, str) else None
    return known if isinstance(known, dict) else None


def parsed(value: object) -> object:
    """Return what JSON text says; text that is no JSON stands for itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
