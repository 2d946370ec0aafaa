"""Host programs of the tests: agents of the OpenAI Agents SDK with scripted models; they know nothing of telemetry."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from importlib import metadata
from typing import Any

from otel_agents.patching.installed import release
from tests.need import require_module

require_module("agents", "openai-agents")

from agents import (  # noqa: E402
    Agent,
    Model,
    ModelResponse,
    Runner,
    Usage,
    function_tool,
    set_trace_processors,
)
from openai.types.responses import (  # noqa: E402
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseUsage,
)

set_trace_processors([])  # what the SDK traces goes nowhere; the spans are made all the same

IN, OUT = 10, 2  # tokens of each answer
RESUMES_IN_AGENT = release(metadata.version("openai-agents")) >= (0, 24)
"""Whether what was approved runs as part of an agent; older versions call it before they open an agent's span."""

_numbers = itertools.count(1)


def say(text: str) -> ResponseOutputMessage:
    """Make an answer in words."""
    content = ResponseOutputText(text=text, type="output_text", annotations=[])
    return ResponseOutputMessage(
        id=f"m{next(_numbers)}", role="assistant", status="completed", type="message", content=[content]
    )


def call(name: str, call_id: str = "", /, **arguments: Any) -> ResponseFunctionToolCall:
    """Make an answer that calls a tool."""
    return ResponseFunctionToolCall(
        call_id=call_id or f"call-{next(_numbers)}", name=name, arguments=json.dumps(arguments), type="function_call"
    )


def hand_over(name: str) -> ResponseFunctionToolCall:
    """Make an answer that hands over to an agent."""
    return call(f"transfer_to_{name}")


class Gate:
    """An answer that never comes, unless somebody opens the gate: then it is the next one."""

    def __init__(self) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()


class Scripted(Model):
    """Give one answer after the other; an exception is raised, several items are one answer."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)

    async def _next(self) -> list[Any]:
        await asyncio.sleep(0)
        answer = next(self._answers)
        if isinstance(answer, Gate):
            answer.reached.set()
            await answer.open.wait()
            answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        items = answer if isinstance(answer, list) else [answer]
        return [say(item) if isinstance(item, str) else item for item in items]

    async def get_response(self, *given: Any, **options: Any) -> ModelResponse:
        usage = Usage(requests=1, input_tokens=IN, output_tokens=OUT, total_tokens=IN + OUT)
        return ModelResponse(output=await self._next(), usage=usage, response_id=None)

    async def stream_response(self, *given: Any, **options: Any) -> AsyncIterator[Any]:
        output = await self._next()
        details = {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
        usage = ResponseUsage.model_validate(
            {
                **details,
                "input_tokens": IN,
                "output_tokens": OUT,
                "total_tokens": IN + OUT,
                "output_tokens_details": {"reasoning_tokens": 0},
            }
        )
        response = Response(
            id=f"r{next(_numbers)}",
            created_at=0,
            model="scripted",
            object="response",
            output=output,
            tool_choice="auto",
            tools=[],
            parallel_tool_calls=False,
            usage=usage,
        )
        yield ResponseCompletedEvent(type="response.completed", response=response, sequence_number=0)


def agent(name: str, *answers: Any, **options: Any) -> Agent[Any]:
    """Make an agent whose model gives these answers."""
    return Agent(name=name, model=Scripted(*answers), **options)


@function_tool
def ping(text: str) -> str:
    """Say something."""
    return f"pong {text}"


@function_tool
def boom(text: str) -> str:
    """Fail."""
    raise ValueError(text)


@function_tool(needs_approval=True)
def refund(text: str) -> str:
    """Give money back, if somebody allows it."""
    return f"refunded {text}"


async def _drain(stream: Any) -> Any:
    async for _ in stream.stream_events():
        pass
    return stream


def support() -> Agent[Any]:
    """Make a team: one who looks things up and asks a helper, and one whose tool needs an approval."""
    billing = agent("billing", call("refund", "c1", text="x"), call("boom", text="x"), "done", tools=[refund, boom])
    helper = agent("helper", call("ping", text="y"), "helped", tools=[ping])
    asks = [call("ping", text="a"), call("ask", input="q")]
    return agent("triage", asks, hand_over("billing"), handoffs=[billing], tools=[ping, helper.as_tool("ask", "Ask.")])


def approve(result: Any, *, always: bool = False) -> Any:
    """Return the state of a run that waits, all of its questions answered with yes."""
    state = result.to_state()
    for item in state.get_interruptions():
        state.approve(item, always_approve=always)
    return state


async def streamed(starting: Any, given: Any = "hi", **options: Any) -> Any:
    """Run an agent streamed, and read all."""
    return await _drain(Runner.run_streamed(starting, given, **options))


def in_a_loop(function: Callable[[], Any]) -> Any:
    """Call what wants the thread's own event loop, and clean up after it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return function()
    finally:
        loop.close()
        asyncio.set_event_loop(None)


WAYS: dict[str, Callable[..., Any]] = {
    "run": lambda starting, given="hi", **options: asyncio.run(Runner.run(starting, given, **options)),
    "run_sync": lambda starting, given="hi", **options: in_a_loop(lambda: Runner.run_sync(starting, given, **options)),
    "run_streamed": lambda starting, given="hi", **options: asyncio.run(streamed(starting, given, **options)),
}
