"""Serves an observation on a free port, and reads what clients get."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import httpx

from otel_agents.bus.hub import Hub
from otel_agents.config.values import Address
from otel_agents.serve import Observation, create_app
from otel_agents.serve.server import ServerThread, bind


class Served(NamedTuple):
    """An observation and where it is served."""

    hub: Hub
    observation: Observation
    address: Address

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def ws(self) -> str:
        return f"ws://{self.address}/ws"


@contextmanager
def serving(hub: Hub | None = None, **options: Any) -> Iterator[Served]:
    """Serve a hub; options are those of the app, and those of the observation."""
    hub = hub or Hub()
    kept = {name: options.pop(name) for name in ("telemetry", "page", "mark", "is_ready") if name in options}
    observation = Observation(hub, **kept)
    thread = ServerThread(create_app(observation, **options), bind(Address(port=0)), observation.close)
    thread.start()
    try:
        yield Served(hub, observation, thread.address)
    finally:
        thread.stop()
        hub.close()


Frame = dict[str, Any]


async def until(holds: Callable[[], object], patience_s: float = 20.0) -> None:
    """Wait until something holds that nobody announces."""
    for _ in range(int(patience_s / 0.01)):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to hold")


async def frames(response: httpx.Response) -> AsyncIterator[Frame]:
    """Yield what comes over a stream: its fields, `data` parsed; comments under `comment`."""
    fields: Frame = {}
    async for line in response.aiter_lines():
        if not line:
            if fields:
                yield fields
            fields = {}
            continue
        name, _, value = line.partition(":")
        fields[name or "comment"] = json.loads(value) if name == "data" else value.strip()


@asynccontextmanager
async def listening(served: Served, query: str = "", **headers: str) -> AsyncIterator[AsyncIterator[Frame]]:
    """Open a stream; once inside, nothing that is published is missed."""
    async with httpx.AsyncClient(base_url=served.url, timeout=20) as client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with client.stream("GET", f"/events{query}", headers=named) as response:
            assert response.status_code == 200, await response.aread()
            coming = frames(response)
            assert await anext(coming) == {"retry": "2000"}
            yield coming
            await coming.aclose()  # type: ignore[attr-defined]
