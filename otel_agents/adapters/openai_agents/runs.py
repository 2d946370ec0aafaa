"""Runs: what Runner.run, run_sync and run_streamed end in, how they end and who stops them; must not know turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_agents import guard
from otel_agents.adapters.openai_agents import frames as f
from otel_agents.adapters.openai_agents.approvals import (
    go_on,
    go_on_inside,
    identity,
    links,
    tell_answers,
    tell_questions,
)
from otel_agents.adapters.openai_agents.frames import Agent, Running
from otel_agents.adapters.openai_agents.spans import end_agent
from otel_agents.lineage import own
from otel_agents.operation import CANCELLED, ERROR, OK, PAUSED, Identity, Operation, outcome_of
from otel_agents.patching.others import is_at_work
from otel_agents.patching.table import Call, Start
from otel_agents.recorder import RECORDER
from otel_agents.semconv import agents as a
from otel_agents.semconv import events as e
from otel_agents.semconv.gen_ai import ERROR_TYPE

UNNAMED: Final = "Agent workflow"  # what the SDK calls a run that nobody named
CALLER: Final = "user"
INSTRUMENTOR: Final = "OpenAIAgentsInstrumentor"  # of all others, each in a module of its own
OTHERS: Final = (
    "opentelemetry.instrumentation.openai_agents",
    "opentelemetry.instrumentation.genai.openai_agents",
    "openinference.instrumentation.openai_agents",
)

# Starting


def before_run(call: Call) -> Start:
    """A run starts, or goes on; one inside another is a part of that."""
    given = call.argument("input")
    state = given if hasattr(given, "get_interruptions") else None
    return _begin(call, Running(), state, getattr(state, "_context", None))


def before_stream(call: Call) -> Start:
    """The same for the task that does the work of a streamed run."""
    state = call.argument("run_state") if call.argument("is_resumed_state") else None
    return _begin(call, Running(stream=call.argument("streamed_result")), state, call.argument("context_wrapper"))


def _begin(call: Call, frame: Running, state: Any, context: Any) -> Start:
    inside, call.state = f.inside(), frame
    if inside is not None:
        go_on_inside(inside, state, context)
        return f.WATCHED
    frame.cedes = any(is_at_work(other, INSTRUMENTOR) for other in OTHERS)
    go_on(frame, state, context)
    return Start(
        _name(call, state), dict(_known(call, frame, state)), identity=_identity(call, frame), links=links(frame)
    )


def _name(call: Call, state: Any) -> str:
    """Return how the caller calls the run, or its first agent, whichever of them a run that goes on is given."""
    named = _setting(call, "workflow_name")
    first = getattr(state, "_starting_agent", None) or call.argument("starting_agent")
    return str(named if named and named != UNNAMED else first.name)


def _known(call: Call, frame: Running, state: Any) -> Iterator[tuple[str, object]]:
    thread, max_turns = call.argument("conversation_id") or _setting(call, "group_id"), call.argument("max_turns")
    if thread:
        yield a.FLEX_THREAD_ID, str(thread)
    if frame.waiting:
        yield a.FLEX_RUN_RESUMED, True
    if state is None and isinstance(max_turns, int):
        yield a.FLEX_RUN_MAX_ITERATIONS, max_turns


def _identity(call: Call, frame: Running) -> Identity:
    session = guard.run("patch.openai_agents.before", _session_id, call.argument("session"))
    return identity(frame, None if session is None else str(session))


def _session_id(session: Any) -> Any:
    """Return the id of a session; one that a server keeps has none before it is first used, and says so."""
    try:
        return getattr(session, "session_id", None)
    except ValueError:
        return None


def _setting(call: Call, name: str) -> Any:
    config = call.argument("run_config")
    return config.get(name) if isinstance(config, Mapping) else getattr(config, name, None)


def started(operation: Operation, call: Call) -> None:
    """Let what happens inside find the frame, and tell what the human decided."""
    frame: Running = call.state
    operation.memory = frame
    tell_answers(frame, operation)


# Ending


def after_run(operation: Operation | None, call: Call, result: Any) -> str:
    """A run is done, or waits for a human."""
    return _settle(operation, call.state, result)


def after_stream(operation: Operation | None, call: Call, result: object) -> str:
    """The task of a streamed run is done: what came of it stands in what the caller got."""
    return _settle(operation, call.state, call.state.stream)


def _settle(operation: Operation | None, frame: Running, result: Any) -> str:
    interruptions = result.interruptions
    if operation is None:
        around = f.frame_around(f.inside())
        if around is not None:
            around.is_waiting = bool(interruptions)  # the tool that is this agent, unless it answers by itself
        return OK
    _close(operation, frame)
    tell_questions(frame, operation, interruptions)
    if interruptions:
        return PAUSED
    if frame.failure:
        RECORDER.set(operation, {ERROR_TYPE: frame.failure})
        return ERROR
    return _obeyed(operation, frame) if frame.wished_ns and result.final_output is None else OK


def failed_run(operation: Operation | None, call: Call, error: BaseException) -> str:
    """An exception left a run."""
    if operation is None:
        return ""
    frame: Running = call.state
    if outcome_of(error) == CANCELLED and frame.stream is not None:
        return _stopped(operation, frame)
    _close(operation, frame)
    return ""


def _stopped(operation: Operation, frame: Running) -> str:
    """Say what became of a streamed run whose task was cancelled: by its caller, or since all is known already."""
    stream = frame.stream
    if frame.wished_ns:
        _close(operation, frame)
        return _obeyed(operation, frame)
    cause = getattr(stream, "_stored_exception", None)
    if isinstance(cause, Exception):
        _close(operation, frame)
        RECORDER.end(operation, cause, ERROR)
        return ERROR
    if stream.final_output is not None or stream.interruptions:
        return _settle(operation, frame, stream)
    _close(operation, frame)
    return ""


def _close(operation: Operation, frame: Running) -> None:
    """End the agents that were left without a word, and say how often the model was asked."""
    for agent in tuple(frame.agents):
        if isinstance(agent.memory, Agent):
            end_agent(agent, agent.memory)
    RECORDER.set(operation, {a.FLEX_RUN_ITERATIONS: frame.turns})


# Stopping


def before_cancel(call: Call) -> None:
    """The caller of a streamed run wants it to stop, now or after the turn."""
    for operation in _of(call.self):
        frame = operation.memory
        if isinstance(frame, Running) and not frame.wished_ns:
            frame.wished_ns = RECORDER.clock_ns()
            RECORDER.fact(e.CANCEL_REQUESTED, {a.FLEX_CANCEL_SOURCE: CALLER}, operation=operation)


def _of(stream: Any) -> Iterator[Operation]:
    return (each for each in own(RECORDER.open) if isinstance(each.memory, Running) and each.memory.stream is stream)


def _obeyed(operation: Operation, frame: Running) -> str:
    latency_ms = round((RECORDER.clock_ns() - frame.wished_ns) / 1e6, 3)
    values = {a.FLEX_CANCEL_SOURCE: CALLER, a.FLEX_CANCEL_LATENCY_MS: latency_ms}
    RECORDER.fact(e.CANCEL_ACKNOWLEDGED, values, operation=operation)
    return CANCELLED
