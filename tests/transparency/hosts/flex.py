"""A program of the flex runtime: a plan of two capabilities, over a database of its own."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from otel_agents.runtime.flex.capabilities import Capability, Registry, Task
from otel_agents.runtime.flex.coordinator import Coordinator
from otel_agents.runtime.flex.facets import Facet
from otel_agents.runtime.flex.settings import Settings
from otel_agents.runtime.flex.store import Store
from tests.runtime.flex.house import TEXT, envelope, frames_of
from tests.transparency.step import Here

ROWS = {"dig": ("objective", "ore"), "build": ("ore", "wall")}
CHANGING = ("requestId", "waitMs", "latencyMs", "expiresAt")


def registry(here: Here) -> Registry:
    found = Registry([Facet(given, given.title(), TEXT) for _, given in ROWS.values()])
    for name, (taken, given) in ROWS.items():

        async def work(task: Task, name: str = name, given: str = given) -> dict[str, Any]:
            return {given: await here.later(name)}

        row: dict[str, Any] = {"id": name, "label": name, "kind": "step", "run": work}
        found.add(Capability(**row, input=(taken,), output=(given,)))
    return found


@asynccontextmanager
async def _at_work(here: Here) -> AsyncIterator[Coordinator]:
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(f"sqlite:///{Path(folder) / 'flex.db'}")
        coordinator = Coordinator(store, registry(here), Settings())
        await coordinator.start()
        try:
            yield coordinator
        finally:
            here.tell("the house closes")
            await coordinator.stop(grace_s=0)
            await store.close()


async def _run(here: Here) -> Any:
    async with _at_work(here) as coordinator:
        accepted = await coordinator.accept(envelope())
        frames = await frames_of(coordinator, accepted.run_id)
    return [_plain(frame) for frame in frames]


def _plain(frame: Any) -> Any:
    payload = {name: value for name, value in frame.payload.items() if name not in CHANGING}
    return frame.type, frame.node_id, frame.status, frame.plan_version, payload


SYNC: dict[str, Any] = {}
ASYNC = {"run": _run}
