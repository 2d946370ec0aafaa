"""Agents and handoffs: what begins and ends with a span of the SDK, whether it traces or not; must not know runs.

No function is an agent's whole work, but a span is: the SDK opens and closes one in the task that does the work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_agents.adapters.openai_agents import frames as f
from otel_agents.adapters.openai_agents.frames import Agent, Running
from otel_agents.operation import ERROR, PAUSED, Operation
from otel_agents.patching.table import Call
from otel_agents.recorder import RECORDER
from otel_agents.semconv.gen_ai import ERROR_TYPE
from otel_agents.semconv.kinds import NODE

AGENT: Final = "agent"  # the type of a span, and the kind of a node


def begins(args: tuple[Any, ...]) -> bool:
    """Whether the span that begins is one that matters: most are those of models, tools and turns."""
    return bool(args[0].span_data.type == AGENT)


def ends(args: tuple[Any, ...]) -> bool:
    """Whether the span that ends is one that matters."""
    return args[0].span_data.type in ENDS


def after_start(_: None, call: Call, result: object) -> None:
    """An agent's span began. The agent is current from here on, in the task of its run."""
    span = call.self
    inside = f.inside()
    run = f.running(inside) if inside is not None else None
    if inside is None or run is None:
        return
    name = str(span.span_data.name)
    start = f.node(name, f.node_id(inside, name), AGENT)
    operation = RECORDER.start(NODE, name, start.attributes)
    if operation is None:
        return
    frame = Agent(span=span, handled=sys.exception())
    operation.memory = frame
    run.agents.append(operation)
    frame.entered = RECORDER.enter(operation)


def before_finish(call: Call) -> None:
    """An agent's span ends, or that of a handoff."""
    inside = f.inside()
    if inside is not None:
        ENDS[call.self.span_data.type](inside, call.self)


def _end_agent(inside: Operation, span: Any) -> None:
    run = f.running(inside)
    for operation in run.agents if run is not None else ():
        if isinstance(operation.memory, Agent) and operation.memory.span is span:
            return end_agent(operation, operation.memory)
    return None


def end_agent(operation: Operation, frame: Agent) -> None:
    """End an agent that hands over, is done, waits for a human, or is left by an exception."""
    run, error = f.running(operation), sys.exception()
    error = None if error is frame.handled else error
    if run is not None:
        run.agents.remove(operation)
        run.turns += frame.turns if operation.parent is operation.run.operation else 0
    if frame.entered is not None:
        RECORDER.leave(operation, frame.entered)
    frame.span = frame.entered = frame.handled = None
    outcome = "" if error is not None else _outcome(operation, frame, run)
    RECORDER.end(operation, error, outcome)


def _outcome(operation: Operation, frame: Agent, run: Running | None) -> str:
    """Return how an agent ended that no exception left; one of the run itself may know of one that comes later."""
    if run is not None and run.failure and operation.parent is operation.run.operation:
        RECORDER.set(operation, {ERROR_TYPE: run.failure})
        return ERROR
    return PAUSED if frame.is_waiting else ""


def _hand_over(inside: Operation, span: Any) -> None:
    """Tell of a handoff: only now it is known who takes over, and that somebody does."""
    data = span.span_data
    if data.from_agent and data.to_agent:
        RECORDER.start_handoff(str(data.from_agent), str(data.to_agent))


ENDS: Final[Mapping[str, Callable[[Operation, Any], None]]] = {AGENT: _end_agent, "handoff": _hand_over}


def before_interruption(call: Call) -> None:
    """A turn ends with questions to a human: the agent whose turn it is will be left waiting."""
    frame = f.frame_around(f.inside())
    if isinstance(frame, Agent) and call.argument("interruptions"):
        frame.is_waiting = True
