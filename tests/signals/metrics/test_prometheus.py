"""Prometheus sees exactly the contract's names."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from otel_agents import guard
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k
from otel_agents.semconv.model import EventType
from tests.need import require_command
from tests.signals.metrics.measured import Measured

COUNTERS = [
    "flex_run_status_total",
    "flex_run_transitions_total",
    "flex_planner_requests_total",
    "flex_planner_rejections_total",
    "flex_planner_generated_total",
    "flex_planner_updated_total",
    "flex_node_retries_total",
    "flex_policy_triggers_total",
    "flex_hitl_requests_total",
    "flex_hitl_resolved_total",
    "flex_validation_errors_total",
    "flex_validation_retries_total",
    "flex_gate_checks_total",
    "flex_reaction_matches_total",
    "flex_reaction_skips_total",
    "flex_model_tokens_total",
    "yolo_handoffs_total",
    "yolo_handoff_loops_total",
    "yolo_decisions_total",
    "yolo_errors_total",
    "yolo_safety_blocks_total",
    "yolo_agent_active_time_seconds_total",
    "yolo_workflows_total",
    "yolo_state_saves_total",
    "otel_agents_events_dropped_total",
    "otel_agents_guard_errors_total",
    "otel_agents_metrics_overflow_total",
]
GAUGES = [
    "flex_run_active",
    "flex_run_oldest_age_seconds",
    "flex_run_last_progress_age_seconds",
    "flex_hitl_pending",
    "flex_hitl_oldest_age_seconds",
    "yolo_agents_active",
    "yolo_agent_status_info",
    "yolo_context_tokens",
    "yolo_context_items",
    "yolo_state_file_size_bytes",
    "yolo_memory_usage_mb",
    "yolo_cpu_usage_percent",
    "otel_agents_patch_points",
]
HISTOGRAMS = [
    "flex_run_duration_seconds",
    "flex_run_cancel_latency_seconds",
    "flex_planner_duration_seconds",
    "flex_node_duration_seconds",
    "flex_hitl_wait_duration_seconds",
    "flex_iteration_duration_seconds",
    "flex_phase_duration_seconds",
    "flex_delivery_duration_seconds",
    "yolo_handoff_duration_seconds",
    "yolo_decision_time_seconds",
    "yolo_context_refresh_time_seconds",
    "yolo_workflow_duration_seconds",
    "yolo_state_load_time_seconds",
]
SERIES = {
    *COUNTERS,
    *GAUGES,
    *(f"{name}_{end}" for name in HISTOGRAMS for end in ("bucket", "sum", "count")),
}

TOLD: list[tuple[EventType, Mapping[str, object]]] = [
    (e.NODE_RETRY, {a.FLEX_CAPABILITY_ID: "draft"}),
    (e.PLAN_UPDATED, {a.FLEX_PLAN_TRIGGER: "policy"}),
    (e.POLICY_TRIGGERED, {a.FLEX_POLICY_ID: "pii", a.FLEX_POLICY_ACTION: "replan"}),
    (e.HITL_RESOLVED, {a.FLEX_HITL_DECISION: "approved", a.FLEX_HITL_WAIT_MS: 90_000}),
    (e.GATE_CHECKED, {a.FLEX_GATE_NAME: "tests", a.FLEX_GATE_PASSED: True}),
    (e.CANCEL_ACKNOWLEDGED, {a.FLEX_CANCEL_SOURCE: "user", a.FLEX_CANCEL_LATENCY_MS: 250}),
    (e.REACTION_MATCHED, {a.FLEX_REACTION_RULE: "ci-red"}),
    (e.REACTION_SKIPPED, {a.FLEX_REACTION_REASON: 'no "rule"\nat all'}),
    (e.HANDOFF, {a.YOLO_FROM_AGENT: "triage", a.YOLO_TO_AGENT: "writer", a.YOLO_HANDOFF_LOOP: True}),
    (e.DECISION, {a.YOLO_AGENT: "triage", a.YOLO_DECISION_TYPE: "route"}),
    (e.SAFETY_BLOCK, {a.YOLO_AGENT: "triage \ud800"}),
    (e.AGENT_ERROR, {a.YOLO_AGENT: "triage", a.YOLO_ERROR_SEVERITY: "high"}),
    (e.AGENT_STATUS, {a.YOLO_AGENT: "triage", a.YOLO_AGENT_STATUS: "active"}),
    (e.CONTEXT_REFRESHED, {a.YOLO_AGENT: "triage", a.YOLO_CONTEXT_ITEMS: 3, a.YOLO_CONTEXT_TOKENS: 900}),
    (e.STATE_SAVED, {a.YOLO_STATE_SIZE: 2048}),
]
TIMED = [k.PLAN, k.NODE, k.ITERATION, k.PHASE, k.DELIVERY, k.HANDOFF, k.DECISION, k.CONTEXT_REFRESH, k.STATE_LOAD]


@pytest.fixture
def page() -> Iterator[str]:
    """The page after everything happened once, and more rules matched than an instrument may have sets."""
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(registry=registry)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    measured = Measured(
        provider, patch_points=lambda: {("langgraph", "applied"): 7}, dropped=lambda: {"audit": 3}, sets=20
    )
    guard.run("somewhere", int, "x")
    with guard.strict():
        _everything(measured)
    yield generate_latest(registry).decode()
    provider.shutdown()
    guard.reset()


def _everything(measured: Measured) -> None:
    run = measured.run("yolo")
    for kind in TIMED:
        operation = measured.recorder.start(kind, "x", parent=run)
        assert operation is not None
        measured.recorder.end(operation)
    for event, told in TOLD:
        measured.recorder.fact(event, told, operation=run)
    for n in range(30):
        measured.recorder.fact(e.REACTION_MATCHED, {a.FLEX_REACTION_RULE: f"rule-{n}"}, operation=run)
    measured.recorder.end(run)


def test_the_page_has_exactly_the_names(page: str) -> None:
    """Every metric of the contract is on the page under its Prometheus name, and nothing else of ours."""
    samples = {sample.name for family in text_string_to_metric_families(page) for sample in family.samples}
    assert {name for name in samples if name != "target_info"} == SERIES


def test_the_page_has_the_types(page: str) -> None:
    """Counters, gauges and histograms are what they are called, each with one HELP and one TYPE line."""
    types = dict(line.split()[2:4] for line in page.splitlines() if line.startswith("# TYPE"))
    types.pop("target_info")
    assert types == {
        **dict.fromkeys(COUNTERS, "counter"),
        **dict.fromkeys(GAUGES, "gauge"),
        **dict.fromkeys(HISTOGRAMS, "histogram"),
    }
    assert page.count("# HELP") == page.count("# TYPE") == len(types) + 1


def test_a_page_has_each_series_once(page: str) -> None:
    """No series stands on the page twice, also after a second scrape's worth of readers."""
    series = [line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))


def test_promtool_finds_the_page_clean(page: str) -> None:
    """`promtool check metrics` has nothing to say but of the one name that the older system chose."""
    promtool = require_command("promtool", "apt-get install prometheus")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, text=True, timeout=60, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if line]
    assert [line for line in said if not line.startswith("yolo_memory_usage_mb ")] == []
