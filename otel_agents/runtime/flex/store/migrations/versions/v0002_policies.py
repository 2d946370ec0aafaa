"""How often policies acted, and who asked for one by hand."""

from __future__ import annotations

import sqlalchemy as sql
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of counters."""
    parent = sql.ForeignKey("flex_runs.run_id", ondelete="CASCADE")
    op.create_table(
        "flex_policies",
        sql.Column("run_id", sql.Text, parent, primary_key=True),
        sql.Column("policy_id", sql.Text, primary_key=True),
        sql.Column("fired", sql.Integer, nullable=False),
        sql.Column("asked", sql.Integer, nullable=False),
    )
