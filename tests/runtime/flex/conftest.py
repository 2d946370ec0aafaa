"""A house for every test, and a database that is empty."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from otel_agents.runtime.flex.coordinator import Coordinator
from otel_agents.runtime.flex.store import Store
from tests.runtime.flex.house import House


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def flex_store(tmp_path) -> AsyncIterator[Store]:
    """An open store on an empty SQLite file."""
    store = await Store.open(f"sqlite:///{tmp_path}/flex.db")
    yield store
    await store.close()


@pytest.fixture
async def coordinator(house, flex_store) -> AsyncIterator[Coordinator]:
    async with house.coordinator(flex_store) as made:
        yield made
