"""The vocabulary says what the contract says. All expectations are written out here, none is taken from the code."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import pytest
from opentelemetry.semconv._incubating.attributes import error_attributes, exception_attributes, gen_ai_attributes

from otel_agents.semconv.agents import OURS, attribute
from otel_agents.semconv.events import EVENTS, LIFECYCLE
from otel_agents.semconv.gen_ai import UPSTREAM
from otel_agents.semconv.kinds import KINDS
from otel_agents.semconv.metrics import METRICS
from otel_agents.semconv.model import EventType, Kind, Metric, Table, snake_case

SHORT = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
LONG = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200)
HANDOFF = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
WAIT = (10, 60, 300, 900, 3600, 14400, 86400, 259200, 604800)
CANCEL = (0.05, 0.1, 0.5, 1, 2, 5, 10, 30)

# What the contract calls a counter may be a counter that is read when somebody collects.
COUNTER = ("counter", "observable_counter")
UPDOWN = ("observable_updown",)
GAUGE = ("gauge",)
LOOKED_UP = ("observable_gauge",)
HISTOGRAM = ("histogram",)

METRICS_OF_THE_CONTRACT = [
    ("flex.run.status", COUNTER, "{run}", "status runtime", ()),
    ("flex.run.duration", HISTOGRAM, "s", "status runtime", LONG),
    ("flex.run.active", UPDOWN, "{run}", "runtime", ()),
    ("flex.run.oldest.age", LOOKED_UP, "s", "runtime", ()),
    ("flex.run.last_progress.age", LOOKED_UP, "s", "runtime", ()),
    ("flex.run.transitions", COUNTER, "{transition}", "state runtime", ()),
    ("flex.run.cancel.latency", HISTOGRAM, "s", "source runtime", CANCEL),
    ("flex.planner.requests", COUNTER, "{request}", "phase runtime", ()),
    ("flex.planner.rejections", COUNTER, "{rejection}", "runtime", ()),
    ("flex.planner.generated", COUNTER, "{plan}", "runtime", ()),
    ("flex.planner.updated", COUNTER, "{plan}", "trigger runtime", ()),
    ("flex.planner.duration", HISTOGRAM, "s", "phase outcome runtime", SHORT),
    ("flex.node.duration", HISTOGRAM, "s", "capability kind outcome runtime", SHORT),
    ("flex.node.retries", COUNTER, "{retry}", "capability runtime", ()),
    ("flex.policy.triggers", COUNTER, "{trigger}", "policy action runtime", ()),
    ("flex.hitl.requests", COUNTER, "{request}", "runtime", ()),
    ("flex.hitl.resolved", COUNTER, "{request}", "decision runtime", ()),
    ("flex.hitl.wait.duration", HISTOGRAM, "s", "decision runtime", WAIT),
    ("flex.hitl.pending", LOOKED_UP, "{request}", "runtime", ()),
    ("flex.hitl.oldest.age", LOOKED_UP, "s", "runtime", ()),
    ("flex.validation.errors", COUNTER, "{error}", "scope runtime", ()),
    ("flex.validation.retries", COUNTER, "{retry}", "scope runtime", ()),
    ("flex.iteration.duration", HISTOGRAM, "s", "outcome runtime", LONG),
    ("flex.phase.duration", HISTOGRAM, "s", "phase outcome runtime", LONG),
    ("flex.delivery.duration", HISTOGRAM, "s", "outcome runtime", LONG),
    ("flex.gate.checks", COUNTER, "{check}", "gate passed runtime", ()),
    ("flex.reaction.matches", COUNTER, "{match}", "rule channel runtime", ()),
    ("flex.reaction.skips", COUNTER, "{skip}", "reason channel runtime", ()),
    ("flex.model.tokens", COUNTER, "{token}", "direction runtime", ()),
    ("yolo_handoffs_total", COUNTER, "{handoff}", "from_agent to_agent", ()),
    ("yolo_handoff_duration_seconds", HISTOGRAM, "s", "from_agent to_agent", HANDOFF),
    ("yolo_handoff_loops_total", COUNTER, "{loop}", "agent", ()),
    ("yolo_decisions_total", COUNTER, "{decision}", "agent decision_type", ()),
    ("yolo_decision_time_seconds", HISTOGRAM, "s", "agent", SHORT),
    ("yolo_errors_total", COUNTER, "{error}", "agent severity", ()),
    ("yolo_safety_blocks_total", COUNTER, "{block}", "agent", ()),
    ("yolo_agents_active", LOOKED_UP, "{agent}", "", ()),
    ("yolo_agent_status_info", LOOKED_UP, "{agent}", "agent status", ()),
    ("yolo_agent_active_time_seconds_total", COUNTER, "s", "agent", ()),
    ("yolo_context_tokens", LOOKED_UP, "{token}", "agent", ()),
    ("yolo_context_items", LOOKED_UP, "{item}", "agent", ()),
    ("yolo_context_refresh_time_seconds", HISTOGRAM, "s", "agent", SHORT),
    ("yolo_workflows_total", COUNTER, "{workflow}", "outcome", ()),
    ("yolo_workflow_duration_seconds", HISTOGRAM, "s", "outcome", LONG),
    ("yolo_state_saves_total", COUNTER, "{save}", "", ()),
    ("yolo_state_load_time_seconds", HISTOGRAM, "s", "", SHORT),
    ("yolo_state_file_size_bytes", GAUGE, "By", "", ()),
    ("yolo_memory_usage_mb", LOOKED_UP, "{megabyte}", "", ()),
    ("yolo_cpu_usage_percent", LOOKED_UP, "%", "", ()),
    ("otel_agents.patch.points", LOOKED_UP, "{point}", "adapter state", ()),
    ("otel_agents.events.dropped", COUNTER, "{event}", "subscriber", ()),
    ("otel_agents.guard.errors", COUNTER, "{error}", "place", ()),
    ("otel_agents.metrics.overflow", COUNTER, "{measurement}", "instrument", ()),
]

# (type, family, payload fields, severity of its log record)
EVENTS_OF_THE_CONTRACT = [
    ("start", "run", "name threadId strategy maxIterations goal", "INFO"),
    ("complete", "run", "status reason errorType error iterations metrics", "INFO"),
    ("plan_requested", "planner", "phase attempt", "INFO"),
    ("plan_rejected", "planner", "attempt diagnosticCount codes", "WARN"),
    ("plan_generated", "planner", "version nodeCount nodes", "INFO"),
    ("plan_updated", "planner", "previousVersion version trigger", "INFO"),
    ("node_start", "node", "kind label", "INFO"),
    ("node_complete", "node", "kind attempts", "INFO"),
    ("node_error", "node", "attempt errorType error", "ERROR"),
    ("node_retry", "node", "attempt errorType", "WARN"),
    ("policy_triggered", "policy", "policyId trigger action", "INFO"),
    ("policy_update", "policy", "policyId", "INFO"),
    ("hitl_request", "hitl", "requestId origin pendingNodeId", "INFO"),
    ("hitl_resolved", "hitl", "requestId decision waitMs", "INFO"),
    ("validation_error", "validation", "scope errorCount attempt", "WARN"),
    ("iteration_started", "progress", "iteration maxIterations feedback", "INFO"),
    ("iteration_completed", "progress", "iteration success phaseTimings gateResults", "INFO"),
    ("phase_started", "progress", "iteration phase", "INFO"),
    ("phase_completed", "progress", "iteration phase success", "INFO"),
    ("gate_checked", "progress", "iteration gate passed", "INFO"),
    ("delivery_started", "progress", "", "INFO"),
    ("delivery_completed", "progress", "success prUrl ciStatus", "INFO"),
    ("cancel_requested", "cancel", "source", "INFO"),
    ("cancel_acknowledged", "cancel", "source latencyMs", "INFO"),
    ("reaction_matched", "reaction", "rule sender filterSummary", "INFO"),
    ("reaction_skipped", "reaction", "reason candidateCount", "INFO"),
    ("handoff", "agents", "fromAgent toAgent", "INFO"),
    ("decision", "agents", "agent decisionType", "INFO"),
    ("safety_block", "agents", "agent decisionType", "WARN"),
    ("agent_error", "agents", "agent errorType severity", "ERROR"),
    ("agent_status", "agents", "agent status", "INFO"),
    ("mode_changed", "agents", "mode", "INFO"),
    ("context_refreshed", "agents", "agent items tokens limit", "INFO"),
    ("workflow_finished", "agents", "workflow success", "INFO"),
    ("state_saved", "agents", "sizeBytes", "INFO"),
    ("state_loaded", "agents", "", "INFO"),
    ("log", "other", "message", "INFO"),
]
# Fields beyond the contract, each for a fact that the payload could not tell otherwise.
ADDED_FIELDS = {"start": ["resumed"], "validation_error": ["retried"]}

LOG_NAMES = {
    "plan_requested": "flex_plan_requested",
    "plan_rejected": "flex_plan_rejected",
    "plan_generated": "flex_plan_generated",
    "plan_updated": "flex_plan_updated",
    "node_start": "flex_node_start",
    "node_complete": "flex_node_complete",
    "node_error": "flex_node_error",
    "policy_triggered": "flex_policy_triggered",
    "validation_error": "flex_validation_failed",
    "hitl_request": "flex_hitl_request",
    "hitl_resolved": "flex_hitl_resolved",
    "complete": "flex_run_complete",
    "handoff": "yolo_handoff",
    "reaction_matched": "flex_reaction_matched",
}

# (operation, span name, what completes it, own attributes, GenAI operation by kind of node)
KINDS_OF_THE_CONTRACT = [
    ("run", "flex.run", "gen_ai.workflow.name",
     "flex.run.id flex.correlation.id flex.runtime flex.run.status flex.plan.version",
     {"": ("invoke_workflow", "")}),
    ("plan", "flex.plan", "", "flex.plan.phase flex.plan.version flex.plan.node_count flex.plan.attempt",
     {"": ("plan", "")}),
    ("node", "flex.node", "flex.capability.id",
     "flex.node.id flex.node.kind flex.node.attempt flex.facet.input flex.facet.output",
     {"agent": ("invoke_agent", "gen_ai.agent.name"), "tool": ("execute_tool", "gen_ai.tool.name")}),
    ("policy", "flex.policy", "flex.policy.id", "flex.policy.trigger flex.policy.action", {}),
    ("hitl", "flex.hitl", "", "flex.hitl.request.id flex.hitl.decision", {}),
    ("validation", "flex.validation", "",
     "flex.validation.scope flex.validation.error_count flex.validation.attempt", {}),
    ("iteration", "flex.iteration", "", "flex.iteration.number flex.iteration.max flex.iteration.success", {}),
    ("phase", "flex.phase", "flex.phase.name", "flex.iteration.number flex.phase.success", {}),
    ("gate", "flex.gate", "flex.gate.name", "flex.iteration.number flex.gate.passed", {}),
    ("delivery", "flex.delivery", "", "flex.delivery.success flex.delivery.pr_url flex.delivery.ci_status", {}),
    ("handoff", "yolo.handoff", "yolo.to_agent", "yolo.from_agent", {}),
    ("decision", "yolo.decision", "yolo.decision.type", "yolo.agent", {}),
    ("context_refresh", "yolo.context_refresh", "", "yolo.agent yolo.context.items yolo.context.tokens", {}),
    ("state_save", "yolo.state_save", "", "yolo.state.size", {}),
    ("state_load", "yolo.state_load", "", "", {}),
]  # fmt: skip

# (attribute, field of the envelope)
ENVELOPE = [
    ("flex.event.type", "type"),
    ("flex.run.id", "runId"),
    ("flex.correlation.id", "correlationId"),
    ("flex.runtime", "runtime"),
    ("flex.work_order.id", "workOrderId"),
    ("flex.session.id", "sessionId"),
    ("flex.channel", "channel"),
    ("flex.node.id", "nodeId"),
    ("flex.capability.id", "capabilityId"),
    ("flex.facet.provenance", "facetProvenance"),
    ("flex.outcome", "status"),
    ("flex.run.status", "status"),
    ("flex.duration_ms", "durationMs"),
    ("flex.message", "message"),
]

CONTENT = {
    "flex.session.id",
    "flex.run.goal",
    "flex.error.message",
    "flex.iteration.feedback",
    "flex.reaction.sender",
    "flex.reaction.filter_summary",
}

CLOSED = {
    "outcome": ("ok", "error", "cancelled", "paused", "abandoned"),
    "flex.run.status": ("completed", "failed", "cancelled", "awaiting_hitl"),
    "state of a run": ("start", "complete", "cancel_requested", "cancelled", "error", "paused", "resumed"),
    "flex.plan.phase": ("initial", "replan", "resume"),
    "flex.node.kind": ("agent", "tool", "step"),
    "flex.hitl.decision": ("approved", "edited", "rejected", "responded", "expired"),
    "flex.validation.scope": ("input", "output", "final"),
    "flex.gate.passed": ("true", "false"),
    "flex.model.direction": ("input", "output"),
    "yolo.agent.status": ("idle", "active", "blocked", "gone"),
    "otel_agents.patch.state": ("applied", "waiting", "unsupported", "missing"),
}
ATTRIBUTE_OF = {"outcome": "flex.outcome", "state of a run": "flex.run.state"}


def _labels(row: Metric) -> list[str]:
    return [OURS[name].label for name in row.labels]


def _fields(row: EventType) -> list[str]:
    known = [attribute(name) for name in row.attributes]
    return [row.fields.get(each.name, each.field) for each in known if each is not None]


@pytest.mark.parametrize(("name", "instrument", "unit", "labels", "boundaries"), METRICS_OF_THE_CONTRACT)
def test_metric(name: str, instrument: tuple[str, ...], unit: str, labels: str, boundaries: tuple[float, ...]) -> None:
    """A metric has the contract's instrument, unit, labels and boundaries."""
    row = METRICS[name]
    assert row.instrument in instrument
    assert (row.unit, sorted(_labels(row)), row.boundaries) == (unit, sorted(labels.split()), boundaries)


def test_there_are_no_other_metrics() -> None:
    """The table holds the contract's metrics, and no more."""
    assert [row.name for row in METRICS] == [name for name, *_ in METRICS_OF_THE_CONTRACT]


def test_bounds_of_their_own() -> None:
    """The handoff duration alone has a bound on label sets of its own."""
    assert {row.name: row.sets for row in METRICS if row.sets} == {"yolo_handoff_duration_seconds": 100}


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_labels_are_few_and_are_labels(row: Metric) -> None:
    """A metric has at most four labels; each is an attribute of ours with a label name, and none is an id."""
    assert len(row.labels) <= 4
    assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in _labels(row))
    assert not {"flex.run.id", "flex.correlation.id", "flex.work_order.id", "flex.node.id"} & set(row.labels)


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_metric_names_survive_prometheus(row: Metric) -> None:
    """A name is lower case, and has `total` only at its end: two translations would disagree on another place."""
    assert re.fullmatch(r"[a-z][a-z0-9_.]*", row.name)
    assert "total" not in re.split(r"[._]", row.name)[:-1]
    assert "total" not in row.name or row.instrument in COUNTER


@pytest.mark.parametrize(("name", "family", "fields", "severity"), EVENTS_OF_THE_CONTRACT)
def test_event(name: str, family: str, fields: str, severity: str) -> None:
    """An event type has the contract's family, payload fields and severity."""
    row = EVENTS[name]
    expected = fields.split() + ADDED_FIELDS.get(name, [])
    assert (row.family, sorted(_fields(row)), row.severity) == (family, sorted(expected), severity)


def test_there_are_no_other_events() -> None:
    """The table holds the contract's event types, and no more."""
    assert [row.name for row in EVENTS] == [name for name, *_ in EVENTS_OF_THE_CONTRACT]


@pytest.mark.parametrize(("name", "log_name"), LOG_NAMES.items())
def test_older_log_names(name: str, log_name: str) -> None:
    """An event keeps its older log name; where there is none it is the family's prefix and the type."""
    assert EVENTS[name].log_name == log_name


def test_event_names() -> None:
    """OpenTelemetry's event name is `yolo.` and the type for agents, `flex.` and the type for all others."""
    assert [row.event_name for row in EVENTS] == [
        f"{'yolo' if family == 'agents' else 'flex'}.{name}" for name, family, *_ in EVENTS_OF_THE_CONTRACT
    ]


def test_lifecycle() -> None:
    """The subset for dashboards is the planner and the policy family."""
    assert set(LIFECYCLE) == {
        "plan_requested", "plan_rejected", "plan_generated", "plan_updated", "policy_triggered", "policy_update",
    }  # fmt: skip


@pytest.mark.parametrize("row", EVENTS, ids=lambda row: row.name)
def test_payload_fields_differ(row: EventType) -> None:
    """No two attributes of one event go into the same payload field, and each field has a keyword."""
    fields = _fields(row)
    assert len(fields) == len(row.attributes)
    assert Counter(fields) == Counter(set(fields))
    assert all(re.fullmatch(r"[a-z][a-z_]*", snake_case(field)) for field in fields)


@pytest.mark.parametrize(("name", "span", "subject", "own", "gen_ai"), KINDS_OF_THE_CONTRACT)
def test_kind(name: str, span: str, subject: str, own: str, gen_ai: dict[str, tuple[str, str]]) -> None:
    """A kind has the contract's span name and attributes, and shows itself as the GenAI operation."""
    row = KINDS[name]
    assert (row.span, row.subject) == (span, subject)
    assert set(own.split()) <= {*row.at_start, *row.at_end}
    assert {kind: (shown.operation, shown.subject) for kind, shown in row.gen_ai.items()} == gen_ai


def test_there_are_no_other_kinds() -> None:
    """The table holds the contract's operations, and no more."""
    assert [row.name for row in KINDS] == [name for name, *_ in KINDS_OF_THE_CONTRACT]


@pytest.mark.parametrize("row", KINDS, ids=lambda row: row.name)
def test_kinds_use_what_is_known(row: Kind) -> None:
    """Every attribute of a kind stands in the tables, and what it measures is a histogram in seconds."""
    used = {*row.at_start, *row.at_end} | ({row.subject} if row.subject else set())
    assert {name for name in used if attribute(name) is None} == set()
    assert row.duration is None or (row.duration.instrument, row.duration.unit) == ("histogram", "s")


@pytest.mark.parametrize(("name", "field"), ENVELOPE)
def test_envelope(name: str, field: str) -> None:
    """Each field of the envelope has its attribute."""
    assert OURS[name].field == field


def test_content_is_marked_and_never_a_label() -> None:
    """What the contract calls content is marked as content, nothing else is, and none of it may be a label."""
    assert {row.name for row in OURS if row.content} == CONTENT
    assert [row.name for row in OURS if row.content and row.label] == []


@pytest.mark.parametrize(("of", "values"), CLOSED.items())
def test_closed_values(of: str, values: tuple[str, ...]) -> None:
    """A closed set of values is the contract's."""
    assert OURS[ATTRIBUTE_OF.get(of, of)].values == values


def test_names_are_ours_and_unique() -> None:
    """Our attributes stand under our own namespaces; no name stands in two tables, and no table takes one twice."""
    ours, theirs = [row.name for row in OURS], [row.name for row in UPSTREAM]
    assert [name for name in ours if name.partition(".")[0] not in ("flex", "yolo", "otel_agents")] == []
    assert set(ours).isdisjoint(theirs)
    table: Table[str] = Table()
    table.add("one", "row")
    with pytest.raises(ValueError, match="'one' stands in the table twice"):
        table.add("one", "another row")


def test_every_row_says_what_it_is() -> None:
    """Attributes, metrics, events and kinds have a brief that ends with a full stop; rows cannot be changed."""
    rows = [*OURS, *UPSTREAM, *METRICS, *EVENTS, *KINDS]
    assert [row.name for row in rows if not row.brief.endswith(".")] == []
    with pytest.raises(dataclasses.FrozenInstanceError):
        METRICS["flex.run.status"].unit = "s"  # type: ignore[misc]


def test_upstream_names_are_upstreams() -> None:
    """Names that are not ours are those of the installed conventions, where these have them already."""
    known = {
        value
        for module in (gen_ai_attributes, error_attributes, exception_attributes)
        for name, value in vars(module).items()
        if name.isupper()
    }
    # Defined by the GenAI conventions, younger than the newest release of the artifact.
    assert {row.name for row in UPSTREAM} - known == {"gen_ai.workflow.name"} - known


def test_gen_ai_operations_are_upstreams() -> None:
    """The GenAI operations that we claim are the installed conventions' own; `plan` is younger than these."""
    known = {each.value for each in vars(gen_ai_attributes)["GenAiOperationNameValues"]}
    assert set(UPSTREAM["gen_ai.operation.name"].values) - known == {"plan"} - known
