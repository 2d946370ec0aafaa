"""What the adapter remembers of an operation while it runs, and how it is found again; must not know any patch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from otel_agents.lineage import current_in
from otel_agents.operation import Operation
from otel_agents.semconv.agents import FLEX_NODE_ID

RUNTIME: Final = "langgraph"
WRITE_TODOS: Final = "write_todos"

GRAPH: Final = "langgraph.pregel.main:Pregel"
COMMAND: Final = "langgraph.types:Command"
SEND: Final = "langgraph.types:Send"
INTERRUPT: Final = "langgraph.errors:GraphInterrupt"
PARENT_COMMAND: Final = "langgraph.errors:ParentCommand"
BUBBLE_UP: Final = "langgraph.errors:GraphBubbleUp"
DRAINED: Final = "langgraph.errors:GraphDrained"


class Question(NamedTuple):
    """What waits for a human: the name of the task that asked, and its id."""

    origin: str
    node_id: str


class Tool(NamedTuple):
    """A tool call, as the tool itself will see it. The id may be missing."""

    name: str
    call_id: object


@dataclass(slots=True, eq=False)
class Frame:
    """What is known of one operation, from its start to its end.

    ``id`` is the task's, "" for runs. ``hosts`` is the name of the graph that this task is: the graph's own stream
    adds no operation. ``tool`` is the tool call that this task is, ``todos`` what it makes of a plan. ``error`` is
    what the tool last raised, or what was last found invalid; ``command`` is the last command that an inner graph
    sent up. ``questions`` are those asked below, by id; ``is_waiting`` says that a pause reached this operation.
    ``answers`` tells what a human decided, until the graph has gone on with that. ``refused`` are the nodes that did
    not take the answer that they got, id and name. ``invalid`` counts invalid outputs. ``cedes``: other
    instrumentations make the spans of tools.
    """

    name: str
    id: str = ""
    hosts: str = ""
    tool: Tool | None = None
    attempt: int = 1
    cedes: bool = False
    is_waiting: bool = False
    invalid: int = 0
    error: BaseException | None = None
    command: Any = None
    todos: Any = None
    questions: dict[str, Question] = field(default_factory=dict)
    answers: Callable[[], None] | None = None
    refused: dict[str, str] = field(default_factory=dict)


def is_a(value: object, *targets: str) -> bool:
    """Whether the value is of a class that is named here as ``module:Class``; nothing is imported for it."""
    for target in targets:
        module, _, name = target.partition(":")
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and isinstance(value, found):
            return True
    return False


inside: Final = partial(current_in, RUNTIME)


def around(operation: Operation | None) -> Frame | None:
    """Return what is remembered of an operation, or of the nearest one around it within its run."""
    run = operation.run if operation is not None else None
    while operation is not None and operation.run is run:
        if isinstance(operation.memory, Frame):
            return operation.memory
        operation = operation.parent
    return None


def above(operation: Operation) -> Frame | None:
    """Return what is remembered of the nearest operation around this one."""
    parent = operation.parent
    return around(parent) if parent is not None and parent.run is operation.run else None


def node_id(operation: Operation | None, name: str) -> str:
    """Return an id for a node that the framework gives none: its name within the node around it."""
    node = operation.node if operation is not None else None
    return f"{node.attributes.get(FLEX_NODE_ID)}/{name}" if node is not None else name


def pass_questions(frame: Frame, operation: Operation, error: BaseException) -> None:
    """Let the questions that leave an operation with a GraphInterrupt reach the operation around it.

    Whoever asked first, farthest inside, stays the one who asked.
    """
    upper = above(operation)
    if upper is None:
        return
    upper.is_waiting = True
    for interrupt in error.args[0] if error.args else ():
        frame.questions.setdefault(str(interrupt.id), Question(frame.name, frame.id))
    for request_id, question in frame.questions.items():
        upper.questions.setdefault(request_id, question)


def go_on(frame: Frame | None) -> None:
    """A graph goes on: only now has it taken the answers that it was given. One that fails before took none."""
    tell = frame.answers if frame is not None else None
    if frame is not None and tell is not None:
        tell()
        frame.answers = None


def is_refusal(error: BaseException) -> bool:
    """Whether a node did not take the answer that it got, which then does not count for the framework either."""
    asks = getattr(sys.modules.get("langgraph.errors"), "is_invalid_resume", None)
    return asks is not None and bool(asks(error))


def pass_refusal(frame: Frame, operation: Operation) -> None:
    """Let whoever did not take an answer, farthest inside, be known around this operation."""
    upper = above(operation)
    if upper is not None:
        upper.refused |= frame.refused or {frame.id: frame.name}


def pass_command(operation: Operation, error: BaseException) -> None:
    """Let a command for a graph farther out reach the operation around this one: there shows whether it is obeyed."""
    upper = above(operation)
    if upper is not None:
        upper.command = error.args[0]
