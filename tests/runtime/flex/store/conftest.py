"""Every test of the store runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from otel_agents.runtime.flex.store import Store
from tests.runtime.flex.store.making import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """An empty database."""
    return f"sqlite:///{tmp_path}/flex.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
async def opened(url, clock) -> AsyncIterator[Callable[[], Awaitable[Store]]]:
    """Open a store on the database, any number of times; each is like a process of its own."""
    stores: list[Store] = []

    async def again() -> Store:
        stores.append(await Store.open(url, clock=clock))
        return stores[-1]

    yield again
    for store in stores:
        await store.close()


@pytest.fixture
async def store(opened) -> Store:
    return await opened()


@pytest.fixture
async def other(opened) -> Store:
    """The store of another process."""
    return await opened()
