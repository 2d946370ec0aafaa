from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading

import pytest
from sqlalchemy import Connection

from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import Store
from otel_agents.runtime.flex.store.database import Database
from tests.postgres import Server
from tests.runtime.flex.store.making import frame, running

FIX = "give sqlite:///path/of/a/file.db or postgresql://user@host/database"
# Appends until the disk takes no more, then frees it, and goes on.
FULL = """
import asyncio, resource, sys
from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import Store
from tests.runtime.flex.store.making import frame, running

async def main():
    store = await Store.open(sys.argv[1])
    run_id, epoch = await running(store)
    big = {"text": "x" * 20_000}
    await store.journal.append(frame(run_id, payload=big), epoch=epoch)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    stored = 1
    try:
        while True:
            await store.journal.append(frame(run_id, payload=big), epoch=epoch)
            stored += 1
    except FlexError as error:
        print(error.code, error.message.replace(sys.argv[1], "URL"), type(error.__cause__).__name__)
    assert [each.seq for each in await store.journal.after(run_id)] == list(range(1, stored + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    after = await store.journal.append(frame(run_id), epoch=epoch)
    print(after.seq - stored)
    await store.close()

asyncio.run(main())
"""


async def refusal(url: str) -> FlexError:
    """Return why a store does not open."""
    with pytest.raises(FlexError) as refused:
        await Store.open(url)
    assert (refused.value.code, refused.value.status) == ("store_unavailable", 503)
    assert [each.name for each in threading.enumerate() if each.name.startswith("flex-store")] == []
    return refused.value


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nothing", f"the store's URL cannot be read: {FIX}"),
        ("mysql://u:secret@h/d", f"the store cannot be mysql: {FIX}"),
        ("sqlite://", f"the store's URL names no database that outlives the process: {FIX}"),
        ("sqlite:///:memory:", f"the store's URL names no database that outlives the process: {FIX}"),
        ("postgresql://u:secret@h", f"the store's URL names no database that outlives the process: {FIX}"),
    ],
)
async def test_a_url_that_names_no_store_is_refused(url, message) -> None:
    """A bad URL fails at once, and the message says what to give instead and nothing secret."""
    assert (await refusal(url)).message == message


async def test_a_file_that_cannot_be_is_refused(tmp_path) -> None:
    """A directory that is not there, or a file that is no database, is named with what SQLite says about it."""
    (tmp_path / "text").write_text("no database at all, and long enough to be read as the head of one\n" * 20)

    for url, reason in (
        (f"sqlite:///{tmp_path}/none/flex.db", "SQLITE_CANTOPEN: unable to open database file"),
        (f"sqlite:///{tmp_path}/text", "SQLITE_NOTADB: file is not a database"),
    ):
        assert (await refusal(url)).message == f"the store at {url} is not available ({reason})"


async def test_a_file_is_for_its_owner(tmp_path) -> None:
    """A SQLite file, and those beside it, can be read by nobody else; the mode of one that was there stays."""
    (tmp_path / "there.db").touch(0o640)
    modes: dict[str, int] = {}
    for name in ("new.db", "there.db"):
        store = await Store.open(f"sqlite:///{tmp_path}/{name}")
        modes |= {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        await store.close()

    assert {modes[f"new.db{more}"] for more in ("", "-wal", "-shm")} == {0o600}
    assert {modes[f"there.db{more}"] for more in ("", "-wal", "-shm")} == {0o640}


async def test_a_server_that_is_away_is_refused() -> None:
    """The message says where nobody answers, without who asked."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        error = await refusal(f"postgresql://somebody:secret@127.0.0.1:{port}/flex")

    place = f"postgresql://127.0.0.1:{port}/flex"
    assert error.message.startswith(f"the store at {place} is not available (OperationalError: connection failed: ")
    assert "Connection refused" in error.message
    assert "secret" not in error.message


async def test_a_server_that_comes_back_is_used_again(postgres: Server, postgres_url, clock) -> None:
    """While the server is away every call says so, and once it is back the store works with what was committed."""
    store = await Store.open(postgres_url, clock=clock)
    try:
        run_id, epoch = await running(store)
        await store.journal.append(frame(run_id), epoch=epoch)
        postgres.stop()
        try:
            writes = [store.journal.append(frame(run_id), epoch=epoch) for _ in range(20)]
            answers = await asyncio.gather(*writes, store.runs.get(run_id), return_exceptions=True)
        finally:
            postgres.start()
        assert {answer.code for answer in answers if isinstance(answer, FlexError)} == {"store_unavailable"}
        assert not [answer for answer in answers if not isinstance(answer, FlexError)]

        assert (await store.journal.append(frame(run_id), epoch=epoch)).seq == 2
        assert (await store.runs.get(run_id)).epoch == epoch
    finally:
        await store.close()


async def test_a_follower_learns_that_the_database_is_away(postgres: Server, postgres_url, clock) -> None:
    """A stream that can read no more ends with the error, instead of waiting for ever."""
    store = await Store.open(postgres_url, clock=clock)
    try:
        run_id, _ = await running(store)
        coming = asyncio.ensure_future(anext(store.journal.follow(run_id)))
        await asyncio.sleep(0)
        postgres.stop()
        try:
            with pytest.raises(FlexError) as away:
                await coming
        finally:
            postgres.start()
        assert away.value.code == "store_unavailable"
    finally:
        await store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are of Unix")
def test_a_full_disk_is_an_error_and_not_the_end(tmp_path) -> None:
    """What the disk does not take is refused whole; what was acknowledged stays, and with room again it goes on."""
    url = f"sqlite:///{tmp_path}/flex.db"
    command = [sys.executable, "-W", "error", "-c", FULL, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.stderr == ""
    assert done.stdout.splitlines() in (
        [f"store_unavailable the store at URL is not available ({reason}) OperationalError", "1"]
        for reason in ("SQLITE_FULL", "SQLITE_IOERR_WRITE")
    )


async def test_writers_in_a_circle_all_come_through(store, other) -> None:
    """Two processes that write the same runs in opposite order wait for each other at most, and lose nothing."""
    runs = [await running(store) for _ in range(6)]
    there = [store.journal.append(frame(run_id)) for _ in range(20) for run_id, _ in runs]
    back = [other.journal.append(frame(run_id)) for _ in range(20) for run_id, _ in reversed(runs)]
    await asyncio.gather(*there, *back, store.leases.extend("me", 30.0), other.leases.extend("me", 30.0))

    for run_id, _ in runs:
        assert [each.seq for each in await store.journal.after(run_id)] == list(range(1, 41))


async def test_closing_writes_what_waits(opened, store) -> None:
    """A write that was asked for before the store closes is committed."""
    closing = await opened()
    run_id, epoch = await running(store)
    writes = [asyncio.create_task(closing.journal.append(frame(run_id), epoch=epoch)) for _ in range(10)]
    await asyncio.sleep(0)
    await closing.close()

    assert [(await write).seq for write in writes] == list(range(1, 11))


async def test_the_victim_of_a_deadlock_is_done_again(postgres_url) -> None:
    """When PostgreSQL ends one of two transactions that wait for each other, its writes are done a second time."""
    databases = Database(postgres_url), Database(postgres_url)
    meeting = threading.Barrier(2, timeout=30)
    attempts: list[str] = []

    def crossing(mine: str, theirs: str):
        def work(connection: Connection) -> str:
            attempts.append(mine)
            connection.exec_driver_sql(f"UPDATE t SET n = n + 1 WHERE k = '{mine}'")
            if len(attempts) <= 2:
                meeting.wait()  # each holds what the other wants
            connection.exec_driver_sql(f"UPDATE t SET n = n + 1 WHERE k = '{theirs}'")
            return mine

        return work

    try:
        await databases[0].write(lambda each: each.exec_driver_sql("CREATE TABLE t (k TEXT, n INTEGER)").close())
        await databases[0].write(lambda each: each.exec_driver_sql("INSERT INTO t VALUES ('a', 0), ('b', 0)").close())
        done = await asyncio.gather(databases[0].write(crossing("a", "b")), databases[1].write(crossing("b", "a")))
        rows = await databases[0].read(lambda each: each.exec_driver_sql("SELECT k, n FROM t ORDER BY k").all())
    finally:
        for database in databases:
            await database.close()

    assert [*done, *rows] == ["a", "b", ("a", 2), ("b", 2)]
    assert len(attempts) >= 3
