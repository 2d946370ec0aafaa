"""Attempts at a node that failed and are made again; must not know who makes them."""

from __future__ import annotations

from otel_agents import guard
from otel_agents.adapters.langgraph import frames as f
from otel_agents.adapters.langgraph.frames import Frame
from otel_agents.content import type_name
from otel_agents.operation import Operation
from otel_agents.patching.table import Call
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv.gen_ai import ERROR_TYPE
from otel_agents.semconv.kinds import NODE, PLAN


def after_retry_question(_: None, call: Call, result: object) -> None:
    """A retry policy was asked about an exception: its yes is another attempt, unless the attempts are used up.

    Of the policies of a task at most one says yes. The exception of the last attempt leaves the task.
    """
    operation = f.inside()
    if not result or operation is None or not isinstance(operation.memory, Frame):
        return
    frame, policy = operation.memory, call.argument("retry_policy")
    if frame.attempt < policy.max_attempts:
        tell_failed_attempt(frame, operation, call.argument("exc"))


def tell_failed_attempt(frame: Frame, operation: Operation, error: BaseException) -> None:
    """Tell that an attempt failed and that the next one comes."""
    failed: dict[str, object] = {a.FLEX_NODE_ATTEMPT: frame.attempt, ERROR_TYPE: type_name(error)}
    if operation.kind is not NODE:  # the node around it is another one
        failed |= {a.FLEX_NODE_ID: frame.id, a.FLEX_CAPABILITY_ID: frame.name}
    message = guard.run("recorder.message", str, error) if RECORDER.capture.events else None
    RECORDER.fact(e.NODE_ERROR, {**failed, a.FLEX_ERROR_MESSAGE: message}, operation=operation)
    RECORDER.fact(e.NODE_RETRY, failed, operation=operation)
    frame.attempt += 1


def keep_attempt(frame: Frame, operation: Operation) -> None:
    """Let an operation say which attempt was its last; that it was the first is said from the start."""
    if frame.attempt > 1:
        name = a.FLEX_PLAN_ATTEMPT if operation.kind is PLAN else a.FLEX_NODE_ATTEMPT
        operation.put(name, frame.attempt)
