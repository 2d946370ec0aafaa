"""Guardrails of input, output and tools: policies, whether they let pass or not; must not know what they look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_agents.adapters.openai_agents import frames as f
from otel_agents.operation import Operation
from otel_agents.patching.table import Call, Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a

BLOCK: Final = "block"
ACTIONS: Final[Mapping[str, str]] = {"reject_content": "reject", "raise_exception": BLOCK}


def before(trigger: str) -> Callable[[Call], Start | None]:
    """Return what starts the guardrails that look at this: ``input``, ``output``, ``tool_input``, ``tool_output``."""

    def start(call: Call) -> Start | None:
        if f.inside() is None:
            return None
        return Start(str(call.self.get_name()), {a.FLEX_POLICY_TRIGGER: trigger})

    return start


def after_agent_guardrail(operation: Operation, call: Call, result: Any) -> None:
    """A guardrail of an agent judged: it can only stop the run."""
    if result.output.tripwire_triggered:
        RECORDER.set(operation, {a.FLEX_POLICY_ACTION: BLOCK})


def after_tool_guardrail(operation: Operation, call: Call, result: Any) -> None:
    """A guardrail of a tool judged: it may stop the run, or put a message in the place of the call or its result."""
    action = ACTIONS.get(result.behavior["type"])
    if action is not None:
        RECORDER.set(operation, {a.FLEX_POLICY_ACTION: action})
