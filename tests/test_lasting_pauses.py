"""A pause store that is away costs the host one short wait, and no question."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from otel_agents import guard
from otel_agents.outage import SPARED_NS, LastingPauses, StoreAwayError
from otel_agents.pauses import Pause, Pending, open_pauses
from otel_agents.testing import capture
from tests.need import require_module

require_module("sqlalchemy", "store")


def asked(request_id: str) -> Pause:
    return Pause("thread", request_id, "run-1", "corr-1", "langgraph", "", 1_000)


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_ns = 1

    def __call__(self) -> int:
        return self.now_ns


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep everybody else out of a database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("ROLLBACK")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pauses.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pauses(path: Path, clock: Clock) -> Iterator[LastingPauses]:
    guard.reset()
    lasting = LastingPauses(open_pauses(f"sqlite:///{path}?timeout=0.01"), clock)
    yield lasting
    lasting.close()
    guard.reset()


def stored(path: Path) -> tuple[Pause, ...]:
    """Return what another process would find."""
    other = open_pauses(f"sqlite:///{path}")
    try:
        return other.find("thread")
    finally:
        other.close()


def test_while_the_store_is_away_questions_wait_here(pauses: LastingPauses, path: Path) -> None:
    """What is asked then is found and taken by this process; only the first question waits for the store."""
    with locked(path):
        pauses.put(asked("r1"))
        pauses.put(asked("r2"))
        assert pauses.find("thread") == (asked("r1"), asked("r2"))
        assert pauses.take("thread", "r1") == asked("r1")
        assert pauses.take("thread", "r1") is None
        assert guard.errors() == {"pauses.store": 1}


def test_nobody_is_told_too_few(pauses: LastingPauses, path: Path) -> None:
    """How many questions are open is unknown while the store is away, and not what this process knows alone."""
    with locked(path):
        pauses.put(asked("r1"))
        with pytest.raises(StoreAwayError):
            pauses.pending()


def test_it_is_asked_again_after_a_while(pauses: LastingPauses, path: Path, clock: Clock) -> None:
    """The store gets what waited with the next question after its ten seconds of peace, and not before."""
    with locked(path):
        pauses.put(asked("r1"))
    clock.now_ns += SPARED_NS - 1
    pauses.put(asked("r2"))
    assert stored(path) == ()
    clock.now_ns += 1
    pauses.put(asked("r3"))
    assert sorted(pause.request_id for pause in stored(path)) == ["r1", "r2", "r3"]
    assert sorted(pause.request_id for pause in pauses.find("thread")) == ["r1", "r2", "r3"]
    assert guard.errors() == {"pauses.store": 1}


def test_whoever_counts_brings_the_store_up_to_date(pauses: LastingPauses, path: Path, clock: Clock) -> None:
    """When the store is back, looking at what is open moves what waited, and counts it."""
    with locked(path):
        pauses.put(asked("r1"))
    clock.now_ns += SPARED_NS
    assert pauses.pending() == {"langgraph": Pending(1, 1_000)}
    assert stored(path) == (asked("r1"),)
    assert pauses.take("thread", "r1") == asked("r1")
    assert stored(path) == ()


def test_the_pipeline_lets_its_store_be_away(path: Path) -> None:
    """A database named by the setting is one that may be away; memory needs nothing around it."""
    with capture(pause_store=f"sqlite:///{path}"):
        from otel_agents.recorder import RECORDER

        assert isinstance(RECORDER.pauses, LastingPauses)
    with capture():
        assert not isinstance(RECORDER.pauses, LastingPauses)


def test_a_server_that_says_nothing_is_given_up() -> None:
    """A database server that takes the connection and is silent does not hold up the program that starts."""
    require_module("psycopg", "postgres")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ValueError, match="OTEL_AGENTS_PAUSE_STORE=postgresql") as caught:
            open_pauses(f"postgresql+psycopg://somebody@127.0.0.1:{port}/pauses")
    assert "OperationalError" in str(caught.value)
