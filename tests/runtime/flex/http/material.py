"""A registry that a test holds in its hand, a server on a real port, and a reader of event streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from otel_agents.runtime.flex.capabilities import Capability, CapabilityError, Registry, Task
from otel_agents.runtime.flex.facets import Facet
from otel_agents.runtime.flex.server import create_app
from otel_agents.runtime.flex.settings import Settings

ROOT = "/api/v1/flex"
START = f"{ROOT}/run.stream"
TASK = {"objective": "Say hello"}
ASKS = {
    **TASK,
    "policies": {
        "runtime": [
            {
                "id": "look",
                "trigger": {"kind": "onNodeComplete", "selector": {"capabilityId": "find"}},
                "action": {"type": "hitl", "prompt": "Go on?"},
            }
        ]
    },
}
TIMEOUT_S = 30


@dataclass
class Work:
    """Two capabilities in a row; `say` waits while the gate is closed, and counts how often it was started."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    said: int = 0
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def find(self, task: Task) -> dict[str, Any]:
        if task.bundle.objective == "Fail":
            raise CapabilityError("secret words", retryable=False)
        return {"words": task.bundle.objective.split()}

    async def say(self, task: Task) -> dict[str, Any]:
        self.said += 1
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.stopped.set()
            raise
        said = " ".join(task.bundle.facets["words"])
        return {"speech": f"{said}!" if task.feedback is None else f"{said}, {task.feedback}!"}

    @property
    def registry(self) -> Registry:
        text, texts = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
        facets = (Facet("words", "Words", texts), Facet("speech", "Speech", text))
        found = Capability(
            id="find", label="Find words", kind="tool", input=("objective",), output=("words",), run=self.find
        )
        said = Capability(id="say", label="Say them", kind="agent", input=("words",), output=("speech",), run=self.say)
        return Registry(facets).add(found).add(said)


class Client(httpx.AsyncClient):
    """Posts JSON, and reads streams to their end."""

    app: Any = None

    async def frames(self, method: str, path: str, **request: Any) -> list[dict[str, Any]]:
        """Return the frames of a stream that ends."""
        async with self.stream(method, path, **request) as response:
            assert response.status_code == 200, await response.aread()
            return [frame async for frame in read(response)]


async def read(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """Yield frames; each event is named and numbered as its frame says."""
    async for event in blocks(response):
        frame = json.loads(event["data"])
        assert event["event"] == frame["type"]
        assert event.get("id", frame["id"]) == frame["id"]
        yield frame


async def blocks(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """Yield the events of a stream, each as its fields; comments have the field "" only."""
    block: dict[str, str] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if line:
            block[name] = value
        elif "data" in block:
            yield block
            block = {}
        else:
            block = {}


def settings(path: Path, **more: Any) -> Settings:
    return Settings(**{"database_url": f"sqlite:///{path / 'flex.db'}", "grace_s": 0.5, **more})


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the test runner."""
        yield


@asynccontextmanager
async def serving(app: Any, **client: Any) -> AsyncIterator[Client]:
    """Serve an app on a port of its own, and give a client of it."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = _Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=3))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    host, port = listening.getsockname()
    try:
        await server.is_up.wait()
        async with Client(base_url=f"http://{host}:{port}", timeout=TIMEOUT_S, **client) as made:
            yield made
    finally:
        server.should_exit = True
        await running
        listening.close()


@asynccontextmanager
async def flex(path: Path, work: Work | None = None, *, has_door: bool = True, **more: Any) -> AsyncIterator[Client]:
    """Serve flex with the registry of the test on a database in a folder."""
    app = create_app(settings(path, **more), registry=(work or Work()).registry, has_door=has_door)
    async with serving(app) as client:
        client.app = app
        yield client


def types(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames]


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return the error of a refusal, which has the one shape that all have."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert all(set(detail) == {"path", "message"} for detail in body["error"]["details"])
    error: dict[str, Any] = body["error"]
    return error
