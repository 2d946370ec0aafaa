from __future__ import annotations

from tests.runtime.flex.http.material import ASKS, ROOT, START, TASK, Work, error_of, flex


async def test_new_runs_can_be_switched_off(tmp_path) -> None:
    """Switched off, no run begins; those that wait can be read, answered and cancelled."""
    async with flex(tmp_path) as client:
        waiting = [(await client.frames("POST", START, json=ASKS))[0]["runId"] for _ in range(2)]
    async with flex(tmp_path, runs_enabled=False) as client:
        refused = await client.post(START, json=TASK)
        questions = {each["runId"]: each for each in (await client.get(f"{ROOT}/hitl/pending")).json()["pending"]}
        rest = await client.frames("POST", f"{ROOT}/run.resume", json={"runId": waiting[0], "decision": "approved"})
        await client.post(f"{ROOT}/runs/{waiting[1]}/cancel", json={})
        cancelled = await client.frames("GET", f"{ROOT}/runs/{waiting[1]}/stream")

        assert (refused.status_code, error_of(refused)["code"]) == (404, "flex_disabled")
        assert set(questions) == set(waiting)
        assert rest[-1]["payload"]["status"] == "completed"
        assert cancelled[-1]["payload"]["status"] == "cancelled"
        assert len((await client.get(f"{ROOT}/runs")).json()["runs"]) == 2


async def test_new_runs_can_be_sent_elsewhere(tmp_path) -> None:
    """With an address of the older system, a new run is redirected there with its method and body."""
    async with flex(tmp_path, runs_enabled=False, legacy_url="https://old.example.org/run") as client:
        response = await client.post(START, json=TASK)

    assert (response.status_code, response.headers["location"]) == (307, "https://old.example.org/run")


async def test_too_many_runs_are_refused(tmp_path) -> None:
    """Beyond the limit of runs a new one is refused, leaves nothing behind, and may come again later."""
    work = Work()
    work.gate.clear()
    async with flex(tmp_path, work, max_runs=1) as client:
        async with client.stream("POST", START, json=TASK) as running:
            await work.begun.wait()
            refused = await client.post(START, json=TASK)
            work.gate.set()
            await running.aread()
        later = await client.frames("POST", START, json=TASK)

        assert (refused.status_code, error_of(refused)["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
        assert later[-1]["payload"]["status"] == "completed"
        assert len((await client.get(f"{ROOT}/runs")).json()["runs"]) == 2
