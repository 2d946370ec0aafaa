"""LogQL over the event log as Loki keeps it; must not know panels.

Loki makes structured metadata of the attributes of a record, with `_` for `.`, and drops its event name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from otel_agents.semconv.agents import FLEX_EVENT_TYPE
from otel_agents.semconv.export import known
from otel_agents.semconv.model import EventType

SERVICE: Final = "service_name"  # Loki's label of OpenTelemetry's service.name


def loki_name(name: str) -> str:
    """Return the name under which Loki keeps an attribute of ours.

    Raises:
        KeyError: It stands in no table.
    """
    return known(name).name.replace(".", "_")


@dataclass(frozen=True, slots=True)
class Logs:
    """A query for lines: which events, and which values of their attributes; ``of`` chooses the services."""

    events: tuple[EventType, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    of: str = '=~"$service"'

    def __str__(self) -> str:
        types = "|".join(each.name for each in self.events)
        asked = [f'{loki_name(FLEX_EVENT_TYPE)}=~"{types or ".+"}"']
        asked += [f'{loki_name(name)}=~"{value}"' for name, value in self.where.items()]
        return " | ".join((f"{{{SERVICE}{self.of}}}", *asked))
