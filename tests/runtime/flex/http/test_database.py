from __future__ import annotations

import asyncio
from typing import Any

import pytest

from otel_agents.runtime.flex.http import lifetime
from tests.postgres import Server, postgres, postgres_url  # noqa: F401 - fixtures
from tests.runtime.flex.http.material import ASKS, ROOT, START, TASK, Client, Work, error_of, flex


async def _until_it_answers(client: Client) -> None:
    while (await client.get(f"{ROOT}/runs")).status_code != 200:  # noqa: ASYNC110 - nothing tells when it is back
        await asyncio.sleep(0.02)


def _is_away(response: Any) -> bool:
    assert int(response.headers["retry-after"]) > 0
    return (response.status_code, error_of(response)["code"]) == (503, "store_unavailable")


async def test_a_server_waits_for_a_database_that_is_away_at_start(tmp_path, monkeypatch, caplog) -> None:
    """Until the database is there every endpoint says so; then the server works, without a restart."""
    monkeypatch.setattr(lifetime, "AGAIN_S", 0.05)
    folder = tmp_path / "later"
    async with flex(folder) as client:
        early = [
            await client.post(START, json=TASK),
            await client.get(f"{ROOT}/runs/some"),
            await client.get(f"{ROOT}/runs/some/stream"),
            await client.post(f"{ROOT}/run.resume", json={"runId": "some"}),
            await client.get("/api/hitl/pending"),
        ]
        page = await client.get("/")
        folder.mkdir()
        await _until_it_answers(client)
        frames = await client.frames("POST", START, json=TASK)

    assert all(_is_away(response) for response in early)
    assert page.status_code == 200
    assert frames[-1]["payload"]["status"] == "completed"
    assert "trying again" in caplog.text


@pytest.mark.slow
async def test_a_database_that_goes_away_breaks_streams_and_no_run(
    tmp_path,
    postgres: Server,  # noqa: F811 - fixture
    postgres_url: str,  # noqa: F811 - fixture
) -> None:
    """While it is away streams end with an error and requests are refused; afterwards the run ends as it would have."""
    work = Work()
    work.gate.clear()
    async with flex(tmp_path, work, database_url=postgres_url, lease_s=2.0) as client:
        waiting = (await client.frames("POST", START, json=ASKS))[0]["runId"]
        async with client.stream("POST", START, json=TASK) as response:
            run = response.headers["Flex-Run-Id"]
            await work.begun.wait()
            postgres.stop()
            try:
                work.gate.set()
                text = (await response.aread()).decode()
                refused = await client.get(f"{ROOT}/runs")
                unanswered = await client.post(f"{ROOT}/run.resume", json={"runId": waiting, "decision": "approved"})
            finally:
                postgres.start()
        await _until_it_answers(client)
        seen = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
        rest = await client.frames("GET", f"{ROOT}/runs/{run}/stream", headers={"Last-Event-ID": seen[-1]})
        resumed = await client.frames("POST", f"{ROOT}/run.resume", json={"runId": waiting, "decision": "approved"})

    assert '"reason":"stream_broken"' in text
    assert '"code":"store_unavailable"' in text
    assert _is_away(refused)
    assert _is_away(unanswered)
    assert rest[-1]["payload"]["status"] == "completed"
    assert int(rest[0]["id"].rpartition(":")[2]) == len(seen) + 1
    assert resumed[-1]["payload"]["status"] == "completed"
