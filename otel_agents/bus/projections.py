"""The three older vocabularies as views of one event: progress, audit, log names; must not know who reads them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from otel_agents.bus.event import Event
from otel_agents.semconv import events as e
from otel_agents.semconv.agents import attribute
from otel_agents.semconv.model import EventType

Record = dict[str, object]

GOAL_LENGTH: Final = 100
MAX_CANCELS: Final = 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """How one run status is called: progress name, WebSocket name and result, audit state, own payload fields."""

    status: str
    name: str
    frame: str
    result: str
    state: str
    fields: tuple[str, ...] = ()


ENDINGS: Final = (
    Ending("completed", "run_completed", "run:completed", "succeeded", e.END_STATES["completed"]),
    Ending("cancelled", "run_canceled", "run:completed", "canceled", e.END_STATES["cancelled"], ("reason",)),
    Ending("failed", "run_failed", "run:completed", "failed", e.END_STATES["failed"], ("errorType",)),
    Ending("awaiting_hitl", "run_paused", "run:paused", "", e.END_STATES["awaiting_hitl"]),
)
_BY_STATUS: Final = {row.status: row for row in ENDINGS}


def ending(event: Event) -> Ending:
    """Return the row of a `complete` event; a status that is none counts as failed, never as a success."""
    status = event.status or event.payload.get("status")
    row = _BY_STATUS.get(status) if isinstance(status, str) else None
    return row or _BY_STATUS["failed"]


def log_name(event_type: str) -> str:
    """Return the older structured log name of an event type."""
    row = e.EVENTS.get(event_type)
    return row.log_name if row is not None else f"flex_{event_type}"


# --- Progress: run start and endings, and the progress family as it is ---


@dataclass(frozen=True, slots=True)
class Step:
    """One event type in the progress vocabulary; `fields` are copied from the payload when they are there."""

    name: str
    fields: tuple[str, ...]

    @property
    def frame(self) -> str:
        """The name over WebSocket."""
        return self.name.replace("_", ":", 1)


def _payload_fields(row: EventType) -> tuple[str, ...]:
    rows = ((name, attribute(name)) for name in row.attributes)
    return tuple(row.fields.get(name) or known.field for name, known in rows if known is not None)


STEPS: Final[Mapping[str, Step]] = {
    row.name: Step(row.name, _payload_fields(row)) for row in e.EVENTS if row.family == "progress"
}
# A resumed run begins a new segment, which has its own ending: it starts once more, and says that it goes on.
STARTED: Final = Step("run_started", ("resumed",))
SUMS: Final = ("iterations", "metrics")


def progress(event: Event) -> Record | None:
    """Return the event as the in-process progress listeners know it; None when it is none of progress."""
    return _progress(event, lambda step: step.name, _ended)


def progress_frame(event: Event) -> Record | None:
    """Return the event as the flat WebSocket frame with a colon in its type; None when it is none of progress."""
    return _progress(event, lambda step: step.frame, _ended_frame)


def progress_message(event: Event) -> str | None:
    """Return the log message of this family, `Progress: <type>`; None when it is none of progress."""
    record = progress(event)
    return None if record is None else f"Progress: {record['type']}"


def _progress(event: Event, name: Callable[[Step], str], ended: Callable[[Event], Record]) -> Record | None:
    if event.type == e.COMPLETE.name:
        return ended(event)
    if event.type == e.START.name:
        return {**_flat(event, name(STARTED)), "taskSpec": _task_spec(event), **_picked(event, STARTED.fields)}
    step = STEPS.get(event.type)
    return None if step is None else {**_flat(event, name(step)), **_picked(event, step.fields), **_duration(event)}


def _ended(event: Event) -> Record:
    row = ending(event)
    return {**_flat(event, row.name), **_picked(event, (*row.fields, *SUMS)), **_duration(event)}


def _ended_frame(event: Event) -> Record:
    row = ending(event)
    result = {"result": row.result} if row.result else {}
    return {**_flat(event, row.frame), **result, **_picked(event, SUMS), **_duration(event)}


def _flat(event: Event, name: str) -> Record:
    return {
        "type": name,
        "timestamp": event.timestamp,
        "workOrderId": event.work_order_id,
        "runId": event.run_id,
        "correlationId": event.correlation_id,
    }


def _picked(event: Event, fields: tuple[str, ...]) -> Record:
    return {name: event.payload[name] for name in fields if name in event.payload}


def _duration(event: Event) -> Record:
    return {} if event.duration_ms is None else {"durationMs": event.duration_ms}


def _task_spec(event: Event) -> Record:
    spec = _picked(event, ("goal", "strategy", "maxIterations"))
    if isinstance(spec.get("goal"), str):
        spec["goal"] = str(spec["goal"])[:GOAL_LENGTH]
    return spec


# --- Audit ---


class AuditProjection:
    """Turns events into audit records. Not for several threads at once.

    It remembers the runs that were asked to cancel, at most `size` of them: a run too many is recorded as not
    acknowledged, for nobody would be left to say so later.
    """

    def __init__(self, size: int = MAX_CANCELS) -> None:
        self._size = size
        self._asked: OrderedDict[str, Event | None] = OrderedDict()  # None: acknowledged, the run not yet at its end

    def records(self, event: Event) -> tuple[Record, ...]:
        """Return the records that this event adds, in order; most events add none."""
        project = self._BY_TYPE.get(event.type)
        return () if project is None else project(self, event)

    def _started(self, event: Event) -> tuple[Record, ...]:
        return (_state(event, "resumed" if event.payload.get("resumed") is True else "start"),)

    def _cancel_requested(self, event: Event) -> tuple[Record, ...]:
        self._asked.setdefault(event.run_id, event)
        return (_state(event, e.CANCEL_REQUESTED.name), *self._evicted(event))

    def _cancel_acknowledged(self, event: Event) -> tuple[Record, ...]:
        asked = self._asked.get(event.run_id, event)
        self._asked[event.run_id] = None
        if asked is None:
            return self._evicted(event)
        source = event.payload.get("source", asked.payload.get("source"))
        latency_ms = event.payload.get("latencyMs", event.duration_ms)
        return (_cancel(event, source, latency_ms, acknowledged=True), *self._evicted(event))

    def _completed(self, event: Event) -> tuple[Record, ...]:
        row = ending(event)
        # A pause ends a segment and not the run: who asked to cancel may still be heard.
        asked = None if row.state == "paused" else self._asked.pop(event.run_id, None)
        return (*_unheard(asked, event), _state(event, row.state))

    def _matched(self, event: Event) -> tuple[Record, ...]:
        record = {
            **_entry(event, "reaction.match"),
            "rule_name": event.payload.get("rule"),
            "sender": event.withheld.get("sender", event.payload.get("sender")),
            "filter_summary": event.payload.get("filterSummary"),
        }
        return (record,)

    def _skipped(self, event: Event) -> tuple[Record, ...]:
        record = {
            **_entry(event, "reaction.skip"),
            "reason": event.payload.get("reason"),
            "candidate_count": event.payload.get("candidateCount"),
        }
        return (record,)

    def _evicted(self, event: Event) -> tuple[Record, ...]:
        if len(self._asked) <= self._size:
            return ()
        return _unheard(self._asked.popitem(last=False)[1], event)

    _BY_TYPE: ClassVar[Mapping[str, Callable[[AuditProjection, Event], tuple[Record, ...]]]] = {
        e.START.name: _started,
        e.COMPLETE.name: _completed,
        e.CANCEL_REQUESTED.name: _cancel_requested,
        e.CANCEL_ACKNOWLEDGED.name: _cancel_acknowledged,
        e.REACTION_MATCHED.name: _matched,
        e.REACTION_SKIPPED.name: _skipped,
    }


def _entry(event: Event, name: str) -> Record:
    return {
        "type": name,
        "ts": event.timestamp,
        "run_id": event.run_id,
        "session_id": event.withheld.get("session_id", event.session_id),
        "channel": event.channel,
        "runtime": event.runtime,
    }


def _state(event: Event, state: str) -> Record:
    return {**_entry(event, "run.state"), "state": state}


def _cancel(event: Event, source: object, latency_ms: object, *, acknowledged: bool) -> Record:
    # An acknowledgement answers a request, also when that one was made in another process.
    told = {"source": source, "requested": True, "acknowledged": acknowledged, "latency_ms": latency_ms}
    return {**_entry(event, "run.cancel"), **told}


def _unheard(asked: Event | None, now: Event) -> tuple[Record, ...]:
    if asked is None:
        return ()
    return ({**_cancel(asked, asked.payload.get("source"), None, acknowledged=False), "ts": now.timestamp},)
