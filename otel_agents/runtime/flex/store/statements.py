"""Statements that several parts of the store share: the fence of a segment, and inserts that meet a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sql
from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from otel_agents.runtime.flex.frames import Frame
from otel_agents.runtime.flex.store.rows import RUNNING, Fenced
from otel_agents.runtime.flex.store.tables import EVENTS, RUNS


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that can say what happens on conflict."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)  # type: ignore[no-any-return]


def segment(run_id: str, epoch: int) -> ColumnElement[bool]:
    """Return the condition that a segment is the one that runs."""
    return sql.and_(RUNS.c.run_id == run_id, RUNS.c.epoch == epoch, RUNS.c.status == RUNNING)


def change(connection: Connection, run_id: str, epoch: int, **values: Any) -> None:
    """Change the run of a segment, and hold its row until the transaction ends.

    Raises:
        Fenced: Another segment runs, or none.
    """
    changed = connection.execute(sql.update(RUNS).where(segment(run_id, epoch)).values(values))
    if changed.rowcount != 1:
        raise Fenced(run_id, epoch)


def append(connection: Connection, frame: Frame, epoch: int | None, now: float) -> Frame:
    """Store a frame as the next one of its run; without an epoch it belongs to no segment.

    Raises:
        Fenced: Another segment runs, or none, or there is no such run.
    """
    mine = RUNS.c.run_id == frame.run_id if epoch is None else segment(frame.run_id, epoch)
    # The row of the run is held until the commit, so that numbers have no gap and are seen in their order.
    count = sql.update(RUNS).where(mine).values(last_seq=RUNS.c.last_seq + 1, updated_at=now)
    seq = connection.execute(count.returning(RUNS.c.last_seq)).scalar()
    if seq is None:
        raise Fenced(frame.run_id, epoch)
    stored = replace(frame, seq=seq)
    row = {"run_id": frame.run_id, "seq": seq, "type": frame.type, "frame": stored.as_dict()}
    connection.execute(sql.insert(EVENTS).values(row))
    return stored
