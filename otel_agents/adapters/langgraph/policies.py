"""Guardrails: whether a middleware's hook acted, and how; must not know tasks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from otel_agents.adapters.langgraph import frames as f
from otel_agents.adapters.langgraph.shapes import Shape
from otel_agents.operation import Operation
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv import kinds as k

JUMP: Final = "jump_to"
MESSAGES: Final = "messages"
BLOCK: Final = "block"
FAIL: Final = "fail"
PII_FOUND: Final = "langchain.agents.middleware._redaction:PIIDetectionError"


def action_of(shape: Shape, writes: Iterable[tuple[str, Any]]) -> str:
    """Return what a hook did, by what it wrote; "" when it let pass."""
    written = dict(writes)
    if isinstance(written.get(JUMP), str):
        return str(written[JUMP])
    return shape.acts if written.get(MESSAGES) else ""


def action_by(error: BaseException) -> str:
    """Return what a hook did that raised."""
    return BLOCK if f.is_a(error, PII_FOUND) else FAIL


def tell_action(operation: Operation, shape: Shape, action: str) -> None:
    """Tell that a hook acted. A hook that nobody could know to be a policy until it acted stays a node."""
    if not action:
        return
    if operation.kind is k.POLICY:
        RECORDER.set(operation, {a.FLEX_POLICY_ACTION: action})
        return
    values = {a.FLEX_POLICY_ID: shape.policy, a.FLEX_POLICY_TRIGGER: shape.trigger, a.FLEX_POLICY_ACTION: action}
    RECORDER.fact(e.POLICY_TRIGGERED, values, operation=operation)
