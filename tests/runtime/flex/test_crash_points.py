"""A process may die after any of its transactions: what is decided then is neither lost nor done twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing, suppress
from typing import Any

import pytest

from otel_agents.runtime.flex.coordinator import Coordinator
from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.hitl import Answer
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import Store
from tests.runtime.flex.house import House, envelope, policies, policy, story

LEASE_S = 0.5
RULES = policies(
    policy("plan-again", "onNodeComplete", "replan", selector={"nodeId": "dig"}),
    policy("look", "onNodeComplete", "hitl", selector={"nodeId": "melt"}),
    policy("wash-again", "onNodeComplete", "goto", selector={"nodeId": "build"}, node="wash"),
)
# In one order only, so that each number is one place.
CAREFUL = {"constraints": {"concurrency": 1, "maxAttempts": 10}}


def dies_after(store: Store, transactions: int) -> asyncio.Event:
    """Let the store take some transactions, and be away for ever after; return what is set then."""
    database, left, dead = store._database, [transactions], asyncio.Event()
    transact, loop = database.transact, asyncio.get_running_loop()

    def one_of_the_last(jobs: list[Any]) -> list[Any]:
        left[0] -= 1
        if left[0] < 0:
            loop.call_soon_threadsafe(dead.set)
            raise FlexError("store_unavailable", "this process is dead")
        return transact(jobs)

    database.transact = one_of_the_last  # type: ignore[method-assign]
    return dead


async def live_on(coordinator: Coordinator, run_id: str) -> list[Frame]:
    """Answer what is asked until the run has ended, and return all its frames."""
    frames: list[Frame] = []
    async with aclosing(coordinator.store.journal.follow(run_id)) as following:
        async for frame in following:
            frames.append(frame)
            if frame.type == "hitl_request":
                await _approve(coordinator, frame)
            if frame.type == "complete" and frame.status != "awaiting_hitl":
                return frames
    return frames


async def _approve(coordinator: Coordinator, frame: Frame) -> None:
    with suppress(FlexError):  # it was answered before the death, or death came in between
        await coordinator.resolve(frame.payload["requestId"], Answer("approved"))


async def first_life(url: str, transactions: int) -> None:
    """Execute a run until it has ended or the store is away."""
    store = await Store.open(url)
    dead = dies_after(store, transactions)
    async with House().coordinator(store, lease_s=LEASE_S) as coordinator:
        living = asyncio.create_task(_live(coordinator))
        dying = asyncio.create_task(dead.wait())
        await asyncio.wait([living, dying], return_when=asyncio.FIRST_COMPLETED)
        for task in (living, dying):
            task.cancel()
        await asyncio.wait([living, dying])
    await store.close()


async def _live(coordinator: Coordinator) -> None:
    with suppress(FlexError):
        accepted = await coordinator.accept(envelope(**RULES, **CAREFUL))
        await live_on(coordinator, accepted.run_id)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("transactions", range(1, 45))
async def test_nothing_is_lost_or_done_twice_wherever_a_process_dies(tmp_path, transactions) -> None:
    """The run completes with its approval, its second plan and its second wash, each exactly once."""
    url = f"sqlite:///{tmp_path}/flex.db"
    await first_life(url, transactions)
    store = await Store.open(url)
    async with House().coordinator(store, lease_s=LEASE_S) as coordinator:
        runs = await coordinator.runs()
        told = [await live_on(coordinator, run["runId"]) for run in runs]
    await store.close()

    assert len(told) <= 1
    for frames in told:
        assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
        assert story(frames)[-1] == "complete completed"
        done = Counter(str(frame.node_id) for frame in frames if frame.type == "node_complete" and frame.status == "ok")
        assert done == {"dig": 1, "melt": 1, "wash": 2, "build": 2}
        types = [frame.type for frame in frames]
        assert types.count("plan_updated") == 1
        built = story(frames).index("node_start build")
        assert types.index("hitl_resolved") < built
