"""Runs, their plans, nodes and frames, and questions to humans."""

from __future__ import annotations

import sqlalchemy as sql
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    _runs()
    _plans_and_nodes()
    _events()
    _questions()


def _of_run(*, is_key: bool = True) -> sql.Column[str]:
    parent = sql.ForeignKey("flex_runs.run_id", ondelete="CASCADE")
    return sql.Column("run_id", sql.Text, parent, primary_key=is_key, nullable=False)


def _runs() -> None:
    op.create_table(
        "flex_runs",
        sql.Column("run_id", sql.Text, primary_key=True),
        sql.Column("correlation_id", sql.Text, nullable=False),
        sql.Column("client_id", sql.Text, nullable=False),
        sql.Column("name", sql.Text, nullable=False),
        sql.Column("idempotency_key", sql.Text),
        sql.Column("envelope_hash", sql.Text, nullable=False),
        sql.Column("envelope", sql.Text, nullable=False),
        sql.Column("status", sql.Text, nullable=False),
        sql.Column("reason", sql.Text),
        sql.Column("error", sql.Text),
        sql.Column("output", sql.Text),
        sql.Column("plan_version", sql.Integer),
        sql.Column("owner", sql.Text),
        sql.Column("lease_until", sql.Double),
        sql.Column("epoch", sql.Integer, nullable=False),
        sql.Column("last_seq", sql.Integer, nullable=False),
        sql.Column("cancel_source", sql.Text),
        sql.Column("cancel_requested_at", sql.Double),
        sql.Column("created_at", sql.Double, nullable=False),
        sql.Column("updated_at", sql.Double, nullable=False),
        sql.Column("finished_at", sql.Double),
        sql.UniqueConstraint("client_id", "idempotency_key", name="flex_runs_idempotency"),
    )
    op.create_index("flex_runs_by_lease", "flex_runs", ["status", "lease_until"])
    op.create_index("flex_runs_by_owner", "flex_runs", ["owner"])
    op.create_index("flex_runs_by_age", "flex_runs", ["created_at", "run_id"])


def _plans_and_nodes() -> None:
    op.create_table(
        "flex_plans",
        _of_run(),
        sql.Column("version", sql.Integer, primary_key=True),
        sql.Column("trigger_kind", sql.Text),
        sql.Column("graph", sql.Text, nullable=False),
        sql.Column("created_at", sql.Double, nullable=False),
    )
    op.create_table(
        "flex_plan_nodes",
        _of_run(),
        sql.Column("node_id", sql.Text, primary_key=True),
        sql.Column("capability_id", sql.Text, nullable=False),
        sql.Column("status", sql.Text, nullable=False),
        sql.Column("attempts", sql.Integer, nullable=False),
        sql.Column("outputs", sql.Text),
        sql.Column("error", sql.Text),
        sql.Column("started_at", sql.Double, nullable=False),
        sql.Column("finished_at", sql.Double),
    )


def _events() -> None:
    op.create_table(
        "flex_run_events",
        _of_run(),
        sql.Column("seq", sql.Integer, primary_key=True),
        sql.Column("type", sql.Text, nullable=False),
        sql.Column("frame", sql.Text, nullable=False),
    )


def _questions() -> None:
    op.create_table(
        "hitl_requests",
        sql.Column("request_id", sql.Text, primary_key=True),
        _of_run(is_key=False),
        sql.Column("node_id", sql.Text),
        sql.Column("capability_id", sql.Text),
        sql.Column("origin", sql.Text, nullable=False),
        sql.Column("prompt", sql.Text),
        sql.Column("plan_version", sql.Integer),
        sql.Column("provenance", sql.Text),
        sql.Column("asked_at", sql.Double, nullable=False),
        sql.Column("expires_at", sql.Double),
        sql.Column("decision", sql.Text),
        sql.Column("answer", sql.Text),
        sql.Column("answered_at", sql.Double),
        sql.Column("settled_at", sql.Double),
    )
    op.create_index("hitl_requests_by_run", "hitl_requests", ["run_id"])
    op.create_index("hitl_requests_open", "hitl_requests", ["decision", "asked_at"])
