from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from otel_agents.runtime.flex.capabilities import Task
from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.http.streams import events
from otel_agents.runtime.flex.problem import FlexError
from tests.runtime.flex.http.material import ASKS, ROOT, START, TASK, Client, Work, error_of, flex, read, types


async def _status(client: Client, run: str) -> str:
    return str((await client.get(f"{ROOT}/runs/{run}")).json()["status"])


async def test_a_replay_misses_nothing_and_repeats_nothing(tmp_path) -> None:
    """After each frame of a run the rest comes, no more and no less; the header goes before the parameter."""
    async with flex(tmp_path) as client:
        frames = await client.frames("POST", START, json=TASK)
        path = f"{ROOT}/runs/{frames[0]['runId']}/stream"

        assert await client.frames("GET", path) == frames
        for seen in frames[:-1]:
            rest = frames[int(seen["id"].rpartition(":")[2]) :]
            assert await client.frames("GET", path, headers={"Last-Event-ID": seen["id"]}) == rest
            assert await client.frames("GET", path, params={"after": seen["id"].rpartition(":")[2]}) == rest
            both = {"headers": {"Last-Event-ID": seen["id"]}, "params": {"after": 0}}
            assert await client.frames("GET", path, **both) == rest


async def test_after_the_last_frame_there_is_nothing(tmp_path) -> None:
    """A stream that would have no frame is a 204, upon which a browser stops to ask."""
    async with flex(tmp_path) as client:
        for envelope in (TASK, ASKS):
            frames = await client.frames("POST", START, json=envelope)
            response = await client.get(
                f"{ROOT}/runs/{frames[0]['runId']}/stream", headers={"Last-Event-ID": frames[-1]["id"]}
            )
            assert (response.status_code, response.content) == (204, b"")


async def test_words_that_utf8_has_not_are_streamed_with_a_mark(tmp_path) -> None:
    """An error of foreign work may say anything; the stream goes on to its end."""
    work = Work()

    async def fail(task: Task) -> dict[str, Any]:
        raise ValueError("tea \ud800\0")

    work.say = fail  # type: ignore[method-assign]
    async with flex(tmp_path, work, max_attempts=1) as client:
        frames = await client.frames("POST", START, json=TASK)
        again = await client.frames("GET", f"{ROOT}/runs/{frames[0]['runId']}/stream")

    assert frames[-1]["payload"]["error"]["message"] == "ValueError: tea ?\0"
    assert again == frames


async def test_a_run_that_has_its_answer_is_waited_for(tmp_path) -> None:
    """While no server has room to go on with it, who reads on gets no 204, but the rest once there is room."""
    work = Work()
    async with flex(tmp_path, work, max_runs=1) as client:
        paused = await client.frames("POST", START, json=ASKS)
        run = paused[0]["runId"]
        asked = next(frame for frame in paused if frame["type"] == "hitl_request")["payload"]["requestId"]
        work.gate.clear()
        async with client.stream("POST", START, json=TASK) as other:
            await work.begun.wait()
            await client.post(f"{ROOT}/hitl/resolve", json={"requestId": asked, "decision": "approved"})
            headers = {"Last-Event-ID": paused[-1]["id"]}
            async with client.stream("GET", f"{ROOT}/runs/{run}/stream", headers=headers) as rest:
                status = await _status(client, run)
                work.gate.set()
                await other.aread()
                frames = [frame async for frame in read(rest)]

    assert (rest.status_code, status) == (200, "awaiting_hitl")
    assert types(frames)[:2] == ["start", "hitl_resolved"]
    assert frames[-1]["status"] == "completed"


async def test_a_reader_who_comes_late_gets_what_was_and_what_comes(tmp_path) -> None:
    """Two readers of a running run, one from the start and one from the middle, see the same frames to the end."""
    work = Work()
    work.gate.clear()
    async with flex(tmp_path, work) as client, client.stream("POST", START, json=TASK) as first:
        path = f"{ROOT}/runs/{first.headers['Flex-Run-Id']}/stream"
        await work.begun.wait()
        async with client.stream("GET", path, params={"after": 2}) as second:
            late = read(second)
            missed = await anext(late)
            work.gate.set()
            both = [[frame async for frame in reader] for reader in (read(first), late)]

    assert types([missed, *both[1]]) == types(both[0])[2:]
    assert [missed, *both[1]] == both[0][2:]


@pytest.mark.parametrize(
    ("by_default", "asked", "status"),
    [
        (False, "", "completed"),
        (True, "", "cancelled"),
        (True, "continue", "completed"),
        (False, "cancel", "cancelled"),
    ],
)
async def test_a_client_that_leaves_may_end_its_run(tmp_path, by_default: bool, asked: str, status: str) -> None:
    """When the client goes, the run goes on or is cancelled: by the setting, or by what the request says."""
    work = Work()
    work.gate.clear()
    query = {"onDisconnect": asked} if asked else {}
    async with flex(tmp_path, work, cancel_on_disconnect=by_default) as client:
        async with client.stream("POST", START, json=TASK, params=query) as response:
            run = response.headers["Flex-Run-Id"]
            await work.begun.wait()
        if status == "cancelled":
            await work.stopped.wait()
        work.gate.set()
        frames = await client.frames("GET", f"{ROOT}/runs/{run}/stream")

        assert frames[-1]["payload"]["status"] == status
        assert await _status(client, run) == status
        assert [each["payload"]["source"] for each in frames if each["type"] == "cancel_requested"] == (
            ["disconnect"] if status == "cancelled" else []
        )


async def test_a_silent_stream_is_kept_alive(tmp_path) -> None:
    """While nothing happens comments come, which no reader of events sees."""
    work = Work()
    work.gate.clear()
    async with (
        flex(tmp_path, work, keep_alive_s=1) as client,
        client.stream("POST", START, json=TASK) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith(":"):
                assert line == ": alive"
                break
        work.gate.set()


async def test_every_stream_is_its_own(tmp_path) -> None:
    """Runs that are streamed side by side do not mix."""
    async with flex(tmp_path) as client:
        streams = await asyncio.gather(
            *(client.frames("POST", START, json={"objective": f"Run {n}"}) for n in range(8))
        )

    assert [frames[-1]["payload"]["output"] for frames in streams] == [{"speech": f"Run {n}!"} for n in range(8)]
    assert len({frame["runId"] for frames in streams for frame in frames}) == 8


async def test_a_stream_that_breaks_off_says_so() -> None:
    """When frames cannot be read any more, a last one says why; it has no id, so a reader goes on where it was."""

    async def frames():
        yield Frame(run_id="r", correlation_id="c", type="start", seq=1, payload={"name": "x"})
        raise FlexError("store_unavailable", "The database is away")

    sent = [event async for event in events(frames(), Frame(run_id="r", correlation_id="c", type="log"))]

    last = json.loads(str(sent[-1].data))
    assert [(event.event, event.id) for event in sent] == [("start", "r:1"), ("complete", None)]
    assert (last["id"], last["correlationId"], last["status"]) == ("r:1", "c", "failed")
    assert last["payload"]["reason"] == "stream_broken"
    assert last["payload"]["error"] == {"code": "store_unavailable", "message": "The database is away", "details": []}


async def test_too_many_connections_are_refused(tmp_path) -> None:
    """Beyond the limit of connections a request is refused at once, and told when to come again."""
    work = Work()
    work.gate.clear()
    async with flex(tmp_path, work, max_connections=1) as client:
        async with client.stream("POST", START, json=TASK):
            await work.begun.wait()
            response = await client.get(f"{ROOT}/runs")
        work.gate.set()

    assert (response.status_code, error_of(response)["code"]) == (503, "too_many_connections")
    assert int(response.headers["retry-after"]) > 0
