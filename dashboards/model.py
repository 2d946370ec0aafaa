"""The row types of boards and rules; must not know any single row, nor how Grafana or Prometheus write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from dashboards.logs import Logs
from dashboards.queries import Query
from otel_agents.semconv.model import Metric

Kind = Literal["series", "stat", "table", "graph", "logs"]
Severity = Literal["critical", "warning", "none"]


@dataclass(frozen=True, slots=True)
class Line:
    """One query of a panel. ``name`` is its legend, or the title of its column; by default the labels are."""

    query: Query | Logs
    name: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``empty`` is shown where there is nothing to show; ``limits`` are values where its colour changes.

    The unit is that of the first query. ``board`` is the board to look at next.
    """

    kind: Kind
    title: str
    description: str
    lines: tuple[Line, ...]
    empty: str
    width: int
    limits: tuple[tuple[float, str], ...] = ()
    board: str = ""
    stacked: bool = False
    lowest: float | None = 0.0
    highest: float | None = None

    @property
    def unit(self) -> str:
        """The unit of its values in OpenTelemetry's words, "" for logs."""
        query = self.lines[0].query
        return query.unit if isinstance(query, Query) else ""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that answer one question."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard. ``source`` is the metric whose labels fill the variables job and instance.

    ``collectors`` is the one for those that choose Collectors, which are jobs of their own.
    """

    name: str
    title: str
    description: str
    source: Metric
    rows: tuple[Row, ...]
    collectors: Metric | None = None

    @property
    def uid(self) -> str:
        """Its address in Grafana."""
        return f"otel-agents-{self.name}"

    def panels(self) -> Iterator[Panel]:
        """Yield its panels in order."""
        for row in self.rows:
            yield from row.panels


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule: the series that it writes as a row of a metric, and what is put into it."""

    metric: Metric
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. ``wait`` is how long it must hold, ``board`` where to look; ``labels`` tell rules of one name apart."""

    name: str
    severity: Severity
    expr: str
    summary: str
    description: str
    board: str
    wait: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, in order; ``file`` is where they stand."""

    file: str
    name: str
    rules: tuple[Recording | Alert, ...]
    interval: str = ""
