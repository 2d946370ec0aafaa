"""Where hand-written telemetry looks into each framework; leaves out what we leave out: the records are the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from opentelemetry.context import attach, detach, get_current

from tests.benchmarks.floor import Floor
from tests.benchmarks.providers import Sdk

Around = Callable[[], AbstractContextManager[None]]
PLUMBING: Final = {"__start__", "tools"}  # the tools themselves are told of


def _run(floor: Floor, name: str) -> Around:
    @contextmanager
    def run() -> Iterator[None]:
        before = attach(get_current())
        span = floor.run(name)
        try:
            yield
        finally:
            span.end()
            detach(before)

    return run


# LangGraph


def graphs(sdk: Sdk) -> Around:
    """Patch tasks and tools."""
    from langchain_core.tools import BaseTool
    from langgraph.pregel import _runner

    floor = Floor(sdk, "langgraph")
    for owner, name, watched, names in (
        (_runner, "run_with_retry", floor.watched, _task),
        (_runner, "arun_with_retry", floor.watched_coroutine, _task),
        (BaseTool, "run", floor.watched, _named),
        (BaseTool, "arun", floor.watched_coroutine, _named),
    ):
        host = getattr(owner, name)
        setattr(owner, name, _but_plumbing(host, watched(host, names)))
    return _run(floor, "report")


def _task(args: tuple[Any, ...]) -> tuple[str, str]:
    return args[0].name, args[0].id


def _named(args: tuple[Any, ...]) -> tuple[str, str]:
    return args[0].name, args[0].name


def _but_plumbing(host: Callable[..., Any], watched: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return (host if args[0].name in PLUMBING else watched)(*args, **kwargs)

    return call


# OpenAI Agents SDK


def assistants(sdk: Sdk) -> Around:
    """Patch turns, tools and guardrails; agents and handoffs are told by the SDK's own tracing."""
    from agents import InputGuardrail, OutputGuardrail, add_trace_processor
    from agents.run_internal import run_loop
    from agents.run_internal.tool_execution import _FunctionToolBatchExecutor as Tools

    floor = Floor(sdk, "openai_agents")
    for owner, name, watched in (
        (run_loop, "get_response_with_retry", _turn),
        (run_loop, "stream_response_with_retry", _streamed_turn),
        (Tools, "_invoke_tool_and_run_post_invoke", _tool),
    ):
        setattr(owner, name, watched(floor, getattr(owner, name)))
    for guardrail, trigger in ((InputGuardrail, "input"), (OutputGuardrail, "output")):
        guardrail.run = floor.policy(guardrail.run, trigger)  # type: ignore[method-assign]
    add_trace_processor(_processor(floor))
    return _run(floor, "desk")


def _turn(floor: Floor, host: Callable[..., Any]) -> Callable[..., Any]:
    watched = floor.watched_coroutine(host, lambda args: ("model", "model"))

    async def turn(*args: Any, **kwargs: Any) -> Any:
        response = await watched(*args, **kwargs)
        floor.use(response.usage.input_tokens, response.usage.output_tokens)
        return response

    return turn


def _streamed_turn(floor: Floor, host: Callable[..., Any]) -> Callable[..., Any]:
    async def turn(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        started = floor.start("model", "model")
        outcome = "error"
        try:
            async for event in host(*args, **kwargs):
                if event.type == "response.completed":
                    floor.use(event.response.usage.input_tokens, event.response.usage.output_tokens)
                yield event
            outcome = "ok"
        finally:
            floor.end("model", "model", outcome, started)

    return turn


def _tool(floor: Floor, host: Callable[..., Any]) -> Callable[..., Any]:
    async def tool(self: Any, *, func_tool: Any, tool_call: Any, **kwargs: Any) -> Any:
        name, call_id = func_tool.name, tool_call.call_id
        started = floor.start(name, call_id)
        token = attach(started[0])
        outcome = "error"
        try:
            result = await host(self, func_tool=func_tool, tool_call=tool_call, **kwargs)
            outcome = "ok"
        finally:
            detach(token)
            floor.end(name, call_id, outcome, started)
        return result

    return tool


def _processor(floor: Floor) -> Any:
    from agents import Span, TracingProcessor

    class Agents(TracingProcessor):
        def __init__(self) -> None:
            self.open: dict[str, tuple[Any, Any]] = {}

        def on_span_start(self, span: Span[Any]) -> None:
            data = span.span_data
            if data.type == "agent":
                floor.arrive(data.name)
                started = floor.start(data.name, data.name)
                self.open[span.span_id] = started, attach(started[0])

        def on_span_end(self, span: Span[Any]) -> None:
            data = span.span_data
            if data.type == "agent":
                started, token = self.open.pop(span.span_id)
                detach(token)
                floor.end(data.name, data.name, "ok" if span.error is None else "error", started)
            elif data.type == "handoff":
                floor.hand_over(data.from_agent, data.to_agent)

        def on_trace_start(self, trace: object) -> None:
            pass

        def on_trace_end(self, trace: object) -> None:
            pass

        def shutdown(self) -> None:
            pass

        def force_flush(self) -> None:
            pass

    return Agents()
