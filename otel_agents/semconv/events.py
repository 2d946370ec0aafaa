"""Our event types, with payload, severity and what one event adds to metrics; must not know kinds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from otel_agents.semconv import agents as a
from otel_agents.semconv import gen_ai as g
from otel_agents.semconv import metrics as m
from otel_agents.semconv.model import Count, EventType, Family, Severity, Table

EVENTS: Final[Table[EventType]] = Table()

# Log severity of an agent's error, by the severity that its system gave it.
SEVERITIES: Final[Mapping[str, Severity]] = MappingProxyType(
    {"info": "INFO", "low": "INFO", "warning": "WARN", "medium": "WARN"}
)  # all others: ERROR

# State that a run enters, in the words of the audit, by the status of its end.
END_STATES: Final[Mapping[str, str]] = MappingProxyType(
    {"completed": "complete", "failed": "error", "cancelled": "cancelled", "awaiting_hitl": "paused"}
)


def _event(
    name: str,
    family: Family,
    brief: str,
    *attributes: str,
    fields: Mapping[str, str] = MappingProxyType({}),
    log_name: str = "",
    severity: Severity = "INFO",
    counts: tuple[Count, ...] = (),
) -> EventType:
    prefix = "yolo" if family == "agents" else "flex"
    row = EventType(name, family, brief, attributes, fields, log_name or f"{prefix}_{name}", severity, counts)
    return EVENTS.add(name, row)


START: Final = _event(
    "start", "run", "A run starts, or goes on after a pause.",
    g.GEN_AI_WORKFLOW_NAME, a.FLEX_THREAD_ID, a.FLEX_RUN_STRATEGY, a.FLEX_RUN_MAX_ITERATIONS, a.FLEX_RUN_RESUMED,
    a.FLEX_RUN_GOAL, counts=(Count(m.RUN_TRANSITIONS),),
)  # fmt: skip
COMPLETE: Final = _event(
    "complete", "run", "A run or its segment ends, however it ends.",
    a.FLEX_RUN_STATUS, a.FLEX_RUN_REASON, g.ERROR_TYPE, a.FLEX_ERROR_MESSAGE, a.FLEX_RUN_ITERATIONS,
    a.FLEX_RUN_METRICS, log_name="flex_run_complete",
    counts=(Count(m.RUN_STATUS), Count(m.RUN_TRANSITIONS), Count(m.RUN_DURATION, duration=True)),
)  # fmt: skip

PLAN_REQUESTED: Final = _event(
    "plan_requested", "planner", "A plan is asked for.",
    a.FLEX_PLAN_PHASE, a.FLEX_PLAN_ATTEMPT, counts=(Count(m.PLANNER_REQUESTS),),
)  # fmt: skip
PLAN_REJECTED: Final = _event(
    "plan_rejected", "planner", "A plan is not accepted.",
    a.FLEX_PLAN_ATTEMPT, a.FLEX_PLAN_DIAGNOSTIC_COUNT, a.FLEX_PLAN_CODES,
    severity="WARN", counts=(Count(m.PLANNER_REJECTIONS),),
)  # fmt: skip
PLAN_GENERATED: Final = _event(
    "plan_generated", "planner", "A first plan is accepted.",
    a.FLEX_PLAN_VERSION, a.FLEX_PLAN_NODE_COUNT, a.FLEX_PLAN_NODES, counts=(Count(m.PLANNER_GENERATED),),
)  # fmt: skip
PLAN_UPDATED: Final = _event(
    "plan_updated", "planner", "A newer version replaces the plan.",
    a.FLEX_PLAN_PREVIOUS_VERSION, a.FLEX_PLAN_VERSION, a.FLEX_PLAN_TRIGGER, counts=(Count(m.PLANNER_UPDATED),),
)  # fmt: skip

NODE_START: Final = _event("node_start", "node", "A node starts.", a.FLEX_NODE_KIND, a.FLEX_NODE_LABEL)
NODE_COMPLETE: Final = _event(
    "node_complete", "node", "A node ends, however it ends.",
    a.FLEX_NODE_KIND, a.FLEX_NODE_ATTEMPT, fields={a.FLEX_NODE_ATTEMPT: "attempts"},
)  # fmt: skip
NODE_ERROR: Final = _event(
    "node_error", "node", "An attempt at a node fails.",
    a.FLEX_NODE_ATTEMPT, g.ERROR_TYPE, a.FLEX_ERROR_MESSAGE, severity="ERROR",
)  # fmt: skip
NODE_RETRY: Final = _event(
    "node_retry", "node", "A node is tried again; attempt and errorType are those that failed.",
    a.FLEX_NODE_ATTEMPT, g.ERROR_TYPE, severity="WARN", counts=(Count(m.NODE_RETRIES),),
)  # fmt: skip

POLICY_TRIGGERED: Final = _event(
    "policy_triggered", "policy", "A policy acts.",
    a.FLEX_POLICY_ID, a.FLEX_POLICY_TRIGGER, a.FLEX_POLICY_ACTION, counts=(Count(m.POLICY_TRIGGERS),),
)  # fmt: skip
POLICY_UPDATE: Final = _event("policy_update", "policy", "A policy is changed.", a.FLEX_POLICY_ID)

HITL_REQUEST: Final = _event(
    "hitl_request", "hitl", "A human is asked.",
    a.FLEX_HITL_REQUEST_ID, a.FLEX_HITL_ORIGIN, a.FLEX_HITL_PENDING_NODE, counts=(Count(m.HITL_REQUESTS),),
)  # fmt: skip
HITL_RESOLVED: Final = _event(
    "hitl_resolved", "hitl", "A human answered, or the question expired.",
    a.FLEX_HITL_REQUEST_ID, a.FLEX_HITL_DECISION, a.FLEX_HITL_WAIT_MS,
    counts=(Count(m.HITL_RESOLVED), Count(m.HITL_WAIT_DURATION, a.FLEX_HITL_WAIT_MS, scale=0.001)),
)  # fmt: skip

VALIDATION_ERROR: Final = _event(
    "validation_error", "validation", "A validation finds errors.",
    a.FLEX_VALIDATION_SCOPE, a.FLEX_VALIDATION_ERROR_COUNT, a.FLEX_VALIDATION_ATTEMPT, a.FLEX_VALIDATION_RETRIED,
    log_name="flex_validation_failed", severity="WARN",
    counts=(
        Count(m.VALIDATION_ERRORS, a.FLEX_VALIDATION_ERROR_COUNT),
        Count(m.VALIDATION_RETRIES, a.FLEX_VALIDATION_RETRIED),
    ),
)  # fmt: skip

ITERATION_STARTED: Final = _event(
    "iteration_started", "progress", "An iteration starts.",
    a.FLEX_ITERATION_NUMBER, a.FLEX_ITERATION_MAX, a.FLEX_ITERATION_FEEDBACK,
)  # fmt: skip
ITERATION_COMPLETED: Final = _event(
    "iteration_completed", "progress", "An iteration ends.",
    a.FLEX_ITERATION_NUMBER, a.FLEX_ITERATION_SUCCESS, a.FLEX_ITERATION_PHASE_TIMINGS, a.FLEX_ITERATION_GATE_RESULTS,
)  # fmt: skip
PHASE_STARTED: Final = _event(
    "phase_started", "progress", "A phase starts.", a.FLEX_ITERATION_NUMBER, a.FLEX_PHASE_NAME
)
PHASE_COMPLETED: Final = _event(
    "phase_completed", "progress", "A phase ends.", a.FLEX_ITERATION_NUMBER, a.FLEX_PHASE_NAME, a.FLEX_PHASE_SUCCESS
)
GATE_CHECKED: Final = _event(
    "gate_checked", "progress", "A gate is checked.",
    a.FLEX_ITERATION_NUMBER, a.FLEX_GATE_NAME, a.FLEX_GATE_PASSED, counts=(Count(m.GATE_CHECKS),),
)  # fmt: skip
DELIVERY_STARTED: Final = _event("delivery_started", "progress", "A delivery starts.")
DELIVERY_COMPLETED: Final = _event(
    "delivery_completed", "progress", "A delivery ends.",
    a.FLEX_DELIVERY_SUCCESS, a.FLEX_DELIVERY_PR_URL, a.FLEX_DELIVERY_CI_STATUS,
)  # fmt: skip

CANCEL_REQUESTED: Final = _event(
    "cancel_requested", "cancel", "Somebody asks to cancel a run.",
    a.FLEX_CANCEL_SOURCE, counts=(Count(m.RUN_TRANSITIONS),),
)  # fmt: skip
CANCEL_ACKNOWLEDGED: Final = _event(
    "cancel_acknowledged", "cancel", "The run obeys.", a.FLEX_CANCEL_SOURCE, a.FLEX_CANCEL_LATENCY_MS,
    counts=(Count(m.RUN_CANCEL_LATENCY, a.FLEX_CANCEL_LATENCY_MS, scale=0.001),),
)  # fmt: skip

REACTION_MATCHED: Final = _event(
    "reaction_matched", "reaction", "A trigger rule matches a message.",
    a.FLEX_REACTION_RULE, a.FLEX_REACTION_SENDER, a.FLEX_REACTION_FILTER_SUMMARY, counts=(Count(m.REACTION_MATCHES),),
)  # fmt: skip
REACTION_SKIPPED: Final = _event(
    "reaction_skipped", "reaction", "No trigger rule matches a message.",
    a.FLEX_REACTION_REASON, a.FLEX_REACTION_CANDIDATE_COUNT, counts=(Count(m.REACTION_SKIPS),),
)  # fmt: skip

HANDOFF: Final = _event(
    "handoff", "agents", "An agent handed work to another.", a.YOLO_FROM_AGENT, a.YOLO_TO_AGENT,
    counts=(
        Count(m.HANDOFFS),
        Count(m.HANDOFF_LOOPS, a.YOLO_HANDOFF_LOOP, sources={a.YOLO_AGENT: a.YOLO_TO_AGENT}),
    ),
)  # fmt: skip
DECISION: Final = _event(
    "decision", "agents", "An agent decided.", a.YOLO_AGENT, a.YOLO_DECISION_TYPE, counts=(Count(m.DECISIONS),)
)
SAFETY_BLOCK: Final = _event(
    "safety_block", "agents", "A safety limit blocked a decision.", a.YOLO_AGENT, a.YOLO_DECISION_TYPE,
    severity="WARN", counts=(Count(m.SAFETY_BLOCKS),),
)  # fmt: skip
AGENT_ERROR: Final = _event(
    "agent_error", "agents", "An agent failed; logged by its own severity.",
    a.YOLO_AGENT, g.ERROR_TYPE, a.YOLO_ERROR_SEVERITY, severity="ERROR", counts=(Count(m.ERRORS),),
)  # fmt: skip
AGENT_STATUS: Final = _event("agent_status", "agents", "An agent's status changes.", a.YOLO_AGENT, a.YOLO_AGENT_STATUS)
MODE_CHANGED: Final = _event("mode_changed", "agents", "The orchestrator's mode changes.", a.YOLO_MODE)
CONTEXT_REFRESHED: Final = _event(
    "context_refreshed", "agents", "An agent's context is refreshed.",
    a.YOLO_AGENT, a.YOLO_CONTEXT_ITEMS, a.YOLO_CONTEXT_TOKENS, a.YOLO_CONTEXT_LIMIT,
)  # fmt: skip
WORKFLOW_FINISHED: Final = _event(
    "workflow_finished", "agents", "A workflow ends.", a.YOLO_WORKFLOW, a.YOLO_WORKFLOW_SUCCESS,
    counts=(Count(m.WORKFLOWS), Count(m.WORKFLOW_DURATION, duration=True)),
)  # fmt: skip
STATE_SAVED: Final = _event(
    "state_saved", "agents", "The orchestrator's state is saved.", a.YOLO_STATE_SIZE,
    counts=(Count(m.STATE_SAVES), Count(m.STATE_FILE_SIZE, a.YOLO_STATE_SIZE)),
)  # fmt: skip
STATE_LOADED: Final = _event("state_loaded", "agents", "The orchestrator's state is loaded.")

LOG: Final = _event("log", "other", "A line for people.", a.FLEX_MESSAGE)

# Types of which one is graver than another; the severity in the row is that of the usual one.
GRADED: Final = (COMPLETE, AGENT_ERROR)

LIFECYCLE: Final = frozenset(row.name for row in EVENTS if row.family in ("planner", "policy"))
