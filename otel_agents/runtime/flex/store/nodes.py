"""The state of the nodes of a run, written as it goes; must not know the plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy import Connection

from otel_agents.runtime.flex.store import statements
from otel_agents.runtime.flex.store.database import Database
from otel_agents.runtime.flex.store.rows import RUNNING, NodeRow
from otel_agents.runtime.flex.store.tables import NODES

_ROW: Final = tuple(NODES.c[name] for name in NodeRow.__dataclass_fields__)


class Nodes:
    """The rows of nodes. Every write raises `Fenced` when its segment is over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def started(self, run_id: str, epoch: int, node_id: str, *, capability: str, attempt: int) -> None:
        """Note that an attempt of a node begins, before it does."""

        def work(connection: Connection) -> None:
            now = self._database.clock()
            statements.change(connection, run_id, epoch, updated_at=now)
            row = {"capability_id": capability, "status": RUNNING, "attempts": attempt, "started_at": now}
            _put(connection, run_id, node_id, row | {"outputs": None, "error": None, "finished_at": None})

        await self._database.write(work, run_id)

    async def finished(
        self,
        run_id: str,
        epoch: int,
        node_id: str,
        status: str,
        *,
        capability: str,
        attempts: int,
        outputs: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        """Note how a node ended: completed, failed, paused or cancelled; also one of which no attempt ever began."""
        row = {"status": status, "attempts": attempts, "outputs": outputs, "error": error}

        def work(connection: Connection) -> None:
            now = self._database.clock()
            statements.change(connection, run_id, epoch, updated_at=now)
            first = {"capability_id": capability, "started_at": now}
            _put(connection, run_id, node_id, row | {"finished_at": now}, first)

        await self._database.write(work, run_id)

    async def of(self, run_id: str) -> dict[str, NodeRow]:
        """Return the nodes of a run that were ever started, by id, in the order of their starts."""
        query = sql.select(*_ROW).where(NODES.c.run_id == run_id).order_by(NODES.c.started_at, NODES.c.node_id)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return {row["node_id"]: NodeRow(**row) for row in rows}

    async def reset(self, run_id: str, epoch: int, node_ids: Collection[str]) -> None:
        """Make nodes pending again, as if they had never run."""

        def work(connection: Connection) -> None:
            statements.change(connection, run_id, epoch, updated_at=self._database.clock())
            named = (NODES.c.run_id == run_id) & NODES.c.node_id.in_(list(node_ids))
            connection.execute(sql.delete(NODES).where(named))

        await self._database.write(work, run_id)


def _put(
    connection: Connection, run_id: str, node_id: str, row: Mapping[str, Any], first: Mapping[str, Any] | None = None
) -> None:
    """Write the row of a node; `first` counts only where there is none yet."""
    new = statements.insert(connection, NODES).values(run_id=run_id, node_id=node_id, **row, **(first or {}))
    same = [NODES.c.run_id, NODES.c.node_id]
    connection.execute(new.on_conflict_do_update(index_elements=same, set_=dict(row)))
