from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from otel_agents.bus.hub import Hub
from otel_agents.serve import events
from tests.bus.making import event, numbered
from tests.serve.serving import frames, listening, serving, until


async def test_a_frame_is_type_id_and_envelope(served) -> None:
    """`event` is the type, `id` the event's id, `data` the JSON of the envelope."""
    async with listening(served) as coming:
        served.hub.publish(event("node_start", node_id="n1", payload={"kind": "step"}))
        frame = await anext(coming)

    assert frame["event"] == "node_start"
    assert frame["id"] == frame["data"]["id"]
    assert {name: frame["data"][name] for name in ("type", "timestamp", "runId", "nodeId", "payload")} == {
        "type": "node_start",
        "timestamp": "2026-01-02T12:00:00.000Z",
        "runId": "run-1",
        "nodeId": "n1",
        "payload": {"kind": "step"},
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?runId=run-2", [2]),
        ("?correlationId=other", [3]),
        ("?types=node_complete,log", [4, 6]),
        ("?types=node_complete&types=log", [4, 6]),
        ("?lifecycle=1", [5]),
        ("?lifecycle=1&types=plan_requested,log", [5]),
        ("?lifecycle=0&runId=run-1", [1, 3, 4, 5, 6]),
        ("?runId=&correlationId=&types=", [1, 2, 3, 4, 5, 6]),
    ],
)
async def test_filters(served, query, expected) -> None:
    """Each filter narrows, and all of them hold together."""
    kinds = {4: "node_complete", 5: "plan_requested", 6: "log", 7: "node_start"}
    runs = {2: "run-2"}
    async with listening(served, query) as coming:
        for number in range(1, 7):
            served.hub.publish(
                event(
                    kinds.get(number, "node_start"),
                    run_id=runs.get(number, "run-1"),
                    correlation_id="other" if number == 3 else "corr-1",
                    payload={"number": number},
                )
            )
        got = [(await anext(coming))["data"]["payload"]["number"] for _ in expected]

    assert got == expected


@pytest.mark.parametrize("query", ["?types=nonsense", "?lifecycle=maybe", "?runID=1"])
async def test_filters_that_are_none(served, query) -> None:
    """An unknown parameter, type or value is said, not silently ignored."""
    async with httpx.AsyncClient(base_url=served.url) as client:
        response = await client.get(f"/events{query}")

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_request"


async def test_who_connects_again_misses_nothing(served) -> None:
    """Over many reconnects with `Last-Event-ID` every event arrives once, in order, while more come in."""
    got: list[int] = []
    last = ""
    published = 0
    for _ in range(20):
        headers = {"last_event_id": last} if last else {}
        async with listening(served, **headers) as coming:
            for _ in range(7):
                published += 1
                served.hub.publish(numbered(published))
            for _ in range(4):  # and leaves in the middle
                frame = await anext(coming)
                assert frame["event"] != "gap"
                got.append(frame["data"]["payload"]["number"])
                last = frame["id"]

    assert got == list(range(1, 81))


async def test_a_replay_that_cannot_be_whole_says_so() -> None:
    """When the ring does not know the event any more, a gap comes first, then all that the ring has."""
    with serving(Hub(ring_size=3)) as served:
        for number in range(5):
            served.hub.publish(numbered(number))
        async with (
            httpx.AsyncClient(base_url=served.url) as client,
            client.stream("GET", "/events", headers={"Last-Event-ID": "long-ago"}) as response,
        ):
            coming = frames(response)
            assert (await anext(coming))["retry"] == "2000"
            gap = await anext(coming)
            rest = [await anext(coming) for _ in range(3)]

    assert (gap["event"], gap["data"]["reason"], "id" in gap) == ("gap", "unknown_id", False)
    assert [frame["data"]["payload"]["number"] for frame in rest] == [2, 3, 4]


async def test_an_empty_last_event_id_asks_for_all_that_is_there(served) -> None:
    """`Last-Event-ID:` without a value replays the whole ring, and misses nothing."""
    for number in range(3):
        served.hub.publish(numbered(number))
    async with listening(served, last_event_id="") as coming:
        got = [(await anext(coming))["data"]["payload"]["number"] for _ in range(3)]

    assert got == [0, 1, 2]


async def test_silence_is_kept_alive(served, monkeypatch) -> None:
    """While nothing happens comments keep the connection open."""
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.05)
    async with listening(served) as coming:
        assert await anext(coming) == {"comment": "keep-alive"}
        served.hub.publish(numbered(1))
        got = [await anext(coming) for _ in range(3)]

    assert "node_start" in [frame.get("event") for frame in got]


async def test_a_slow_client_is_told_what_it_missed() -> None:
    """Who reads slower than events come gets the newest, and a gap with the number that was dropped before them."""
    with serving(Hub(queue_size=10)) as served:
        total = 60_000
        with socket.create_connection((served.address.host, served.address.port)) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            data = b""
            while b"retry" not in data:
                data += client.recv(1000)
            for number in range(total):
                served.hub.publish(numbered(number))
            served.hub.publish(event("log", message="the last"))
            client.settimeout(20)
            while b"the last" not in data:
                data += await asyncio.to_thread(client.recv, 1_000_000)
    text = data.decode()
    told = sum(int(part.partition("}")[0]) for part in text.split('"dropped":')[1:])

    assert "event: gap" in text
    assert told > 0
    assert text.count("event: node_start") + told == total
    assert served.hub.dropped["events"] == told


async def test_a_client_that_never_reads_is_given_up(monkeypatch) -> None:
    """It costs its queue and no more, nobody else waits for it, and its stream ends."""
    monkeypatch.setattr(events, "STALL_S", 0.3)
    much = "x" * 50_000
    with serving(Hub(queue_size=10)) as served, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((served.address.host, served.address.port))
        client.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while b"retry" not in client.recv(1000):
            pass

        def is_given_up() -> bool:
            served.hub.publish(event("node_start", payload={"much": much}))
            return streams(served) == 1

        async with listening(served, "?types=log") as other:
            await until(is_given_up)
            served.hub.publish(event("log"))
            assert (await anext(other))["event"] == "log"
    assert served.hub.dropped["events"] > 0


async def test_streams_end_with_the_observation(served) -> None:
    """When the observation closes every stream ends, so that a server can stop."""
    async with listening(served) as coming:
        served.observation.close()
        with pytest.raises(StopAsyncIteration):
            await anext(coming)


async def test_who_leaves_leaves_nothing(served) -> None:
    """After the client is gone its stream is closed."""
    async with listening(served):
        assert streams(served) == 1
    await until(lambda: streams(served) == 0)


async def test_head_opens_no_stream(served) -> None:
    """HEAD is answered at once."""
    async with httpx.AsyncClient(base_url=served.url) as client:
        response = await client.head("/events")

    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"


def streams(served) -> int:
    return sum(stream.name == "events" for stream in served.hub._open)
