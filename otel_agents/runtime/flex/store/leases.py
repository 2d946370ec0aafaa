"""Who runs a run: claimed by compare-and-set, kept by a heartbeat, found again when its owner is gone.

A lease counts on the clocks of the processes: they may differ by much less than a lease lasts.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy import ColumnElement, Connection

from otel_agents.runtime.flex.store import statements
from otel_agents.runtime.flex.store.database import Database
from otel_agents.runtime.flex.store.rows import AWAITING, QUEUED, RUNNING, Cancel
from otel_agents.runtime.flex.store.tables import QUESTIONS, RUNS

LONGEST_S: Final = 7_200.0
"""Twice what a lease may last: one that is said to last longer was given by a clock that was set back since."""


def _is_over(now: float) -> ColumnElement[bool]:
    return sql.or_(RUNS.c.lease_until <= now, RUNS.c.lease_until > now + LONGEST_S)


class Leases:
    """The ownership of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, run_id: str, owner: str, lease_s: float, from_statuses: Collection[str]) -> int | None:
        """Make the run running under an owner; return the epoch of the new segment, None when it is not to be had.

        Of all who try, one gets it. A running run is to be had when its lease is over.
        """

        def work(connection: Connection) -> int | None:
            now = self._database.clock()
            free = sql.or_(RUNS.c.status != RUNNING, _is_over(now))
            mine = {"owner": owner, "lease_until": now + lease_s, "epoch": RUNS.c.epoch + 1, "status": RUNNING}
            claim = (
                sql.update(RUNS)
                .where(RUNS.c.run_id == run_id, RUNS.c.status.in_(list(from_statuses)), free)
                .values(mine | {"updated_at": now})
            )
            return connection.execute(claim.returning(RUNS.c.epoch)).scalar()

        return await self._database.write(work, run_id)

    async def extend(self, owner: str, lease_s: float) -> frozenset[str]:
        """Extend the lease of every run of an owner; return the ids of those runs: the others were lost."""

        def work(connection: Connection) -> frozenset[str]:
            owned = sql.select(RUNS.c.run_id).where(RUNS.c.owner == owner, RUNS.c.status == RUNNING)
            in_order = owned.order_by(RUNS.c.run_id).with_for_update()  # as everybody, so that nobody waits in a circle
            extended = (
                sql.update(RUNS)
                .where(RUNS.c.run_id.in_(in_order), RUNS.c.owner == owner)
                .values(lease_until=self._database.clock() + lease_s)
            )
            return frozenset(connection.execute(extended.returning(RUNS.c.run_id)).scalars())

        return await self._database.write(work)

    async def release(self, run_id: str, epoch: int) -> None:
        """Give a running run back, so that anybody may claim it at once.

        Raises:
            Fenced: The segment is over.
        """
        await self._database.write(
            lambda connection: statements.change(connection, run_id, epoch, owner=None, lease_until=0.0), run_id
        )

    async def expired(self, limit: int = 100) -> list[str]:
        """Return the runs that were left: accepted or running, and their lease is over. The oldest first."""
        left = RUNS.c.status.in_([QUEUED, RUNNING]) & _is_over(self._database.clock())
        return await self._ids(sql.select(RUNS.c.run_id).where(left).order_by(RUNS.c.lease_until).limit(limit))

    async def resumable(self, limit: int = 100) -> list[str]:
        """Return the runs that wait for nobody: every question has its answer, or somebody wants them cancelled."""
        is_open = sql.exists().where(QUESTIONS.c.run_id == RUNS.c.run_id, QUESTIONS.c.decision.is_(None))
        ready = (RUNS.c.status == AWAITING) & (RUNS.c.cancel_requested_at.is_not(None) | ~is_open)
        return await self._ids(sql.select(RUNS.c.run_id).where(ready).order_by(RUNS.c.updated_at).limit(limit))

    async def _ids(self, query: sql.Select[Any]) -> list[str]:
        return await self._database.read(lambda connection: list(connection.execute(query).scalars()))

    async def cancels(self, owner: str) -> list[Cancel]:
        """Return the runs of an owner that somebody wants cancelled."""
        query = sql.select(RUNS.c.run_id, RUNS.c.cancel_source, RUNS.c.cancel_requested_at).where(
            RUNS.c.owner == owner, RUNS.c.status == RUNNING, RUNS.c.cancel_requested_at.is_not(None)
        )
        return await self._database.read(lambda connection: [Cancel(*row) for row in connection.execute(query)])
