"""How often the policies of a run acted, and who asked for one by hand; must not know what a policy does."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sql
from sqlalchemy import Connection

from otel_agents.runtime.flex.store import statements
from otel_agents.runtime.flex.store.database import Database
from otel_agents.runtime.flex.store.rows import RUNNING
from otel_agents.runtime.flex.store.tables import POLICIES, RUNS


class Policies:
    """The counters of policies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fire(self, run_id: str, policy_id: str) -> None:
        """Ask the owner of a run, whoever that is, to trigger a policy."""
        await self._database.write(lambda connection: _count(connection, run_id, policy_id, "asked"), run_id)

    async def fires(self, owner: str) -> list[tuple[str, str]]:
        """Return the run and policy of every trigger that an owner was asked for and has not taken."""
        query = (
            sql.select(POLICIES.c.run_id, POLICIES.c.policy_id)
            .join(RUNS)
            .where(RUNS.c.owner == owner, RUNS.c.status == RUNNING, POLICIES.c.asked > 0)
        )
        return await self._database.read(
            lambda connection: [(run_id, policy_id) for run_id, policy_id in connection.execute(query)]
        )

    async def take(self, run_id: str, epoch: int, policy_id: str) -> bool:
        """Take what was asked for, many times or once, as one trigger; whether there was something.

        It is taken before it is done: a crash in between loses it, and never does it twice.

        Raises:
            Fenced: The segment is over.
        """
        asked = (POLICIES.c.run_id == run_id) & (POLICIES.c.policy_id == policy_id) & (POLICIES.c.asked > 0)

        def work(connection: Connection) -> bool:
            statements.change(connection, run_id, epoch, updated_at=self._database.clock())
            return connection.execute(sql.update(POLICIES).where(asked).values(asked=0)).rowcount == 1

        return await self._database.write(work, run_id)

    async def fired(self, run_id: str, epoch: int, policy_id: str) -> None:
        """Count that a policy acts.

        Raises:
            Fenced: The segment is over.
        """

        def work(connection: Connection) -> None:
            statements.change(connection, run_id, epoch, updated_at=self._database.clock())
            _count(connection, run_id, policy_id, "fired")

        await self._database.write(work, run_id)

    async def counts(self, run_id: str) -> Counter[str]:
        """Return how often each policy of a run has acted, in all its segments."""
        query = sql.select(POLICIES.c.policy_id, POLICIES.c.fired).where(POLICIES.c.run_id == run_id)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return Counter({policy_id: fired for policy_id, fired in rows if fired})


def _count(connection: Connection, run_id: str, policy_id: str, column: str) -> None:
    first: dict[str, Any] = {"fired": 0, "asked": 0} | {column: 1}
    new = statements.insert(connection, POLICIES).values(run_id=run_id, policy_id=policy_id, **first)
    again = {column: POLICIES.c[column] + 1}
    connection.execute(new.on_conflict_do_update(index_elements=[POLICIES.c.run_id, POLICIES.c.policy_id], set_=again))
