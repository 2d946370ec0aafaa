"""Tasks: every execution of a node of a graph, with all its attempts; must not know runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from otel_agents.adapters.langgraph import frames as f
from otel_agents.adapters.langgraph.attempts import keep_attempt
from otel_agents.adapters.langgraph.frames import Frame, Tool
from otel_agents.adapters.langgraph.models import INVALID, tell_invalid
from otel_agents.adapters.langgraph.plans import accept, begin_plan, written
from otel_agents.adapters.langgraph.policies import action_by, action_of, tell_action
from otel_agents.adapters.langgraph.shapes import Role, Shape, shape_of
from otel_agents.adapters.langgraph.tools import finish_tool, tool_call, tool_start
from otel_agents.operation import CANCELLED, ERROR, OK, PAUSED, Operation
from otel_agents.patching.table import Call, Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k

END: Final = "__end__"
BRANCH: Final = "branch:to:"
SENDS: Final = "__pregel_tasks"


class Task(Frame):
    """What is remembered of a task: its shape, too."""

    __slots__ = ("shape",)

    def __init__(self, task: Any, shape: Shape) -> None:
        super().__init__(task.name, task.id, shape.hosts)
        self.shape = shape


# Starting


def before_task(call: Call) -> Start | None:
    """A task starts."""
    inside, task = f.inside(), call.args[0]
    shape = shape_of(task) if inside is not None else None
    if inside is None or shape is None:
        return None
    f.go_on(f.around(inside))
    frame = call.state = Task(task, shape)
    return STARTS[shape.role](frame, task, inside)


def _node(frame: Task, task: Any, inside: Operation) -> Start:
    kind = frame.shape.kind
    values = {a.FLEX_NODE_ID: frame.id, a.FLEX_NODE_KIND: kind, a.FLEX_NODE_LABEL: frame.name, a.FLEX_NODE_ATTEMPT: 1}
    return Start(frame.name, values)


def _tools(frame: Task, task: Any, inside: Operation) -> Start:
    """A task made for one tool call is that tool; one that looks for calls in the state is a step that runs tools."""
    wanted = tool_call(task)
    if wanted is None:
        return _node(frame, task, inside)
    name = wanted["name"]
    if name in frame.shape.tools:  # otherwise the model made it up
        frame.name = name
        frame.tool = Tool(name, wanted.get("id"))
        frame.todos = wanted["args"].get("todos") if name == f.WRITE_TODOS else None
    return tool_start(frame, frame.id, inside)


def _plan(frame: Task, task: Any, inside: Operation) -> Start:
    return begin_plan(inside)


def _guard(frame: Task, task: Any, inside: Operation) -> Start:
    return Start(frame.shape.policy, {a.FLEX_POLICY_TRIGGER: frame.shape.trigger}, kind=k.POLICY)


STARTS: Final[Mapping[Role, Callable[[Task, Any, Operation], Start]]] = {
    "node": _node,
    "hook": _node,
    "tools": _tools,
    "plan": _plan,
    "guard": _guard,
}


def started(operation: Operation, call: Call) -> None:
    """Let what happens inside find the frame."""
    operation.memory = call.state


# Ending


def after_task(operation: Operation, call: Call, result: object) -> str | None:
    """A task returned. What it wrote says what became of it; a command from inside took effect if it wrote that."""
    frame: Task = call.state
    writes = call.args[0].writes
    outcome = ENDS[frame.shape.role](operation, frame, writes)
    if frame.command is not None:
        for target in _targets(frame.command, writes):
            RECORDER.start_handoff(frame.name, target)
    return outcome


def _end_node(operation: Operation, frame: Task, writes: Any) -> str:
    keep_attempt(frame, operation)
    frame.error = None
    return OK


def _end_tools(operation: Operation, frame: Task, writes: Any) -> str:
    if frame.shape.kind == operation.attributes.get(a.FLEX_NODE_KIND):
        return _end_node(operation, frame, writes)
    messages = [message for channel, value in writes if channel == "messages" for message in _each(value)]
    return finish_tool(operation, frame, failed=any(getattr(each, "status", None) == ERROR for each in messages))


def _end_plan(operation: Operation, frame: Task, writes: Any) -> str:
    keep_attempt(frame, operation)
    accept(operation, frame.name, written(writes))
    return OK


def _end_hook(operation: Operation, frame: Task, writes: Any) -> str:
    tell_action(operation, frame.shape, action_of(frame.shape, writes))
    return _end_node(operation, frame, writes)


def _end_guard(operation: Operation, frame: Task, writes: Any) -> str:
    tell_action(operation, frame.shape, action_of(frame.shape, writes))
    return OK


ENDS: Final[Mapping[Role, Callable[[Operation, Task, Any], str]]] = {
    "node": _end_node,
    "hook": _end_hook,
    "tools": _end_tools,
    "plan": _end_plan,
    "guard": _end_guard,
}


def failed_task(operation: Operation, call: Call, error: BaseException) -> str:
    """An exception left a task: to pause, to hand over, to stop, or because it failed."""
    frame: Task = call.state
    if f.is_a(error, f.INTERRUPT):
        f.pass_questions(frame, operation, error)
        return PAUSED
    if f.is_a(error, f.PARENT_COMMAND):
        operation.hands_over = frame.tool is not None
        return OK
    if f.is_a(error, f.BUBBLE_UP):
        return CANCELLED
    keep_attempt(frame, operation)
    if f.is_refusal(error):
        f.pass_refusal(frame, operation)
    if frame.shape.policy and isinstance(error, Exception):
        tell_action(operation, frame.shape, action_by(error))
    if f.is_a(error, *INVALID):
        tell_invalid(operation, error, is_retried=False)
    frame.error = None
    return ""


# Handoffs


def _targets(command: Any, writes: Any) -> Iterator[str]:
    """Return whom a command hands over to: the nodes that it names, if the task that it reached obeyed it."""
    obeyed = {channel.removeprefix(BRANCH) for channel, _ in writes}
    obeyed |= {value.node for channel, value in writes if channel == SENDS and f.is_a(value, f.SEND)}
    named = (each.node if f.is_a(each, f.SEND) else each for each in _each(command.goto))
    return (name for name in dict.fromkeys(named) if name != END and name in obeyed)


def _each(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)
