"""Pauses of declared runs: how a run is found again, asked and answered; must not know rows nor signals.

A run waits under its thread id, else under its own id if a row says where that is found. Without either, a question
waits under its own id, so that an answer anywhere finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from weakref import WeakKeyDictionary

from otel_agents import guard, questions
from otel_agents.lineage import current_open
from otel_agents.operation import Identity, Operation
from otel_agents.patching.table import Start
from otel_agents.pauses import Pause
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e

_keys: Final[WeakKeyDictionary[Operation, str]] = WeakKeyDictionary()  # of runs, where a row says who they are


def run(runtime: str, name: str, identity: Identity, values: dict[str, object]) -> Start:
    """Return the run to start: itself again when it waits for an answer."""
    known = values.get(a.FLEX_THREAD_ID) or identity.run_id
    waiting = _waiting(f"{runtime}:{known}") if known else ()
    if not waiting:
        return Start(name, values, identity=identity)
    first = waiting[0]
    again = replace(
        identity,
        run_id=first.run_id,
        correlation_id=first.correlation_id,
        plan_version=identity.plan_version if identity.plan_version is not None else first.plan_version,
    )
    links = tuple({pause.traceparent: None for pause in waiting if pause.traceparent})
    return Start(name, {**values, a.FLEX_RUN_RESUMED: True}, identity=again, links=links)


def started(operation: Operation, *, declared: bool) -> None:
    """Remember under which key a run waits."""
    known = operation.attributes.get(a.FLEX_THREAD_ID) or (operation.run.id if declared else "")
    if known:
        _keys[operation] = f"{operation.run.runtime}:{known}"


def is_asked(values: Mapping[str, object]) -> bool:
    """Whether this question waits for its answer already, so that asking it again is no new question."""
    inside, request_id = current_open(), _request(values)
    if inside is None or not request_id:
        return False
    return any(pause.request_id == request_id for pause in _waiting(_key(inside, request_id)))


def ask(values: Mapping[str, object], runtime: str) -> None:
    """Tell that a human is asked, in what is current."""
    inside, request_id = current_open(), _request(values)
    if inside is None:
        RECORDER.fact(e.HITL_REQUEST, values, identity=Identity(runtime))
        return
    origin, node_id = (str(values.get(name, "")) for name in (a.FLEX_HITL_ORIGIN, a.FLEX_HITL_PENDING_NODE))
    key = _key(inside, request_id)
    questions.ask(inside, key, request_id, origin=origin, node_id=node_id or _node(inside), about=_about(values))


def keep(operation: Operation) -> None:
    """Keep a question that was told when its operation began, and that nobody answered before that ended."""
    request_id = _request(operation.attributes)
    node_id = str(operation.attributes.get(a.FLEX_HITL_PENDING_NODE, "")) or _node(operation)
    questions.keep(operation, _key(operation, request_id), request_id, node_id)


def answered(asked: Mapping[str, object] | None, values: Mapping[str, object]) -> None:
    """Tell the decision, if there is one, about a question that waited."""
    if asked is not None and a.FLEX_HITL_DECISION in values:
        answer({**asked, **values})


def answer(values: Mapping[str, object], runtime: str = "", run_id: str = "") -> None:
    """Tell that a human answered, with the wait where it is known."""
    inside, request_id = current_open(), _request(values)
    decision, wait_ms = str(values.get(a.FLEX_HITL_DECISION, "")), values.get(a.FLEX_HITL_WAIT_MS)
    keys = [_key(inside, request_id)] if inside is not None else []
    keys += [f"{runtime}:{run_id}"] if run_id else []
    keys += [f"{runtime}:{request_id}"] if runtime else []
    for key in keys:
        if any(pause.request_id == request_id for pause in _waiting(key)):
            questions.answer(key, request_id, decision, about=_about(values))
            return
    given = wait_ms if isinstance(wait_ms, int | float) else None
    identity = Identity(runtime) if runtime and inside is None else None
    RECORDER.fact(e.HITL_RESOLVED, {**values, a.FLEX_HITL_WAIT_MS: given}, identity=identity)


def _waiting(key: str) -> tuple[Pause, ...]:
    return guard.run("pauses.find", RECORDER.pauses.find, key) or ()


def _about(values: Mapping[str, object]) -> dict[str, object]:
    own = (a.FLEX_HITL_REQUEST_ID, a.FLEX_HITL_DECISION, a.FLEX_HITL_ORIGIN, a.FLEX_HITL_PENDING_NODE)
    return {name: value for name, value in values.items() if name not in own}


def _key(inside: Operation, request_id: str) -> str:
    run = inside.run.operation
    known = _keys.get(run) if run is not None else None
    return known or f"{inside.run.runtime}:{request_id}"


def _request(values: Mapping[str, object]) -> str:
    return str(values.get(a.FLEX_HITL_REQUEST_ID) or "")


def _node(inside: Operation) -> str:
    node = inside.node
    return str(node.attributes.get(a.FLEX_NODE_ID, "")) if node is not None else ""
