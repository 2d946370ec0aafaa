"""The kinds of operation: span, events and duration of each; must not know who records them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import gen_ai as g
from otel_agents.semconv import metrics as m
from otel_agents.semconv.model import End, Ended, GenAi, Kind, Table

KINDS: Final[Table[Kind]] = Table()


def failed(ended: Ended) -> bool:
    """It ended with an error."""
    return ended.outcome == "error"


def succeeded(ended: Ended) -> bool:
    """It ended well."""
    return ended.outcome == "ok"


def rejected(ended: Ended) -> bool:
    """The plan has diagnostics."""
    return a.FLEX_PLAN_DIAGNOSTIC_COUNT in ended.attributes


def accepted(ended: Ended) -> bool:
    """The plan is new, and good; a run that is resumed only looks at the plan that it had."""
    return ended.outcome == "ok" and not rejected(ended) and ended.attributes.get(a.FLEX_PLAN_PHASE) != "resume"


def updated(ended: Ended) -> bool:
    """The plan was accepted and replaces another."""
    return accepted(ended) and a.FLEX_PLAN_PREVIOUS_VERSION in ended.attributes


def generated(ended: Ended) -> bool:
    """The plan was accepted and is the first."""
    return accepted(ended) and a.FLEX_PLAN_PREVIOUS_VERSION not in ended.attributes


def acted(ended: Ended) -> bool:
    """The policy names an action: one that looked and let pass did not trigger."""
    return a.FLEX_POLICY_ACTION in ended.attributes


def answered(ended: Ended) -> bool:
    """A human decided while the code was waiting."""
    return a.FLEX_HITL_DECISION in ended.attributes


def judged(ended: Ended) -> bool:
    """The gate said whether it was passed: one that raised, or waits for a human, has said nothing."""
    return a.FLEX_GATE_PASSED in ended.attributes


def invalid(ended: Ended) -> bool:
    """The validation found errors."""
    return bool(ended.attributes.get(a.FLEX_VALIDATION_ERROR_COUNT))


def workflow_over(ended: Ended) -> bool:
    """A run of the role-handoff system is over; a pause is not the end of it."""
    return ended.runtime == "yolo" and ended.outcome != "paused"


def _kind(kind: Kind) -> Kind:
    return KINDS.add(kind.name, kind)


RUN: Final = _kind(
    Kind(
        "run",
        "flex.run",
        "A run of an orchestrator, or one segment of it between two pauses.",
        subject=g.GEN_AI_WORKFLOW_NAME,
        at_start=(a.FLEX_RUN_ID, a.FLEX_CORRELATION_ID, a.FLEX_RUNTIME, a.FLEX_THREAD_ID, a.FLEX_RUN_STRATEGY,
                  a.FLEX_RUN_MAX_ITERATIONS, a.FLEX_RUN_RESUMED, a.FLEX_RUN_GOAL),
        at_end=(a.FLEX_RUN_STATUS, a.FLEX_PLAN_VERSION, a.FLEX_RUN_REASON, a.FLEX_RUN_ITERATIONS, a.FLEX_RUN_METRICS,
                g.GEN_AI_INPUT_TOKENS, g.GEN_AI_OUTPUT_TOKENS),
        starts=e.START,
        ends=(End(e.COMPLETE), End(e.WORKFLOW_FINISHED, workflow_over)),
        gen_ai=MappingProxyType({"": GenAi("invoke_workflow")}),
    )
)  # fmt: skip
PLAN: Final = _kind(
    Kind(
        "plan",
        "flex.plan",
        "A planner makes or changes a plan.",
        at_start=(a.FLEX_PLAN_PHASE, a.FLEX_PLAN_ATTEMPT),
        at_end=(a.FLEX_PLAN_VERSION, a.FLEX_PLAN_NODE_COUNT, a.FLEX_PLAN_NODES, a.FLEX_PLAN_PREVIOUS_VERSION,
                a.FLEX_PLAN_TRIGGER, a.FLEX_PLAN_DIAGNOSTIC_COUNT, a.FLEX_PLAN_CODES),
        starts=e.PLAN_REQUESTED,
        ends=(End(e.PLAN_REJECTED, rejected), End(e.PLAN_UPDATED, updated), End(e.PLAN_GENERATED, generated)),
        duration=m.PLANNER_DURATION,
        gen_ai=MappingProxyType({"": GenAi("plan")}),
    )
)  # fmt: skip
NODE: Final = _kind(
    Kind(
        "node",
        "flex.node",
        "A node of a plan or graph is executed, with all its attempts.",
        subject=a.FLEX_CAPABILITY_ID,
        at_start=(a.FLEX_NODE_ID, a.FLEX_NODE_KIND, a.FLEX_NODE_LABEL, a.FLEX_FACET_PROVENANCE, a.FLEX_FACET_INPUT,
                  a.FLEX_FACET_OUTPUT),
        at_end=(a.FLEX_NODE_ATTEMPT, g.GEN_AI_INPUT_TOKENS, g.GEN_AI_OUTPUT_TOKENS),
        starts=e.NODE_START,
        ends=(End(e.NODE_ERROR, failed), End(e.NODE_COMPLETE)),
        duration=m.NODE_DURATION,
        gen_ai=MappingProxyType(
            {
                "agent": GenAi("invoke_agent", g.GEN_AI_AGENT_NAME),
                "tool": GenAi("execute_tool", g.GEN_AI_TOOL_NAME),
            }
        ),
    )
)  # fmt: skip
POLICY: Final = _kind(
    Kind(
        "policy",
        "flex.policy",
        "A policy or guardrail looks at the run.",
        subject=a.FLEX_POLICY_ID,
        at_start=(a.FLEX_POLICY_TRIGGER,),
        at_end=(a.FLEX_POLICY_ACTION,),
        ends=(End(e.POLICY_TRIGGERED, acted),),
    )
)
HITL: Final = _kind(
    Kind(
        "hitl",
        "flex.hitl",
        "Code blocks until a human answers.",
        at_start=(a.FLEX_HITL_REQUEST_ID, a.FLEX_HITL_ORIGIN, a.FLEX_HITL_PENDING_NODE),
        at_end=(a.FLEX_HITL_DECISION, a.FLEX_HITL_WAIT_MS),
        starts=e.HITL_REQUEST,
        ends=(End(e.HITL_RESOLVED, answered),),
    )
)
VALIDATION: Final = _kind(
    Kind(
        "validation",
        "flex.validation",
        "An input, an output or the final answer is validated.",
        at_start=(a.FLEX_VALIDATION_SCOPE, a.FLEX_VALIDATION_ATTEMPT),
        at_end=(a.FLEX_VALIDATION_ERROR_COUNT, a.FLEX_VALIDATION_RETRIED),
        ends=(End(e.VALIDATION_ERROR, invalid),),
    )
)
ITERATION: Final = _kind(
    Kind(
        "iteration",
        "flex.iteration",
        "One iteration of a converging run.",
        at_start=(a.FLEX_ITERATION_NUMBER, a.FLEX_ITERATION_MAX, a.FLEX_ITERATION_FEEDBACK),
        at_end=(a.FLEX_ITERATION_SUCCESS, a.FLEX_ITERATION_PHASE_TIMINGS, a.FLEX_ITERATION_GATE_RESULTS),
        starts=e.ITERATION_STARTED,
        ends=(End(e.ITERATION_COMPLETED),),
        duration=m.ITERATION_DURATION,
    )
)
PHASE: Final = _kind(
    Kind(
        "phase",
        "flex.phase",
        "One phase of an iteration.",
        subject=a.FLEX_PHASE_NAME,
        at_start=(a.FLEX_ITERATION_NUMBER,),
        inherits=(a.FLEX_ITERATION_NUMBER,),
        at_end=(a.FLEX_PHASE_SUCCESS,),
        starts=e.PHASE_STARTED,
        ends=(End(e.PHASE_COMPLETED),),
        duration=m.PHASE_DURATION,
    )
)
GATE: Final = _kind(
    Kind(
        "gate",
        "flex.gate",
        "A gate is checked.",
        subject=a.FLEX_GATE_NAME,
        at_start=(a.FLEX_ITERATION_NUMBER,),
        inherits=(a.FLEX_ITERATION_NUMBER,),
        at_end=(a.FLEX_GATE_PASSED,),
        ends=(End(e.GATE_CHECKED, judged),),
    )
)
DELIVERY: Final = _kind(
    Kind(
        "delivery",
        "flex.delivery",
        "The result of a run is delivered.",
        at_end=(a.FLEX_DELIVERY_SUCCESS, a.FLEX_DELIVERY_PR_URL, a.FLEX_DELIVERY_CI_STATUS),
        starts=e.DELIVERY_STARTED,
        ends=(End(e.DELIVERY_COMPLETED),),
        duration=m.DELIVERY_DURATION,
    )
)
HANDOFF: Final = _kind(
    Kind(
        "handoff",
        "yolo.handoff",
        "An agent hands work to another: from the request until the target's first node starts, or the run ends.",
        subject=a.YOLO_TO_AGENT,
        at_start=(a.YOLO_FROM_AGENT,),
        ends=(End(e.HANDOFF),),
        duration=m.HANDOFF_DURATION,
    )
)
DECISION: Final = _kind(
    Kind(
        "decision",
        "yolo.decision",
        "An agent decides.",
        subject=a.YOLO_DECISION_TYPE,
        at_start=(a.YOLO_AGENT,),
        ends=(End(e.DECISION),),
        duration=m.DECISION_TIME,
    )
)
CONTEXT_REFRESH: Final = _kind(
    Kind(
        "context_refresh",
        "yolo.context_refresh",
        "An agent's context is refreshed.",
        at_start=(a.YOLO_AGENT,),
        at_end=(a.YOLO_CONTEXT_ITEMS, a.YOLO_CONTEXT_TOKENS, a.YOLO_CONTEXT_LIMIT),
        ends=(End(e.CONTEXT_REFRESHED),),
        duration=m.CONTEXT_REFRESH_TIME,
    )
)
STATE_SAVE: Final = _kind(
    Kind(
        "state_save",
        "yolo.state_save",
        "The orchestrator's state is saved.",
        at_end=(a.YOLO_STATE_SIZE,),
        ends=(End(e.STATE_SAVED, succeeded),),
    )
)
STATE_LOAD: Final = _kind(
    Kind(
        "state_load",
        "yolo.state_load",
        "The orchestrator's state is loaded.",
        ends=(End(e.STATE_LOADED, succeeded),),
        duration=m.STATE_LOAD_TIME,
    )
)
