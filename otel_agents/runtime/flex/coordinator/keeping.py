"""What a process does again and again for its runs, and for those that others left; must not know what runs do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import AWAITING, QUEUED, RUNNING, Fenced

if TYPE_CHECKING:  # the coordinator is kept
    from otel_agents.runtime.flex.coordinator.coordinator import Coordinator

WATCH_S: Final = 0.5
"""Seconds between looks for wishes that came in through other processes."""
SWEEP_S: Final = 2.0
PRUNE_S: Final = 600.0
DAY_S: Final = 86_400
HEARTBEATS: Final = 3
"""How often a lease is extended before it would run out."""
_log = logging.getLogger("otel_agents.flex")


class Keeping:
    """The rounds of one coordinator."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._store = coordinator.store
        self._running = coordinator.running
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin the rounds."""
        lease_s = self._coordinator.settings.lease_s
        rounds = (
            (self.extend, lease_s / HEARTBEATS),
            (self.watch, min(WATCH_S, lease_s / HEARTBEATS)),
            (self.sweep, min(SWEEP_S, lease_s / HEARTBEATS)),
            (self.prune, PRUNE_S),
        )
        for work, every_s in rounds:
            self._tasks.append(asyncio.create_task(_again(work, every_s), name=f"flex-{work.__name__}"))

    async def stop(self) -> None:
        """End the rounds."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks = []

    async def extend(self) -> None:
        """Extend the leases; what was lost is stopped, and what nobody takes care of is given back."""
        live, known = dict(self._running.live), self._running.known
        owned = await self._store.leases.extend(self._coordinator.owner, self._coordinator.settings.lease_s)
        for run_id, each in live.items():
            if run_id not in owned and self._running.live.get(run_id) is each:
                each.scene.story.give_up(Fenced(run_id, each.segment.epoch))
        for run_id in owned - known - self._running.known:
            await self._orphaned(run_id)

    async def _orphaned(self, run_id: str) -> None:
        """Give a run back whose opening failed while the store was away."""
        try:
            await self._store.leases.release(run_id, (await self._store.runs.get(run_id)).epoch)
        except Fenced:
            pass

    async def watch(self) -> None:
        """Pass on to the runs of this process what was wished elsewhere."""
        if self._running.live:
            for wish in await self._store.leases.cancels(self._coordinator.owner):
                self._running.cancel(wish)
            await self._running.take_fires()

    async def sweep(self) -> None:
        """Let questions expire, and take up runs that somebody left, or whose questions have their answers."""
        await self._store.questions.expire()
        for run_id in await self._store.leases.expired(limit=self._running.places.free):
            await self._take_up(run_id, (QUEUED, RUNNING))
        for run_id in await self._store.leases.resumable(limit=self._running.places.free):
            await self._take_up(run_id, (AWAITING,))

    async def prune(self) -> None:
        """Forget the runs that ended longer ago than the settings keep them."""
        days = self._coordinator.settings.retention_days
        if days is not None:
            await self._store.runs.prune(days * DAY_S)

    async def _take_up(self, run_id: str, from_statuses: tuple[str, ...]) -> None:
        if self._running.places.free:
            with self._running.places.held() as place:
                await self._running.begin(run_id, from_statuses, place)


async def _again(work: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Do some work again and again, whatever becomes of it."""
    while True:
        doing = asyncio.ensure_future(work())
        try:
            await asyncio.wait([doing])
        finally:
            doing.cancel()
        error = None if doing.cancelled() else doing.exception()
        if isinstance(error, FlexError):
            _log.warning("flex store: %s", error)
        elif error is not None:
            _log.error("a mistake of ours", exc_info=error)
        await asyncio.sleep(every_s)
