"""A LangGraph program: a node, a nested graph and a node that calls a tool."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.runnables import RunnableLambda
from langchain_core.tools import StructuredTool

from tests.adapters.graphs import chain
from tests.transparency.step import Here


def build(here: Here) -> Any:
    def node(name: str) -> Any:
        async def later(state: Any) -> Any:
            return {"x": [await here.later(name)]}

        return name, RunnableLambda(lambda state: {"x": [here.now(name)]}, later)

    async def look_later(text: str) -> str:
        return await here.later(f"tool {text}")

    def look(text: str) -> str:
        return here.now(f"tool {text}")

    tool = StructuredTool.from_function(look, look_later, name="look", description="Look something up.")

    async def desk_later(state: Any) -> Any:
        return {"x": [await tool.ainvoke({"text": "up"})]}

    def desk(state: Any) -> Any:
        return {"x": [tool.invoke({"text": "up"})]}

    inner = chain(node("second"), name="inner")
    return chain(node("first"), inner, ("third", RunnableLambda(desk, desk_later)), name="outer")


async def _astream(here: Here) -> Any:
    found = []
    async for update in build(here).astream({"x": []}, stream_mode="updates"):
        here.tell(f"update {sorted(update)}")
        found.append(update)
    return found


async def _broken_off(here: Here) -> Any:
    stream = build(here).astream({"x": []}, stream_mode="updates")
    async for update in stream:
        await stream.aclose()
        return update
    return None


def _stream(here: Here) -> Any:
    found = []
    for update in build(here).stream({"x": []}, stream_mode="updates"):
        here.tell(f"update {sorted(update)}")
        found.append(update)
    return found


def _closed(here: Here) -> Any:
    stream = build(here).stream({"x": []}, stream_mode="updates")
    update = next(stream)
    stream.close()
    return update


async def _batch(here: Here) -> Any:
    return await asyncio.gather(build(here).ainvoke({"x": []}), return_exceptions=True)


SYNC = {
    "invoke": lambda here: build(here).invoke({"x": []}),
    "stream": _stream,
    "closed": _closed,
    "deprecated": lambda here: list(build(here).stream({"x": []}, checkpoint_during=True)),
}
ASYNC = {
    "ainvoke": lambda here: build(here).ainvoke({"x": []}),
    "astream": _astream,
    "broken off": _broken_off,
    "gathered": _batch,
}
