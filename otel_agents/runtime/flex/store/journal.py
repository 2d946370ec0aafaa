"""The frames of all runs: stored before anybody sees them, then followed live; must not know what they mean."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sql
from sqlalchemy import Connection

from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import statements
from otel_agents.runtime.flex.store.database import Database, Work
from otel_agents.runtime.flex.store.tables import EVENTS, RUNS, encode

POLL_S: Final = 0.25  # how late a frame of another process may be seen
PAGE: Final = 500  # frames read at once
MANY: Final = 2**31 - 1


class Journal:
    """The frames in the order of their numbers, which begin with 1 and have no gap."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._seen: dict[str, int] = {}
        self._polling: asyncio.Task[None] | None = None
        self._is_closed = False

    async def append(self, frame: Frame, *, epoch: int | None = None, beside: Work[None] | None = None) -> Frame:
        """Store a frame, and return it with its number; those who follow the run see it now.

        Args:
            frame: Its own number does not count.
            epoch: The segment that it belongs to; None for a fact from outside, such as a wish to cancel.
            beside: What is written in the same transaction: both or neither.

        Raises:
            Fenced: The segment is over, or there is no such run.
            TypeError: The payload has no JSON form.
            ValueError: It holds a number that JSON has no word for.
        """
        encode(frame.as_dict())  # here, so that the mistake is the caller's and not the group's

        def work(connection: Connection) -> Frame:
            stored = statements.append(connection, frame, epoch, self._database.clock())
            if beside is not None:
                beside(connection)
            return stored

        stored = await self._database.write(work, frame.run_id)
        self.announce(frame.run_id)
        return stored

    async def after(self, run_id: str, seq: int = 0, limit: int = PAGE) -> list[Frame]:
        """Return the stored frames of a run behind a number, at most `limit`."""
        behind = EVENTS.c.seq > min(seq, MANY)  # a client's number may be larger than any of a database
        query = sql.select(EVENTS.c.frame).where(EVENTS.c.run_id == run_id, behind)
        query = query.order_by(EVENTS.c.seq).limit(limit)
        frames = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return [Frame.from_dict(frame) for frame in frames]

    async def follow(self, run_id: str, seq: int = 0) -> AsyncGenerator[Frame, None]:
        """Give the frames behind a number, those that are stored and then those that come, until the store is closed.

        Frames are read when they are asked for: a slow reader costs no memory. Close it (`aclosing`) to stop.

        Raises:
            FlexError: `store_unavailable`.
        """
        with self._following(run_id) as news:
            while not self._is_closed:
                news.clear()
                frames = await self.after(run_id, seq)
                for frame in frames:
                    seq = frame.seq
                    yield frame
                if not frames:
                    await news.wait()

    @contextmanager
    def _following(self, run_id: str) -> Iterator[asyncio.Event]:
        news = asyncio.Event()
        self._followers[run_id].add(news)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.get_running_loop().create_task(self._poll(), name="flex-store-poll")
        try:
            yield news
        finally:
            self._followers[run_id].discard(news)
            if not self._followers[run_id]:
                del self._followers[run_id]
                self._seen.pop(run_id, None)

    def announce(self, run_id: str) -> None:
        """Tell those who follow a run that it has a new frame."""
        for news in self._followers.get(run_id, ()):
            news.set()

    async def _poll(self) -> None:
        """Look for frames of other processes while somebody follows: one query for all runs."""
        while self._followers:
            await asyncio.sleep(POLL_S)
            try:
                changed = await self._changed()
            except FlexError:
                changed = list(self._followers)  # each finds out by itself
            for run_id in changed:
                self.announce(run_id)

    async def _changed(self) -> list[str]:
        followed = list(self._followers)
        query = sql.select(RUNS.c.run_id, RUNS.c.last_seq).where(RUNS.c.run_id.in_(followed))
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        changed = [run_id for run_id, seq in rows if self._seen.get(run_id) != seq]
        self._seen.update({run_id: seq for run_id, seq in rows if run_id in self._followers})
        return changed

    async def close(self) -> None:
        """Stop looking; who still follows gets nothing more."""
        self._is_closed = True
        for run_id in list(self._followers):
            self.announce(run_id)
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.wait([self._polling])
