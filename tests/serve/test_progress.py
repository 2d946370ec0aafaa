from __future__ import annotations

import asyncio
import base64
import json
import socket
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from otel_agents.serve import board, conversation
from otel_agents.serve.board import Board
from otel_agents.serve.wishes import BadMessageError, Wishes
from tests.bus.making import event
from tests.serve.serving import Served, serving, until

DASHBOARD = """
function onMessage(event) {
  switch (event.type) {
    case "iteration:started": show(event.runId, event.iteration, event.maxIterations); break;
    case "iteration:completed": show(event.iteration, event.success, event.durationMs); break;
    case "phase:started": case "phase:completed": show(event.iteration, event.phase, event.success); break;
    case "run:completed": show(event.result, event.metrics, event.durationMs); break;
  }
}
"""


def start(run: str = "run-1", **more: Any):
    return event("start", run_id=run, payload={"strategy": "until-green", "maxIterations": 3}, **more)


def iteration(verb: str, number: int, run: str = "run-1", **payload: Any):
    took = {"duration_ms": 12.5} if verb == "completed" else {}
    return event(f"iteration_{verb}", run_id=run, payload={"iteration": number, **payload}, **took)


def phase(verb: str, name: str, run: str = "run-1", **payload: Any):
    took = {"duration_ms": 2.5} if verb == "completed" else {}
    return event(f"phase_{verb}", run_id=run, payload={"iteration": 1, "phase": name, **payload}, **took)


def end(run: str = "run-1", status: str = "completed", **payload: Any):
    return event("complete", run_id=run, status=status, duration_ms=99.5, payload={"status": status, **payload})


@asynccontextmanager
async def watching(served: Served, **options: Any):
    """Connect; once inside, every frame that is published arrives."""
    before = served.observation.board.clients()["watching"]
    async with connect(served.ws, **options) as client:
        await until(lambda: served.observation.board.clients()["watching"] > before)
        yield client


async def got(client: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(20):
        return dict(json.loads(await client.recv()))


async def ask(client: ClientConnection, **message: Any) -> dict[str, Any]:
    await client.send(json.dumps(message))
    return await got(client)


async def test_the_older_dashboard_reads_what_it_knows(served) -> None:
    """A client that subscribes to nothing gets every frame, flat, with the fields that the older dashboard reads."""
    metrics = {"iterationCount": 1, "totalDurationMs": 99.5, "gatesPassed": 1, "gatesFailed": 0}
    async with watching(served) as client:
        for each in (
            start(work_order_id="wo-1"),
            iteration("started", 1, maxIterations=3),
            phase("started", "build"),
            phase("completed", "build", success=True),
            event("gate_checked", payload={"iteration": 1, "gate": "tests", "passed": True}),
            iteration("completed", 1, success=True, phaseTimings={"build": 2.5}),
            end(iterations=1, metrics=metrics),
        ):
            served.hub.publish(each)
        frames = [await got(client) for _ in range(7)]

    assert [frame["type"] for frame in frames] == [
        "run:started", "iteration:started", "phase:started", "phase:completed", "gate:checked",
        "iteration:completed", "run:completed",
    ]  # fmt: skip
    for frame in frames:
        assert list(frame)[:5] == ["type", "timestamp", "workOrderId", "runId", "correlationId"]
    by_type = {frame["type"]: frame for frame in frames}
    read = {name for name in ("iteration", "success", "phase", "durationMs", "result", "metrics") if name in DASHBOARD}
    assert read == {"iteration", "success", "phase", "durationMs", "result", "metrics"}
    assert (by_type["iteration:started"]["iteration"], by_type["iteration:started"]["maxIterations"]) == (1, 3)
    done = by_type["iteration:completed"]
    assert (done["iteration"], done["success"], done["durationMs"]) == (1, True, 12.5)
    assert (by_type["phase:completed"]["phase"], by_type["phase:completed"]["success"]) == ("build", True)
    last = by_type["run:completed"]
    assert (last["result"], last["metrics"], last["durationMs"]) == ("succeeded", metrics, 99.5)


async def test_who_comes_late_finds_what_runs(served) -> None:
    """The starts of all that still goes on come first, marked; what has ended does not."""
    for each in (
        start("ended"),
        end("ended"),
        start("open"),
        iteration("started", 1, "open"),
        phase("started", "build", "open"),
        phase("completed", "build", "open", success=False),
        iteration("completed", 1, "open", success=False),
        iteration("started", 2, "open"),
        phase("started", "build", "open"),
        phase("completed", "build", "open", success=True),
        phase("started", "verify", "open"),
        start("waiting"),
        end("waiting", "awaiting_hitl"),
    ):
        served.hub.publish(each)
    served.hub.flush()
    async with watching(served) as client:
        served.hub.publish(phase("completed", "verify", "open", success=True))
        frames = [await got(client) for _ in range(4)]

    assert [(frame["type"], frame["runId"], frame.get("replayed")) for frame in frames] == [
        ("run:started", "open", True),
        ("iteration:started", "open", True),
        ("phase:started", "open", True),
        ("phase:completed", "open", None),
    ]
    assert (frames[1]["iteration"], frames[2]["phase"]) == (2, "verify")


def test_who_comes_late_to_many_runs_is_not_slow(served) -> None:
    """What was there before does not count as waiting: where much goes on nobody could begin to watch."""
    runs = board.QUEUE_SIZE // 2
    for number in range(runs):
        for each in (
            start(f"r-{number}"),
            iteration("started", 1, f"r-{number}"),
            phase("started", "b", f"r-{number}"),
        ):
            served.hub.publish(each)
    served.hub.flush()
    client = board.Client(lambda frame: True, bool)
    assert served.observation.board.join(client)
    client.answer({"type": "pong"})

    frames = [json.loads(text) for text in client.take()]
    assert (len(frames), frames[0]["type"], frames[-1]) == (3 * runs + 1, "run:started", {"type": "pong"})
    assert not client.is_slow
    assert client.take() == []


async def test_nothing_is_seen_twice_or_not_at_all(served) -> None:
    """Clients that come while runs start see each run exactly once: in the state they find, or as it comes."""
    total = 300

    async def publish() -> None:
        for number in range(total):
            served.hub.publish(start(f"run-{number}"))
            if number % 10 == 0:
                await asyncio.sleep(0)

    async def watch() -> list[str]:
        async with connect(served.ws) as client:
            return [(await got(client))["runId"] for _ in range(total)]

    watchers = [asyncio.create_task(watch()) for _ in range(5)]
    await publish()

    for seen in await asyncio.gather(*watchers):
        assert seen == [f"run-{number}" for number in range(total)]


async def test_subscriptions(served) -> None:
    """Subscriptions add up; within one all conditions hold; without any a client gets everything again."""
    async with watching(served) as client:
        assert await ask(client, type="subscribe", runId="run-1", types=["run:completed"]) | {"timestamp": ""} == {
            "type": "subscribed", "runId": "run-1", "types": ["run:completed"], "subscriptions": 1, "timestamp": "",
        }  # fmt: skip
        assert (await ask(client, type="subscribe", workOrderId="wo-2"))["subscriptions"] == 2
        assert (await ask(client, type="subscribe", workOrderId="wo-2"))["subscriptions"] == 2
        for each in (start(), end(), start("run-2", work_order_id="wo-2"), end("run-2"), end("run-3")):
            served.hub.publish(each)
        frames = [await got(client) for _ in range(2)]
        assert [(frame["type"], frame["runId"]) for frame in frames] == [
            ("run:completed", "run-1"),
            ("run:started", "run-2"),
        ]
        assert (await ask(client, type="unsubscribe", workOrderId="wo-2"))["subscriptions"] == 1
        assert (await ask(client, type="unsubscribe"))["subscriptions"] == 0
        served.hub.publish(end("run-9"))
        assert (await got(client))["runId"] == "run-9"


async def test_ping(served) -> None:
    """A ping is answered."""
    async with watching(served) as client:
        answer = await ask(client, type="ping")

    assert (answer["type"], list(answer)) == ("pong", ["type", "timestamp"])


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ("nonsense", None),
        ("[]", None),
        ("null", None),
        ("[" * 4000, None),
        ("{}", "/type"),
        ('{"type": 1}', "/type"),
        ('{"type": "shout"}', "/type"),
        ('{"type": "subscribe", "runId": 1}', "/runId"),
        ('{"type": "subscribe", "runId": ""}', "/runId"),
        ('{"type": "subscribe", "run": "x"}', "/run"),
        ('{"type": "subscribe", "types": "run:completed"}', "/types"),
        ('{"type": "subscribe", "types": []}', "/types"),
        ('{"type": "subscribe", "types": ["run:completed", "x"]}', "/types/1"),
    ],
)
async def test_garbage_is_answered_and_counted(served, message, path) -> None:
    """What says nothing that is known gets an error with its place, counts, and harms nobody."""
    async with watching(served) as client:
        await client.send(message)
        answer = await got(client)
        assert (await ask(client, type="ping"))["type"] == "pong"

    assert (answer["type"], answer["error"]["code"]) == ("error", "bad_message")
    assert [each["path"] for each in answer["error"]["details"]] == ([path] if path else [])
    assert served.observation.board.clients()["bad_messages"] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps),
                 st.dictionaries(st.sampled_from(["type", "runId", "types", "x"]), st.text() | st.integers())
                 .map(json.dumps)))  # fmt: skip
def test_no_message_breaks_a_conversation(text) -> None:
    """Whatever a client says is either done or refused as a bad message."""
    wishes = Wishes()
    try:
        answer = wishes.answer(text)
    except BadMessageError as error:
        answer = error.as_frame()

    assert json.loads(json.dumps(answer))["type"] in {"pong", "subscribed", "unsubscribed", "error"}


async def closing(client: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """Return the frames until the end, and the code of the end."""
    frames = []
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            frames.append(await got(client))
    assert closed.value.rcvd is not None
    return frames, closed.value.rcvd.code


@pytest.mark.parametrize(
    ("message", "code", "word"),
    [("x" * 5000, 1009, "message_too_large"), (b"binary", 1003, "text_only")],
)
async def test_messages_that_end_it(served, message, code, word) -> None:
    """A message that is too large or binary ends the conversation, and says why."""
    async with watching(served) as client:
        await client.send(message)
        frames, closed = await closing(client)

    assert (frames[-1]["error"]["code"], closed) == (word, code)


async def test_garbage_without_end_ends_it(served) -> None:
    """After a hundred bad messages the client is sent away."""
    async with watching(served) as client:
        for _ in range(101):
            await client.send("x")
        frames, code = await closing(client)

    assert (frames[-1]["error"]["code"], code) == ("too_many_bad_messages", 1008)
    assert served.observation.board.clients()["bad_messages"] == 101


async def test_a_slow_client_is_told_and_closed(monkeypatch) -> None:
    """Who reads slower than frames come gets what waits, the reason, and the end; others go on."""
    monkeypatch.setattr(board, "QUEUE_SIZE", 50)
    with serving() as served:
        async with watching(served) as other, watching(served, max_queue=1) as slow:
            await ask(other, type="subscribe", runId="the-last")

            def is_told() -> bool:
                return served.observation.board.clients()["slow"] == 1

            def is_slow() -> bool:
                for _ in range(20):
                    served.hub.publish(event("delivery_completed", payload={"success": True, "prUrl": "x" * 20_000}))
                return any(client.is_slow for client in served.observation.board._clients) or is_told()

            await until(is_slow)
            frames, code = await closing(slow)
            served.hub.publish(end("the-last"))
            assert (await got(other))["runId"] == "the-last"

        assert (frames[-1]["error"]["code"], code) == ("slow_client", 1013)
        assert served.observation.board.clients()["slow"] == 1


async def test_a_client_that_never_reads_is_let_go(monkeypatch) -> None:
    """It can be told nothing; its place is free after a while, and nobody waited."""
    monkeypatch.setattr(conversation, "STALL_S", 0.3)
    key = base64.b64encode(b"0123456789abcdef").decode()
    hello = (
        f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with serving() as served, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((served.address.host, served.address.port))
        client.sendall(hello.encode())
        await until(lambda: served.observation.board.clients()["watching"] == 1)

        def is_gone() -> bool:
            for _ in range(5):
                served.hub.publish(event("delivery_completed", payload={"prUrl": "x" * 50_000}))
            return served.observation.board.clients()["watching"] == 0

        await until(is_gone)
        assert served.observation.board.clients()["slow"] == 1


async def test_too_many_clients(monkeypatch, served) -> None:
    """One more than may watch is told so."""
    monkeypatch.setattr(board, "MAX_CLIENTS", 1)
    async with watching(served), connect(served.ws) as second:
        frames, code = await closing(second)

    assert (frames[-1]["error"]["code"], code) == ("too_many_clients", 1013)


async def test_the_end_is_said(served) -> None:
    """When the observation closes, clients are told and closed."""
    async with watching(served) as client:
        served.observation.close()
        frames, code = await closing(client)

    assert (frames[-1]["error"]["code"], code) == ("going_away", 1001)


async def test_who_may_connect() -> None:
    """Without the token a handshake is refused; a subprotocol or a header shows it; another site's page may not."""
    carrier = "otel-agents.token." + base64.urlsafe_b64encode(b"t0ken").rstrip(b"=").decode()
    with serving(token="t0ken") as served:
        with pytest.raises(InvalidStatus) as refused:
            await connect(served.ws)
        assert refused.value.response.status_code == 401
        async with connect(served.ws, subprotocols=["otel-agents", carrier]) as client:  # type: ignore[list-item]
            assert client.subprotocol == "otel-agents"
        async with connect(served.ws, additional_headers={"Authorization": "Bearer t0ken"}) as client:
            assert (await ask(client, type="ping"))["type"] == "pong"
        with pytest.raises(InvalidStatus) as refused:
            await connect(served.ws, origin="http://evil.example", subprotocols=["otel-agents", carrier])  # type: ignore[list-item,arg-type]
        assert refused.value.response.status_code == 403


def test_the_board_is_bounded(served) -> None:
    """However many runs never end, a thousand are remembered."""
    kept = Board(served.hub)
    for number in range(board.MAX_RUNS + 10):
        kept.see(start(f"run-{number}"))

    assert len(kept._running) == board.MAX_RUNS
    assert next(iter(kept._running)) == "run-10"


async def test_what_the_hub_dropped_is_said(served) -> None:
    """Frames that were lost before they came to us are a gap, with their number."""
    async with watching(served) as client:
        served.hub._dropped.add("progress", 3)
        served.hub.publish(start())
        frames = [await got(client) for _ in range(2)]

    assert [frame["type"] for frame in frames] == ["gap", "run:started"]
    assert frames[0]["dropped"] == 3
