from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from otel_agents.runtime.flex.coordinator import Coordinator
from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.hitl import Answer
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import NewRun, Store
from tests.postgres import Server
from tests.runtime.flex.house import House, as_told, envelope, frames_of, kinds, policies, policy, story, until
from tests.runtime.flex.labour import LOOK, labourer, written

LEASE_S = 1.0
ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of Unix")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """An empty database that several processes may open."""
    return f"sqlite:///{tmp_path}/flex.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
async def store(url) -> AsyncIterator[Store]:
    opened = await Store.open(url)
    yield opened
    await opened.close()


@asynccontextmanager
async def process(url: str, file: Path, runs: int = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start another process on the database; it is killed in the end."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "tests.runtime.flex.labour",
        url,
        str(file),
        str(LEASE_S),
        str(runs),
    ]
    made = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        yield made
    finally:
        if made.returncode is None:
            made.send_signal(signal.SIGKILL)
        await made.wait()


async def line(made: asyncio.subprocess.Process) -> str:
    """Return the next line that a process prints."""
    assert made.stdout is not None
    async with asyncio.timeout(30):
        return (await made.stdout.readline()).decode().strip()


async def left_behind(store: Store, **fields: Any) -> str:
    """Store a run as a process does that dies before it begins with it."""
    new = NewRun(run_id="r1", correlation_id="c1", name="flex", envelope=envelope(**fields).dump())
    await store.runs.create(new, lease_s=0)
    return new.run_id


def without_gap(frames: list[Frame]) -> bool:
    """Tell whether the numbers of frames are 1, 2, 3 and so on."""
    return [frame.seq for frame in frames] == list(range(1, len(frames) + 1))


async def test_a_run_survives_the_death_of_its_process(url, store, tmp_path) -> None:
    """Killed in the middle of a node: another process finds the run, and executes nothing again that was done."""
    file = tmp_path / "done"
    run_id = await left_behind(store, objective="hangs at melt")
    async with process(url, file) as other:
        assert await line(other) == run_id
    async with House().coordinator(store, lease_s=LEASE_S) as second:
        frames = await until(second, run_id, "completed")

    assert without_gap(frames)
    assert written(file)[run_id, "dig", "began"] == written(file)[run_id, "dig", "ended"] == 1
    starts = [frame.payload.get("resumed", False) for frame in frames if frame.type == "start"]
    assert starts[-1] is True
    assert kinds(frames)["complete"] == 1
    assert [text for text in story(frames) if text == "node_complete melt ok"] == ["node_complete melt ok"]


@pytest.mark.slow
async def test_a_node_that_kills_its_process_is_not_tried_for_ever(store, url, tmp_path) -> None:
    """Each death counts as an attempt; when none is left the run fails as interrupted."""
    file = tmp_path / "done"
    run_id = await left_behind(store, objective="dies at melt", constraints={"maxAttempts": 2, "concurrency": 1})
    for _ in range(2):
        async with process(url, file) as other, asyncio.timeout(30):
            assert await other.wait() == 9
    async with labourer(file).coordinator(store, lease_s=LEASE_S) as last:
        frames = await until(last, run_id, "failed")

    assert frames[-1].payload["error"]["code"] == "interrupted"
    assert written(file)[run_id, "melt", "began"] == 2


async def test_a_paused_run_goes_on_in_another_process(url, store, tmp_path) -> None:
    """What completed in the first process is not executed in the second, which only knows the database."""
    file = tmp_path / "done"
    async with labourer(file).coordinator(store) as coordinator:
        accepted = await coordinator.accept(envelope(**LOOK))
        frames = await frames_of(coordinator, accepted.run_id)
        (row,) = await coordinator.pending()
    await store.questions.answer(row["requestId"], "approved")
    async with process(url, file), aclosing(store.journal.follow(accepted.run_id, len(frames))) as following:
        async with asyncio.timeout(30):
            rest = [frame async for frame in _to_the_end(following)]

    assert story(rest)[-1] == "complete completed"
    assert set(written(file).values()) == {1}


async def _to_the_end(frames: AsyncIterator[Frame]) -> AsyncIterator[Frame]:
    async for frame in frames:
        yield frame
        if frame.type == "complete":
            return


@pytest.mark.slow
async def test_many_runs_survive_two_deaths(url, store, tmp_path) -> None:
    """Every run ends, its frames have no gap, and no node that was stored as done was executed again."""
    file, run_ids = tmp_path / "done", []
    for _ in range(2):
        async with process(url, file, runs=30) as other:
            run_ids += [await line(other) for _ in range(30)]
    async with labourer(file).coordinator(store, lease_s=LEASE_S, max_runs=1000) as coordinator:
        for run_id in run_ids:
            await _answered_until_done(coordinator, run_id)
        stories = {run_id: await frames_of(coordinator, run_id) for run_id in run_ids}

    for run_id, frames in stories.items():
        assert without_gap(frames)
        assert story(frames)[-1] == "complete completed"
        done = [str(frame.node_id) for frame in frames if story([frame])[0].endswith(" ok")]
        assert sorted(done) == ["build", "dig", "melt", "wash"], run_id


async def _answered_until_done(coordinator: Coordinator, run_id: str) -> None:
    async with asyncio.timeout(60), aclosing(coordinator.store.journal.follow(run_id)) as frames:
        async for frame in frames:
            if frame.type == "hitl_request":
                with suppress(FlexError):  # it was answered before a death
                    await coordinator.resolve(frame.payload["requestId"], Answer("approved"))
            if frame.type == "complete" and frame.status == "completed":
                return


async def test_a_run_waits_for_a_database_that_is_away(postgres: Server, postgres_url) -> None:
    """While the server is down the run tells nothing and loses nothing; with the server it goes on by itself."""
    house, store, began, go_on = House(), await Store.open(postgres_url), asyncio.Event(), asyncio.Event()

    async def held(task: Any) -> dict[str, Any]:
        began.set()
        await go_on.wait()
        return await as_told(task)

    house.works["dig"] = held
    async with house.coordinator(store, lease_s=30) as coordinator:
        accepted = await coordinator.accept(envelope())
        await began.wait()
        postgres.stop()
        go_on.set()
        await house.has_slept.wait()  # the run found out
        postgres.start()
        frames = await frames_of(coordinator, accepted.run_id)
    await store.close()

    assert without_gap(frames)
    assert kinds(frames)["start"] == 1
    assert house.calls == dict.fromkeys(("dig", "melt", "wash", "build"), 1)


async def test_a_run_is_let_go_when_the_database_stays_away(postgres: Server, postgres_url, caplog) -> None:
    """After the lease nobody holds the run; when the server is back it is found, and goes on from what was stored."""
    house, store, began, go_on = House(), await Store.open(postgres_url), asyncio.Event(), asyncio.Event()

    async def held(task: Any) -> dict[str, Any]:
        began.set()
        await go_on.wait()
        return await as_told(task)

    house.works["melt"] = held
    async with house.coordinator(store, lease_s=0.5) as coordinator:
        accepted = await coordinator.accept(envelope(constraints={"concurrency": 1}))
        await began.wait()
        postgres.stop()
        go_on.set()
        await asyncio.wait([live.task for live in coordinator.running.live.values() if live.task])
        postgres.start()
        frames = await until(coordinator, accepted.run_id, "completed")
    await store.close()

    assert without_gap(frames)
    assert "is let go" in caplog.text
    assert [frame.payload.get("resumed") for frame in frames if frame.type == "start"] == [None, True]
    assert house.calls == {"dig": 1, "melt": 2, "wash": 1, "build": 1}


async def test_an_answer_of_the_database_that_is_lost_doubles_nothing(flex_store, monkeypatch) -> None:
    """When a transaction was committed and only the word of it got lost, its frames are not stored again."""
    database = flex_store._database
    lost: list[int] = []
    transact = database.transact

    def commit_and_lose(jobs: list[Any]) -> list[Any]:
        done = transact(jobs)
        if len(lost) < 5 and any(getattr(each, "type", "") == "node_complete" for each in done):
            lost.append(1)
            raise FlexError("store_unavailable", "the connection broke")
        return done

    monkeypatch.setattr(database, "transact", commit_and_lose)
    house = House()
    async with house.coordinator(flex_store) as coordinator:
        accepted = await coordinator.accept(envelope(**policies(policy("say", "onStart", "emit", message="x"))))
        frames = await until(coordinator, accepted.run_id, "completed")

    assert lost
    assert without_gap(frames)
    assert kinds(frames)["node_complete"] == 4
    assert house.calls == dict.fromkeys(("dig", "melt", "wash", "build"), 1)
