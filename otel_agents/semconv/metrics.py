"""Our instruments, with unit, labels and boundaries; must not know events or kinds."""

from __future__ import annotations

from typing import Final

from otel_agents.semconv import agents as a
from otel_agents.semconv.model import Instrument, Metric, Table

METRICS: Final[Table[Metric]] = Table()

SHORT: Final = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
LONG: Final = (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
HANDOFF: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)
WAIT: Final = (10.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0, 259200.0, 604800.0)
CANCEL: Final = (0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


def _metric(
    name: str,
    instrument: Instrument,
    unit: str,
    brief: str,
    *labels: str,
    boundaries: tuple[float, ...] = (),
    sets: int | None = None,
) -> Metric:
    return METRICS.add(name, Metric(name, instrument, unit, brief, labels, boundaries, sets))


def _histogram(name: str, brief: str, *labels: str, boundaries: tuple[float, ...], sets: int | None = None) -> Metric:
    return _metric(name, "histogram", "s", brief, *labels, boundaries=boundaries, sets=sets)


# Runs
RUN_STATUS: Final = _metric(
    "flex.run.status", "counter", "{run}", "Run segments ended; a pause counts as awaiting_hitl.",
    a.FLEX_RUN_STATUS, a.FLEX_RUNTIME,
)  # fmt: skip
RUN_DURATION: Final = _histogram(
    "flex.run.duration", "Duration of a run segment, waits for humans excluded.",
    a.FLEX_RUN_STATUS, a.FLEX_RUNTIME, boundaries=LONG,
)  # fmt: skip
RUN_ACTIVE: Final = _metric("flex.run.active", "observable_updown", "{run}", "Runs that run now.", a.FLEX_RUNTIME)
RUN_OLDEST_AGE: Final = _metric(
    "flex.run.oldest.age", "observable_gauge", "s", "Age of the oldest running run.", a.FLEX_RUNTIME
)
RUN_LAST_PROGRESS_AGE: Final = _metric(
    "flex.run.last_progress.age", "observable_gauge", "s",
    "Time since the running run that is quiet for longest did anything.", a.FLEX_RUNTIME,
)  # fmt: skip
RUN_TRANSITIONS: Final = _metric(
    "flex.run.transitions", "counter", "{transition}", "States that runs entered.", a.FLEX_RUN_STATE, a.FLEX_RUNTIME
)
RUN_CANCEL_LATENCY: Final = _histogram(
    "flex.run.cancel.latency", "Time from the intent to cancel to its acknowledgement.",
    a.FLEX_CANCEL_SOURCE, a.FLEX_RUNTIME, boundaries=CANCEL,
)  # fmt: skip

# Planner
PLANNER_REQUESTS: Final = _metric(
    "flex.planner.requests", "counter", "{request}", "Plans asked for.", a.FLEX_PLAN_PHASE, a.FLEX_RUNTIME
)
PLANNER_REJECTIONS: Final = _metric(
    "flex.planner.rejections", "counter", "{rejection}", "Plans rejected.", a.FLEX_RUNTIME
)
PLANNER_GENERATED: Final = _metric(
    "flex.planner.generated", "counter", "{plan}", "First plans accepted.", a.FLEX_RUNTIME
)
PLANNER_UPDATED: Final = _metric(
    "flex.planner.updated", "counter", "{plan}", "Plans replaced by a newer version.",
    a.FLEX_PLAN_TRIGGER, a.FLEX_RUNTIME,
)  # fmt: skip
PLANNER_DURATION: Final = _histogram(
    "flex.planner.duration", "Duration of planning.",
    a.FLEX_PLAN_PHASE, a.FLEX_OUTCOME, a.FLEX_RUNTIME, boundaries=SHORT,
)  # fmt: skip

# Nodes
NODE_DURATION: Final = _histogram(
    "flex.node.duration", "Duration of a node with all its attempts; its count is the number of executions.",
    a.FLEX_CAPABILITY_ID, a.FLEX_NODE_KIND, a.FLEX_OUTCOME, a.FLEX_RUNTIME, boundaries=SHORT,
)  # fmt: skip
NODE_RETRIES: Final = _metric(
    "flex.node.retries", "counter", "{retry}", "Further attempts at a node.", a.FLEX_CAPABILITY_ID, a.FLEX_RUNTIME
)

# Policies, humans, validation
POLICY_TRIGGERS: Final = _metric(
    "flex.policy.triggers", "counter", "{trigger}", "Policies that acted.",
    a.FLEX_POLICY_ID, a.FLEX_POLICY_ACTION, a.FLEX_RUNTIME,
)  # fmt: skip
HITL_REQUESTS: Final = _metric("flex.hitl.requests", "counter", "{request}", "Questions to humans.", a.FLEX_RUNTIME)
HITL_RESOLVED: Final = _metric(
    "flex.hitl.resolved", "counter", "{request}", "Questions answered or expired.", a.FLEX_HITL_DECISION, a.FLEX_RUNTIME
)
HITL_WAIT_DURATION: Final = _histogram(
    "flex.hitl.wait.duration", "Time from a question to its answer.",
    a.FLEX_HITL_DECISION, a.FLEX_RUNTIME, boundaries=WAIT,
)  # fmt: skip
HITL_PENDING: Final = _metric(
    "flex.hitl.pending", "observable_gauge", "{request}",
    "Questions without an answer. Processes that share a store report the same value: query it with max.",
    a.FLEX_RUNTIME,
)  # fmt: skip
HITL_OLDEST_AGE: Final = _metric(
    "flex.hitl.oldest.age", "observable_gauge", "s", "Age of the oldest question without an answer.", a.FLEX_RUNTIME
)
VALIDATION_ERRORS: Final = _metric(
    "flex.validation.errors", "counter", "{error}", "Errors that validations found.",
    a.FLEX_VALIDATION_SCOPE, a.FLEX_RUNTIME,
)  # fmt: skip
VALIDATION_RETRIES: Final = _metric(
    "flex.validation.retries", "counter", "{retry}", "Work asked for again after a failed validation.",
    a.FLEX_VALIDATION_SCOPE, a.FLEX_RUNTIME,
)  # fmt: skip

# Iterations
ITERATION_DURATION: Final = _histogram(
    "flex.iteration.duration", "Duration of an iteration.", a.FLEX_OUTCOME, a.FLEX_RUNTIME, boundaries=LONG
)
PHASE_DURATION: Final = _histogram(
    "flex.phase.duration", "Duration of a phase.", a.FLEX_PHASE_NAME, a.FLEX_OUTCOME, a.FLEX_RUNTIME, boundaries=LONG
)
DELIVERY_DURATION: Final = _histogram(
    "flex.delivery.duration", "Duration of a delivery.", a.FLEX_OUTCOME, a.FLEX_RUNTIME, boundaries=LONG
)
GATE_CHECKS: Final = _metric(
    "flex.gate.checks", "counter", "{check}", "Gates checked.", a.FLEX_GATE_NAME, a.FLEX_GATE_PASSED, a.FLEX_RUNTIME
)

# Reactions, models
REACTION_MATCHES: Final = _metric(
    "flex.reaction.matches", "counter", "{match}", "Rules that matched.",
    a.FLEX_REACTION_RULE, a.FLEX_CHANNEL, a.FLEX_RUNTIME,
)  # fmt: skip
REACTION_SKIPS: Final = _metric(
    "flex.reaction.skips", "counter", "{skip}", "Messages that no rule matched.",
    a.FLEX_REACTION_REASON, a.FLEX_CHANNEL, a.FLEX_RUNTIME,
)  # fmt: skip
MODEL_TOKENS: Final = _metric(
    "flex.model.tokens", "counter", "{token}", "Tokens that models read and wrote, summed from model calls only.",
    a.FLEX_MODEL_DIRECTION, a.FLEX_RUNTIME,
)  # fmt: skip

# Agents that hand work over: literal names and labels of the older system
HANDOFFS: Final = _metric(
    "yolo_handoffs_total", "counter", "{handoff}", "Handoffs.", a.YOLO_FROM_AGENT, a.YOLO_TO_AGENT
)
HANDOFF_DURATION: Final = _histogram(
    "yolo_handoff_duration_seconds", "Time from the request of a handoff to the target's first node.",
    a.YOLO_FROM_AGENT, a.YOLO_TO_AGENT, boundaries=HANDOFF, sets=100,
)  # fmt: skip
HANDOFF_LOOPS: Final = _metric(
    "yolo_handoff_loops_total", "counter", "{loop}", "Handoffs from A to B to A within one run, no progress between.",
    a.YOLO_AGENT,
)  # fmt: skip
DECISIONS: Final = _metric(
    "yolo_decisions_total", "counter", "{decision}", "Decisions.", a.YOLO_AGENT, a.YOLO_DECISION_TYPE
)
DECISION_TIME: Final = _histogram("yolo_decision_time_seconds", "Time to decide.", a.YOLO_AGENT, boundaries=SHORT)
ERRORS: Final = _metric(
    "yolo_errors_total", "counter", "{error}", "Errors of agents.", a.YOLO_AGENT, a.YOLO_ERROR_SEVERITY
)
SAFETY_BLOCKS: Final = _metric(
    "yolo_safety_blocks_total", "counter", "{block}", "Decisions that a safety limit blocked.", a.YOLO_AGENT
)
AGENTS_ACTIVE: Final = _metric("yolo_agents_active", "observable_gauge", "{agent}", "Agents at work now.")
AGENT_STATUS_INFO: Final = _metric(
    "yolo_agent_status_info", "observable_gauge", "{agent}",
    "State set: 1 for the agent's status, 0 for the others, nothing for agents that are gone.",
    a.YOLO_AGENT, a.YOLO_AGENT_STATUS,
)  # fmt: skip
AGENT_ACTIVE_TIME: Final = _metric(
    "yolo_agent_active_time_seconds_total", "observable_counter", "s", "Time that an agent was active.", a.YOLO_AGENT
)
CONTEXT_TOKENS: Final = _metric(
    "yolo_context_tokens", "observable_gauge", "{token}", "Tokens in the context of a living agent.", a.YOLO_AGENT
)
CONTEXT_ITEMS: Final = _metric(
    "yolo_context_items", "observable_gauge", "{item}", "Items in the context of a living agent.", a.YOLO_AGENT
)
CONTEXT_REFRESH_TIME: Final = _histogram(
    "yolo_context_refresh_time_seconds", "Time to refresh an agent's context.", a.YOLO_AGENT, boundaries=SHORT
)
WORKFLOWS: Final = _metric(
    "yolo_workflows_total", "counter", "{workflow}", "Workflows finished, of runtime yolo.", a.FLEX_OUTCOME
)
WORKFLOW_DURATION: Final = _histogram(
    "yolo_workflow_duration_seconds", "Duration of a workflow, of runtime yolo.", a.FLEX_OUTCOME, boundaries=LONG
)
STATE_SAVES: Final = _metric("yolo_state_saves_total", "counter", "{save}", "States saved.")
STATE_LOAD_TIME: Final = _histogram("yolo_state_load_time_seconds", "Time to load the state.", boundaries=SHORT)
STATE_FILE_SIZE: Final = _metric("yolo_state_file_size_bytes", "gauge", "By", "Size of the last saved state.")
MEMORY_USAGE: Final = _metric(
    "yolo_memory_usage_mb", "observable_gauge", "{megabyte}", "Resident memory of the process, in 10^6 bytes."
)
CPU_USAGE: Final = _metric(
    "yolo_cpu_usage_percent", "observable_gauge", "%", "CPU of the process since the last look; 100 is one core."
)

# About ourselves
PATCH_POINTS: Final = _metric(
    "otel_agents.patch.points", "observable_gauge", "{point}", "Patch points by state.", a.ADAPTER, a.PATCH_STATE
)
EVENTS_DROPPED: Final = _metric(
    "otel_agents.events.dropped", "observable_counter", "{event}", "Events that a subscriber missed.", a.SUBSCRIBER
)
GUARD_ERRORS: Final = _metric(
    "otel_agents.guard.errors", "observable_counter", "{error}", "Errors of ours that were swallowed.", a.PLACE
)
METRICS_OVERFLOW: Final = _metric(
    "otel_agents.metrics.overflow", "counter", "{measurement}", "Measurements beyond an instrument's label sets.",
    a.INSTRUMENT,
)  # fmt: skip
