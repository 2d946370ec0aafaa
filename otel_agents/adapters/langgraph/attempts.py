"""Attempts at a node that failed and are made again; must not know who makes them."""

from __future__ import annotations

from otel_agents.adapters.langgraph import frames as f
from otel_agents.adapters.langgraph.frames import Frame
from otel_agents.content import type_name
from otel_agents.operation import Operation
from otel_agents.patching.table import Call
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv.gen_ai import ERROR_TYPE
from otel_agents.semconv.kinds import NODE


def after_retry_question(_: None, call: Call, result: object) -> None:
    """A retry policy was asked about an exception: its yes is another attempt, unless the attempts are used up.

    Of the policies of a task at most one says yes. The exception of the last attempt leaves the task.
    """
    operation = f.inside()
    if result is not True or operation is None or not isinstance(operation.memory, Frame):
        return
    frame, policy = operation.memory, call.argument("retry_policy")
    if frame.attempt < policy.max_attempts:
        tell_failed_attempt(frame, operation, call.argument("exc"))


def tell_failed_attempt(frame: Frame, operation: Operation, error: BaseException) -> None:
    """Tell that an attempt failed and that the next one comes."""
    failed: dict[str, object] = {a.FLEX_NODE_ATTEMPT: frame.attempt, ERROR_TYPE: type_name(error)}
    if operation.kind is not NODE:  # the node around it is another one
        failed |= {a.FLEX_NODE_ID: frame.id, a.FLEX_CAPABILITY_ID: frame.name}
    message = {a.FLEX_ERROR_MESSAGE: str(error)} if RECORDER.capture.events else {}
    RECORDER.fact(e.NODE_ERROR, {**failed, **message}, operation=operation)
    RECORDER.fact(e.NODE_RETRY, failed, operation=operation)
    frame.attempt += 1
