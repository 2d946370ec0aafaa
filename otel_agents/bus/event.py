"""The envelope of one fact and its JSON form; must not know who publishes or who listens."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from otel_agents.bus.attempt import Attempt
from otel_agents.content import clean, type_name

NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class Place(NamedTuple):
    """Where in the tree of operations an event happened: numbers of this process, 0 for no operation around it.

    `tokens` are the model tokens, read and written, that the operation has used so far.
    """

    operation: int
    parent: int
    kind: str
    name: str
    tokens: tuple[int, int] | None = None


# A tuple and no dataclass: a frozen dataclass of this many fields costs three times as much to make.
class Event(NamedTuple):
    """One fact, immutable. Fields stand in the order of the JSON form.

    `id` may be "" until the hub publishes the event: the hub then gives it the next id, so that ids sort in the
    order in which everybody sees the events. `timestamp_ns` is wall clock, `duration_ms` monotonic. `payload` has the
    type's own fields, named as in the JSON form; content only where content capture allows it. `withheld` is what an
    audit sink alone may see (`session_id`, `sender`, already hashed or in clear as that sink was told); it is neither
    in the JSON form nor in the `repr`; nor is `place`, which is for those who draw the tree.
    """

    id: str
    type: str
    timestamp_ns: int
    run_id: str
    correlation_id: str
    runtime: str
    work_order_id: str | None = None
    session_id: str | None = None
    channel: str | None = None
    plan_version: int | None = None
    node_id: str | None = None
    capability_id: str | None = None
    facet_provenance: Mapping[str, object] | None = None
    status: str | None = None
    duration_ms: float | None = None
    trace_id: str | None = None
    span_id: str | None = None
    payload: Mapping[str, object] = NOTHING
    message: str | None = None
    withheld: Mapping[str, object] = NOTHING
    place: Place | None = None

    def __repr__(self) -> str:
        return f"Event(id={self.id!r}, type={self.type!r}, run_id={self.run_id!r})"

    @property
    def timestamp(self) -> str:
        """The time of the event, RFC 3339 in UTC with milliseconds."""
        return rfc3339(self.timestamp_ns)

    def stamped(self, event_id: str) -> Event:
        """Return the same event under another id."""
        return tuple.__new__(Event, (event_id, *self[1:]))

    def as_dict(self) -> dict[str, object]:
        """Return the contract's fields in the contract's order; optional ones that are unknown are left out."""
        facets = self.facet_provenance
        fields: dict[str, object | None] = {
            "id": self.id,
            "type": self.type,
            "timestamp": self.timestamp,
            "runId": self.run_id,
            "correlationId": self.correlation_id,
            "runtime": self.runtime,
            "workOrderId": self.work_order_id,
            "sessionId": self.session_id,
            "channel": self.channel,
            "planVersion": self.plan_version,
            "nodeId": self.node_id,
            "capabilityId": self.capability_id,
            "facetProvenance": None if facets is None else _copied(facets),
            "status": self.status,
            "durationMs": self.duration_ms,
            "traceId": self.trace_id,
            "spanId": self.span_id,
            "payload": _copied(self.payload),
            "message": self.message,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def to_json(self) -> str:
        """Return the JSON form on one line of ASCII; never raises, whatever the payload holds."""
        return to_json(self.as_dict())


def rfc3339(time_ns: int) -> str:
    """Return nanoseconds since 1970 as RFC 3339 in UTC with milliseconds: `2026-01-02T03:04:05.678Z`."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1_000_000:03d}Z"


def to_json(fields: Mapping[str, object]) -> str:
    """Return one line of ASCII JSON, valid whatever the values are: what JSON cannot hold is cut to what it can."""
    with Attempt():  # fails on odd keys, NaN, a cycle, numbers without end, too deep a nest, hostile methods
        return _dumps(fields)
    return _dumps({name: clean(value) for name, value in fields.items()})


def _dumps(value: object) -> str:
    # ASCII, so that half a surrogate in the host's text cannot break the encoding of a frame.
    return json.dumps(value, default=clean, allow_nan=False, separators=(",", ":"))


def _copied(fields: Mapping[str, object]) -> dict[str, object]:
    with Attempt():
        return dict(fields)
    return {"unreadable": type_name(fields)}


class _Ids:
    """Ids that sort as strings in the order they were made, across forked and other processes by their start."""

    __slots__ = ("_numbers", "_prefix")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew in a forked child, which would repeat its parent's ids."""
        self._prefix = f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(4)}-"
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """Return the next id: 19 digits for the process, 12 for the number, all hexadecimal."""
        return f"{self._prefix}{next(self._numbers):012x}"


_ids = _Ids()
next_id: Final = _ids.next

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_ids.renew)
