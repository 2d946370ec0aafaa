"""The newest events, for those who come late; must not know who they are."""

from __future__ import annotations

from collections import deque

from otel_agents.bus.event import Event


class Ring:
    """The newest `size` events, once `is_kept`."""

    __slots__ = ("_events", "is_kept")

    def __init__(self, size: int) -> None:
        self._events: deque[Event] = deque(maxlen=size)
        self.is_kept = False

    def add(self, event: Event) -> None:
        """Take in an event, in place of the oldest one when full."""
        self._events.append(event)

    def clear(self) -> None:
        """Forget all events."""
        self._events.clear()

    def after(self, event_id: str) -> tuple[list[Event], bool]:
        """Return what came after this event ("": all), oldest first, and True; all and False when it is unknown.

        By position and not by comparing ids: an id may come from before a restart, or from the caller of a run.
        """
        events = list(self._events)
        for index in range(len(events) - 1, -1, -1):
            if events[index].id == event_id:
                return events[index + 1 :], True
        return events, not event_id
