"""Our own attribute names; must not know events, metrics or kinds."""

from __future__ import annotations

from typing import Final

from otel_agents.semconv.gen_ai import UPSTREAM
from otel_agents.semconv.model import Attribute, Table, ValueType

OURS: Final[Table[Attribute]] = Table()


def _attribute(
    name: str,
    type_: ValueType,
    brief: str,
    *,
    field: str = "",
    label: str = "",
    values: tuple[str, ...] = (),
    content: bool = False,
) -> str:
    OURS.add(name, Attribute(name, type_, brief, field, label, values, content))
    return name


def attribute(name: str) -> Attribute | None:
    """Return what is known of an attribute, ours or OpenTelemetry's, or None."""
    return OURS.get(name) or UPSTREAM.get(name)


BOOLEANS: Final = ("true", "false")
OUTCOMES: Final = ("ok", "error", "cancelled", "paused", "abandoned")
RUN_STATUSES: Final = ("completed", "failed", "cancelled", "awaiting_hitl")
AUDIT_STATES: Final = ("start", "complete", "cancel_requested", "cancelled", "error", "paused", "resumed")

# The envelope
FLEX_EVENT_TYPE: Final = _attribute("flex.event.type", "string", "Type of the event.", field="type")
FLEX_RUN_ID: Final = _attribute("flex.run.id", "string", "The run; the same after a pause.", field="runId")
FLEX_CORRELATION_ID: Final = _attribute(
    "flex.correlation.id", "string", "Given by the caller, else the run id.", field="correlationId"
)
FLEX_RUNTIME: Final = _attribute("flex.runtime", "string", "Who runs it.", field="runtime", label="runtime")
FLEX_WORK_ORDER_ID: Final = _attribute(
    "flex.work_order.id", "string", "The work order that the run serves.", field="workOrderId"
)
FLEX_SESSION_ID: Final = _attribute(
    "flex.session.id", "string", "The session that the run comes from.", field="sessionId", content=True
)
FLEX_CHANNEL: Final = _attribute(
    "flex.channel", "string", "The channel that the run comes from.", field="channel", label="channel"
)
FLEX_NODE_ID: Final = _attribute("flex.node.id", "string", "The node within its plan or graph.", field="nodeId")
FLEX_CAPABILITY_ID: Final = _attribute(
    "flex.capability.id", "string", "What the node is able to do.", field="capabilityId", label="capability"
)
FLEX_FACET_PROVENANCE: Final = _attribute(
    "flex.facet.provenance",
    "json",
    "Facets that the node reads and writes: facet, title, direction, JSON pointer into a schema; never values.",
    field="facetProvenance",
)
FLEX_OUTCOME: Final = _attribute(
    "flex.outcome", "string", "How the operation ended.", field="status", label="outcome", values=OUTCOMES
)
FLEX_DURATION_MS: Final = _attribute(
    "flex.duration_ms", "double", "Monotonic duration in milliseconds of what just ended.", field="durationMs"
)
FLEX_MESSAGE: Final = _attribute("flex.message", "string", "Text of a log event.", field="message")

# Run
FLEX_RUN_STATUS: Final = _attribute(
    "flex.run.status", "string", "How the run or its segment ended.", field="status", label="status",
    values=RUN_STATUSES,
)  # fmt: skip
FLEX_RUN_STATE: Final = _attribute(
    "flex.run.state", "string", "State that the run entered, in the words of the audit.", label="state",
    values=AUDIT_STATES,
)  # fmt: skip
FLEX_RUN_RESUMED: Final = _attribute(
    "flex.run.resumed", "boolean", "The run goes on after a pause; left out otherwise.", field="resumed"
)
FLEX_RUN_REASON: Final = _attribute("flex.run.reason", "string", "Why the run ended as it did.", field="reason")
FLEX_RUN_STRATEGY: Final = _attribute("flex.run.strategy", "string", "Strategy of the run.", field="strategy")
FLEX_RUN_MAX_ITERATIONS: Final = _attribute(
    "flex.run.max_iterations", "int", "Iterations that the run may take.", field="maxIterations"
)
FLEX_RUN_ITERATIONS: Final = _attribute(
    "flex.run.iterations", "int", "Iterations that the run took.", field="iterations"
)
FLEX_RUN_METRICS: Final = _attribute(
    "flex.run.metrics",
    "json",
    "Sums of a converging run: iterationCount, totalDurationMs, phaseDurationsMs, gatesPassed, gatesFailed.",
    field="metrics",
)
FLEX_RUN_GOAL: Final = _attribute("flex.run.goal", "string", "What the run is to reach.", field="goal", content=True)
FLEX_THREAD_ID: Final = _attribute(
    "flex.thread.id", "string", "The framework's key under which the run is checkpointed.", field="threadId"
)
FLEX_ERROR_MESSAGE: Final = _attribute(
    "flex.error.message", "string", "Message of the error.", field="error", content=True
)

# Plan
FLEX_PLAN_VERSION: Final = _attribute("flex.plan.version", "int", "Version of the plan, from 1.", field="version")
FLEX_PLAN_PHASE: Final = _attribute(
    "flex.plan.phase", "string", "Why a plan is made.", field="phase", label="phase",
    values=("initial", "replan", "resume"),
)  # fmt: skip
FLEX_PLAN_ATTEMPT: Final = _attribute("flex.plan.attempt", "int", "Attempt at the plan, from 1.", field="attempt")
FLEX_PLAN_NODE_COUNT: Final = _attribute("flex.plan.node_count", "int", "Nodes of the plan.", field="nodeCount")
FLEX_PLAN_NODES: Final = _attribute(
    "flex.plan.nodes", "json", "Nodes of the plan: id, capabilityId, label.", field="nodes"
)
FLEX_PLAN_DIAGNOSTIC_COUNT: Final = _attribute(
    "flex.plan.diagnostic_count", "int", "Diagnostics of a rejected plan.", field="diagnosticCount"
)
FLEX_PLAN_CODES: Final = _attribute("flex.plan.codes", "string[]", "Codes of the diagnostics.", field="codes")
FLEX_PLAN_PREVIOUS_VERSION: Final = _attribute(
    "flex.plan.previous_version", "int", "Version that the plan replaces.", field="previousVersion"
)
FLEX_PLAN_TRIGGER: Final = _attribute(
    "flex.plan.trigger", "string", "What made the plan change.", field="trigger", label="trigger"
)

# Node
FLEX_NODE_KIND: Final = _attribute(
    "flex.node.kind", "string", "What the node is.", field="kind", label="kind", values=("agent", "tool", "step")
)
FLEX_NODE_LABEL: Final = _attribute("flex.node.label", "string", "The node's name for people.", field="label")
FLEX_NODE_ATTEMPT: Final = _attribute("flex.node.attempt", "int", "Attempt at the node, from 1.", field="attempt")
FLEX_FACET_INPUT: Final = _attribute("flex.facet.input", "string[]", "Names of the facets that the node reads.")
FLEX_FACET_OUTPUT: Final = _attribute("flex.facet.output", "string[]", "Names of the facets that the node writes.")

# Policy
FLEX_POLICY_ID: Final = _attribute("flex.policy.id", "string", "The policy.", field="policyId", label="policy")
FLEX_POLICY_TRIGGER: Final = _attribute("flex.policy.trigger", "string", "What made it apply.", field="trigger")
FLEX_POLICY_ACTION: Final = _attribute(
    "flex.policy.action", "string", "What it did; a policy without action did not trigger.", field="action",
    label="action",
)  # fmt: skip

# Human in the loop
FLEX_HITL_REQUEST_ID: Final = _attribute(
    "flex.hitl.request.id", "string", "The question to a human.", field="requestId"
)
FLEX_HITL_ORIGIN: Final = _attribute("flex.hitl.origin", "string", "What asked.", field="origin")
FLEX_HITL_PENDING_NODE: Final = _attribute(
    "flex.hitl.pending_node.id", "string", "The node that waits for the answer.", field="pendingNodeId"
)
FLEX_HITL_DECISION: Final = _attribute(
    "flex.hitl.decision", "string", "The answer.", field="decision", label="decision",
    values=("approved", "edited", "rejected", "responded", "expired"),
)  # fmt: skip
FLEX_HITL_WAIT_MS: Final = _attribute(
    "flex.hitl.wait_ms", "double", "Milliseconds from the question to the answer, by wall clock.", field="waitMs"
)

# Validation
FLEX_VALIDATION_SCOPE: Final = _attribute(
    "flex.validation.scope", "string", "What was validated.", field="scope", label="scope",
    values=("input", "output", "final"),
)  # fmt: skip
FLEX_VALIDATION_ERROR_COUNT: Final = _attribute(
    "flex.validation.error_count", "int", "Errors found.", field="errorCount"
)
FLEX_VALIDATION_ATTEMPT: Final = _attribute(
    "flex.validation.attempt", "int", "Attempt that was validated, from 1.", field="attempt"
)
FLEX_VALIDATION_RETRIED: Final = _attribute(
    "flex.validation.retried", "boolean", "The work is asked for again; left out otherwise.", field="retried"
)

# Iterations, phases, gates, delivery
FLEX_ITERATION_NUMBER: Final = _attribute("flex.iteration.number", "int", "The iteration, from 1.", field="iteration")
FLEX_ITERATION_MAX: Final = _attribute(
    "flex.iteration.max", "int", "Iterations that the run may take.", field="maxIterations"
)
FLEX_ITERATION_FEEDBACK: Final = _attribute(
    "flex.iteration.feedback", "string", "What the iteration is told.", field="feedback", content=True
)
FLEX_ITERATION_SUCCESS: Final = _attribute(
    "flex.iteration.success", "boolean", "The iteration reached its gates.", field="success"
)
FLEX_ITERATION_PHASE_TIMINGS: Final = _attribute(
    "flex.iteration.phase_timings", "json", "Milliseconds by phase.", field="phaseTimings"
)
FLEX_ITERATION_GATE_RESULTS: Final = _attribute(
    "flex.iteration.gate_results", "json", "List of gate and passed.", field="gateResults"
)
FLEX_PHASE_NAME: Final = _attribute("flex.phase.name", "string", "The phase.", field="phase", label="phase")
FLEX_PHASE_SUCCESS: Final = _attribute("flex.phase.success", "boolean", "The phase succeeded.", field="success")
FLEX_GATE_NAME: Final = _attribute("flex.gate.name", "string", "The gate.", field="gate", label="gate")
FLEX_GATE_PASSED: Final = _attribute(
    "flex.gate.passed", "boolean", "The gate was passed.", field="passed", label="passed", values=BOOLEANS
)
FLEX_DELIVERY_SUCCESS: Final = _attribute(
    "flex.delivery.success", "boolean", "The delivery succeeded.", field="success"
)
FLEX_DELIVERY_PR_URL: Final = _attribute(
    "flex.delivery.pr_url", "string", "Address of the change request.", field="prUrl"
)
FLEX_DELIVERY_CI_STATUS: Final = _attribute(
    "flex.delivery.ci_status", "string", "Result of its checks.", field="ciStatus"
)

# Cancel and reactions
FLEX_CANCEL_SOURCE: Final = _attribute(
    "flex.cancel.source", "string", "Who asked to cancel.", field="source", label="source"
)
FLEX_CANCEL_LATENCY_MS: Final = _attribute(
    "flex.cancel.latency_ms", "double", "Milliseconds from intent to acknowledgement.", field="latencyMs"
)
FLEX_REACTION_RULE: Final = _attribute(
    "flex.reaction.rule", "string", "The rule that matched.", field="rule", label="rule"
)
FLEX_REACTION_SENDER: Final = _attribute(
    "flex.reaction.sender", "string", "Who sent the message.", field="sender", content=True
)
FLEX_REACTION_FILTER_SUMMARY: Final = _attribute(
    "flex.reaction.filter_summary", "string", "What the rule looked at.", field="filterSummary", content=True
)
FLEX_REACTION_REASON: Final = _attribute(
    "flex.reaction.reason", "string", "Why no rule matched.", field="reason", label="reason"
)
FLEX_REACTION_CANDIDATE_COUNT: Final = _attribute(
    "flex.reaction.candidate_count", "int", "Rules that were looked at.", field="candidateCount"
)

# Models
FLEX_MODEL_DIRECTION: Final = _attribute(
    "flex.model.direction", "string", "Tokens read or written.", label="direction", values=("input", "output")
)

# Agents that hand work over
YOLO_FROM_AGENT: Final = _attribute(
    "yolo.from_agent", "string", "Who hands over.", field="fromAgent", label="from_agent"
)
YOLO_TO_AGENT: Final = _attribute("yolo.to_agent", "string", "Who takes over.", field="toAgent", label="to_agent")
YOLO_HANDOFF_LOOP: Final = _attribute(
    "yolo.handoff.loop", "boolean", "Work came back without progress between; left out otherwise."
)
YOLO_AGENT: Final = _attribute("yolo.agent", "string", "The agent.", field="agent", label="agent")
YOLO_AGENT_STATUS: Final = _attribute(
    "yolo.agent.status", "string", "What the agent does.", field="status", label="status",
    values=("idle", "active", "blocked", "gone"),
)  # fmt: skip
YOLO_DECISION_TYPE: Final = _attribute(
    "yolo.decision.type", "string", "What was decided on.", field="decisionType", label="decision_type"
)
YOLO_ERROR_SEVERITY: Final = _attribute(
    "yolo.error.severity", "string", "How grave an error is; see events.SEVERITIES.", field="severity", label="severity"
)
YOLO_MODE: Final = _attribute("yolo.mode", "string", "Mode of the orchestrator.", field="mode")
YOLO_CONTEXT_ITEMS: Final = _attribute("yolo.context.items", "int", "Items in an agent's context.", field="items")
YOLO_CONTEXT_TOKENS: Final = _attribute("yolo.context.tokens", "int", "Tokens in an agent's context.", field="tokens")
YOLO_CONTEXT_LIMIT: Final = _attribute("yolo.context.limit", "int", "Tokens that it may hold.", field="limit")
YOLO_WORKFLOW: Final = _attribute("yolo.workflow", "string", "The workflow.", field="workflow")
YOLO_WORKFLOW_SUCCESS: Final = _attribute("yolo.workflow.success", "boolean", "It succeeded.", field="success")
YOLO_STATE_SIZE: Final = _attribute("yolo.state.size", "int", "Bytes of the saved state.", field="sizeBytes")

# About ourselves
ADAPTER: Final = _attribute("otel_agents.adapter", "string", "The adapter.", label="adapter")
PATCH_STATE: Final = _attribute(
    "otel_agents.patch.state", "string", "State of a patch point.", label="state",
    values=("applied", "waiting", "unsupported", "missing"),
)  # fmt: skip
SUBSCRIBER: Final = _attribute("otel_agents.subscriber", "string", "Who missed events.", label="subscriber")
PLACE: Final = _attribute("otel_agents.place", "string", "Where an error of ours was swallowed.", label="place")
INSTRUMENT: Final = _attribute(
    "otel_agents.instrument", "string", "The instrument that overflowed.", label="instrument"
)
PROFILE_ID: Final = _attribute(
    "otel_agents.profile.id", "string", "The profile that was taken of the process while the span was open."
)
