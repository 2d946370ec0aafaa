"""Which events a subscriber gets; must not know how they reach it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from otel_agents.bus.event import Event
from otel_agents.semconv.events import EVENTS


@dataclass(frozen=True, slots=True)
class Filter:
    """What an event has to be; None asks nothing. All conditions must hold."""

    types: frozenset[str] | None = None
    run_id: str | None = None
    correlation_id: str | None = None
    work_order_id: str | None = None

    def matches(self, event: Event) -> bool:
        """Say whether the event fulfils every condition."""
        return (
            (self.types is None or event.type in self.types)
            and (self.run_id is None or event.run_id == self.run_id)
            and (self.correlation_id is None or event.correlation_id == self.correlation_id)
            and (self.work_order_id is None or event.work_order_id == self.work_order_id)
        )


EVERYTHING: Final = Filter()


def select(types: Iterable[str] | None, within: frozenset[str] | None = None) -> frozenset[str] | None:
    """Return the types to deliver, None for all; only those `within` a subset, when one is given.

    Raises:
        TypeError: `types` is one string.
        ValueError: A type is not in the vocabulary.
    """
    if types is None:
        return within
    if isinstance(types, str):
        raise TypeError(f"types is {types!r}, one string; give a collection of event types, such as [{types!r}]")
    wanted = frozenset(types)
    unknown = sorted(name for name in wanted if name not in EVENTS)
    if unknown:
        raise ValueError(f"types has {unknown}, no event type; known are {', '.join(row.name for row in EVENTS)}")
    return wanted if within is None else wanted & within
