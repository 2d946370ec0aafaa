"""What tests of the runtimes ask for: one PostgreSQL for all of them."""

from __future__ import annotations

from tests.postgres import postgres, postgres_url  # noqa: F401 - fixtures
