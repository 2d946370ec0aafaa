"""Turns: each time a model is asked, with all its tries, its tokens, and answers that are not valid; knows no tools."""

from __future__ import annotations

from typing import Any, Final

from otel_agents import guard
from otel_agents.adapters.openai_agents import frames as f
from otel_agents.adapters.openai_agents.frames import Agent, Frame
from otel_agents.content import type_name
from otel_agents.operation import Operation
from otel_agents.patching.table import Call, Start
from otel_agents.patching.watch import is_one_of
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv.gen_ai import ERROR_TYPE

MODEL: Final = "model"
STEP: Final = "step"
LAST: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})  # of a stream's events


def before_model(call: Call) -> Start | None:
    """A model is asked: a turn of the agent around it."""
    inside = f.inside()
    if inside is None:
        return None
    agent = inside.memory
    if isinstance(agent, Agent):
        agent.turns += 1
    call.state = Frame(f.node_id(inside, MODEL))
    return f.node(MODEL, call.state.id, STEP, ceded=f.is_ceded(inside))


def started(operation: Operation, call: Call) -> None:
    """Let what happens inside find the frame."""
    operation.memory = call.state


def after_model(operation: Operation, call: Call, response: Any) -> None:
    """A model answered."""
    _keep_attempt(operation, call.state)
    _use(response.usage)


def after_stream(operation: Operation, call: Call, result: object) -> None:
    """A model's stream is over."""
    _keep_attempt(operation, call.state)


def each_event(operation: Operation, call: Call, event: Any) -> None:
    """A model's stream gave an event: its last one says what it used."""
    if getattr(event, "type", None) in LAST:
        _use(event.response.usage)


def failed_model(operation: Operation, call: Call, error: BaseException) -> None:
    """A model did not answer, also not when it was asked again."""
    _keep_attempt(operation, call.state)


def after_retry_question(_: None, call: Call, decision: Any) -> None:
    """A failed try was judged: a yes is another one."""
    operation = f.around(f.inside())
    if operation is None or not decision.retry or not isinstance(operation.memory, Frame):
        return
    frame, error = operation.memory, call.argument("error")
    failed: dict[str, object] = {a.FLEX_NODE_ATTEMPT: frame.attempt, ERROR_TYPE: type_name(error)}
    message = guard.run("recorder.message", str, error) if RECORDER.capture.events else None
    RECORDER.fact(e.NODE_ERROR, {**failed, a.FLEX_ERROR_MESSAGE: message}, operation=operation)
    RECORDER.fact(e.NODE_RETRY, failed, operation=operation)
    frame.attempt += 1


def failed_validation(_: None, call: Call, error: BaseException) -> None:
    """The final answer of an agent is not of the type that it should be."""
    if is_one_of(error, (f.MODEL_BEHAVIOR,)):
        tell_invalid("output", error)


def failed_handoff(_: None, call: Call, error: BaseException) -> None:
    """What a model wrote for the agent that is to take over is not of the type that it should be."""
    inside = f.inside()
    if inside is not None and is_one_of(error, (f.MODEL_BEHAVIOR,)) and not inside.saw(error):
        tell_invalid("input", error)


def tell_invalid(scope: str, error: BaseException, *, is_retried: bool = False) -> None:
    """Tell that what a model wrote is not valid; ``is_retried``: it is told, and may try again."""
    inside = f.inside()
    agent = f.agent_around(inside)
    if inside is None or agent is None:
        return
    agent.invalid += 1
    count = getattr(error.__cause__, "error_count", None)
    values: dict[str, object] = {
        a.FLEX_VALIDATION_SCOPE: scope,
        a.FLEX_VALIDATION_ERROR_COUNT: int(count()) if callable(count) else 1,
        a.FLEX_VALIDATION_ATTEMPT: agent.invalid,
    }
    if is_retried:
        values[a.FLEX_VALIDATION_RETRIED] = True
    RECORDER.fact(e.VALIDATION_ERROR, values, operation=inside)


def _keep_attempt(operation: Operation, frame: Frame) -> None:
    """Let an operation say which try was its last; that it was the first is said from the start."""
    if frame.attempt > 1:
        operation.put(a.FLEX_NODE_ATTEMPT, frame.attempt)


def _use(usage: Any) -> None:
    used = (int(getattr(usage, "input_tokens", 0) or 0), int(getattr(usage, "output_tokens", 0) or 0))
    if used != (0, 0):
        RECORDER.use(*used)
