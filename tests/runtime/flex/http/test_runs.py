from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.flex.http.material import ASKS, ROOT, START, TASK, Client, Work, error_of, flex, types

FLOW = [
    "start", "plan_requested", "plan_generated",
    "node_start", "node_complete", "node_start", "node_complete", "complete",
]  # fmt: skip


@pytest.fixture
async def client(tmp_path):
    async with flex(tmp_path) as made:
        yield made


async def test_a_run_is_told_from_start_to_end(client: Client) -> None:
    """The stream of a new run has its frames in order, with the ids of run and plan, and ends with one complete."""
    envelope = {**TASK, "metadata": {"correlationId": "order-17", "runLabel": "greeting"}}
    async with client.stream("POST", START, json=envelope) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        text = (await response.aread()).decode()
    frames = await client.frames("GET", f"{ROOT}/runs/{response.headers['Flex-Run-Id']}/stream")

    assert types(frames) == FLOW
    assert text.startswith(f"id: {frames[0]['id']}\nevent: start\ndata: {{")
    assert [frame["id"] for frame in frames] == [f"{frames[0]['runId']}:{number}" for number in range(1, 9)]
    assert {frame["correlationId"] for frame in frames} == {"order-17"} == {response.headers["Flex-Correlation-Id"]}
    assert frames[0]["payload"]["name"] == "greeting"
    assert frames[2]["planVersion"] == frames[2]["payload"]["version"] == 1
    assert [node["id"] for node in frames[2]["payload"]["nodes"]] == ["find", "say"]
    assert frames[-1]["payload"]["status"] == "completed"
    assert frames[-1]["payload"]["output"] == {"speech": "Say hello!"}


async def test_a_failed_run_says_why(client: Client) -> None:
    """A run that fails ends with a complete frame that has an error of the shape that refusals have."""
    frames = await client.frames("POST", START, json={"objective": "Fail"})

    error = frames[-1]["payload"]["error"]
    assert (frames[-1]["type"], frames[-1]["payload"]["status"]) == ("complete", "failed")
    assert set(error) == {"code", "message", "details"}
    assert error["code"] == "node_failed"


async def test_a_pause_ends_the_stream_and_an_answer_goes_on(client: Client) -> None:
    """A run that asks ends its stream; resuming it with a decision streams the rest, and no node runs twice."""
    paused = await client.frames("POST", START, json=ASKS)
    run = paused[0]["runId"]
    [question] = (await client.get(f"{ROOT}/hitl/pending")).json()["pending"]
    rest = await client.frames("POST", f"{ROOT}/run.resume", json={"runId": run, "decision": "approved"})

    assert (paused[-1]["type"], paused[-1]["payload"]["status"]) == ("complete", "awaiting_hitl")
    assert (question["runId"], question["prompt"], question["origin"]) == (run, "Go on?", "policy")
    assert types(rest)[:2] == ["start", "hitl_resolved"]
    assert rest[0]["payload"]["resumed"] is True
    assert [frame["nodeId"] for frame in rest if frame["type"] == "node_start"] == ["say"]
    assert rest[-1]["payload"]["status"] == "completed"
    assert int(rest[0]["id"].rpartition(":")[2]) == len(paused) + 1


@pytest.mark.parametrize("root", ["/api/v1/flex/hitl", "/api/hitl"])
async def test_the_queue_and_its_alias_are_the_same(client: Client, root: str) -> None:
    """Under both names questions are listed and answered; the run goes on in the background."""
    paused = await client.frames("POST", START, json=ASKS)
    run = paused[0]["runId"]
    [question] = (await client.get(f"{root}/pending")).json()["pending"]

    response = await client.post(
        f"{root}/resolve", json={"requestId": question["requestId"], "decision": "edited", "value": {"words": ["Bye"]}}
    )
    frames = await client.frames("GET", f"{ROOT}/runs/{run}/stream?after={len(paused)}")

    assert response.json() == {"requestId": question["requestId"], "runId": run, "decision": "edited"}
    assert frames[-1]["payload"]["output"] == {"speech": "Bye!"}
    assert (await client.get(f"{root}/pending")).json() == {"pending": []}


async def test_a_rejected_run_fails(client: Client) -> None:
    """A rejection ends the run with the code `rejected`."""
    [first, *_] = await client.frames("POST", START, json=ASKS)
    rest = await client.frames("POST", f"{ROOT}/run.resume", json={"runId": first["runId"], "decision": "rejected"})

    assert (rest[-1]["payload"]["status"], rest[-1]["payload"]["error"]["code"]) == ("failed", "rejected")


async def test_the_same_key_is_the_same_run(client: Client) -> None:
    """A request with a key that was seen gets that run's frames; another envelope under the key is refused."""
    key = {"Idempotency-Key": "order-17"}
    first = await client.frames("POST", START, json=TASK, headers=key)
    again = await client.frames("POST", START, json=TASK, headers=key)
    other = await client.post(START, json={"objective": "Something else"}, headers=key)

    assert again == first
    assert (other.status_code, error_of(other)["code"]) == (409, "idempotency_mismatch")
    assert len((await client.get(f"{ROOT}/runs")).json()["runs"]) == 1


async def test_a_running_run_is_cancelled(tmp_path) -> None:
    """Cancelling stops the work, and the stream ends with a complete frame of status cancelled."""
    work = Work()
    work.gate.clear()
    async with flex(tmp_path, work) as client, client.stream("POST", START, json=TASK) as response:
        run = response.headers["Flex-Run-Id"]
        await work.begun.wait()
        busy = await client.post(f"{ROOT}/run.resume", json={"runId": run})
        asked = await client.post(f"{ROOT}/runs/{run}/cancel", json={})
        text = (await response.aread()).decode()

    assert (busy.status_code, error_of(busy)["code"]) == (409, "already_running")
    assert asked.status_code == 202
    assert asked.json()["runId"] == run
    assert [line for line in text.splitlines() if line.startswith("event: ")][-3:] == [
        "event: node_complete", "event: cancel_acknowledged", "event: complete",
    ]  # fmt: skip
    assert '"status":"cancelled"' in text
    assert work.stopped.is_set()


async def test_a_run_that_waits_is_cancelled_too(client: Client) -> None:
    """A run that waits for a human ends as cancelled, and its question leaves the queue."""
    paused = await client.frames("POST", START, json=ASKS)
    run = paused[0]["runId"]

    assert (await client.post(f"{ROOT}/runs/{run}/cancel", json={})).status_code == 202
    frames = await client.frames("GET", f"{ROOT}/runs/{run}/stream?after={len(paused)}")

    assert frames[-1]["payload"]["status"] == "cancelled"
    assert (await client.get(f"{ROOT}/hitl/pending")).json() == {"pending": []}


async def test_a_run_is_shown_without_its_content(client: Client) -> None:
    """The view of a run has its state, plan and nodes, and none of its inputs and outputs."""
    frames = await client.frames("POST", START, json={"objective": "Canary"})
    run = frames[0]["runId"]

    response = await client.get(f"{ROOT}/runs/{run}")
    shown: dict[str, Any] = response.json()

    assert (shown["runId"], shown["status"], shown["planVersion"]) == (run, "completed", 1)
    assert shown["lastSeq"] == len(frames)
    assert [(node["id"], node["dependsOn"]) for node in shown["nodes"]] == [("find", []), ("say", ["find"])]
    assert "Canary" not in response.text


async def test_runs_are_listed_newest_first_and_in_pages(client: Client) -> None:
    """The list has the newest run first, can be narrowed to a state and goes on after a run."""
    ids = [(await client.frames("POST", START, json=TASK))[0]["runId"] for _ in range(3)]
    waiting = (await client.frames("POST", START, json=ASKS))[0]["runId"]

    async def listed(query: str) -> list[str]:
        return [row["runId"] for row in (await client.get(f"{ROOT}/runs?{query}")).json()["runs"]]

    assert await listed("") == [waiting, *reversed(ids)]
    assert await listed("status=awaiting_hitl") == [waiting]
    assert await listed(f"limit=2&after={ids[2]}") == [ids[1], ids[0]]


async def test_a_manual_policy_is_fired(tmp_path) -> None:
    """A policy whose trigger is manual acts when it is fired, and one that is not there cannot be."""
    work = Work()
    work.gate.clear()
    rule = {"id": "stop", "trigger": {"kind": "manual"}, "action": {"type": "fail", "message": "Enough"}}
    envelope = {**TASK, "policies": {"runtime": [rule]}}
    async with flex(tmp_path, work) as client, client.stream("POST", START, json=envelope) as response:
        run = response.headers["Flex-Run-Id"]
        await work.begun.wait()
        unknown = await client.post(f"{ROOT}/runs/{run}/policies/other/fire", json={})
        fired = await client.post(f"{ROOT}/runs/{run}/policies/stop/fire", json={})
        text = (await response.aread()).decode()

    assert unknown.status_code == 404
    assert (fired.status_code, fired.json()) == (202, {"runId": run, "policyId": "stop"})
    assert "event: policy_triggered" in text
    assert '"code":"policy_failed"' in text
