from __future__ import annotations

import json
import re
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, generate_latest

from otel_agents.semconv import export
from otel_agents.semconv import metrics as m
from otel_agents.semconv.agents import OURS
from otel_agents.semconv.events import COMPLETE, EVENTS, NODE_COMPLETE
from otel_agents.semconv.gen_ai import UPSTREAM
from otel_agents.semconv.kinds import KINDS
from otel_agents.semconv.metrics import METRICS
from otel_agents.semconv.model import Metric


def _measure(meter: Meter, row: Metric) -> None:
    """Measure 1 once, with the instrument that the row asks for."""
    how: dict[str, Any] = {"name": row.name, "unit": row.unit, "description": row.brief}
    if row.instrument.startswith("observable_"):
        kind = row.instrument.replace("updown", "up_down_counter")
        getattr(meter, f"create_{kind}")(callbacks=[lambda _: [Observation(1)]], **how)
    elif row.instrument == "histogram":
        meter.create_histogram(**how).record(1)
    elif row.instrument == "counter":
        meter.create_counter(**how).add(1)
    else:
        meter.create_gauge(**how).set(1)


def test_prometheus_names_are_those_of_the_real_exporter() -> None:
    """The series that we name are exactly those that OpenTelemetry's exporter shows for the same instruments."""
    provider = MeterProvider([PrometheusMetricReader(scope_info_enabled=False)], shutdown_on_exit=False)
    meter = provider.get_meter("test")
    for row in METRICS:
        _measure(meter, row)

    page = generate_latest(REGISTRY).decode()
    provider.shutdown()

    shown = set(re.findall(r"^((?:flex|yolo|otel_agents)_\w+)", page, re.MULTILINE))
    assert shown == {name for row in METRICS for name in export.prometheus_series(row)}


@pytest.mark.parametrize(
    ("row", "series"),
    [
        (m.PLANNER_REQUESTS, ("flex_planner_requests_total",)),
        (m.NODE_DURATION, tuple(f"flex_node_duration_seconds_{end}" for end in ("bucket", "sum", "count"))),
        (m.HANDOFFS, ("yolo_handoffs_total",)),
        (m.CONTEXT_TOKENS, ("yolo_context_tokens",)),
        (m.AGENT_ACTIVE_TIME, ("yolo_agent_active_time_seconds_total",)),
        (m.CPU_USAGE, ("yolo_cpu_usage_percent",)),
    ],
)
def test_series_that_dashboards_query(row: Metric, series: tuple[str, ...]) -> None:
    """Names that stand in dashboards and rules come out letter by letter."""
    assert export.prometheus_series(row) == series


def test_json_holds_every_row_of_every_table() -> None:
    """Nothing is left out of the JSON form, and each metric label is shown with its attribute."""
    data = json.loads(export.to_json())

    assert [row["name"] for row in data["metrics"]] == [row.name for row in METRICS]
    assert [row["name"] for row in data["events"]] == [row.name for row in EVENTS]
    assert [row["name"] for row in data["kinds"]] == [row.name for row in KINDS]
    assert {row["name"] for row in data["attributes"] if row["ours"]} == {row.name for row in OURS}
    assert next(row for row in data["metrics"] if row["name"] == "flex.node.duration") == {
        "name": "flex.node.duration",
        "prometheus": [
            "flex_node_duration_seconds_bucket",
            "flex_node_duration_seconds_sum",
            "flex_node_duration_seconds_count",
        ],
        "instrument": "histogram",
        "unit": "s",
        "brief": m.NODE_DURATION.brief,
        "labels": {
            "capability": "flex.capability.id",
            "kind": "flex.node.kind",
            "outcome": "flex.outcome",
            "runtime": "flex.runtime",
        },
        "boundaries": [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0],
    }


def test_a_payload_names_fields_as_events_carry_them() -> None:
    """A type's own word for an attribute wins over the attribute's usual field."""
    assert [*export.payload(NODE_COMPLETE)] == ["kind", "attempts"]
    assert [*export.payload(COMPLETE)] == ["status", "reason", "errorType", "error", "iterations", "metrics"]


def test_markdown_marks_content_and_has_every_name() -> None:
    """Each name has one line, in the order of the tables; content fields are in italics."""
    page = export.to_markdown()
    first_cells = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)

    assert first_cells == [row.name for table in (KINDS, METRICS, EVENTS, OURS, UPSTREAM) for row in table]
    assert (
        "| `complete` | `flex.complete` | `flex_run_complete` | INFO | `status`, `reason`, `errorType`, *error*,"
        in page
    )
    assert "| 10 60 300 900 3600 14400 86400 259200 604800 |" in page


def test_an_unknown_attribute_is_refused() -> None:
    """A table that names an attribute which nobody defined fails at once."""
    with pytest.raises(KeyError, match=r"flex\.nothing"):
        export.known("flex.nothing")
