"""The store as its users see it: opened once, one part for each thing it keeps; must not know SQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack

from otel_agents.runtime.flex.store.database import Database
from otel_agents.runtime.flex.store.journal import Journal
from otel_agents.runtime.flex.store.leases import Leases
from otel_agents.runtime.flex.store.nodes import Nodes
from otel_agents.runtime.flex.store.policies import Policies
from otel_agents.runtime.flex.store.questions import Questions
from otel_agents.runtime.flex.store.runs import Runs
from otel_agents.runtime.flex.store.upgrading import upgrade


class Store:
    """Runs, leases, nodes, policies, questions and the journal of frames in one database.

    Used from one event loop; any number of processes may open the same database.
    Every method may raise `FlexError` with code `store_unavailable`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.journal = Journal(database)
        self.runs = Runs(database, self.journal)
        self.leases = Leases(database)
        self.nodes = Nodes(database)
        self.policies = Policies(database)
        self.questions = Questions(database, self.journal)

    @classmethod
    async def open(cls, url: str, *, clock: Callable[[], float] = time.time) -> Store:
        """Open a database, and make or upgrade its tables.

        Args:
            url: `sqlite:///path/of/a/file.db` or `postgresql://user:password@host/database`.
            clock: Wall clock seconds.

        Raises:
            FlexError: `store_unavailable`: it is away or cannot be written, or the URL is none; the message says which.
        """
        database = await asyncio.to_thread(_opened, url, clock)
        return cls(database)

    async def close(self) -> None:
        """Write what waits, and let go of the database."""
        await self.journal.close()
        await self._database.close()


def _opened(url: str, clock: Callable[[], float]) -> Database:
    database = Database(url, clock)
    with ExitStack() as undo:
        undo.callback(database.dispose)
        database.prepare(upgrade)
        undo.pop_all()
    return database
