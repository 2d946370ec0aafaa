"""The segments that run in this process: claimed, driven, given back; must not know what happens inside of one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from otel_agents.runtime.flex.coordinator.opening import Claimed, open_segment
from otel_agents.runtime.flex.coordinator.places import Place, Places
from otel_agents.runtime.flex.coordinator.segment import Ending, Live
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import AWAITING, Cancel, Fenced, RunSummary

if TYPE_CHECKING:  # the coordinator runs segments
    from otel_agents.runtime.flex.coordinator.coordinator import Coordinator

OPENING_S: Final = 0.1
"""How long to wait for a run that is just being opened."""
_log = logging.getLogger("otel_agents.flex")


class Running:
    """What this process executes now.

    Attributes:
        live: Run id -> its segment.
        places: How many more there may be.
    """

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._store = coordinator.store
        self._opening: set[str] = set()
        self.live: dict[str, Live] = {}
        self.places = Places(coordinator.settings.max_runs)

    @property
    def known(self) -> frozenset[str]:
        """The runs that this process takes care of, also those that it is about to."""
        return frozenset(self.live) | frozenset(self._opening)

    async def begin(self, run_id: str, from_statuses: Collection[str], place: Place) -> bool:
        """Claim a run and begin a segment of it; whether it was to be had."""
        await self._gone(run_id)
        if run_id in self.known:
            return False
        settings = self._coordinator.settings
        self._opening.add(run_id)
        try:
            epoch = await self._store.leases.claim(run_id, self._coordinator.owner, settings.lease_s, from_statuses)
            if epoch is None:
                return False
            claimed = Claimed(run_id, epoch, was_paused=AWAITING in from_statuses)
            live = await open_segment(claimed, self._store, self._coordinator.clock, settings.lease_s)
            live.place = place.keep()
            self.live[run_id] = live
        finally:
            self._opening.discard(run_id)
        live.task = asyncio.create_task(self._drive(live), name=f"flex-run-{run_id}")
        return True

    async def _gone(self, run_id: str) -> None:
        """Wait for a segment whose last frame may be seen already, while we have not heard that it is stored."""
        live = self.live.get(run_id)
        if live is not None and live.is_ending and live.task is not None:
            await asyncio.wait([live.task])

    async def go_on(self, run_id: str) -> None:
        """Begin the next segment of a paused run when nobody is waited for; what keeps us from it, the sweep mends."""
        try:
            if await self.is_ready(await self._store.runs.get(run_id)) and self.places.free:
                with self.places.held() as place:
                    await self.begin(run_id, (AWAITING,), place)
        except FlexError as error:  # why it may go on is stored: whoever said so is not told that it failed
            _log.warning("run %s is left to the sweep: %s", run_id, error)

    async def is_ready(self, run: RunSummary) -> bool:
        """Whether a paused run waits for nobody any more, so that some process will go on with it."""
        if run.status != AWAITING:
            return False
        wants_end = run.cancel_requested_at is not None
        return wants_end or not await self._store.questions.pending(run_id=run.run_id, limit=1)

    async def _drive(self, live: Live) -> None:
        """Execute a segment, and begin the next one if it was answered while it ran."""
        ending: Ending | None = None
        try:
            if live.scene.has_policies("manual"):
                await self.take_fires()  # what was asked for while the run waited
            ending = await self._coordinator.execute(live.segment)
        except (FlexError, Fenced) as error:
            _log.warning("run %s is let go: %s", live.segment.run_id, error)
        finally:
            del self.live[live.segment.run_id]
            live.end()
            if ending is None:
                await self._give_back(live)
        if ending is not None and ending.status == AWAITING:
            await self.go_on(live.segment.run_id)

    async def _give_back(self, live: Live) -> None:
        """Let anybody claim the run at once; when the store is away, the lease runs out by itself."""
        await live.scene.story.flush()
        try:
            await self._store.leases.release(live.segment.run_id, live.segment.epoch)
        except (FlexError, Fenced):
            pass

    def cancel(self, wish: Cancel) -> None:
        """Let a run know that it is to stop, if it runs here."""
        live = self.live.get(wish.run_id)
        if live is not None:
            live.ask_to_cancel(wish)

    async def take_fires(self) -> None:
        """Let the runs that run here know which policies are triggered by hand."""
        for run_id, policy_id in await self._store.policies.fires(self._coordinator.owner):
            live = self.live.get(run_id)
            if live is not None and await self._take(live, policy_id):
                live.scene.fire(policy_id)

    async def _take(self, live: Live, policy_id: str) -> bool:
        try:
            return await self._store.policies.take(live.segment.run_id, live.segment.epoch, policy_id)
        except Fenced:
            return False

    async def stop(self, grace_s: float) -> None:
        """Give every run back; nodes that run have some seconds to end."""
        self.places.is_closed = True
        try:
            async with asyncio.timeout(grace_s):
                while self.known:
                    await self._leave()
        except TimeoutError:
            pass
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _leave(self) -> None:
        """Let no run start a further node, and wait until one has ended."""
        for live in self.live.values():
            live.scene.leave()
        if self.live:
            await asyncio.wait(self._tasks(), return_when=asyncio.FIRST_COMPLETED, timeout=OPENING_S)
        else:
            await asyncio.sleep(OPENING_S)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [live.task for live in self.live.values() if live.task is not None]
