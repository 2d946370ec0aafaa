"""A server under load that is killed twice: clients reconnect and read on; nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.playing import COMMAND, environment
from tests.need import require_module

require_module("uvicorn", "flex")
pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

API = "/api/v1/flex"
RUNS = 200
NODES = ("dig", "melt", "build")
ASKS = {"id": "look", "trigger": {"kind": "onNodeComplete", "selector": {"nodeId": "melt"}}, "action": {"type": "hitl"}}
AWAY = (httpx.TransportError,)
AGAIN_S = 0.2
LISTENS = re.compile(r"otel-agents: Flex listens on ")

# Three capabilities in a row that write down when they are executed.
REGISTRY = """
    import asyncio, time
    from otel_agents.runtime.flex.capabilities import Capability, Registry
    from otel_agents.runtime.flex.facets import Facet

    TEXT = {"type": "string"}
    CHAIN = {"dig": ("objective", "ore"), "melt": ("ore", "metal"), "build": ("metal", "wall")}

    def work(given):
        async def run(task):
            with open("executions", "a") as file:
                file.write(f"{task.run_id} {task.node_id} {time.time():.6f}\\n")
            await asyncio.sleep(0.05)
            return {given: "x"}
        return run

    def made():
        registry = Registry([Facet(given, given, TEXT) for _, given in CHAIN.values()])
        for name, (taken, given) in CHAIN.items():
            more = {"kind": "step", "run": work(given), "attempts": 9}
            registry.add(Capability(id=name, label=name, input=(taken,), output=(given,), **more))
        return registry
"""


class Server:
    """The server of a folder: it can be killed, and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        said = len(LISTENS.findall(self.log.read_text())) if self.log.exists() else 0
        command = [*COMMAND, "serve", "--port", str(self.port), "--registry", "storm:made"]
        env = environment(FLEX_MAX_RUNS="500", FLEX_LEASE_S="3", PYTHONPATH=str(self.folder))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, env=env, stdout=log, stderr=log)
        while len(LISTENS.findall(self.log.read_text())) == said:
            assert self._process.poll() is None, self.log.read_text()[-2000:]
            time.sleep(0.05)

    def stop(self, number: int) -> None:
        """End it with a signal."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[Server]:
    """A server with the capabilities above."""
    (folder / "storm.py").write_text(textwrap.dedent(REGISTRY))
    served = Server(folder)
    served.start()
    try:
        yield served
    finally:
        served.stop(signal.SIGKILL)


@dataclass
class Client:
    """Somebody who starts one run, answers its question, and reads all its frames, however often the server dies."""

    http: httpx.AsyncClient
    number: int
    frames: list[dict[str, Any]] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    reconnects: int = 0

    async def work(self) -> None:
        """Read to the end of the run."""
        while not self._is_over:
            try:
                await (self._answer() if self._is_waiting else self._read())
            except AWAY:
                self.reconnects += 1
                await asyncio.sleep(AGAIN_S)

    @property
    def _is_over(self) -> bool:
        return bool(self.frames) and self.frames[-1].get("status") in ("completed", "failed", "cancelled")

    @property
    def _is_waiting(self) -> bool:
        is_paused = bool(self.frames) and self.frames[-1].get("status") == "awaiting_hitl"
        return is_paused and self.frames[-1]["id"] not in self.answered

    async def _read(self) -> None:
        if self.frames:
            last, run_id = self.frames[-1], self.frames[-1]["runId"]
            path, headers = f"{API}/runs/{run_id}/stream", {"Last-Event-ID": last["id"]}
            request = self.http.stream("GET", path, headers=headers)
        else:
            task = {"objective": "a wall", "policies": {"runtime": [ASKS]}}
            headers = {"Idempotency-Key": f"client-{self.number}"}
            request = self.http.stream("POST", f"{API}/run.stream", json=task, headers=headers)
        async with request as response:
            if response.status_code in (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.NO_CONTENT):
                raise httpx.ConnectError("busy, or nothing new yet")
            assert response.status_code == httpx.codes.OK, await response.aread()
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    self._take(json.loads(line[6:]))

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["payload"].get("reason") == "stream_broken":
            raise httpx.ReadError("the stream broke off")
        self.frames.append(frame)

    async def _answer(self) -> None:
        asked = [frame for frame in self.frames if frame["type"] == "hitl_request"][-1]
        body = {"requestId": asked["payload"]["requestId"], "decision": "approved"}
        response = await self.http.post(f"{API}/hitl/resolve", json=body)
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise httpx.ConnectError("busy")
        assert response.status_code in (httpx.codes.OK, httpx.codes.ACCEPTED, httpx.codes.CONFLICT), response.text
        self.answered.add(self.frames[-1]["id"])


async def _storm(served: Server, clients: list[Client]) -> None:
    """Have all clients at work, and kill the server twice meanwhile."""
    work = asyncio.gather(*(client.work() for client in clients))
    for share in (0.3, 0.7):
        while sum(len(client.frames) for client in clients) < share * RUNS * 14:  # noqa: ASYNC110  # it is read by others
            await asyncio.sleep(0.05)
        served.stop(signal.SIGKILL)
        await asyncio.to_thread(served.start)
    await work


async def test_no_run_is_lost_and_no_completed_node_runs_again(tmp_path) -> None:
    """200 runs that wait for a human, two deaths: all complete, every client saw each frame once, in order."""
    async with server(tmp_path) as served:
        limits = httpx.Limits(max_connections=None)
        url = f"http://127.0.0.1:{served.port}"
        async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as http:
            clients = [Client(http, number) for number in range(RUNS)]
            await _storm(served, clients)
            pending = (await http.get(f"{API}/hitl/pending")).json()

    assert pending == {"pending": []}
    assert Counter(client.frames[-1]["status"] for client in clients) == {"completed": RUNS}
    assert len({client.frames[0]["runId"] for client in clients}) == RUNS
    assert sum(client.reconnects > 0 for client in clients) > 0
    for client in clients:
        run_id = client.frames[0]["runId"]
        assert [frame["id"] for frame in client.frames] == [f"{run_id}:{n + 1}" for n in range(len(client.frames))]
        done = [frame for frame in client.frames if frame["type"] == "node_complete" and frame["status"] == "ok"]
        assert Counter(frame["nodeId"] for frame in done) == Counter(NODES)
    _executed_before_they_were_done(tmp_path, clients)


def _executed_before_they_were_done(folder: Path, clients: list[Client]) -> None:
    """No node was executed after the frame that says that it is complete."""
    begun: dict[tuple[str, str], list[float]] = defaultdict(list)
    for line in (folder / "executions").read_text().splitlines():
        run_id, node_id, moment = line.split()
        begun[run_id, node_id].append(float(moment))
    for client in clients:
        for frame in client.frames:
            if frame["type"] == "node_complete" and frame["status"] == "ok":
                at = datetime.fromisoformat(frame["timestamp"]).timestamp()
                assert max(begun[frame["runId"], frame["nodeId"]]) <= at + 0.001
