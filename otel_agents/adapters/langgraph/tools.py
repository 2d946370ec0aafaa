"""Tools: the tasks that are one tool call, and the tools that nodes run themselves; must not know runs."""

from __future__ import annotations

from typing import Any, Final

from otel_agents.adapters.langgraph import frames as f
from otel_agents.adapters.langgraph.attempts import keep_attempt, tell_failed_attempt
from otel_agents.adapters.langgraph.frames import Frame, Tool
from otel_agents.adapters.langgraph.plans import accept_todos, begin_plan
from otel_agents.operation import ERROR, OK, PAUSED, Operation
from otel_agents.patching.table import Call, Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k

PUSHED: Final = "__pregel_push"
TOOL: Final = "tool"
WATCHED: Final = Start(is_tap=True)
"""The call is a part of what is known already: only its ending is of interest."""


def tool_call(task: Any) -> dict[str, Any] | None:
    """Return the one tool call that a task was made for; None for tasks that look for calls in the state."""
    if task.path[0] != PUSHED:
        return None
    given = task.input
    if isinstance(given, list) and len(given) == 1:
        return given[0] if isinstance(given[0], dict) else None
    found = given.get("tool_call") if isinstance(given, dict) else None
    return found if isinstance(found, dict) else None


def tool_start(frame: Frame, node_id: str, operation: Operation) -> Start:
    """Return the tool to start as part of an operation, or the plan that the tool is."""
    if frame.name == f.WRITE_TODOS:
        return begin_plan(operation)
    root = f.around(operation.run.operation)
    values = {a.FLEX_NODE_ID: node_id, a.FLEX_NODE_KIND: TOOL, a.FLEX_NODE_LABEL: frame.name, a.FLEX_NODE_ATTEMPT: 1}
    return Start(frame.name, values, kind=k.NODE, ceded=root is not None and root.cedes)


def before_tool(call: Call) -> Start | None:
    """A tool runs: in the task that is its call, which knows of it, or in some node by itself."""
    inside = f.inside()
    around = f.around(inside)
    if inside is None or around is None:
        return None
    tool = Tool(call.self.name, call.argument("tool_call_id"))
    if around.tool == tool:
        _try_again(around, inside)
        return WATCHED
    frame = Frame(tool.name, str(tool.call_id or f.node_id(inside, tool.name)), tool=tool)
    if tool.name == f.WRITE_TODOS:
        frame.todos = call.argument("tool_input").get("todos")
    call.state = frame
    return tool_start(frame, frame.id, inside)


def started(operation: Operation, call: Call) -> None:
    """Let what happens inside find the frame."""
    operation.memory = call.state


def after_tool(operation: Operation | None, call: Call, result: Any) -> str | None:
    """A tool returned; what it raised may have become a message."""
    if operation is None:
        _forget(f.around(f.inside()))
        return None
    return finish_tool(operation, call.state, failed=getattr(result, "status", None) == ERROR, result=result)


def failed_tool(operation: Operation | None, call: Call, error: BaseException) -> str:
    """A tool raised: to pause, to hand over, or because it failed."""
    if operation is None:
        around = f.around(f.inside())
        if around is not None and not f.is_a(error, f.BUBBLE_UP):
            around.error = error
        return ""
    if f.is_a(error, f.INTERRUPT):
        f.pass_questions(call.state, operation, error)
        return PAUSED
    if f.is_a(error, f.PARENT_COMMAND):
        f.pass_command(operation, error)
        operation.hands_over = True
        return OK
    if f.is_refusal(error):
        f.pass_refusal(call.state, operation)
    return OK if f.is_a(error, f.BUBBLE_UP) else ""


def finish_tool(operation: Operation, frame: Frame, *, failed: bool, result: Any = None) -> str:
    """End a tool that returned, or a task that is one; ``failed`` when all it has to show is an error message."""
    keep_attempt(frame, operation)
    error, frame.error = frame.error, None
    if failed:
        if error is not None:
            RECORDER.end(operation, error, ERROR)  # here, since for the host nothing was raised
        return ERROR
    if operation.kind is k.PLAN:
        accept_todos(operation, f.WRITE_TODOS, frame.todos)
    operation.hands_over = operation.hands_over or (f.is_a(result, f.COMMAND) and result.graph is not None)
    return OK


def _try_again(frame: Frame, operation: Operation) -> None:
    """Tell of the try before, which failed: somebody between the task and the tool tries again."""
    error, frame.error = frame.error, None
    if error is not None:
        tell_failed_attempt(frame, operation, error)


def _forget(frame: Frame | None) -> None:
    if frame is not None:
        frame.error = None
