"""Runs and the graphs inside them: every stream of a graph, which all ways to call one end in; must not know tasks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from otel_agents.adapters.langgraph import frames as f
from otel_agents.adapters.langgraph.frames import Frame, Question
from otel_agents.adapters.langgraph.levels import (
    Level,
    ask_again,
    drop_rest,
    graph_name,
    level_of,
    tell_answers,
    tell_questions,
)
from otel_agents.adapters.langgraph.shapes import is_agent
from otel_agents.adapters.langgraph.tools import WATCHED
from otel_agents.operation import CANCELLED, OK, PAUSED, Operation
from otel_agents.patching.others import is_at_work
from otel_agents.patching.table import Call, Start
from otel_agents.semconv import agents as a
from otel_agents.semconv import kinds as k

DRAINED: Final = "drained"

# Instrumentations that make spans of tools: the class that is their one instance, by module.
OTHERS: Final[Mapping[str, str]] = {
    "opentelemetry.instrumentation.langchain": "LangchainInstrumentor",
    "opentelemetry.instrumentation.genai.langchain": "LangChainInstrumentor",
    "openinference.instrumentation.langchain": "LangChainInstrumentor",
}


def before_stream(call: Call) -> Start | None:
    """A graph starts: as a run, as a node inside one, or as the very task that is known already."""
    graph, config = call.self, call.argument("config") or {}
    inside = f.inside()
    if inside is None:
        return _run(call, graph, config)
    around = f.around(inside)
    if around is not None and around.hosts and around.hosts == graph.name:
        level = call.state = level_of(around, graph, config, call.argument("input"))
        _await_answers(level, inside)
        return WATCHED
    return _node(call, graph, config, inside)


def _run(call: Call, graph: Any, config: Mapping[str, Any]) -> Start:
    name = str(config.get("run_name") or (graph.config or {}).get("run_name") or graph_name(graph))
    frame = Frame(name, cedes=any(is_at_work(*other) for other in OTHERS.items()))
    level = call.state = level_of(frame, graph, config, call.argument("input"))
    values: dict[str, object] = {}
    if level.thread_id:
        values[a.FLEX_THREAD_ID] = level.thread_id
    if level.is_resumed:
        values[a.FLEX_RUN_RESUMED] = True
    return Start(name, values, identity=level.identity, links=level.links)


def _node(call: Call, graph: Any, config: Mapping[str, Any], inside: Operation) -> Start:
    name = graph_name(graph)
    frame = Frame(name, f.node_id(inside, name))
    call.state = level_of(frame, graph, config, call.argument("input"))
    kind = "agent" if is_agent(graph) else "step"
    values = {a.FLEX_NODE_ID: frame.id, a.FLEX_NODE_KIND: kind, a.FLEX_NODE_LABEL: name, a.FLEX_NODE_ATTEMPT: 1}
    return Start(name, values, kind=k.NODE)


def started(operation: Operation, call: Call) -> None:
    """Let what happens inside find the frame, and what the human decided."""
    level: Level = call.state
    operation.memory = level.frame
    _await_answers(level, operation)


def after_stream(operation: Operation | None, call: Call, result: object) -> str | None:
    """A graph is done, or waits for a human: a pause that reached it went no farther."""
    return _settle(operation, call.state)


def failed_stream(operation: Operation | None, call: Call, error: BaseException) -> str | None:
    """An exception left a graph. A consumer that leaves at a question, as many do, leaves a graph that waits."""
    level: Level = call.state
    if isinstance(error, GeneratorExit):
        return _settle(operation, level) if level.frame.is_waiting else None
    if f.is_a(error, f.PARENT_COMMAND):
        if operation is None:
            level.frame.command = error.args[0]
        else:
            f.pass_command(operation, error)
        return OK
    if f.is_a(error, f.INTERRUPT):
        if operation is not None:
            f.pass_questions(level.frame, operation, error)
        return PAUSED
    if f.is_a(error, f.DRAINED) and operation is not None:
        if operation.kind is k.RUN:
            operation.put(a.FLEX_RUN_REASON, DRAINED)
        return CANCELLED
    if f.is_refusal(error):
        _refuse(operation, level)
    return None


def _await_answers(level: Level, operation: Operation) -> None:
    """Have the answers told when the graph goes on."""
    level.frame.answers = partial(tell_answers, level, operation) if level.answers else None


def _refuse(operation: Operation | None, level: Level) -> None:
    told_in = operation or f.inside()
    if told_in is not None:
        ask_again(level, told_in)
    if operation is not None:
        f.pass_refusal(level.frame, operation)


def after_breakpoint(_: None, call: Call, result: Any) -> None:
    """A graph looked for breakpoints; at one it pauses before or after these tasks."""
    frame = f.around(f.inside())
    if frame is None or not result:
        return
    frame.is_waiting = True
    frame.questions[call.argument("checkpoint")["id"]] = Question(result[0].name, result[0].id)


def _settle(operation: Operation | None, level: Level) -> str:
    """Ask what is to be asked, where a pause ends; let expire what nobody asks any more."""
    told_in = operation or f.inside()
    f.go_on(level.frame)
    is_waiting, level.frame.is_waiting = level.frame.is_waiting, False
    if told_in is not None:
        if is_waiting:
            tell_questions(level, told_in)
        drop_rest(level, told_in)
    if operation is None:
        level.frame.questions.clear()
    return PAUSED if is_waiting else OK
