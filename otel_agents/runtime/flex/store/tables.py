"""The tables of the store, as they are after the last migration; must not know who reads or writes them.

Times are wall clock seconds. What grows is bounded by `Runs.prune`: deleting a run deletes all that hangs on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Column, Dialect, Double, ForeignKey, Index, Integer, MetaData, Table, Text, UniqueConstraint
from sqlalchemy.types import TypeDecorator


def encode(value: object) -> str:
    """Return a value as JSON in ASCII, so that a database refuses no character of it.

    Raises:
        TypeError: It holds something that JSON has no word for.
        ValueError: It holds a number that JSON has no word for, or itself.
    """
    return json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":"))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Name(TypeDecorator[str]):
    """Text of people and clients; what a database refuses in it counts as U+FFFD, written and looked for alike."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Write or look for a text."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.encode(errors="replace").decode().replace("\0", "\ufffd")


class Document(TypeDecorator[Any]):
    """A JSON value in a text column; None is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        """Write a value."""
        return None if value is None else encode(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read a value."""
        return None if value is None else json.loads(value)


METADATA: Final = MetaData()


def _run_id() -> Column[str]:
    return Column("run_id", Name, ForeignKey("flex_runs.run_id", ondelete="CASCADE"), primary_key=True)


RUNS: Final = Table(
    "flex_runs",
    METADATA,
    Column("run_id", Name, primary_key=True),
    Column("correlation_id", Name, nullable=False),
    Column("client_id", Name, nullable=False),  # empty when unknown: NULLs would be no client each
    Column("name", Name, nullable=False),
    Column("idempotency_key", Name),
    Column("envelope_hash", Name, nullable=False),
    Column("envelope", Document, nullable=False),
    Column("status", Name, nullable=False),
    Column("reason", Name),
    Column("error", Document),
    Column("output", Document),
    Column("plan_version", Integer),
    Column("owner", Name),
    Column("lease_until", Double),
    Column("epoch", Integer, nullable=False),  # counts segments; what an older one still writes is refused
    Column("last_seq", Integer, nullable=False),
    Column("cancel_source", Name),
    Column("cancel_requested_at", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("finished_at", Double),
    UniqueConstraint("client_id", "idempotency_key", name="flex_runs_idempotency"),
    Index("flex_runs_by_lease", "status", "lease_until"),
    Index("flex_runs_by_owner", "owner"),
    Index("flex_runs_by_age", "created_at", "run_id"),
)

PLANS: Final = Table(
    "flex_plans",
    METADATA,
    _run_id(),
    Column("version", Integer, primary_key=True),
    Column("trigger_kind", Name),
    Column("graph", Document, nullable=False),
    Column("created_at", Double, nullable=False),
)

NODES: Final = Table(
    "flex_plan_nodes",
    METADATA,
    _run_id(),
    Column("node_id", Name, primary_key=True),
    Column("capability_id", Name, nullable=False),
    Column("status", Name, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("outputs", Document),
    Column("error", Document),
    Column("started_at", Double, nullable=False),
    Column("finished_at", Double),
)

EVENTS: Final = Table(
    "flex_run_events",
    METADATA,
    _run_id(),
    Column("seq", Integer, primary_key=True),
    Column("type", Name, nullable=False),
    Column("frame", Document, nullable=False),
)

QUESTIONS: Final = Table(
    "hitl_requests",
    METADATA,
    Column("request_id", Name, primary_key=True),
    Column("run_id", Name, ForeignKey("flex_runs.run_id", ondelete="CASCADE"), nullable=False),
    Column("node_id", Name),
    Column("capability_id", Name),
    Column("origin", Name, nullable=False),
    Column("prompt", Document),
    Column("plan_version", Integer),
    Column("provenance", Document),
    Column("asked_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("decision", Name),
    Column("answer", Document),  # {value, text, by}
    Column("answered_at", Double),
    Column("settled_at", Double),  # when a segment acted on the answer
    Index("hitl_requests_by_run", "run_id"),
    Index("hitl_requests_open", "decision", "asked_at"),
)

POLICIES: Final = Table(
    "flex_policies",
    METADATA,
    _run_id(),
    Column("policy_id", Name, primary_key=True),
    Column("fired", Integer, nullable=False),  # how often it has acted
    Column("asked", Integer, nullable=False),  # manual triggers that the owner of the run has not taken yet
)
