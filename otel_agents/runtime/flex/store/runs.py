"""Runs in the store: accepted once, planned, ended, listed, forgotten; must not know who executes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy import Connection

from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import statements
from otel_agents.runtime.flex.store.database import Database
from otel_agents.runtime.flex.store.journal import Journal
from otel_agents.runtime.flex.store.rows import ENDED, QUEUED, NewRun, RunRow, RunSummary
from otel_agents.runtime.flex.store.tables import PLANS, RUNS, encode

LEASE_S: Final = 30.0
PRUNED_AT_ONCE: Final = 200  # runs that go in one transaction, so that no writer waits long

_SUMMARY: Final = tuple(RUNS.c[name] for name in RunSummary.__dataclass_fields__)
_ROW: Final = tuple(RUNS.c[name] for name in RunRow.__dataclass_fields__)


class Runs:
    """The rows of runs."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal

    async def create(
        self, run: NewRun, *, idempotency_key: str | None = None, lease_s: float = LEASE_S
    ) -> tuple[str, bool]:
        """Store a run as queued; return its id, and whether it is new.

        Args:
            run: The run; its client is part of the key.
            idempotency_key: The same key of the same client is the same run.
            lease_s: How long others leave the run to whoever accepted it, see `Leases.expired`.

        Raises:
            FlexError: `idempotency_mismatch` when the key came with another envelope before.
        """
        row = _row(run, idempotency_key)
        return await self._database.write(
            lambda connection: _create(connection, row, self._database.clock(), lease_s), run.run_id
        )

    async def known(self, run: NewRun, idempotency_key: str) -> str | None:
        """Return the id of the run that the same client began under the same key; None when there is none.

        Raises:
            FlexError: `idempotency_mismatch`, see `create`.
        """
        row = _row(run, idempotency_key)
        return await self._database.read(lambda connection: _known(connection, row))

    async def get(self, run_id: str) -> RunRow:
        """Return a run.

        Raises:
            FlexError: `not_found`.
        """
        query = sql.select(*_ROW).where(RUNS.c.run_id == run_id)
        row = await self._database.read(lambda connection: connection.execute(query).mappings().first())
        if row is None:
            raise FlexError("not_found", "there is no such run")
        return RunRow(**row)

    async def list(self, *, status: str | None = None, limit: int = 50, after: str | None = None) -> list[RunSummary]:
        """Return runs, the newest first; `after` is the id of the last run of the page before."""
        order = sql.tuple_(RUNS.c.created_at, RUNS.c.run_id)
        query = sql.select(*_SUMMARY).order_by(RUNS.c.created_at.desc(), RUNS.c.run_id.desc()).limit(limit)
        if status is not None:
            query = query.where(RUNS.c.status == status)
        if after is not None:
            last = RUNS.alias()
            query = query.where(
                order < sql.select(last.c.created_at, last.c.run_id).where(last.c.run_id == after).scalar_subquery()
            )
        return await self._database.read(
            lambda connection: [RunSummary(**row) for row in connection.execute(query).mappings()]
        )

    async def set_plan(self, run_id: str, epoch: int, graph: Mapping[str, Any], trigger: str | None = None) -> None:
        """Keep a plan under its `version`, and make it the one in force.

        Raises:
            Fenced: The segment is over.
        """
        row = {"run_id": run_id, "version": graph["version"], "graph": graph, "trigger_kind": trigger}

        def work(connection: Connection) -> None:
            now = self._database.clock()
            statements.change(connection, run_id, epoch, plan_version=row["version"], updated_at=now)
            plan = statements.insert(connection, PLANS).values(row | {"created_at": now})
            same = [PLANS.c.run_id, PLANS.c.version]  # planned again after a crash, before a node ran
            connection.execute(plan.on_conflict_do_update(index_elements=same, set_=_proposed(plan, "graph")))

        await self._database.write(work, run_id)

    async def plan(self, run_id: str, version: int | None = None) -> dict[str, Any] | None:
        """Return the graph of a version, else the one in force; None before the first plan."""
        wanted: Any = sql.select(RUNS.c.plan_version).where(RUNS.c.run_id == run_id).scalar_subquery()
        wanted = wanted if version is None else version
        query = sql.select(PLANS.c.graph).where(PLANS.c.run_id == run_id, PLANS.c.version == wanted)
        graph: dict[str, Any] | None = await self._database.read(lambda each: each.execute(query).scalar())
        return graph

    async def finish(
        self,
        frame: Frame,
        epoch: int,
        status: str,
        *,
        reason: str | None = None,
        error: Mapping[str, Any] | None = None,
        output: object = None,
    ) -> Frame:
        """End a segment and store its last frame, both or neither; nobody owns the run afterwards.

        Args:
            frame: The `complete` frame.
            epoch: The segment.
            status: `completed`, `failed`, `cancelled` or `awaiting_hitl`.
            reason: Why, in a word.
            error: `FlexError.as_dict()`.
            output: What the run was for, any JSON value.

        Raises:
            Fenced: The segment is over.
        """

        def work(connection: Connection) -> None:
            ended = {"status": status, "reason": reason, "error": error, "output": output, "owner": None}
            ended |= {"lease_until": None, "finished_at": self._database.clock() if status in ENDED else None}
            statements.change(connection, frame.run_id, epoch, **ended)

        return await self._journal.append(frame, epoch=epoch, beside=work)

    async def request_cancel(self, run_id: str, source: str) -> bool:
        """Ask for a run to be cancelled; whether this call was the first one, and the run had not ended."""
        still = sql.and_(RUNS.c.run_id == run_id, RUNS.c.cancel_requested_at.is_(None), RUNS.c.status.not_in(ENDED))

        def work(connection: Connection) -> bool:
            wish = {"cancel_source": source, "cancel_requested_at": self._database.clock()}
            return connection.execute(sql.update(RUNS).where(still).values(wish)).rowcount == 1

        return await self._database.write(work, run_id)

    async def prune(self, older_than_s: float) -> int:
        """Forget the runs that ended longer ago, with all that hangs on them; return how many.

        This is the retention of the store: nothing else is ever deleted, and a run that waits for a human stays.
        """
        total, pruned = 0, PRUNED_AT_ONCE
        while pruned == PRUNED_AT_ONCE:
            pruned = await self._database.write(lambda each: _prune(each, self._database.clock() - older_than_s))
            total += pruned
        return total


def _hash(envelope: str) -> str:
    """Return what tells one envelope from another, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(json.loads(envelope), sort_keys=True).encode()).hexdigest()


def _row(run: NewRun, idempotency_key: str | None) -> dict[str, Any]:
    row = {name: getattr(run, name) for name in NewRun.__dataclass_fields__}
    return row | {
        "idempotency_key": idempotency_key,
        "envelope_hash": _hash(encode(run.envelope)),
        "status": QUEUED,
    }


def _create(connection: Connection, row: dict[str, Any], now: float, lease_s: float) -> tuple[str, bool]:
    times = {"created_at": now, "updated_at": now, "lease_until": now + lease_s, "epoch": 0, "last_seq": 0}
    new = statements.insert(connection, RUNS).values(row | times)
    key = [RUNS.c.client_id, RUNS.c.idempotency_key]
    if connection.execute(new.on_conflict_do_nothing(index_elements=key).returning(RUNS.c.run_id)).scalar():
        return row["run_id"], True
    known = _known(connection, row)
    if known is None:
        raise FlexError("internal", "the run that has the idempotency key is gone")
    return known, False


def _known(connection: Connection, row: Mapping[str, Any]) -> str | None:
    named = sql.select(RUNS.c.run_id, RUNS.c.envelope_hash).where(
        RUNS.c.client_id == row["client_id"], RUNS.c.idempotency_key == row["idempotency_key"]
    )
    found = connection.execute(named).one_or_none()
    if found is not None and found.envelope_hash != row["envelope_hash"]:
        raise FlexError("idempotency_mismatch", "the idempotency key came with another envelope before")
    return None if found is None else found.run_id


def _proposed(plan: Any, *names: str) -> dict[str, Any]:
    return {name: plan.excluded[name] for name in names}


def _prune(connection: Connection, before: float) -> int:
    old = sql.select(RUNS.c.run_id).where(RUNS.c.status.in_(ENDED), RUNS.c.finished_at < before).limit(PRUNED_AT_ONCE)
    return connection.execute(sql.delete(RUNS).where(RUNS.c.run_id.in_(old))).rowcount
