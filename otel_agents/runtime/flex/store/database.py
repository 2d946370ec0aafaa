"""The connection to SQLite or PostgreSQL: reads side by side, writes in groups; must not know tables.

All writes of a process go through one thread, and all that wait at a moment are one transaction: one flush to disk
for many, and no two writers of a process ever wait for each other. Of each run they keep the order of the calls.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from otel_agents.runtime.flex.problem import FlexError

Result = TypeVar("Result")
Work = Callable[[Connection], Result]

READERS: Final = 4
BUSY_S: Final = 10  # how long a writer waits for the writer of another process
CONNECT_S: Final = 5
PAUSES_S: Final = (0.02, 0.1, 0.5)  # before a write that was in the way of another is tried again
CONTENDED: Final = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock timeout: nothing was written
DRIVERS: Final = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "sqlite": "sqlite+pysqlite"}


class _ContendedError(FlexError):
    """Rolled back because another process was in the way; trying again is safe."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A write that waits for the next transaction."""

    run_id: str
    work: Work[Any]
    done: asyncio.Future[Any]


class Database:
    """One database, used from one event loop. Jobs are plain functions of a connection, and may be run twice.

    Raises:
        FlexError: `store_unavailable` from every call when the database is away, full or cannot be written.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self.url = parse(url)
        self.clock = clock
        self._writing, self._reading = _engines(self.url)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="flex-store-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="flex-store-reader")
        self._waiting: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    async def read(self, work: Work[Result]) -> Result:
        """Return what a job reads."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Work[Result]) -> Result:
        with _told(self.url), self._reading.connect() as connection:
            return work(connection)

    async def write(self, work: Work[Result], run_id: str = "") -> Result:
        """Return what a job returns once it is committed; when the job raises, nothing of it is.

        Args:
            work: What to do.
            run_id: The run whose row it changes, if it is one.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(run_id, work, loop.create_future())
        self._waiting.append(waiting)
        if self._flushing is None or self._flushing.done():
            self._flushing = loop.create_task(self._flush(), name="flex-store-flush")
        result: Result = await waiting.done
        return result

    async def _flush(self) -> None:
        while self._waiting:
            batch = [one for one in self._waiting if not one.done.done()]
            self._waiting = []
            # Every process takes the rows of runs in one order, so that no two wait for each other in a circle.
            await self._settle(sorted(batch, key=lambda one: one.run_id))

    async def _settle(self, batch: list[_Waiting]) -> None:
        """Commit a batch; when a job of it raises, half by half, so that only that job fails."""
        ending = await self._together(batch)
        for pause_s in PAUSES_S:
            if len(batch) == 1 and isinstance(ending, _ContendedError):
                await asyncio.sleep(pause_s)  # else we would be in the way again before the other is through
                ending = await self._together(batch)
        if isinstance(ending, list):
            for one, result in zip(batch, ending, strict=True):
                _resolve(one, result)
        elif len(batch) == 1 or _is_away(ending):
            for one in batch:
                _reject(one, ending)
        else:
            half = len(batch) // 2
            await self._settle(batch[:half])
            await self._settle(batch[half:])

    async def _together(self, batch: list[_Waiting]) -> list[Any] | BaseException:
        jobs = [one.work for one in batch]
        running = asyncio.get_running_loop().run_in_executor(self._writer, self.transact, jobs)
        await asyncio.wait([running])
        return running.exception() or running.result()

    def transact(self, jobs: list[Work[Any]]) -> list[Any]:
        """Do some jobs in one transaction, in this thread."""
        with _told(self.url), self._writing.begin() as connection:
            return [work(connection) for work in jobs]

    def prepare(self, work: Work[None]) -> None:
        """Do what comes before everything else, in this thread; an error says in the driver's words what is wrong."""
        with _told(self.url, in_full=True), self._writing.begin() as connection:
            work(connection)

    async def close(self) -> None:
        """Wait for what is being written, and let go of every connection."""
        if self._flushing is not None:
            await asyncio.wait([self._flushing])
        await asyncio.to_thread(self.dispose)

    def dispose(self) -> None:
        """Let go of every thread and connection, in this thread."""
        self._writer.shutdown()
        self._readers.shutdown()
        self._writing.dispose()
        self._reading.dispose()


def parse(url: str) -> URL:
    """Return the URL with the driver that we use.

    Raises:
        FlexError: `store_unavailable` when it names no database that can hold a store.
    """
    fix = "give sqlite:///path/of/a/file.db or postgresql://user@host/database"
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise FlexError("store_unavailable", f"the store's URL cannot be read: {fix}") from error
    drivername = DRIVERS.get(parsed.drivername, parsed.drivername)
    if drivername not in DRIVERS.values():
        raise FlexError("store_unavailable", f"the store cannot be {parsed.drivername}: {fix}")
    if not parsed.database or parsed.database == ":memory:":
        raise FlexError("store_unavailable", f"the store's URL names no database that outlives the process: {fix}")
    return parsed.set(drivername=drivername)


def make_private(url: URL) -> None:
    """Make the file of a SQLite database, unless it is there, so that nobody but its owner reads it: it has content.

    SQLite gives the files that it puts beside it the same mode. What is in the way, it will say itself.
    """
    path = url.database or ""
    if url.get_backend_name() == "sqlite" and not path.startswith("file:"):
        with suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _engines(url: URL) -> tuple[Engine, Engine]:
    """Return the engine that writes and the one that reads."""
    try:
        if url.get_backend_name() == "sqlite":
            make_private(url)
            return _sqlite(url, "BEGIN IMMEDIATE", 1), _sqlite(url, "BEGIN", READERS)
        server = {"connect_timeout": CONNECT_S, "application_name": "otel-agents flex"}
        server["options"] = f"-c lock_timeout={BUSY_S}s -c statement_timeout={3 * BUSY_S}s"
        settings = {name: value for name, value in server.items() if name not in url.query}
        engine = create_engine(url, pool_size=READERS + 1, pool_pre_ping=True, connect_args=settings)
        return engine, engine
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        fix = "pip install 'otel-agents[postgres]'"
        raise FlexError("store_unavailable", f"the store needs a driver that is not there: {fix}") from error


def _sqlite(url: URL, begin: str, connections: int) -> Engine:
    engine = create_engine(url, pool_size=connections, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, record: object) -> None:
        # The driver's own transactions begin too late to be a lock; ours begin where SQLAlchemy says so.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _began(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


@contextmanager
def _told(url: URL, *, in_full: bool = False) -> Iterator[None]:
    """Make what a driver raises an error of ours.

    The driver's words may hold values, so they are repeated only in full, which is for before there are any.
    """
    try:
        yield
    except (DataError, IntegrityError):
        raise  # a mistake of ours, not of the database
    except (DBAPIError, PoolTimeoutError) as error:
        origin = getattr(error, "orig", None) or error
        reason = getattr(origin, "sqlite_errorname", None) or type(origin).__name__
        reason += ": " + str(origin).strip().replace("\n", " ") if in_full else ""
        kind = _ContendedError if getattr(origin, "sqlstate", None) in CONTENDED else FlexError
        raise kind("store_unavailable", f"the store at {place(url)} is not available ({reason})") from error


def place(url: URL) -> str:
    """Return the URL without who uses it."""
    return URL.create(url.get_backend_name(), host=url.host, port=url.port, database=url.database).render_as_string()


def _is_away(ending: BaseException) -> bool:
    return (
        isinstance(ending, FlexError) and ending.code == "store_unavailable" and not isinstance(ending, _ContendedError)
    )


def _resolve(one: _Waiting, result: object) -> None:
    if not one.done.done():  # the one who waited may have been cancelled
        one.done.set_result(result)


def _reject(one: _Waiting, error: BaseException) -> None:
    if not one.done.done():
        one.done.set_exception(error)
