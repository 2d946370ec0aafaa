"""Makes events for tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otel_agents.bus.event import Event

NOON_NS = 1_767_355_200_000_000_000  # 2026-01-02T12:00:00Z


def event(type_: str = "node_start", **fields: Any) -> Event:
    """Return an event of run `run-1` at noon, without an id unless one is given."""
    known = {"id": "", "timestamp_ns": NOON_NS, "run_id": "run-1", "correlation_id": "corr-1", "runtime": "flex"}
    return Event(type=type_, **{**known, **fields})


def numbered(number: int, type_: str = "node_start") -> Event:
    """Return an event that can be told from others by its number."""
    return event(type_, payload={"number": number})


def numbers(events: Iterable[Event]) -> list[object]:
    """Return the numbers of events made by `numbered`."""
    return [one.payload["number"] for one in events]
