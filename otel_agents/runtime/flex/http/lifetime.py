"""The coordinator's life beside a server: opened when the database lets it, closed at the end; knows no request."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from otel_agents.runtime.flex.capabilities import Registry
from otel_agents.runtime.flex.coordinator import Coordinator
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.settings import Settings
from otel_agents.runtime.flex.store import Store

AGAIN_S: Final = 2.0
_log = logging.getLogger("otel_agents.flex")


class Lifetime:
    """Gives the coordinator, once there is one. A database that is away is asked for again until it is there."""

    def __init__(self, settings: Settings, registry: Registry, coordinator: Coordinator | None = None) -> None:
        self._settings = settings
        self._registry = registry
        self._given = coordinator
        self._coordinator = coordinator
        self._store: Store | None = None
        self._leaving: asyncio.Task[None] | None = None

    @property
    def coordinator(self) -> Coordinator:
        """The coordinator.

        Raises:
            FlexError: `store_unavailable` while the database is away.
        """
        if self._coordinator is None:
            raise FlexError("store_unavailable", "The database cannot be opened; its server is asked again and again")
        return self._coordinator

    @property
    def is_ready(self) -> bool:
        """Whether runs can be taken."""
        return self._coordinator is not None and self._leaving is None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Start what was not given, and stop it in the end; what was given is its owner's."""
        if self._given is not None:
            yield
            return
        opening = asyncio.create_task(self._open(), name="flex-open")
        try:
            await asyncio.wait([opening], timeout=AGAIN_S)
            if opening.done():
                opening.result()  # a mistake of ours ends the start; a database that is away does not
            yield
        finally:
            opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await opening
            await self._close()

    async def _open(self) -> None:
        while self._coordinator is None:
            try:
                self._store = self._store or await Store.open(self._settings.database_url)
                coordinator = Coordinator(self._store, self._registry, self._settings)
                await coordinator.start()
                self._coordinator = coordinator
            except FlexError as error:
                _log.warning("%s; trying again in %g s", error, AGAIN_S)
                await asyncio.sleep(AGAIN_S)

    def leave(self) -> None:
        """Begin to stop, while streams still go on: when the runs are given back, these have nothing more to tell."""
        if self._leaving is None and self._given is None and self._coordinator is not None:
            self._leaving = asyncio.create_task(self._stop(self._coordinator), name="flex-leave")

    async def _stop(self, coordinator: Coordinator) -> None:
        await coordinator.stop(self._settings.grace_s)
        await coordinator.store.journal.close()  # who follows comes to an end, and is not cut off

    async def _close(self) -> None:
        self.leave()
        if self._leaving is not None:
            await self._leaving
        if self._store is not None:
            await self._store.close()
