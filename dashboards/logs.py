"""LogQL over the event log as Loki keeps it; must not know panels.

Loki makes structured metadata of the attributes of a record, with `_` for `.`, and drops its event name. A line is the
body, which is a name and nothing else, so a query writes the fields of its events behind it, under the names by which
they are asked for. Values are compared and no expressions are matched: of `start|complete|cancel_requested`, Loki makes
a search that finds `node_complete`, too (https://github.com/grafana/loki/issues/23892).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from otel_agents.semconv.agents import FLEX_CAPABILITY_ID, FLEX_DURATION_MS, FLEX_EVENT_TYPE, FLEX_RUN_ID, FLEX_RUNTIME
from otel_agents.semconv.export import known
from otel_agents.semconv.model import EventType

SERVICE: Final = "service_name"  # Loki's label of OpenTelemetry's service.name
FIRST: Final = (FLEX_RUNTIME, FLEX_RUN_ID, FLEX_CAPABILITY_ID)


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

    @property
    def shown(self) -> tuple[str, ...]:
        """The attributes on a line: who and where, then what its events are about; no content, and no JSON."""
        own = (name for event in self.events for name in event.attributes)
        named = dict.fromkeys((*FIRST, *own, FLEX_DURATION_MS))
        return tuple(name for name in named if not known(name).content and known(name).type != "json")

    def __str__(self) -> str:
        kind = loki_name(FLEX_EVENT_TYPE)
        asked = [" or ".join(f'{kind}="{each.name}"' for each in self.events) or f'{kind}!=""']
        asked += [f'{loki_name(name)}="{value}"' for name, value in self.where.items()]
        fields = "".join(f"{{{{with .{name}}}}} {name}={{{{.}}}}{{{{end}}}}" for name in map(loki_name, self.shown))
        return " | ".join((f"{{{SERVICE}{self.of}}}", *asked, f"line_format `{{{{__line__}}}}{fields}`"))
