"""Keeps what must survive a pause until its answer comes, in this process or another; knows no operation.

Without SQLAlchemy (extra ``store``) only the memory store can be opened.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine, Table

LIMITS: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "sqlite": {"timeout": 2},
        "postgresql": {"connect_timeout": 2, "tcp_user_timeout": 2000, "options": "-c statement_timeout=2000"},
    }
)
# What brings a module, where that has another name, or needs a compiler under its own.
SOURCES: Final = {"sqlalchemy": "'otel-agents[store]'", "MySQLdb": "mysqlclient", "psycopg2": "psycopg2-binary"}
FIX: Final = "give another one, such as sqlite:// or postgresql+psycopg://"
LIMIT: Final = 10_000  # pauses kept; the oldest give way, so that pauses nobody answers cannot fill a store


@dataclass(frozen=True, slots=True)
class Pause:
    """One question to a human. ``key`` is what a resume is recognised by, ``asked_ns`` is wall clock nanoseconds."""

    key: str
    request_id: str
    run_id: str
    correlation_id: str
    runtime: str
    traceparent: str
    asked_ns: int
    plan_version: int | None = None
    node_id: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """The open questions of a runtime: how many, and when the oldest was asked (wall clock nanoseconds)."""

    count: int
    oldest_ns: int


class PauseStore(Protocol):
    """Where pauses wait. Every method may raise; the caller guards."""

    def put(self, pause: Pause) -> None:
        """Keep a pause; the same question asked again keeps its first time."""

    def find(self, key: str) -> tuple[Pause, ...]:
        """Return the open questions under a key, oldest first."""

    def take(self, key: str, request_id: str) -> Pause | None:
        """Remove and return a question; None when there is none or somebody else took it."""

    def pending(self) -> Mapping[str, Pending]:
        """Return the open questions by runtime."""

    def close(self) -> None:
        """Let go of the store."""


class MemoryPauses:
    """Pauses of this process."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._pauses: dict[tuple[str, str], Pause] = {}

    def put(self, pause: Pause) -> None:
        """Keep a pause; the oldest gives way beyond the limit."""
        with self._lock:
            self._pauses.setdefault((pause.key, pause.request_id), pause)
            while len(self._pauses) > self._limit:
                del self._pauses[next(iter(self._pauses))]

    def find(self, key: str) -> tuple[Pause, ...]:
        """Return the open questions under a key, oldest first."""
        with self._lock:
            return tuple(pause for pause in self._pauses.values() if pause.key == key)

    def take(self, key: str, request_id: str) -> Pause | None:
        """Remove and return a question, or None."""
        with self._lock:
            return self._pauses.pop((key, request_id), None)

    def everything(self) -> tuple[Pause, ...]:
        """Return all open questions, oldest first."""
        with self._lock:
            return tuple(self._pauses.values())

    def pending(self) -> Mapping[str, Pending]:
        """Return the open questions by runtime."""
        found: dict[str, Pending] = {}
        with self._lock:
            for pause in self._pauses.values():
                before = found.get(pause.runtime, Pending(0, pause.asked_ns))
                found[pause.runtime] = Pending(before.count + 1, min(before.oldest_ns, pause.asked_ns))
        return found

    def close(self) -> None:
        """Nothing to let go of."""


class SqlPauses:
    """Pauses in a database, shared by all processes that open it.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: from the constructor when the database cannot be opened.
    """

    def __init__(self, url: str, limit: int = LIMIT) -> None:
        import sqlalchemy as sql

        self._limit = limit
        self._engine: Engine = _engine(sql.make_url(url))
        self._table: Table = sql.Table(
            "otel_agents_pauses",
            sql.MetaData(),
            sql.Column("key", sql.String(512), primary_key=True),
            sql.Column("request_id", sql.String(256), primary_key=True),
            sql.Column("run_id", sql.String(256), nullable=False),
            sql.Column("correlation_id", sql.String(256), nullable=False),
            sql.Column("runtime", sql.String(64), nullable=False),
            sql.Column("traceparent", sql.String(64), nullable=False),
            sql.Column("asked_ns", sql.BigInteger, nullable=False, index=True),
            sql.Column("plan_version", sql.Integer),
            sql.Column("node_id", sql.String(256), nullable=False),
        )
        self._create()
        if hasattr(os, "register_at_fork"):  # not on Windows
            # Weak: a hook can never be unregistered. A connection must not be used on both sides of a fork.
            os.register_at_fork(after_in_child=partial(_leave_to_parent, weakref.ref(self._engine)))

    def _create(self) -> None:
        import sqlalchemy as sql
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._table.create(self._engine, checkfirst=True)
        except SQLAlchemyError:
            if not sql.inspect(self._engine).has_table(self._table.name):  # else another process was faster
                raise

    def put(self, pause: Pause) -> None:
        """Keep a pause; the oldest give way beyond the limit."""
        from sqlalchemy.exc import IntegrityError

        row = {name: getattr(pause, name) for name in Pause.__dataclass_fields__}
        try:
            with self._engine.begin() as connection:
                connection.execute(self._table.insert().values(row))
        except IntegrityError:
            return  # asked before, by this process or another
        self._prune()

    def _prune(self) -> None:
        import sqlalchemy as sql

        table = self._table
        with self._engine.begin() as connection:
            newest = sql.select(table.c.asked_ns).order_by(table.c.asked_ns.desc()).offset(self._limit - 1).limit(1)
            bound = connection.execute(newest).scalar()
            if bound is not None:
                connection.execute(table.delete().where(table.c.asked_ns < bound))

    def find(self, key: str) -> tuple[Pause, ...]:
        """Return the open questions under a key, oldest first."""
        table = self._table
        with self._engine.connect() as connection:
            rows = connection.execute(table.select().where(table.c.key == key).order_by(table.c.asked_ns))
            return tuple(Pause(**row) for row in rows.mappings())

    def take(self, key: str, request_id: str) -> Pause | None:
        """Remove and return a question; of several processes one gets it."""
        table = self._table
        mine = (table.c.key == key) & (table.c.request_id == request_id)
        with self._engine.begin() as connection:
            row = connection.execute(table.select().where(mine)).mappings().first()
            if row is None or connection.execute(table.delete().where(mine)).rowcount != 1:
                return None
            return Pause(**row)

    def pending(self) -> Mapping[str, Pending]:
        """Return the open questions by runtime."""
        import sqlalchemy as sql

        table = self._table
        query = sql.select(table.c.runtime, sql.func.count(), sql.func.min(table.c.asked_ns)).group_by(table.c.runtime)
        with self._engine.connect() as connection:
            return {runtime: Pending(count, oldest) for runtime, count, oldest in connection.execute(query)}

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _engine(url: URL) -> Engine:
    """Return an engine under whose limits a host waits two seconds for a database that hangs, and no longer.

    The parameters are those of `sqlite3.connect` and of libpq; other drivers keep their own limits. What the URL says
    wins.
    """
    import sqlalchemy as sql

    limits = {name: value for name, value in LIMITS.get(url.get_backend_name(), {}).items() if name not in url.query}
    return sql.create_engine(url, pool_pre_ping=True, connect_args=limits)


def _leave_to_parent(engine: weakref.ref[Engine]) -> None:
    open_engine = engine()
    if open_engine is not None:
        open_engine.dispose(close=False)


def _open_database(url: str) -> PauseStore:
    import sqlalchemy as sql
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

    try:
        if sql.make_url(url).get_dialect().is_async:
            raise _refused(url, f"its driver is asynchronous; {FIX}")
        return SqlPauses(url)
    except NoSuchModuleError as error:
        raise _refused(url, f"SQLAlchemy has no such driver; {FIX}") from error
    except SQLAlchemyError as error:
        raise _refused(url, f"{type(error).__name__}: is the path, or the server, there and writable?") from error


def _refused(url: str, why: str) -> ValueError:
    return ValueError(f"OTEL_AGENTS_PAUSE_STORE={url.partition(':')[0]}:... cannot be opened ({why})")


def open_pauses(url: str) -> PauseStore:
    """Open ``memory``, ``sqlite:///path`` or another SQLAlchemy URL.

    Raises:
        ModuleNotFoundError: SQLAlchemy or the database's driver is missing; the message says what to install.
        ValueError: The database cannot be opened. The message names no more of the URL than its scheme.
    """
    if url == "memory":
        return MemoryPauses()
    try:
        return _open_database(url)
    except ModuleNotFoundError as error:
        name = url.partition(":")[0]
        source = SOURCES.get(str(error.name), error.name)
        hint = f"OTEL_AGENTS_PAUSE_STORE={name}:... needs {error.name}: pip install {source}"
        raise ModuleNotFoundError(hint, name=error.name) from error
