"""What alembic loads to run migrations: on the connection it is given, in the transaction that is open there."""

from __future__ import annotations

from alembic import context

from otel_agents.runtime.flex.store.tables import METADATA
from otel_agents.runtime.flex.store.upgrading import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
context.run_migrations()
