"""Questions to humans: asked when a run pauses, answered when it goes on, here or elsewhere; knows no signal."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from otel_agents import guard
from otel_agents.operation import Operation
from otel_agents.pauses import Pause
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e

NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


def ask(
    operation: Operation,
    key: str,
    request_id: str,
    *,
    origin: str = "",
    node_id: str = "",
    about: Mapping[str, object] = NOTHING,
) -> None:
    """Tell that a run waits for a human, and keep what the run needs to be found again under ``key``.

    Without a key the question is told, but not kept: nobody could answer it. ``about`` are further attributes.
    """
    values: dict[str, object] = {**about, a.FLEX_HITL_REQUEST_ID: request_id}
    values |= {a.FLEX_HITL_ORIGIN: origin} if origin else {}
    values |= {a.FLEX_HITL_PENDING_NODE: node_id} if node_id else {}
    keep(operation, key, request_id, node_id)
    RECORDER.fact(e.HITL_REQUEST, values, operation=operation)


def keep(operation: Operation, key: str, request_id: str, node_id: str = "") -> None:
    """Keep a question that was told otherwise, under its key, if it has one."""
    if key:
        guard.run("pauses.put", RECORDER.pauses.put, _pause(operation, key, request_id, node_id))


def answer(
    key: str,
    request_id: str,
    decision: str,
    *,
    operation: Operation | None = None,
    wait_ms: float | None = None,
    about: Mapping[str, object] = NOTHING,
) -> None:
    """Tell that a human answered, with the wait. Of several processes that see the answer, one tells.

    ``wait_ms`` is given by a framework that lets each answer count once, and knows itself how long it waited.
    """
    pause = guard.run("pauses.take", RECORDER.pauses.take, key, request_id)
    if pause is not None and wait_ms is None:
        wait_ms = max(RECORDER.wall_ns() - pause.asked_ns, 0) / 1e6
    if wait_ms is None:
        return
    values = {a.FLEX_HITL_REQUEST_ID: request_id, a.FLEX_HITL_DECISION: decision, a.FLEX_HITL_WAIT_MS: wait_ms}
    RECORDER.fact(e.HITL_RESOLVED, {**about, **values}, operation=operation)


def forget(key: str) -> None:
    """Forget the questions that are left under a key, whose run is over: who asked died before anybody could read."""
    for pause in guard.run("pauses.find", RECORDER.pauses.find, key) or ():
        guard.run("pauses.take", RECORDER.pauses.take, key, pause.request_id)


def _pause(operation: Operation, key: str, request_id: str, node_id: str) -> Pause:
    run = operation.run
    around = run.operation or operation
    return Pause(
        key=key,
        request_id=request_id,
        run_id=run.id,
        correlation_id=run.correlation_id,
        runtime=run.runtime,
        traceparent=around.trace.traceparent if around.trace is not None else "",
        asked_ns=RECORDER.wall_ns(),
        plan_version=run.plan_version,
        node_id=node_id,
    )
