"""What the adapter remembers of an operation while it runs, and how it is found again; must not know any patch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from otel_agents.lineage import current_in
from otel_agents.operation import Operation
from otel_agents.patching.table import Start
from otel_agents.pauses import Pause
from otel_agents.recorder import Entered
from otel_agents.semconv import agents as a
from otel_agents.semconv.kinds import NODE

RUNTIME: Final = "openai_agents"
TRIPPED: Final = "agents.exceptions.InputGuardrailTripwireTriggered"
EXHAUSTED: Final = "agents.exceptions.MaxTurnsExceeded"
MODEL_BEHAVIOR: Final = "agents.exceptions:ModelBehaviorError"
WATCHED: Final = Start(is_tap=True)
"""The call is a part of what is known already: only its ending is of interest."""

inside: Final = partial(current_in, RUNTIME)


@dataclass(slots=True, eq=False)
class Frame:
    """What is known of a model call or a tool, from its start to its end.

    ``attempt`` counts the tries. ``error`` is what was raised and became a message for the model. ``is_failed``: the
    tool itself says so. ``is_waiting``: a human is asked inside. ``is_refused``: a human said no.
    """

    id: str = ""
    attempt: int = 1
    error: BaseException | None = None
    is_failed: bool = False
    is_waiting: bool = False
    is_refused: bool = False


@dataclass(slots=True, eq=False)
class Agent(Frame):
    """What is known of an agent: the SDK's span that it lasts as long as, and what was going on when that began.

    ``turns`` counts how often the model was asked, ``invalid`` the outputs that were not valid.
    """

    span: Any = None
    entered: Entered | None = None
    handled: BaseException | None = None
    turns: int = 0
    invalid: int = 0


@dataclass(slots=True, eq=False)
class Running(Frame):
    """What is known of a run.

    ``agents`` are those that are at work. ``waiting`` are the questions that were open when it started, ``answers``
    the decisions on them, both by call. ``stream`` is what the caller of a streamed run got, ``wished_ns`` when the
    caller wanted it to stop. ``cedes``: other instrumentations make the spans of models and tools.
    """

    agents: list[Operation] = field(default_factory=list)
    waiting: Mapping[str, Pause] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    stream: Any = None
    wished_ns: int = 0
    turns: int = 0
    cedes: bool = False

    @property
    def failure(self) -> str:
        """What a streamed run failed of that is raised for its consumer only, not where it runs; "" for nothing."""
        stream = self.stream
        if stream is None:
            return ""
        if any(result.output.tripwire_triggered for result in stream.input_guardrail_results):
            return TRIPPED
        is_over = stream.max_turns is not None and stream.current_turn > stream.max_turns
        return EXHAUSTED if is_over and stream.final_output is None else ""


def around(operation: Operation | None) -> Operation | None:
    """Return the operation, or the nearest one around it within its run, that something is remembered of."""
    run = operation.run if operation is not None else None
    while operation is not None and operation.run is run:
        if isinstance(operation.memory, Frame):
            return operation
        operation = operation.parent
    return None


def frame_around(operation: Operation | None) -> Frame | None:
    """Return what is remembered of an operation, or of the nearest one around it."""
    found = around(operation)
    return found.memory if found is not None and isinstance(found.memory, Frame) else None


def running(operation: Operation) -> Running | None:
    """Return what is remembered of the run that an operation belongs to."""
    whole = operation.run.operation
    return whole.memory if whole is not None and isinstance(whole.memory, Running) else None


def agent_around(operation: Operation | None) -> Agent | None:
    """Return what is remembered of the nearest agent."""
    while operation is not None:
        if isinstance(operation.memory, Agent):
            return operation.memory
        operation = operation.parent
    return None


def node_id(operation: Operation, name: str) -> str:
    """Return an id for a node that the SDK gives none: its name within the node around it."""
    node = operation.node
    return f"{node.attributes.get(a.FLEX_NODE_ID)}/{name}" if node is not None else name


def node(name: str, node_id: str, kind: str, *, ceded: bool = False) -> Start:
    """Return the node to start."""
    values = {a.FLEX_NODE_ID: node_id, a.FLEX_NODE_KIND: kind, a.FLEX_NODE_LABEL: name, a.FLEX_NODE_ATTEMPT: 1}
    return Start(name, values, kind=NODE, ceded=ceded)


def is_ceded(operation: Operation) -> bool:
    """Whether another instrumentation makes the spans of models and tools in this run."""
    run = running(operation)
    return run is not None and run.cedes
