"""What a person reads of an event: names, details, durations; must not know trees, colours or terminals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from otel_agents.semconv.gen_ai import OTHER

Payload = Mapping[str, Any]
Say = Callable[[Payload], str]

MAX_TEXT: Final = 80
MILLI: Final = 1000
MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86_400
NOT_PASSED: Final = "not passed"
FAILED: Final = "failed"


def clean(value: object) -> str:
    """Return a value of the watched program as one short line without control characters."""
    text = "".join(char if char.isprintable() else " " for char in str(value)[: MAX_TEXT + 1])
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def duration(seconds: float) -> str:
    """Return a duration in three digits or two units: `<1 ms`, `12 ms`, `1.2 s`, `3m12s`, `2h05m`, `3d04h`."""
    seconds = max(seconds, 0.0)
    if seconds * 1000 < 1:
        return "<1 ms"
    if round(seconds * 1000) < MILLI:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < MINUTE_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < HOUR_S:
        return f"{whole // MINUTE_S}m{whole % MINUTE_S:02d}s"
    if whole < DAY_S:
        return f"{whole // HOUR_S}h{whole % HOUR_S // MINUTE_S:02d}m"
    return f"{whole // DAY_S}d{whole % DAY_S // HOUR_S:02d}h"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return `1 node`, `2 nodes`, `2 retries`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def tokens(used: tuple[int, int]) -> str:
    """Return model tokens, read and written."""
    return f"{used[0]} in, {used[1]} out"


def error_name(name: object) -> str:
    """Return the class of an error without its module, "" for one that has no name."""
    return "" if name == OTHER else clean(name).rpartition(".")[2]


def joined(*parts: str) -> str:
    """Return the parts that say something."""
    return ", ".join(part for part in parts if part)


def _some(payload: Payload, field: str, form: str = "{}") -> str:
    value = payload.get(field)
    return form.format(clean(value)) if value is not None and value != "" else ""


def _counted(payload: Payload, field: str, noun: str, form: str = "{}") -> str:
    value = payload.get(field)
    return form.format(count(value, noun)) if isinstance(value, int) else ""


def _node(payload: Payload) -> str:
    kind = _some(payload, "kind")
    return kind if kind != "step" else ""


def _plan(payload: Payload) -> str:
    rejected = _counted(payload, "diagnosticCount", "diagnostic", "rejected: {}")
    return joined(_some(payload, "version", "v{}"), _counted(payload, "nodeCount", "node"), rejected)


def _passed(field: str, yes: str = "", no: str = NOT_PASSED) -> Say:
    def say(payload: Payload) -> str:
        value = payload.get(field)
        return (yes if value else no) if isinstance(value, bool) else ""

    return say


# What stands behind the name, by event type; told again at the end, when more is known.
DETAILS: Final[Mapping[str, Say]] = MappingProxyType(
    {
        "start": lambda p: joined("resumed" if p.get("resumed") else "", _some(p, "threadId", "thread {}")),
        "complete": lambda p: _some(p, "reason"),
        "plan_requested": lambda p: _some(p, "phase"),
        "plan_rejected": _plan,
        "plan_generated": _plan,
        "plan_updated": _plan,
        "node_start": _node,
        "node_complete": _node,
        "policy_triggered": lambda p: joined(_some(p, "action"), _some(p, "trigger", "on {}")),
        "hitl_request": lambda p: _some(p, "origin"),
        "validation_error": lambda p: joined(
            _counted(p, "errorCount", "error"),
            _some(p, "attempt", "attempt {}"),
            "asked again" if p.get("retried") else "",
        ),
        "iteration_started": lambda p: _some(p, "maxIterations", "of {}"),
        "iteration_completed": _passed("success"),
        "phase_completed": _passed("success"),
        "gate_checked": _passed("passed", "passed"),
        "delivery_completed": lambda p: joined(
            _passed("success", no=FAILED)(p), _some(p, "prUrl"), _some(p, "ciStatus", "checks {}")
        ),
        "cancel_acknowledged": lambda p: _some(p, "latencyMs", "after {} ms"),
        "reaction_skipped": lambda p: _counted(p, "candidateCount", "candidate"),
        "agent_error": lambda p: joined(error_name(p.get("errorType", "")), _some(p, "severity")),
        "context_refreshed": lambda p: joined(
            _counted(p, "items", "item"), _counted(p, "tokens", "token"), _some(p, "limit", "of {}")
        ),
        "state_saved": lambda p: _counted(p, "sizeBytes", "byte"),
    }
)  # fmt: skip

# What it is called, by event type.
NAMES: Final[Mapping[str, Say]] = MappingProxyType(
    {
        "start": lambda p: _some(p, "name"),
        "plan_requested": lambda p: "plan",
        "plan_rejected": lambda p: "plan",
        "plan_generated": lambda p: "plan",
        "plan_updated": lambda p: "plan",
        "node_start": lambda p: _some(p, "label"),
        "policy_triggered": lambda p: _some(p, "policyId", "policy {}"),
        "policy_update": lambda p: _some(p, "policyId", "policy {} changed"),
        "hitl_request": lambda p: "waiting for a human",
        "hitl_resolved": lambda p: _some(p, "decision", "human: {}"),
        "validation_error": lambda p: _some(p, "scope", "{} invalid"),
        "iteration_started": lambda p: _some(p, "iteration", "iteration {}"),
        "iteration_completed": lambda p: _some(p, "iteration", "iteration {}"),
        "phase_started": lambda p: _some(p, "phase", "phase {}"),
        "phase_completed": lambda p: _some(p, "phase", "phase {}"),
        "gate_checked": lambda p: _some(p, "gate", "gate {}"),
        "delivery_started": lambda p: "delivery",
        "delivery_completed": lambda p: "delivery",
        "cancel_requested": lambda p: _some(p, "source", "cancel requested by {}"),
        "cancel_acknowledged": lambda p: "cancelled",
        "reaction_matched": lambda p: _some(p, "rule", "rule {} matched"),
        "reaction_skipped": lambda p: _some(p, "reason", "no rule matched: {}"),
        "handoff": lambda p: f"{_some(p, 'fromAgent')} -> {_some(p, 'toAgent')}",
        "decision": lambda p: f"{_some(p, 'agent')} decides {_some(p, 'decisionType')}",
        "safety_block": lambda p: f"{_some(p, 'agent')} blocked: {_some(p, 'decisionType')}",
        "agent_error": lambda p: _some(p, "agent", "{} failed"),
        "agent_status": lambda p: f"{_some(p, 'agent')} is {_some(p, 'status')}",
        "mode_changed": lambda p: _some(p, "mode", "mode {}"),
        "context_refreshed": lambda p: _some(p, "agent", "context of {}"),
        "workflow_finished": lambda p: _some(p, "workflow", "workflow {} finished"),
        "state_saved": lambda p: "state saved",
        "state_loaded": lambda p: "state loaded",
        "log": lambda p: _some(p, "message"),
    }
)


def name(type_: str, payload: Payload, operation_name: str = "", fallback: str = "") -> str:
    """Return what an event is about."""
    say = NAMES.get(type_)
    return (say(payload).strip() if say is not None else "") or clean(
        operation_name or fallback or type_.replace("_", " ")
    )


def detail(type_: str, payload: Payload) -> str:
    """Return what an event says beside its name, "" when nothing."""
    say = DETAILS.get(type_)
    return say(payload) if say is not None else ""
