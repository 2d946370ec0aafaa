"""The endpoints of the observation are the same in all three ways to serve them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.cli.playing import COMMAND, environment
from tests.cli.served import API, TASK, served
from tests.need import require_module

TIMEOUT_S = 60

# A program with a graph of LangGraph, which stays until its input is closed.
GRAPH = """
    import sys
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(dict)
    graph.add_node("only", lambda state: {"text": "x"})
    graph.add_edge(START, "only")
    graph.add_edge("only", END)
    graph.compile(name="small").invoke({})
"""
STAYS = """
    sys.stdin.read()
"""
MOUNTS = """
    import socket
    import otel_agents, uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount

    taken = socket.create_server(("127.0.0.1", 0))
    print(f"live at http://127.0.0.1:{taken.getsockname()[1]}/otel:", file=sys.stderr, flush=True)
    app = Starlette(routes=[Mount("/otel", app=otel_agents.asgi_app())])
    uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[taken])
"""
WATCHED = """
    from otel_agents.instrumentor import OtelAgentsInstrumentor
    OtelAgentsInstrumentor().instrument()
    import otel_agents
    otel_agents.asgi_app()
"""


@contextmanager
def _playing(*command: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a program that says where it is live, until the end of the block."""
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        said = running.stderr.readline()
        found = re.search(r"live at (\S+):", said)
        assert found, said + running.stderr.read()
        try:
            yield found[1], running
        finally:
            running.kill()


def _code(*parts: str) -> tuple[str, ...]:
    return (sys.executable, "-c", "".join(textwrap.dedent(part) for part in parts))


@contextmanager
def _mounted(folder: Path) -> Iterator[str]:
    with _playing(*_code(WATCHED, GRAPH, MOUNTS)) as (url, _):
        yield url


@contextmanager
def _in_a_thread(folder: Path) -> Iterator[str]:
    with _playing(*COMMAND, "run", "--serve", "127.0.0.1:0", "--", *_code(GRAPH, STAYS)) as (url, _):
        yield url


@contextmanager
def _by_the_command(folder: Path) -> Iterator[str]:
    with served(folder) as server:
        server.frames("POST", f"{API}/run.stream", json=TASK)
        yield server.url


WAYS: dict[str, tuple[str, Callable[[Path], AbstractContextManager[str]]]] = {
    "mounted": ("langgraph", _mounted),
    "in a thread of the process": ("langgraph", _in_a_thread),
    "by the command": ("flex", _by_the_command),
}


def _get(url: str) -> httpx.Response:
    """Ask a server that may be about to start."""
    for _ in range(200):
        try:
            return httpx.get(url, timeout=TIMEOUT_S)
        except httpx.ConnectError:
            continue
    raise AssertionError(f"nobody serves {url}")


@pytest.mark.parametrize(("runtime", "way"), WAYS.values(), ids=WAYS)
def test_every_endpoint_answers_in_every_way(tmp_path, runtime, way) -> None:
    """Health, metrics, events with replay, and progress: of LangGraph from inside its process, and of Flex."""
    require_module("langgraph", "langgraph")
    with way(tmp_path) as url:
        assert (_get(f"{url}/health/live").status_code, _get(f"{url}/health/ready").status_code) == (200, 200)
        with httpx.stream("GET", f"{url}/events", headers={"Last-Event-ID": ""}, timeout=TIMEOUT_S) as stream:
            told = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
            events = (event for event in told if event["type"] != "gap")
            first, _ = next(events), next(event for event in events if event["type"] == "complete")
        health, page = _get(f"{url}/health").json(), _get(f"{url}/metrics")
        with httpx.stream("GET", f"{url}/events?lifecycle=1", timeout=TIMEOUT_S) as lifecycle:
            assert lifecycle.headers["content-type"].startswith("text/event-stream")
        with connect(f"{url.replace('http', 'ws', 1)}/ws") as socket:
            socket.send(json.dumps({"type": "ping"}))
            answer = json.loads(socket.recv(TIMEOUT_S))

    assert health["status"] in {"healthy", "degraded"}
    assert health["patch_points"][runtime]["applied"] > 0
    assert (first["type"], first["runtime"]) == ("start", runtime)
    assert re.search(
        rf'^flex_run_status_total\{{[^}}]*runtime="{runtime}",status="completed"\}} 1', page.text, re.MULTILINE
    )
    assert answer["type"] == "pong"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that asks a process to end")
def test_a_program_that_is_watched_can_stop(tmp_path) -> None:
    """Mounted on an app of uvicorn's, an open stream ends with the server, which would wait for it for ever."""
    with (
        _playing(*_code("import sys\n", MOUNTS)) as (url, running),
        httpx.stream("GET", f"{url}/events", timeout=TIMEOUT_S) as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        running.terminate()
        assert running.wait(TIMEOUT_S) == -signal.SIGTERM
        assert list(lines) == [""]
