"""How long runs are kept that have ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from otel_agents.runtime.flex.store import Store
from tests.runtime.flex.house import envelope, frames_of, policies, policy
from tests.runtime.flex.store.making import Clock

DAY_S = 86_400


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path, clock) -> AsyncIterator[Store]:
    """A store in which time is set by hand."""
    opened = await Store.open(f"sqlite:///{tmp_path}/flex.db", clock=clock)
    yield opened
    await opened.close()


async def _gone(store: Store, run_id: str) -> None:
    """Wait until there is no such run."""
    async with asyncio.timeout(20):
        while run_id in [row.run_id for row in await store.runs.list()]:
            pass


@pytest.mark.parametrize("days", [None, 2.0])
async def test_what_ended_long_ago_is_forgotten_when_it_is_wished(house, store, clock, days) -> None:
    """Behind the days of the settings a run goes, with its frames; what ended since or waits for a human stays."""
    asks = policies(policy("look", "onStart", "hitl"))
    async with house.coordinator(store, hitl_expires_s=30 * DAY_S) as coordinator:
        old, waiting = [(await coordinator.accept(envelope(**fields))).run_id for fields in ({}, asks)]
        await frames_of(coordinator, old)
        await frames_of(coordinator, waiting)
    clock.now += 3 * DAY_S
    async with house.coordinator(store, retention_days=days, hitl_expires_s=30 * DAY_S) as coordinator:
        recent = (await coordinator.accept(envelope())).run_id
        await frames_of(coordinator, recent)
        if days is not None:
            await _gone(store, old)
        left = {row["runId"] for row in await coordinator.runs()}

    assert left == {recent, waiting} | ({old} if days is None else set())
    assert (await store.journal.after(old) == []) is (days is not None)
