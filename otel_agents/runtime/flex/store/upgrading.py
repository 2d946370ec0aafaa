"""Brings a database to the tables of today, one process at a time; must not know what is in them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from otel_agents.runtime.flex.problem import FlexError

MIGRATIONS: Final = Path(__file__).with_name("migrations")
VERSION_TABLE: Final = "flex_schema_version"  # a name of our own: the database may be a guest's
LOCK: Final = 0x666C6578  # of PostgreSQL's advisory locks: "flex"

_one_at_a_time = threading.Lock()  # alembic keeps what it works on in globals


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations that are missing, inside the transaction of the connection.

    Raises:
        FlexError: `store_unavailable` when a newer version of this package made the tables.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    if connection.dialect.name == "postgresql":  # SQLite's transaction is the lock
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        with _one_at_a_time:
            command.upgrade(config, revision)
    except CommandError as error:
        fix = "a newer otel-agents made its tables; upgrade this one"
        raise FlexError("store_unavailable", f"the store cannot be opened: {fix}") from error
