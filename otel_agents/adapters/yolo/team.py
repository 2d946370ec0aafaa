"""Who is in a team, what went wrong, contexts and state; none needs a workflow that runs. Must not know signals."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, Final

from otel_agents.content import type_name
from otel_agents.operation import Identity, Operation
from otel_agents.patching.table import Call, Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv.gen_ai import ERROR_TYPE
from otel_agents.semconv.model import EventType

RUNTIME: Final = "yolo"
OF_TEAM: Final = Identity(RUNTIME)
GONE: Final = "gone"
IDLE: Final = "idle"
ACTIVE: Final = "active"

# What was last told of the status of each agent.
_statuses: Final[weakref.WeakKeyDictionary[Any, str]] = weakref.WeakKeyDictionary()
# What was last told of each context. A refresh tells by itself; all other changes are told when a turn ends.
_told: Final[weakref.WeakKeyDictionary[Any, tuple[int, int]]] = weakref.WeakKeyDictionary()
# Contexts of agents who are gone. One may still be refreshed; what it holds then would be taken for that of the living.
_left: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def _tell(event: EventType, values: Mapping[str, object]) -> None:
    """Tell a fact where it happens; a team may change while none of its workflows runs."""
    RECORDER.fact(event, values, identity=OF_TEAM)


# The team


def before_block(call: Call) -> None:
    """A limit forbids something."""
    ask = call.argument("ask")
    _tell(e.SAFETY_BLOCK, {a.YOLO_AGENT: ask.agent, a.YOLO_DECISION_TYPE: ask.decision_type})


def after_note(_: None, call: Call, result: object) -> None:
    """An agent had an error."""
    error: BaseException = call.argument("error")
    values = {
        a.YOLO_AGENT: call.argument("name"),
        ERROR_TYPE: type_name(error),
        a.YOLO_ERROR_SEVERITY: call.argument("severity"),
    }
    _tell(e.AGENT_ERROR, values)


def after_status(_: None, call: Call, has_changed: bool) -> None:  # noqa: FBT001  # the shape of a row's function
    """An agent does something else than before; that one who is idle takes a turn, and rests, is said by the turn."""
    member, status = call.argument("member"), call.argument("status")
    if has_changed and not (status in (IDLE, ACTIVE) and _statuses.get(member) == IDLE):
        _statuses[member] = status
        if status == GONE:
            _left.add(member.context)
        _tell(e.AGENT_STATUS, {a.YOLO_AGENT: member.name, a.YOLO_AGENT_STATUS: status})


def after_mode(_: None, call: Call, has_changed: bool) -> None:  # noqa: FBT001  # the shape of a row's function
    """The team has another mode than before."""
    if has_changed:
        _tell(e.MODE_CHANGED, {a.YOLO_MODE: call.argument("mode")})


# Contexts and state


def before_refresh(call: Call) -> Start:
    """A context is refreshed."""
    return Start(attributes={a.YOLO_AGENT: call.self.agent})


def after_refresh(operation: Operation, call: Call, result: object) -> None:
    """A context was refreshed: this is what it holds now."""
    RECORDER.set(operation, _size(call.self))


def failed_refresh(operation: Operation, call: Call, error: BaseException) -> None:
    """A context could not be refreshed, and holds what it held before."""
    RECORDER.set(operation, _size(call.self))


def after_restore(_: None, call: Call, result: object) -> None:
    """Contexts were taken over from a state."""
    for member in call.self.members():
        tell_context(member.context)


def tell_context(context: Any) -> None:
    """Tell what a context holds, if that was not told yet."""
    if _told.get(context, (0, 0)) != (len(context.items), context.tokens):
        _tell(e.CONTEXT_REFRESHED, {a.YOLO_AGENT: context.agent, **_size(context)})


def _size(context: Any) -> dict[str, object]:
    if context in _left:
        return {}
    items, tokens = _told[context] = len(context.items), context.tokens
    return {a.YOLO_CONTEXT_ITEMS: items, a.YOLO_CONTEXT_TOKENS: tokens, a.YOLO_CONTEXT_LIMIT: context.limit}


def after_save(operation: Operation, call: Call, size: int) -> None:
    """The state was saved."""
    operation.put(a.YOLO_STATE_SIZE, size)
