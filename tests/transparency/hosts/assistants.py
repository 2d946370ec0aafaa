"""A program of the OpenAI Agents SDK: an agent that calls a tool, asks another agent, and hands over."""

from __future__ import annotations

import asyncio
from typing import Any

from agents import Agent, Runner, function_tool

from tests.adapters.assistants import Scripted, call, hand_over
from tests.transparency.step import Here


class Model(Scripted):
    """A scripted model that goes through a step for each answer."""

    def __init__(self, here: Here, name: str, *answers: Any) -> None:
        super().__init__(*answers)
        self._here, self._name = here, name

    async def _next(self) -> list[Any]:
        await self._here.later(f"model of {self._name}")
        return await super()._next()


def build(here: Here) -> Agent[Any]:
    @function_tool(failure_error_function=None)
    async def look(text: str) -> str:
        """Look something up."""
        return await here.later(f"tool {text}")

    helper = Agent(name="helper", model=Model(here, "helper", "helped"))
    ask = helper.as_tool("ask", "Ask.", failure_error_function=None)
    writer = Agent(name="writer", model=Model(here, "writer", "done"))
    answers = call("look", "c1", text="up"), call("ask", "c2", input="q"), hand_over("writer")
    return Agent(name="triage", model=Model(here, "triage", *answers), tools=[look, ask], handoffs=[writer])


def plain(result: Any) -> Any:
    items = [(type(item), item.agent.name) for item in result.new_items]
    return result.final_output, result.last_agent.name, items, result.context_wrapper.usage.total_tokens


async def _run(here: Here) -> Any:
    return plain(await Runner.run(build(here), "hi"))


async def _streamed(here: Here) -> Any:
    stream = Runner.run_streamed(build(here), "hi")
    async for event in stream.stream_events():
        here.tell(f"event {event.type}")
    return plain(stream)


async def _broken_off(here: Here) -> Any:
    stream = Runner.run_streamed(build(here), "hi")
    async for _ in stream.stream_events():
        if here.told:
            stream.cancel()
    return stream.is_complete


async def _too_long(here: Here) -> Any:
    return plain(await Runner.run(build(here), "hi", max_turns=1))


def _in_a_loop(here: Here) -> Any:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return plain(Runner.run_sync(build(here), "hi"))
    finally:
        asyncio.runners._cancel_all_tasks(loop)  # type: ignore[attr-defined]
        loop.close()
        asyncio.set_event_loop(None)


SYNC = {"run_sync": _in_a_loop}
ASYNC = {"run": _run, "run_streamed": _streamed, "broken off": _broken_off, "too many turns": _too_long}
