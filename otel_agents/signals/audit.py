"""Facts as events for the audit, which has a hub of its own; must not know what the audit makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from otel_agents.bus.event import Event
from otel_agents.bus.hub import Hub
from otel_agents.operation import Fact, Signal
from otel_agents.semconv.model import EventType

AUDITED: Final = frozenset({"run", "cancel", "reaction"})  # families


class Trail(Signal):
    """The audit signal: `event_of` puts a fact into the envelope, together with what only the audit may see.

    Not a subscriber of the feed: nobody else can then get at what is withheld, the feed may be off, and a slow
    listener is not waited for.
    """

    name = "audit"

    def __init__(self, hub: Hub, event_of: Callable[[Fact], Event]) -> None:
        self._hub = hub
        self._event_of = event_of

    def listening(self) -> bool:
        """Whether the audit is open."""
        return self._hub.active

    def takers(self, event: EventType) -> tuple[Callable[[Fact], None], ...]:
        """Nothing for facts of which the audit has no record."""
        return (self.happened,) if event.family in AUDITED else ()

    def happened(self, fact: Fact) -> None:
        """Hand the fact on."""
        if self._hub.active:
            self._hub.publish(self._event_of(fact))
