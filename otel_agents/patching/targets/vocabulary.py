"""What a row may declare: kinds, facts, fields, and the attributes of each; must not know how rows are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from otel_agents.patching.table import Shape
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k
from otel_agents.semconv.gen_ai import ERROR_TYPE, GEN_AI_INPUT_TOKENS, GEN_AI_OUTPUT_TOKENS
from otel_agents.semconv.model import EventType, Kind

TOKENS: Final = (GEN_AI_INPUT_TOKENS, GEN_AI_OUTPUT_TOKENS)
IDENTITY: Final = (a.FLEX_WORK_ORDER_ID, a.FLEX_SESSION_ID, a.FLEX_CHANNEL, a.FLEX_PLAN_VERSION)
OF_NODE: Final = (a.FLEX_NODE_ID, a.FLEX_CAPABILITY_ID, a.FLEX_FACET_PROVENANCE)
OWN: Final = ("flex.", "yolo.", "gen_ai.", "otel_agents.")  # names that nobody but the vocabulary makes
# Told by the recorder or by us, from what a row says otherwise.
TAKEN: Final = frozenset(
    {a.FLEX_RUN_ID, a.FLEX_CORRELATION_ID, a.FLEX_RUNTIME, a.FLEX_RUN_STATUS, a.FLEX_OUTCOME, a.FLEX_ERROR_MESSAGE}
)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a row may declare a method to be.

    Attributes:
        name: What stands after `kind:`.
        brief: What it is, in one sentence.
        kind: The operation that each call is; None for facts and handoffs.
        event: The fact that each call tells.
        subject: The attribute that `name` sets, "" when it has no name.
        attributes: The attributes that may be set, beside names of one's own.
        needs: The attributes without which it says nothing.
        rejected: What `rejected_when` sets, "" when there is nothing to reject.
    """

    name: str
    brief: str
    kind: Kind | None = None
    event: EventType | None = None
    subject: str = ""
    attributes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    rejected: str = ""


# The short fields of a row, by the attribute that they stand for.
SHORT: Final[Mapping[str, str]] = {"from": a.YOLO_FROM_AGENT, "to": a.YOLO_TO_AGENT, "agent": a.YOLO_AGENT}

_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "hitl": (a.FLEX_HITL_REQUEST_ID,),
    "validation": (a.FLEX_VALIDATION_SCOPE,),
    "iteration": (a.FLEX_ITERATION_NUMBER,),
    "handoff": (a.YOLO_FROM_AGENT, a.YOLO_TO_AGENT),
    "decision": (a.YOLO_AGENT,),
    "context_refresh": (a.YOLO_AGENT,),
    "policy_update": (a.FLEX_POLICY_ID,),
    "hitl_request": (a.FLEX_HITL_REQUEST_ID,),
    "hitl_resolved": (a.FLEX_HITL_REQUEST_ID, a.FLEX_HITL_DECISION),
    "cancel_requested": (a.FLEX_CANCEL_SOURCE,),
    "cancel_acknowledged": (a.FLEX_CANCEL_SOURCE,),
    "reaction_matched": (a.FLEX_REACTION_RULE,),
    "reaction_skipped": (a.FLEX_REACTION_REASON,),
    "safety_block": (a.YOLO_AGENT, a.YOLO_DECISION_TYPE),
    "agent_error": (a.YOLO_AGENT, ERROR_TYPE),
    "agent_status": (a.YOLO_AGENT, a.YOLO_AGENT_STATUS),
    "mode_changed": (a.YOLO_MODE,),
}
_REJECTED: Final[Mapping[str, str]] = {
    "plan": a.FLEX_PLAN_DIAGNOSTIC_COUNT,
    "hitl": a.FLEX_HITL_DECISION,
    "validation": a.FLEX_VALIDATION_ERROR_COUNT,
    "gate": a.FLEX_GATE_PASSED,
}
_FACTS: Final = (
    e.NODE_RETRY, e.POLICY_UPDATE, e.HITL_REQUEST, e.HITL_RESOLVED, e.CANCEL_REQUESTED, e.CANCEL_ACKNOWLEDGED,
    e.REACTION_MATCHED, e.REACTION_SKIPPED, e.SAFETY_BLOCK, e.AGENT_ERROR, e.AGENT_STATUS, e.MODE_CHANGED,
)  # fmt: skip


def _operation(kind: Kind) -> Declared:
    events = [end.event for end in kind.ends] + ([kind.starts] if kind.starts else [])
    told = [name for event in events for name in event.attributes]
    of_run = IDENTITY if kind is k.RUN else OF_NODE
    names = dict.fromkeys((*kind.at_start, *kind.at_end, *told, ERROR_TYPE, *TOKENS, *of_run))
    own = tuple(name for name in names if name not in TAKEN and name != kind.subject)
    own = (kind.subject, *own) if kind.subject else own
    subject, rejected, needs = kind.subject, _REJECTED.get(kind.name, ""), _NEEDS.get(kind.name, ())
    if kind is k.HANDOFF:  # lasts longer than the call that asks for it
        return Declared(kind.name, kind.brief, attributes=needs, needs=needs)
    return Declared(kind.name, kind.brief, kind, None, subject, own, needs, rejected)


def _fact(event: EventType) -> Declared:
    names = dict.fromkeys((*event.attributes, *OF_NODE))
    own = tuple(name for name in names if name not in TAKEN)
    return Declared(event.name, event.brief, event=event, attributes=own, needs=_NEEDS.get(event.name, ()))


DECLARED: Final[Mapping[str, Declared]] = {each.name: each for each in (*map(_operation, k.KINDS), *map(_fact, _FACTS))}

# The fields of a row, and what each says.
FIELDS: Final[Mapping[str, str]] = {
    "method": "What is watched: `module:function`, `module:Class.method` or `module:Outer.Inner.method`, where callers "
    "look it up. The last part may be a pattern such as `run_*`.",
    "kind": "What each call is.",
    "name": "Path or constant: what the operation is called; the method's name by default.",
    "runtime": "What runs are called that begin here: a constant; the first part of the module by default.",
    "run_id": "Path: the run's own id; a fresh one by default. A run that goes on under the id of a paused one is "
    "that run.",
    "correlation_id": "Path: the id that the caller gave; the run's id by default.",
    "from": "Path or constant: who hands over.",
    "to": "Path or constant: who takes over.",
    "agent": "Path or constant: the agent whom it is about.",
    "when": "Path: what has to be true, so that a fact or a handoff is told.",
    "attributes": "Attributes, each with the path where its value is found before the call.",
    "result": "Attributes, each with the path where its value is found when the call has ended.",
    "outcome": "How the call ended, beside returning (ok) and raising (error).",
    "shape": "What a plain function returns, where that cannot be seen from the function.",
}
OUTCOMES: Final[Mapping[str, str]] = {
    "paused": "Exceptions, as `module:Class`, with which the call says that it waits for a human.",
    "ok": "Exceptions with which the call ends in good order.",
    "cancelled": "Exceptions with which the call says that it was told to stop; CancelledError need not be named.",
    "rejected_when": "Path: what is true when the plan was rejected, the gate not passed, the input not valid, the "
    "human against it. A list counts its entries.",
    "failed_when": "Path: what is true when a call that returned has failed all the same.",
    "paused_when": "Path: what is true when a call that returned waits for a human.",
}
EXCEPTIONS: Final = ("paused", "ok", "cancelled")
ANYTHING: Final = "returns_anything"
SHAPES: Final[tuple[Shape, ...]] = ("returns_awaitable", "returns_iterator", "context_manager", "async_context_manager")
