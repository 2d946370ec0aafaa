"""The row types of the vocabulary; must not know any single name of it.

A name is a plain ``str`` constant, so that it can be used as a dictionary key where an attribute is set;
what is known about it stands in the row that registered it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

ValueType = Literal["string", "int", "double", "boolean", "string[]", "json"]
Instrument = Literal["counter", "histogram", "gauge", "observable_counter", "observable_gauge", "observable_updown"]
Severity = Literal["INFO", "WARN", "ERROR"]
Family = Literal[
    "run",
    "planner",
    "node",
    "policy",
    "hitl",
    "validation",
    "progress",
    "cancel",
    "reaction",
    "agents",
    "other",
]

Row = TypeVar("Row")


def snake_case(name: str) -> str:
    """Return the snake_case keyword of a camelCase payload field: ``fromAgent`` -> ``from_agent``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m[1].lower(), name)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its OpenTelemetry name and everything that is decided about it.

    ``field`` is its name in an event payload or envelope, ``label`` its name on a metric ("" = it may never be one),
    ``values`` the closed set of its values ((), when open), ``content`` whether it is recorded only on request.
    """

    name: str
    type: ValueType
    brief: str
    field: str = ""
    label: str = ""
    values: tuple[str, ...] = ()
    content: bool = False

    @property
    def keyword(self) -> str:
        """The payload field in snake_case, the keyword that the manual API takes."""
        return snake_case(self.field)


@dataclass(frozen=True, slots=True)
class Metric:
    """One instrument. ``labels`` are attribute names; ``boundaries`` are in the instrument's unit.

    ``sets`` is its own bound on label sets, where it differs from the setting.
    """

    name: str
    instrument: Instrument
    unit: str
    brief: str
    labels: tuple[str, ...] = ()
    boundaries: tuple[float, ...] = ()
    sets: int | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """What a fact adds to a metric: 1, the value of an attribute, or its duration.

    ``value`` names the attribute that holds the amount ("" adds 1), ``scale`` turns it into the metric's unit.
    With ``duration`` the fact's duration in seconds is the amount. A fact without the amount is not measured.
    ``sources`` names, by label, another attribute to take the label's value from.
    """

    metric: Metric
    value: str = ""
    scale: float = 1.0
    duration: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventType:
    """One event type.

    ``attributes`` are its payload in order; ``fields`` renames a payload field where the type has its own word for
    the attribute; ``log_name`` is the older structured log name; ``counts`` is what one such event adds to metrics.
    """

    name: str
    family: Family
    brief: str
    attributes: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    log_name: str = ""
    severity: Severity = "INFO"
    counts: tuple[Count, ...] = ()

    @property
    def event_name(self) -> str:
        """The OpenTelemetry ``event_name``: ``yolo.`` for the agents family, else ``flex.``."""
        return f"{'yolo' if self.family == 'agents' else 'flex'}.{self.name}"


class Ended(Protocol):
    """What a rule of a kind may look at when an operation ends."""

    @property
    def attributes(self) -> Mapping[str, object]: ...
    @property
    def outcome(self) -> str: ...
    @property
    def runtime(self) -> str: ...


@dataclass(frozen=True, slots=True)
class End:
    """The event at an operation's end, and the condition under which it happens; None: at every end."""

    event: EventType
    when: Callable[[Ended], bool] | None = None


@dataclass(frozen=True, slots=True)
class GenAi:
    """How an operation shows itself to backends that know OpenTelemetry's GenAI conventions.

    ``operation`` is the value of ``gen_ai.operation.name``; ``subject`` the attribute that receives the subject.
    """

    operation: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of operation.

    ``subject`` is the attribute that completes the span name ("" when the name is fixed). ``gen_ai`` maps the node
    kind ("" for kinds that have none) to the GenAI operation. ``duration`` is measured at every end, whatever the
    outcome. ``inherits`` are attributes taken from the nearest operation around that has them. ``at_start`` and
    ``at_end`` are the kind's own attributes, by when they are known at the latest.
    """

    name: str
    span: str
    brief: str
    subject: str = ""
    at_start: tuple[str, ...] = ()
    at_end: tuple[str, ...] = ()
    starts: EventType | None = None
    ends: tuple[End, ...] = ()
    duration: Metric | None = None
    inherits: tuple[str, ...] = ()
    gen_ai: Mapping[str, GenAi] = field(default_factory=dict)

    def span_name(self, subject: object) -> str:
        """Return the low-cardinality span name, ``flex.node`` or ``flex.node {subject}``."""
        return f"{self.span} {subject}" if subject and self.subject else self.span


class Table(Generic[Row]):
    """Rows by name, in the order they were added; refuses a second row of the same name."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def add(self, name: str, row: Row) -> Row:
        """Add a row; raises ValueError when the name is taken."""
        if name in self._rows:
            raise ValueError(f"{name!r} stands in the table twice")
        self._rows[name] = row
        return row

    def __getitem__(self, name: str) -> Row:
        return self._rows[name]

    def get(self, name: str) -> Row | None:
        """Return the row, or None."""
        return self._rows.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)
