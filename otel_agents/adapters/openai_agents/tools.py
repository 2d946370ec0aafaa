"""Tools: functions, and what the SDK runs itself, such as a shell; a call that waits for approval is no execution.

A tool that is an agent runs that agent inside. Must not know runs.
"""

from __future__ import annotations

from typing import Any, Final

from otel_agents.adapters.openai_agents import frames as f
from otel_agents.adapters.openai_agents.frames import Frame
from otel_agents.adapters.openai_agents.models import tell_invalid
from otel_agents.operation import CANCELLED, ERROR, OK, PAUSED, Operation, outcome_of
from otel_agents.patching.table import Call, Start
from otel_agents.patching.watch import is_one_of
from otel_agents.recorder import RECORDER
from otel_agents.semconv.gen_ai import ERROR_TYPE

TOOL: Final = "tool"
FAILED: Final = "failed"
# OpenTelemetry's word for a call that is answered with an error, where nothing is raised.
TOOL_ERROR: Final = "tool_error"


def before_function(call: Call) -> Start | None:
    """A function tool is called: whoever had to approve did."""
    return _begin(call, str(call.argument("func_tool").name), call.argument("tool_call").call_id)


def before_native(call: Call) -> Start | None:
    """A tool of the SDK's own is called; whether it has to wait for an approval shows inside."""
    return _begin(call, str(call.argument("tool_name")), None)


def before_local_shell(call: Call) -> Start | None:
    """The oldest of the SDK's own tools is called, which asks nobody."""
    wanted = call.argument("call")
    return _begin(call, str(wanted.local_shell_tool.name), getattr(wanted.tool_call, "call_id", None))


def _begin(call: Call, name: str, call_id: Any) -> Start | None:
    inside = f.inside()
    if inside is None:
        return None
    call.state = Frame(str(call_id or f.node_id(inside, name)))
    return f.node(name, call.state.id, TOOL, ceded=f.is_ceded(inside))


def started(operation: Operation, call: Call) -> None:
    """Let what happens inside find the frame."""
    operation.memory = call.state


def after_tool(operation: Operation, call: Call, result: object) -> str:
    """A tool is done. What it raised may have become a message, and an agent inside may wait for a human."""
    frame: Frame = call.state
    error, frame.error = frame.error, None
    if frame.is_waiting:
        return PAUSED
    if frame.is_refused:
        return CANCELLED
    if error is not None:
        outcome = outcome_of(error)
        RECORDER.end(operation, error, outcome)  # here, since for the host nothing was raised
        return outcome
    return _failed(operation) if frame.is_failed else OK


def _failed(operation: Operation) -> str:
    RECORDER.set(operation, {ERROR_TYPE: TOOL_ERROR})
    return ERROR


def after_native(operation: Operation, call: Call, result: Any) -> str:
    """One of the SDK's own tools is done; one that failed says so in its result, which is a message for the model."""
    raw = getattr(result, "raw_item", None)
    failed = isinstance(raw, dict) and raw.get("status") == FAILED
    return after_tool(operation, call, result) if not failed else _failed(operation)


def after_approval(_: None, call: Call, result: Any) -> None:
    """One of the SDK's own tools asked whether it may run: yes, no, or somebody has to be asked."""
    frame = f.frame_around(f.inside())
    if frame is not None:
        status = result[0]
        frame.is_waiting, frame.is_refused = status is None, status is False


def after_failure(_: None, call: Call, message: object) -> None:
    """What a tool raised became a message for the model, unless nobody wanted to make one."""
    operation = f.around(f.inside())
    if operation is None or message is None or not isinstance(operation.memory, Frame):
        return
    error = operation.memory.error = call.argument("error")
    if is_one_of(error, (f.MODEL_BEHAVIOR,)) and not operation.saw(error):
        tell_invalid("input", error, is_retried=True)


def after_mcp(_: None, call: Call, result: Any) -> None:
    """An MCP server answered; a call that failed there is an answer like any other, and a message for the model."""
    frame = f.frame_around(f.inside())
    if frame is not None and any(getattr(result, name, False) for name in ("is_error", "isError")):
        frame.is_failed = True


def after_timeout(_: None, call: Call, result: object) -> None:
    """A tool took too long; what this exception says may become a message without being raised."""
    frame = f.frame_around(f.inside())
    if frame is not None:
        frame.error = call.self
