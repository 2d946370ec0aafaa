from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest
import uvicorn
from websockets.sync.client import connect

from otel_agents.config.values import Address
from otel_agents.serve import server
from otel_agents.serve.server import ServerThread, bind
from tests.bus.making import event
from tests.serve.serving import listening, serving

HOST = """
import logging, sys, time, urllib.request
logging.basicConfig(level=logging.DEBUG, format="%(name)s %(message)s")
from otel_agents.instrumentor import OtelAgentsInstrumentor
import otel_agents
"""


ASK = """
def ask(path):
    with urllib.request.urlopen(f"http://127.0.0.1:{OtelAgentsInstrumentor()._served.address.port}{path}") as answer:
        return answer.read().decode()
"""


def run(body: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program that is observed and served, with every warning an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", *options, "-c", HOST + ASK + textwrap.dedent(body)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def test_the_process_around_it_is_left_alone() -> None:
    """Signals, logging, the event loop policy and uvicorn stay as they were, and serving logs not a line."""
    body = """
    import asyncio, signal, uvicorn
    def state():
        loggers = [logging.getLogger(name) for name in ("", "uvicorn", "uvicorn.error", "uvicorn.access", "asyncio")]
        return (
            [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
            [(each.level, each.propagate, list(each.handlers)) for each in loggers],
            asyncio.get_event_loop_policy(),
            uvicorn.Server.handle_exit,
        )
    before = state()
    OtelAgentsInstrumentor().instrument(serve="127.0.0.1:0")
    for _ in range(3):
        ask("/health"), ask("/metrics"), ask("/health/live")
    try:
        ask("/nothing")
    except Exception as error:
        print(error.code)
    assert state() == before
    """
    done = run(body)

    assert (done.returncode, done.stdout, done.stderr) == (0, "404\n", "")


def test_the_exit_is_not_delayed() -> None:
    """With clients that stream, a program ends as soon as it would without us, with its own exit code."""
    body = """
    import socket
    OtelAgentsInstrumentor().instrument(serve="127.0.0.1:0")
    ask("/metrics")
    address = OtelAgentsInstrumentor()._served.address
    clients = [socket.create_connection((address.host, address.port)) for _ in range(5)]
    for client in clients:
        client.sendall(b"GET /events HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        client.recv(100)
    print(time.time())
    sys.exit(7)
    """
    done = run(body, "-W", "ignore::ResourceWarning")
    ended_s = time.time() - float(done.stdout)

    assert (done.returncode, done.stderr) == (7, "")
    assert ended_s < 2


def test_a_taken_port_is_one_message() -> None:
    """The message names the address and the reason, and the program runs."""
    with bind(Address(port=0)) as taken:
        port = taken.getsockname()[1]
        done = run(
            """
            OtelAgentsInstrumentor().instrument()
            with otel_agents.run("r"):
                print("works")
            """,
            OTEL_AGENTS_SERVE=f"127.0.0.1:{port}",
        )

    assert done.stdout == "works\n"
    assert done.stderr == (
        f"otel_agents nothing is served at 127.0.0.1:{port}: Address already in use. The program runs without it.\n"
    )


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"OTEL_AGENTS_SERVE": "0.0.0.0:0"}, "can be reached from other machines, and there is no token"),
        ({"OTEL_AGENTS_SERVE": "no-such-host.invalid:0", "OTEL_AGENTS_TOKEN": "t"}, "Name or service not known"),
        ({"OTEL_AGENTS_SERVE": "192.0.2.1:0", "OTEL_AGENTS_TOKEN": "t"}, "Cannot assign requested address"),
    ],
)
def test_what_cannot_be_served_is_said(env, message) -> None:
    """Off loopback without a token, or at an address that is not ours, nothing is served, and the program runs."""
    done = run("OtelAgentsInstrumentor().instrument(); print('works')", **env)

    assert done.stdout == "works\n"
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_the_extra_it_says_what_to_install() -> None:
    """Where Starlette is missing there is one message, and the program runs."""
    body = """
    sys.modules["starlette"] = None
    OtelAgentsInstrumentor().instrument(serve="127.0.0.1:0")
    print("works")
    """
    done = run(body)

    assert done.stdout == "works\n"
    assert "pip install 'otel-agents[serve]'" in done.stderr


def test_off_loopback_with_a_token() -> None:
    """With a token every address can be served, and every request needs the token, by the address's own number."""
    body = """
    OtelAgentsInstrumentor().instrument(serve="0.0.0.0:0", token="t0ken")
    print(ask("/health/live"))
    try:
        ask("/health")
    except Exception as error:
        print(error.code)
    """
    done = run(body)

    assert (done.stdout, done.stderr) == ('{"status":"live"}\n401\n', "")


def test_uninstrument_stops_it_and_it_can_start_again() -> None:
    """The port is free after `uninstrument`, and instrumenting again serves again."""
    body = """
    instrumentor = OtelAgentsInstrumentor()
    instrumentor.instrument(serve="127.0.0.1:0")
    port = instrumentor._served.address.port
    instrumentor.uninstrument()
    assert instrumentor._served is None
    instrumentor.instrument(serve=f"127.0.0.1:{port}")
    with otel_agents.run("r"):
        pass
    print([line.split()[-1] for line in ask("/metrics").splitlines()
           if line.startswith("flex_run_status_total") and "completed" in line])
    """
    done = run(body)

    assert (done.stdout, done.stderr) == ("['1.0']\n", "")


def test_a_providers_late_arrival_changes_nothing() -> None:
    """Where the program sets its own provider after us, both count every run once."""
    body = """
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    OtelAgentsInstrumentor().instrument(serve="127.0.0.1:0")
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    with otel_agents.run("r"):
        pass
    print([line.split()[-1] for line in ask("/metrics").splitlines()
           if line.startswith("flex_run_status_total") and "completed" in line])
    points = [point for resource in reader.get_metrics_data().resource_metrics for scope in resource.scope_metrics
              for metric in scope.metrics if metric.name == "flex.run.status" for point in metric.data.data_points]
    print([point.value for point in points if point.attributes["status"] == "completed"])
    """
    done = run(body)

    assert (done.stdout, done.stderr) == ("['1.0']\n[1]\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_lets_go() -> None:
    """The child has neither the port nor the parent's connections: they end with the parent, and the port is free."""
    body = """
    import os, socket
    OtelAgentsInstrumentor().instrument(serve="127.0.0.1:0")
    address = OtelAgentsInstrumentor()._served.address
    client = socket.create_connection((address.host, address.port))
    client.sendall(b"GET /events HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    client.recv(100)
    child = os.fork()
    if child == 0:
        client.close()
        with otel_agents.run("in the child"):
            pass
        time.sleep(60)
    ask("/health")
    print(child, address.port, flush=True)
    os._exit(0)
    """
    done = _start(body)
    child, port = (int(word) for word in done.split())
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        bind(Address(port=port)).close()
    finally:
        os.kill(child, signal.SIGKILL)


def _start(body: str) -> str:
    """Run a program whose child outlives it, and keeps its standard output."""
    program = HOST + ASK + textwrap.dedent(body)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        running.wait(timeout=30)
        running.stdout.close()
    return line


async def test_a_failing_app_is_counted_and_not_logged(caplog) -> None:
    """What fails in our app is our own error: the client gets 500, the host's log one line of ours a minute."""

    async def failing(scope, receive, send):
        raise ValueError("secret")

    thread = ServerThread(failing, bind(Address(port=0)))
    thread.start()
    with caplog.at_level(logging.DEBUG):
        async with httpx.AsyncClient() as client:
            statuses = [(await client.get(f"http://{thread.address}/")).status_code for _ in range(2)]
    thread.stop()

    from otel_agents import guard

    assert statuses == [500, 500]
    assert guard.errors() == {"serve.app": 2}
    ours = [record for record in caplog.records if record.threadName == server.NAME]
    assert [record.name for record in ours] == ["otel_agents.guard"]
    assert "secret" not in caplog.text


async def test_connections_are_limited(monkeypatch) -> None:
    """Files are the host's: one connection more than may be is closed at once, the others go on."""
    monkeypatch.setattr(server, "MAX_SOCKETS", 3)
    with serving() as served:
        place = (served.address.host, served.address.port)
        kept = [socket.create_connection(place) for _ in range(3)]
        kept[0].sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await asyncio.to_thread(kept[0].recv, 12)) == b"HTTP/1.1 200"
        with socket.create_connection(place) as beyond, pytest.raises(ConnectionResetError):
            beyond.settimeout(10)
            if await asyncio.to_thread(beyond.recv, 1) == b"":
                raise ConnectionResetError
        for each in kept:
            each.close()


async def test_who_connects_has_to_ask(monkeypatch) -> None:
    """A connection on which no request comes is closed, so that none takes the places of others for ever."""
    monkeypatch.setattr(server, "ASK_S", 0.2)
    with (
        serving() as served,
        socket.create_connection((served.address.host, served.address.port)) as silent,
        socket.create_connection((served.address.host, served.address.port)) as slow,
        connect(served.ws) as watching,
    ):
        slow.sendall(b"GET /health/live HTTP/1.1\r\nHost: local")
        async with listening(served) as coming:
            for each in (silent, slow):
                each.settimeout(20)
                assert await asyncio.to_thread(each.recv, 1) == b""
            served.hub.publish(event("log"))
            assert (await anext(coming))["event"] == "log"
        await asyncio.to_thread(watching.send, '{"type": "ping"}')
        assert "pong" in str(await asyncio.to_thread(watching.recv, 20))


async def test_a_server_with_streams_can_stop() -> None:
    """The server that has signals ends its streams first, and stops."""
    with serving() as served:
        own = server.Server(uvicorn.Config(_hello, port=0, log_config=None, lifespan="off"), served.observation.close)
        running = asyncio.create_task(own._serve([bind(Address(port=0))]))
        async with listening(served) as coming:
            served.hub.publish(event("log"))
            assert (await anext(coming))["event"] == "log"
            own.should_exit = True
            with pytest.raises(StopAsyncIteration):
                await anext(coming)
        async with asyncio.timeout(10):
            await running


async def _hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def test_an_address_of_ipv6(monkeypatch) -> None:
    """IPv6 is served like IPv4."""
    try:
        bind(Address("::1", 0)).close()
    except OSError as error:
        from tests import need

        need.missing(f"IPv6 ({error})", "switch it on")
    thread = ServerThread(_hello, bind(Address("::1", 0)))
    thread.start()

    assert httpx.get(f"http://{thread.address}/").text == "hello"
    thread.stop()
