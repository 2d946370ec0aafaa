"""Workflows, the turns of agents in them, and handoffs between; must not know signals."""

from __future__ import annotations

from typing import Final

from otel_agents import guard
from otel_agents.adapters.yolo.team import RUNTIME, tell_context
from otel_agents.content import type_name
from otel_agents.lineage import current_open
from otel_agents.operation import CANCELLED, ERROR, Identity, Operation, current, outcome_of
from otel_agents.patching.table import Call, Start
from otel_agents.patching.watch import is_one_of
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv.gen_ai import ERROR_TYPE

STOPPED: Final = "otel_agents.runtime.yolo.errors:StoppedError"
OFF: Final = "off"


# Workflows


def before_workflow(call: Call) -> Start:
    """A workflow begins, or goes on where it ended."""
    workflow = call.argument("workflow")
    values: dict[str, object] = {a.YOLO_WORKFLOW: workflow.name}
    if isinstance(workflow.task, str):
        values[a.FLEX_RUN_GOAL] = workflow.task
    if workflow.resumed:
        values[a.FLEX_RUN_RESUMED] = True
    return Start(workflow.name, values, identity=Identity(RUNTIME, workflow.id, workflow.correlation_id))


def after_workflow(operation: Operation, call: Call, result: object) -> None:
    """A workflow is done."""
    operation.put(a.YOLO_WORKFLOW_SUCCESS, True)


def failed_workflow(operation: Operation, call: Call, error: BaseException) -> str:
    """A workflow did not get to its end: it failed, or the team was switched off."""
    operation.put(a.YOLO_WORKFLOW_SUCCESS, False)
    if not is_one_of(error, (STOPPED,)):
        return ""
    operation.put(a.FLEX_RUN_REASON, OFF)
    return CANCELLED


# Turns


def before_turn(call: Call) -> Start:
    """An agent works at one step, as often as it may try."""
    name, number = call.argument("member").name, call.argument("workflow").spent.steps
    return _node(name, f"{number}-{name}", "agent")


def after_turn(operation: Operation, call: Call, result: object) -> None:
    """An agent has worked; its context may have grown."""
    tell_context(call.argument("member").context)


def failed_turn(operation: Operation, call: Call, error: BaseException) -> None:
    """An agent failed for good."""
    tell_context(call.argument("member").context)


def before_another_try(call: Call) -> None:
    """An attempt failed, and is made again; what it handed over is forgotten."""
    turn, error, operation = call.argument("turn"), call.argument("error"), current()
    if operation is None:
        return
    for handoff in tuple(operation.run.handoffs):
        if handoff.attributes.get(a.YOLO_FROM_AGENT) == turn.agent:
            withdraw(handoff, ERROR)
    failed: dict[str, object] = {a.FLEX_NODE_ATTEMPT: turn.attempt, ERROR_TYPE: type_name(error)}
    message = guard.run("recorder.message", str, error) if RECORDER.capture.events else None
    RECORDER.fact(e.NODE_ERROR, {**failed, a.FLEX_ERROR_MESSAGE: message}, operation=operation)
    RECORDER.fact(e.NODE_RETRY, failed, operation=operation)
    operation.put(a.FLEX_NODE_ATTEMPT, turn.attempt + 1)


def before_tool(call: Call) -> Start:
    """An agent uses a tool."""
    node, name = _current_node(), call.argument("tool")
    return _node(name, f"{node.attributes.get(a.FLEX_NODE_ID)}/{name}" if node is not None else name, "tool")


def before_decision(call: Call) -> Start:
    """An agent decides, and may."""
    return Start(call.argument("decision_type"), {a.YOLO_AGENT: call.self.agent})


def _node(name: str, node_id: str, kind: str) -> Start:
    values = {a.FLEX_NODE_ID: node_id, a.FLEX_NODE_KIND: kind, a.FLEX_NODE_LABEL: name, a.FLEX_NODE_ATTEMPT: 1}
    return Start(name, values)


def _current_node() -> Operation | None:
    """Return the node that runs now."""
    operation = current_open()
    return operation.node if operation is not None else None


# Handoffs


def before_handoff(call: Call) -> None:
    """A handoff was asked for, and nothing speaks against it: both agents are known."""
    RECORDER.start_handoff(call.self.agent, call.argument("to_agent"))
    inside = current_open()
    if inside is not None and inside.run.handoffs:
        call.state = inside.run.handoffs[-1]


def failed_handoff(_: None, call: Call, error: BaseException) -> None:
    """A handoff could not be saved, and does not take place. What failed has recorded the exception."""
    if call.state is not None:
        withdraw(call.state, outcome_of(error))


def withdraw(handoff: Operation, outcome: str) -> None:
    """End a handoff whose target will not start because of it."""
    waiting = handoff.run.handoffs
    if handoff in waiting:
        waiting.remove(handoff)
        RECORDER.end(handoff, outcome=outcome)
