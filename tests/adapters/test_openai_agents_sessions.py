"""Sessions of the OpenAI Agents SDK: whose id is kept elsewhere, is not known yet, or cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from agents import OpenAIConversationsSession, Runner, SQLiteSession
from openai import AsyncOpenAI

from otel_agents import guard
from otel_agents.adapters.openai_agents import ADAPTER
from tests.adapters.assistants import agent, streamed
from tests.adapters.watching import watched

RUN = ["run a: ok", "  node a (agent): ok", "    node model (step): ok"]


def _server(request: httpx.Request) -> httpx.Response:
    """Answer as OpenAI does, who keeps conversations."""
    if request.url.path.endswith("/items"):
        return httpx.Response(200, json={"object": "list", "data": [], "has_more": False})
    return httpx.Response(200, json={"id": "conv_1", "object": "conversation", "created_at": 0, "metadata": {}})


async def _converse(way: Callable[..., Awaitable[Any]]) -> None:
    http: Any = httpx.AsyncClient(transport=httpx.MockTransport(_server))
    async with AsyncOpenAI(api_key="none", http_client=http) as client:
        session = OpenAIConversationsSession(openai_client=client)
        for answer in ("first", "second"):
            await way(agent("a", answer), "hi", session=session)


@pytest.mark.parametrize("way", [Runner.run, streamed], ids=["run", "run_streamed"])
def test_a_session_that_has_no_id_yet_costs_nothing(way: Callable[..., Awaitable[Any]]) -> None:
    """A session that a server keeps raises when it is asked for its id before it is used; the run is seen, whole."""
    with watched(ADAPTER, capture="EVENT_ONLY") as telemetry:
        asyncio.run(_converse(way))

    assert telemetry.tree() == RUN * 2
    assert [event.session_id for event in telemetry.events if event.type == "start"] == [None, "conv_1"]


class Refusing(SQLiteSession):
    """A session of the host's whose id cannot be read."""

    def __getattribute__(self, name: str) -> Any:
        if name == "session_id" and self.__dict__.get("is_shut"):
            raise LookupError(name)
        return super().__getattribute__(name)


def test_a_session_whose_id_cannot_be_read_costs_only_that() -> None:
    """What it raises is counted, and the run is seen."""

    async def use() -> None:
        session = Refusing("s")
        running = Runner.run(agent("a", "done"), "hi", session=session)
        session.__dict__["is_shut"] = True
        try:
            await running
        except LookupError:
            pass  # the SDK needs it, too

    with watched(ADAPTER, strict=False) as telemetry:
        asyncio.run(use())
        counted = guard.errors()

    assert telemetry.tree()[0].startswith("run a: ")
    assert counted == {"patch.openai_agents.before": 1}
