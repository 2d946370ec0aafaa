"""The vocabulary as data, JSON and a Markdown page; must not know who reads them.

The page `docs/reference/semconv.md` is `to_markdown()`, so that it cannot differ from the tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from otel_agents.semconv import gen_ai
from otel_agents.semconv.agents import OURS, attribute
from otel_agents.semconv.events import EVENTS
from otel_agents.semconv.gen_ai import UPSTREAM
from otel_agents.semconv.kinds import KINDS
from otel_agents.semconv.metrics import METRICS
from otel_agents.semconv.model import Attribute, EventType, Kind, Metric

T = TypeVar("T")

UNITS: Final[Mapping[str, str]] = MappingProxyType({"s": "seconds", "By": "bytes", "%": "percent"})
HISTOGRAM_SERIES: Final = ("bucket", "sum", "count")


def prometheus_name(metric: Metric) -> str:
    """Return the name of the metric's family in Prometheus, the same in process and through the Collector."""
    name = re.sub(r"[^a-zA-Z0-9:]+", "_", metric.name).removesuffix("_total")
    unit = UNITS.get(metric.unit, "")
    if unit and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    return f"{name}_total" if metric.instrument.endswith("counter") else name


def prometheus_series(metric: Metric) -> tuple[str, ...]:
    """Return the names of all series that Prometheus stores for the metric."""
    name = prometheus_name(metric)
    return tuple(f"{name}_{end}" for end in HISTOGRAM_SERIES) if metric.instrument == "histogram" else (name,)


def known(name: str) -> Attribute:
    """Return the row of an attribute that a table names.

    Raises:
        KeyError: It stands in no table.
    """
    row = attribute(name)
    if row is None:
        raise KeyError(name)
    return row


def payload(event: EventType) -> dict[str, Attribute]:
    """Return the payload of an event type in order: the field and the attribute behind it."""
    rows = ((name, known(name)) for name in event.attributes)
    named = ((event.fields.get(name, row.field), row) for name, row in rows)
    return {field: row for field, row in named if field}


# As data


def to_dict() -> dict[str, object]:
    """Return the whole vocabulary as plain data: attributes, metrics, events and kinds, in the order of the tables."""
    return {
        "upstream": gen_ai.VERSION,
        "attributes": [_attribute(row) for row in (*OURS, *UPSTREAM)],
        "metrics": [_metric(row) for row in METRICS],
        "events": [_event(row) for row in EVENTS],
        "kinds": [_kind(row) for row in KINDS],
    }


def to_json() -> str:
    """Return the whole vocabulary as indented JSON with a line break at its end."""
    return json.dumps(to_dict(), indent=2) + "\n"


def _attribute(row: Attribute) -> dict[str, object]:
    return {
        "name": row.name,
        "type": row.type,
        "brief": row.brief,
        "field": row.field or None,
        "label": row.label or None,
        "values": list(row.values),
        "content": row.content,
        "ours": row.name in OURS,
    }


def _metric(row: Metric) -> dict[str, object]:
    return {
        "name": row.name,
        "prometheus": list(prometheus_series(row)),
        "instrument": row.instrument,
        "unit": row.unit,
        "brief": row.brief,
        "labels": {known(name).label: name for name in row.labels},
        "boundaries": list(row.boundaries),
    }


def _event(row: EventType) -> dict[str, object]:
    return {
        "name": row.name,
        "eventName": row.event_name,
        "family": row.family,
        "logName": row.log_name,
        "severity": row.severity,
        "brief": row.brief,
        "payload": [
            {"field": field, "attribute": each.name, "type": each.type, "content": each.content}
            for field, each in payload(row).items()
        ],
        "metrics": [count.metric.name for count in row.counts],
    }


def _kind(row: Kind) -> dict[str, object]:
    return {
        "name": row.name,
        "span": _span(row),
        "brief": row.brief,
        "subject": row.subject or None,
        "atStart": list(row.at_start),
        "atEnd": list(row.at_end),
        "starts": row.starts.name if row.starts else None,
        "ends": [end.event.name for end in row.ends],
        "duration": row.duration.name if row.duration else None,
        "genAi": {kind: each.operation for kind, each in row.gen_ai.items()},
    }


def _span(row: Kind) -> str:
    return row.span_name(f"{{{row.subject}}}")


# As a page


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column of a Markdown table: its title, and how a cell is made from a row."""

    title: str
    cell: Callable[[T], str]


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(_code(text) for text in texts)


def _field(name: str, row: Attribute) -> str:
    return f"*{name}*" if row.content else _code(name)


def _gen_ai(row: Kind) -> str:
    named = ((f"{kind}: " if kind else "", each.operation) for kind, each in row.gen_ai.items())
    return ", ".join(f"{kind}`{operation}`" for kind, operation in named)


def _bounds(row: Metric) -> str:
    return " ".join(f"{bound:.10g}" for bound in row.boundaries)


def _family(row: Metric) -> str:
    ends = f"_{{{','.join(HISTOGRAM_SERIES)}}}" if row.instrument == "histogram" else ""
    return _code(prometheus_name(row) + ends)


OUR_ATTRIBUTES: Final[tuple[Column[Attribute], ...]] = (
    Column("attribute", lambda row: _code(row.name)),
    Column("type", lambda row: row.type),
    Column("field", lambda row: _field(row.field, row) if row.field else ""),
    Column("label", lambda row: _code(row.label)),
    Column("values", lambda row: _codes(row.values)),
    Column("meaning", lambda row: row.brief),
)
THEIR_ATTRIBUTES: Final[tuple[Column[Attribute], ...]] = (
    Column("attribute", lambda row: _code(row.name)),
    Column("type", lambda row: row.type),
    Column("values", lambda row: _codes(row.values)),
    Column("meaning", lambda row: row.brief),
)
METRIC_COLUMNS: Final[tuple[Column[Metric], ...]] = (
    Column("metric", lambda row: _code(row.name)),
    Column("Prometheus", _family),
    Column("instrument", lambda row: row.instrument.replace("_", " ")),
    Column("unit", lambda row: _code(row.unit)),
    Column("labels", lambda row: _codes(known(name).label for name in row.labels)),
    Column("boundaries", _bounds),
    Column("meaning", lambda row: row.brief),
)
EVENT_COLUMNS: Final[tuple[Column[EventType], ...]] = (
    Column("type", lambda row: _code(row.name)),
    Column("event name", lambda row: _code(row.event_name)),
    Column("log name", lambda row: _code(row.log_name)),
    Column("severity", lambda row: row.severity),
    Column("payload", lambda row: ", ".join(_field(name, each) for name, each in payload(row).items())),
    Column("counts", lambda row: _codes(count.metric.name for count in row.counts)),
    Column("meaning", lambda row: row.brief),
)
KIND_COLUMNS: Final[tuple[Column[Kind], ...]] = (
    Column("kind", lambda row: _code(row.name)),
    Column("span", lambda row: _code(_span(row))),
    Column("at start", lambda row: _codes(row.at_start)),
    Column("at end", lambda row: _codes(row.at_end)),
    Column("start event", lambda row: _code(row.starts.name if row.starts else "")),
    Column("end events", lambda row: _codes(end.event.name for end in row.ends)),
    Column("duration", lambda row: _code(row.duration.name if row.duration else "")),
    Column("GenAI", _gen_ai),
    Column("meaning", lambda row: row.brief),
)

INTRODUCTION: Final = """\
# Vocabulary

<!-- Generated by `otel-agents semconv --format markdown`; change the tables in otel_agents/semconv instead. -->

Every name that a span, a metric, an event or a log line of otel-agents can carry.
Fields in *italics* are content: they are recorded only when content capture is on.
A metric label never carries content, and no attribute without a label name can become one.
"""


def to_markdown() -> str:
    """Return the reference page of the vocabulary, with a line break at its end."""
    upstream = f"Attributes of OpenTelemetry, {gen_ai.VERSION}"
    return "\n".join(
        (
            INTRODUCTION,
            _section("Kinds of operation", KINDS, KIND_COLUMNS),
            _section("Metrics", METRICS, METRIC_COLUMNS),
            _section("Events", EVENTS, EVENT_COLUMNS),
            _section("Attributes of our own", OURS, OUR_ATTRIBUTES),
            _section(upstream, UPSTREAM, THEIR_ATTRIBUTES),
        )
    )


def _section(title: str, rows: Iterable[T], columns: tuple[Column[T], ...]) -> str:
    head = [_line(column.title for column in columns), _line("---" for _ in columns)]
    body = [_line(column.cell(row) for column in columns) for row in rows]
    return "\n".join((f"## {title}", "", *head, *body, ""))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
