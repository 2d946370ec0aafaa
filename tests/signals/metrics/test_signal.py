"""What facts add up to, and how long operations took."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import set_span_in_context

from otel_agents import guard
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k
from otel_agents.semconv.model import EventType, Kind
from otel_agents.signals.spans import SpanTrace
from otel_agents.version import __version__
from tests.signals.metrics.measured import SECOND_NS, Measured, Points, added

Told = Mapping[str, object]

# (event, what it is told with, what it adds to the metrics)
FACTS: list[tuple[EventType, Told, Points]] = [
    (e.PLAN_REQUESTED, {a.FLEX_PLAN_PHASE: "replan"}, {"flex.planner.requests": {"phase=replan,runtime=langgraph": 1}}),
    (e.PLAN_REJECTED, {a.FLEX_PLAN_CODES: ["cycle"]}, {"flex.planner.rejections": {"runtime=langgraph": 1}}),
    (e.PLAN_GENERATED, {a.FLEX_PLAN_VERSION: 1}, {"flex.planner.generated": {"runtime=langgraph": 1}}),
    (
        e.PLAN_UPDATED,
        {a.FLEX_PLAN_TRIGGER: "policy"},
        {"flex.planner.updated": {"runtime=langgraph,trigger=policy": 1}},
    ),
    (e.NODE_RETRY, {a.FLEX_NODE_ATTEMPT: 1}, {"flex.node.retries": {"capability=draft,runtime=langgraph": 1}}),
    (
        e.POLICY_TRIGGERED,
        {a.FLEX_POLICY_ID: "pii", a.FLEX_POLICY_ACTION: "replan"},
        {"flex.policy.triggers": {"action=replan,policy=pii,runtime=langgraph": 1}},
    ),
    (e.HITL_REQUEST, {a.FLEX_HITL_REQUEST_ID: "r1"}, {"flex.hitl.requests": {"runtime=langgraph": 1}}),
    (
        e.HITL_RESOLVED,
        {a.FLEX_HITL_DECISION: "approved", a.FLEX_HITL_WAIT_MS: 90_000.0},
        {
            "flex.hitl.resolved": {"decision=approved,runtime=langgraph": 1},
            "flex.hitl.wait.duration": {"decision=approved,runtime=langgraph": 1},
            "flex.hitl.wait.duration sum": {"decision=approved,runtime=langgraph": 90},
        },
    ),
    (
        e.VALIDATION_ERROR,
        {a.FLEX_VALIDATION_SCOPE: "output", a.FLEX_VALIDATION_ERROR_COUNT: 3},
        {"flex.validation.errors": {"runtime=langgraph,scope=output": 3}},
    ),
    (
        e.VALIDATION_ERROR,
        {a.FLEX_VALIDATION_SCOPE: "final", a.FLEX_VALIDATION_ERROR_COUNT: 1, a.FLEX_VALIDATION_RETRIED: True},
        {
            "flex.validation.errors": {"runtime=langgraph,scope=final": 1},
            "flex.validation.retries": {"runtime=langgraph,scope=final": 1},
        },
    ),
    (
        e.GATE_CHECKED,
        {a.FLEX_GATE_NAME: "tests", a.FLEX_GATE_PASSED: False},
        {"flex.gate.checks": {"gate=tests,passed=false,runtime=langgraph": 1}},
    ),
    (
        e.CANCEL_REQUESTED,
        {a.FLEX_CANCEL_SOURCE: "user"},
        {"flex.run.transitions": {"runtime=langgraph,state=cancel_requested": 1}},
    ),
    (
        e.CANCEL_ACKNOWLEDGED,
        {a.FLEX_CANCEL_SOURCE: "user", a.FLEX_CANCEL_LATENCY_MS: 250},
        {
            "flex.run.cancel.latency": {"runtime=langgraph,source=user": 1},
            "flex.run.cancel.latency sum": {"runtime=langgraph,source=user": 0.25},
        },
    ),
    (
        e.REACTION_MATCHED,
        {a.FLEX_REACTION_RULE: "ci-red", a.FLEX_REACTION_SENDER: "canary"},
        {"flex.reaction.matches": {"channel=chat,rule=ci-red,runtime=langgraph": 1}},
    ),
    (
        e.REACTION_SKIPPED,
        {a.FLEX_REACTION_REASON: "no_rule"},
        {"flex.reaction.skips": {"channel=chat,reason=no_rule,runtime=langgraph": 1}},
    ),
    (
        e.HANDOFF,
        {a.YOLO_FROM_AGENT: "triage", a.YOLO_TO_AGENT: "writer"},
        {"yolo_handoffs_total": {"from_agent=triage,to_agent=writer": 1}},
    ),
    (
        e.HANDOFF,
        {a.YOLO_FROM_AGENT: "triage", a.YOLO_TO_AGENT: "writer", a.YOLO_HANDOFF_LOOP: True},
        {
            "yolo_handoffs_total": {"from_agent=triage,to_agent=writer": 1},
            "yolo_handoff_loops_total": {"agent=writer": 1},
        },
    ),
    (
        e.DECISION,
        {a.YOLO_AGENT: "triage", a.YOLO_DECISION_TYPE: "route"},
        {"yolo_decisions_total": {"agent=triage,decision_type=route": 1}},
    ),
    (e.SAFETY_BLOCK, {a.YOLO_AGENT: "triage"}, {"yolo_safety_blocks_total": {"agent=triage": 1}}),
    (
        e.AGENT_ERROR,
        {a.YOLO_AGENT: "triage", a.YOLO_ERROR_SEVERITY: "high"},
        {"yolo_errors_total": {"agent=triage,severity=high": 1}},
    ),
    (e.WORKFLOW_FINISHED, {a.YOLO_WORKFLOW_SUCCESS: False}, {"yolo_workflows_total": {"outcome=error": 1}}),
    (
        e.STATE_SAVED,
        {a.YOLO_STATE_SIZE: 2048},
        {"yolo_state_saves_total": {"": 1}, "yolo_state_file_size_bytes": {"": 2048}},
    ),
    (e.NODE_START, {a.FLEX_NODE_KIND: "tool"}, {}),
    (e.LOG, {a.FLEX_MESSAGE: "canary"}, {}),
]

# (kind, subject, what it is started with, metric, labels)
TIMES: list[tuple[Kind, str, Told, str, str]] = [
    (k.PLAN, "", {a.FLEX_PLAN_PHASE: "initial"}, "flex.planner.duration", "outcome={},phase=initial,runtime=langgraph"),
    (
        k.NODE,
        "draft",
        {a.FLEX_NODE_KIND: "agent"},
        "flex.node.duration",
        "capability=draft,kind=agent,outcome={},runtime=langgraph",
    ),
    (k.ITERATION, "", {a.FLEX_ITERATION_NUMBER: 1}, "flex.iteration.duration", "outcome={},runtime=langgraph"),
    (k.PHASE, "build", {}, "flex.phase.duration", "outcome={},phase=build,runtime=langgraph"),
    (k.DELIVERY, "", {}, "flex.delivery.duration", "outcome={},runtime=langgraph"),
    (
        k.HANDOFF,
        "writer",
        {a.YOLO_FROM_AGENT: "triage"},
        "yolo_handoff_duration_seconds",
        "from_agent=triage,to_agent=writer",
    ),
    (k.DECISION, "route", {a.YOLO_AGENT: "triage"}, "yolo_decision_time_seconds", "agent=triage"),
    (k.CONTEXT_REFRESH, "", {a.YOLO_AGENT: "triage"}, "yolo_context_refresh_time_seconds", "agent=triage"),
    (k.STATE_LOAD, "", {}, "yolo_state_load_time_seconds", ""),
]
UNTIMED = [k.POLICY, k.HITL, k.VALIDATION, k.GATE, k.STATE_SAVE]


@pytest.mark.parametrize(("event", "told", "expected"), FACTS, ids=lambda value: getattr(value, "name", None))
def test_a_fact_adds_what_its_type_says(event: EventType, told: Told, expected: Points) -> None:
    """Each fact adds its amounts under its labels, taken from itself, its run and its node, and nothing else."""
    measured = Measured()
    run = measured.run()
    node = measured.recorder.start(k.NODE, "draft", {a.FLEX_NODE_KIND: "agent"}, parent=run)
    before = measured.collect()
    with guard.strict():
        measured.recorder.fact(event, told, operation=node)
    assert added(before, measured.collect()) == expected


@pytest.mark.parametrize(("amount", "counted"), [(True, 1), (0, 0), (2, 2), (2.5, 2.5), (1e15, 1e15)])
def test_amounts(amount: object, counted: float) -> None:
    """A number is the amount, and True is one."""
    measured = Measured()
    run = measured.run()
    told = {a.FLEX_VALIDATION_SCOPE: "input", a.FLEX_VALIDATION_ERROR_COUNT: amount}
    measured.recorder.fact(e.VALIDATION_ERROR, told, operation=run)
    assert measured.collect()["flex.validation.errors"]["runtime=langgraph,scope=input"] == counted


@pytest.mark.parametrize("amount", [None, False, "3", -1, -0.5, math.nan, math.inf, 1.1e15, 2**63, 10**400])
def test_what_is_no_amount_is_not_measured(amount: object, caplog: pytest.LogCaptureFixture) -> None:
    """What is missing, no number, negative, not finite or absurd adds nothing, raises nothing and logs nothing."""
    measured = Measured()
    run = measured.run()
    before = measured.collect()
    with guard.strict():
        measured.recorder.fact(e.VALIDATION_ERROR, {a.FLEX_VALIDATION_ERROR_COUNT: amount}, operation=run)
        measured.recorder.fact(e.HITL_RESOLVED, {a.FLEX_HITL_WAIT_MS: amount}, operation=run)
        measured.recorder.fact(e.STATE_SAVED, {a.YOLO_STATE_SIZE: amount}, operation=run)
    assert set(added(before, measured.collect())) == {"flex.hitl.resolved", "yolo_state_saves_total"}
    assert caplog.records == []


@pytest.mark.parametrize("outcome", ["ok", "error", "cancelled", "paused", "abandoned"])
@pytest.mark.parametrize(("kind", "subject", "told", "metric", "labels"), TIMES, ids=lambda v: getattr(v, "name", None))
def test_durations(  # noqa: PLR0917  # one row of the table
    kind: Kind, subject: str, told: Told, metric: str, labels: str, outcome: str
) -> None:
    """Every end of an operation is measured once, in seconds, whatever the outcome."""
    measured = Measured()
    operation = measured.recorder.start(kind, subject, told, parent=measured.run())
    assert operation is not None
    measured.wait(2.5)
    with guard.strict():
        measured.recorder.end(operation, outcome=outcome)
        measured.recorder.end(operation, outcome=outcome)
    points, key = measured.collect(), labels.format(outcome)
    assert (points[metric], points[f"{metric} sum"]) == ({key: 1}, {key: 2.5})


@pytest.mark.parametrize("kind", UNTIMED, ids=lambda kind: kind.name)
def test_other_kinds_have_no_duration(kind: Kind) -> None:
    """Kinds without a duration in the table add to no histogram."""
    measured = Measured()
    operation = measured.recorder.start(kind, "x", parent=measured.run())
    assert operation is not None
    measured.recorder.end(operation)
    assert [name for name in measured.collect() if "duration" in name or "_time_" in name] == []


@pytest.mark.parametrize(
    ("outcome", "status", "state"),
    [
        ("ok", "completed", "complete"),
        ("error", "failed", "error"),
        ("cancelled", "cancelled", "cancelled"),
        ("paused", "awaiting_hitl", "paused"),
        ("abandoned", "cancelled", "cancelled"),
    ],
)
def test_the_end_of_a_run(outcome: str, status: str, state: str) -> None:
    """A run segment counts once under its status, with its duration and the state that it entered."""
    measured = Measured()
    run = measured.run()
    before = measured.collect()
    measured.wait(4)
    measured.recorder.end(run, outcome=outcome)
    changed, labels = added(before, measured.collect()), f"runtime=langgraph,status={status}"
    assert changed["flex.run.status"] == {labels: 1}
    assert (changed["flex.run.duration"], changed["flex.run.duration sum"]) == ({labels: 1}, {labels: 4})
    assert changed["flex.run.transitions"] == {f"runtime=langgraph,state={state}": 1}
    assert changed["flex.run.active"] == {"runtime=langgraph": -1}
    assert set(changed) == {
        "flex.run.status", "flex.run.duration", "flex.run.duration sum", "flex.run.transitions", "flex.run.active",
    }  # fmt: skip


def test_the_start_of_a_run() -> None:
    """A run enters the state start, and after a pause the state resumed."""
    measured = Measured()
    measured.run()
    measured.run(attributes={a.FLEX_RUN_RESUMED: True})
    transitions = measured.collect()["flex.run.transitions"]
    assert {key: value for key, value in transitions.items() if value} == {
        "runtime=langgraph,state=start": 1,
        "runtime=langgraph,state=resumed": 1,
    }


@pytest.mark.parametrize("outcome", ["ok", "error", "cancelled", "abandoned"])
def test_a_workflow_is_a_run_of_yolo(outcome: str) -> None:
    """The end of a run of runtime yolo is the end of a workflow, under its outcome and with its duration."""
    measured = Measured()
    run = measured.run("yolo")
    measured.wait(3)
    measured.recorder.end(run, outcome=outcome)
    points = measured.collect()
    assert {key: value for key, value in points["yolo_workflows_total"].items() if value} == {f"outcome={outcome}": 1}
    assert points["yolo_workflow_duration_seconds sum"] == {f"outcome={outcome}": 3}


def test_a_pause_ends_no_workflow() -> None:
    """A run of runtime yolo that waits for a human is no finished workflow."""
    measured = Measured()
    measured.recorder.end(measured.run("yolo"), outcome="paused")
    assert set(measured.collect()["yolo_workflows_total"].values()) == {0}


@pytest.mark.parametrize(
    ("told", "status", "outcome"),
    [
        ({a.YOLO_WORKFLOW_SUCCESS: True}, None, "ok"),
        ({a.YOLO_WORKFLOW_SUCCESS: False}, None, "error"),
        ({a.YOLO_WORKFLOW_SUCCESS: True}, "cancelled", "cancelled"),
        ({}, None, "unknown"),
    ],
)
def test_a_workflow_measured_elsewhere(told: Told, status: str | None, outcome: str) -> None:
    """A workflow that is recorded afterwards has the outcome that was told, else that of its success."""
    measured = Measured()
    run = measured.run("yolo")
    before = measured.collect()
    duration_ns = 7 * SECOND_NS
    measured.recorder.fact(e.WORKFLOW_FINISHED, told, operation=run, status=status, duration_ns=duration_ns)
    changed = added(before, measured.collect())
    assert changed["yolo_workflows_total"] == {f"outcome={outcome}": 1}
    assert changed["yolo_workflow_duration_seconds sum"] == {f"outcome={outcome}": 7}


def test_tokens_count_by_direction(caplog: pytest.LogCaptureFixture) -> None:
    """Tokens of model calls add up by direction under the runtime of the run; what is not positive adds nothing."""
    measured = Measured()
    run = measured.run()
    for used in ((100, 20), (5, 0), (-1, -1)):
        measured.metrics.used(run.run, *used)
    assert measured.collect()["flex.model.tokens"] == {
        "direction=input,runtime=langgraph": 105,
        "direction=output,runtime=langgraph": 20,
    }
    assert caplog.records == []


def test_a_missing_label_is_unknown() -> None:
    """A label without a value is not left out."""
    measured = Measured()
    measured.recorder.fact(e.DECISION, {}, operation=measured.run())
    assert measured.collect()["yolo_decisions_total"] == {"agent=unknown,decision_type=unknown": 1}


@pytest.mark.parametrize("sampled", [True, False])
def test_exemplars_point_at_the_span(sampled: bool) -> None:
    """A duration carries the trace and span of its operation when that is sampled; it is measured either way."""
    measured = Measured()
    operation = measured.recorder.start(k.NODE, "draft", parent=measured.run())
    assert operation is not None
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("node")
    if sampled:
        operation.trace = SpanTrace(span, set_span_in_context(span))
    measured.recorder.end(operation)
    data = measured.reader.get_metrics_data()
    assert data is not None
    metrics = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    (point,) = metrics["flex.node.duration"].data.data_points
    context = span.get_span_context()
    expected = [(context.trace_id, context.span_id)] if sampled else []
    assert [(exemplar.trace_id, exemplar.span_id) for exemplar in point.exemplars] == expected


def test_boundaries_reach_the_sdk() -> None:
    """A histogram has the boundaries of its row, not those that are made for milliseconds."""
    measured = Measured()
    operation = measured.recorder.start(k.NODE, "draft", parent=measured.run())
    assert operation is not None
    measured.recorder.end(operation)
    data = measured.reader.get_metrics_data()
    assert data is not None
    metrics = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    (point,) = metrics["flex.node.duration"].data.data_points
    assert isinstance(point, HistogramDataPoint)
    assert point.explicit_bounds == (0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


def test_the_scope_is_ours() -> None:
    """Everything is measured under one scope with the version of the distribution and the conventions' schema."""
    reader = InMemoryMetricReader()
    measured = Measured(MeterProvider([reader], shutdown_on_exit=False))
    measured.run()
    data = reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics
    known = scope.scope
    assert (known.name, known.version) == ("otel_agents", __version__)
    assert known.schema_url == "https://opentelemetry.io/schemas/1.42.0"
