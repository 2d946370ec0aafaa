"""Pause stores: what is asked is found again, answered once, and never fills the store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_agents.pauses import MemoryPauses, Pause, PauseStore, Pending, SqlPauses, open_pauses
from tests.need import require_module

TRACEPARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
MANY = 40

# Waits until everybody is there, then takes what it can get.
TAKER = """
import json, pathlib, sys, time
from otel_agents.pauses import open_pauses
url, ready, go, count = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), int(sys.argv[4])
store = open_pauses(url)
ready.touch()
while not go.exists():
    time.sleep(0.001)
print(json.dumps([n for n in range(count) if store.take("thread", f"r{n}") is not None]))
"""

FORKING = """
import os, sys
from otel_agents.pauses import open_pauses
store = open_pauses(sys.argv[1])
assert store.take("thread", "r0") is not None
child = os.fork()
if child == 0:
    inherited = store._engine.pool.checkedin()
    os._exit(0 if inherited == 0 and store.take("thread", "r1") is not None else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert store.find("thread") == ()
"""


def asked(request_id: str = "r1", *, key: str = "thread", at_ns: int = 1_000, runtime: str = "langgraph") -> Pause:
    return Pause(key, request_id, "run-1", "corr-1", runtime, TRACEPARENT, at_ns, plan_version=2, node_id="draft")


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'pauses.db'}"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PauseStore]:
    if request.param == "sqlite":
        require_module("sqlalchemy", "store")
    opened = open_pauses("memory" if request.param == "memory" else sqlite(tmp_path))
    yield opened
    opened.close()


def test_a_question_is_found_as_it_was_asked(store: PauseStore) -> None:
    """All that was kept of a question comes back, under its key alone, oldest first."""
    first, second = asked("r1", at_ns=1_000), asked("r2", at_ns=2_000)
    for pause in (first, second, asked("r1", key="another")):
        store.put(pause)
    assert store.find("thread") == (first, second)
    assert store.find("nobody") == ()


def test_optional_parts_may_be_missing(store: PauseStore) -> None:
    """A question without plan version and node comes back without them."""
    bare = Pause("thread", "r1", "run-1", "corr-1", "langgraph", "", 1_000)
    store.put(bare)
    assert store.find("thread") == (bare,)


def test_asking_again_keeps_the_first_time(store: PauseStore) -> None:
    """The same question asked again still waits since it was asked first, and counts once."""
    store.put(asked(at_ns=1_000))
    store.put(asked(at_ns=9_000))
    assert [pause.asked_ns for pause in store.find("thread")] == [1_000]
    assert store.pending() == {"langgraph": Pending(1, 1_000)}


def test_a_question_is_taken_once(store: PauseStore) -> None:
    """Who takes a question gets it; who comes later, or asks for another, gets nothing."""
    store.put(asked())
    assert store.take("thread", "r2") is None
    assert store.take("another", "r1") is None
    assert store.take("thread", "r1") == asked()
    assert store.take("thread", "r1") is None
    assert store.find("thread") == ()


def test_pending_is_told_by_runtime(store: PauseStore) -> None:
    """Open questions are counted by runtime, with the time of the oldest, whatever the order of asking."""
    assert store.pending() == {}
    store.put(asked("r1", at_ns=5_000))
    store.put(asked("r2", at_ns=3_000))
    store.put(asked("r3", at_ns=7_000, runtime="flex"))
    assert store.pending() == {"langgraph": Pending(2, 3_000), "flex": Pending(1, 7_000)}
    store.take("thread", "r2")
    assert store.pending() == {"langgraph": Pending(1, 5_000), "flex": Pending(1, 7_000)}


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_oldest_give_way(kind: str, tmp_path: Path) -> None:
    """Beyond the limit the oldest questions go, the newest stay."""
    if kind == "sqlite":
        require_module("sqlalchemy", "store")
    store = MemoryPauses(limit=3) if kind == "memory" else SqlPauses(sqlite(tmp_path), limit=3)
    for n in range(10):
        store.put(asked(f"r{n}", at_ns=n))
    assert [pause.request_id for pause in store.find("thread")] == ["r7", "r8", "r9"]
    assert store.pending() == {"langgraph": Pending(3, 7)}
    store.close()


def test_threads_share_a_store(store: PauseStore) -> None:
    """Of several threads that take the same questions, each question goes to one."""
    for n in range(MANY):
        store.put(asked(f"r{n}", at_ns=n))
    taken: list[int] = []
    start = threading.Barrier(4)

    def take() -> None:
        start.wait()
        taken.extend(n for n in range(MANY) if store.take("thread", f"r{n}") is not None)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(MANY))


def test_what_one_process_asks_another_finds(tmp_path: Path) -> None:
    """A file outlives the store that wrote it."""
    require_module("sqlalchemy", "store")
    first = open_pauses(sqlite(tmp_path))
    first.put(asked())
    first.close()
    second = open_pauses(sqlite(tmp_path))
    assert second.find("thread") == (asked(),)
    second.close()


def test_of_two_processes_one_takes(tmp_path: Path) -> None:
    """Two processes that race for the same questions share them out: none is lost, none is taken twice."""
    require_module("sqlalchemy", "store")
    store, go = open_pauses(sqlite(tmp_path)), tmp_path / "go"
    for n in range(MANY):
        store.put(asked(f"r{n}", at_ns=n))
    ready = [tmp_path / "ready-1", tmp_path / "ready-2"]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, sqlite(tmp_path), str(flag), str(go), str(MANY)], stdout=subprocess.PIPE
        )
        for flag in ready
    ]
    waiting = threading.Event()
    while not all(flag.exists() for flag in ready) and all(racer.poll() is None for racer in racers):
        waiting.wait(0.005)
    go.touch()
    taken = [json.loads(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sorted(taken[0] + taken[1]) == list(range(MANY))
    assert store.pending() == {}
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork: not on Windows")
def test_a_forked_child_has_its_own_connection(tmp_path: Path) -> None:
    """After a fork the child opens a connection of its own, and both see each other's changes."""
    require_module("sqlalchemy", "store")
    store = open_pauses(sqlite(tmp_path))
    store.put(asked("r0"))
    store.put(asked("r1"))
    store.close()
    done = subprocess.run(
        [sys.executable, "-c", FORKING, sqlite(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("url", ["sqlite:///pauses.db", "postgresql://user:canary@db/pauses"])
def test_without_sqlalchemy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Without SQLAlchemy the message names setting, missing module and extra, and not the address with its password."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        open_pauses(url)
    scheme = url.partition(":")[0]
    assert str(caught.value) == (
        f"OTEL_AGENTS_PAUSE_STORE={scheme}:... needs sqlalchemy: pip install 'otel-agents[store]'"
    )


def test_without_the_driver_the_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """When SQLAlchemy is there and the driver is not, the message names the driver."""
    require_module("sqlalchemy", "store")
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        open_pauses("postgresql+psycopg2://user:canary@db/pauses")
    assert str(caught.value) == (
        "OTEL_AGENTS_PAUSE_STORE=postgresql+psycopg2:... needs psycopg2: pip install psycopg2-binary"
    )


@pytest.mark.parametrize(
    ("scheme", "why"),
    [
        ("postgres", "SQLAlchemy has no such driver"),
        ("sqlite+aiosqlite", "its driver is asynchronous"),
        ("postgresql+asyncpg", "its driver is asynchronous"),
    ],
)
def test_a_driver_that_cannot_be_used_is_named(scheme: str, why: str) -> None:
    """Addresses that work elsewhere in a program say what is wrong with them, and not that a server is away."""
    require_module("sqlalchemy", "store")
    with pytest.raises(ValueError, match="cannot be opened") as caught:
        open_pauses(f"{scheme}://user:canary@db/pauses")
    fix = "give another one, such as sqlite:// or postgresql+psycopg://"
    assert str(caught.value) == f"OTEL_AGENTS_PAUSE_STORE={scheme}:... cannot be opened ({why}; {fix})"


def test_the_memory_store_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses in memory work without SQLAlchemy."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    store = open_pauses("memory")
    store.put(asked())
    assert store.take("thread", "r1") == asked()


def test_a_database_that_is_not_there_is_named_by_its_scheme_only() -> None:
    """A path that cannot be opened is a ValueError that names the setting and the scheme, not the rest of the URL."""
    with pytest.raises(ValueError, match="OTEL_AGENTS_PAUSE_STORE=sqlite:") as caught:
        open_pauses("sqlite:////nowhere/canary/pauses.db")
    assert "canary" not in str(caught.value)
