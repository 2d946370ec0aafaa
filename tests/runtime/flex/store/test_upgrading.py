from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
import sqlalchemy as sql
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from otel_agents.runtime.flex.problem import FlexError
from otel_agents.runtime.flex.store import Store
from otel_agents.runtime.flex.store.database import Database
from otel_agents.runtime.flex.store.tables import METADATA
from otel_agents.runtime.flex.store.upgrading import MIGRATIONS, VERSION_TABLE, upgrade
from tests.runtime.flex.store.making import running

HEAD = "0002"
OPEN = """
import asyncio, sys
from otel_agents.runtime.flex.store import Store
async def main():
    store = await Store.open(sys.argv[1])
    print(await store.runs.list())
    await store.close()
asyncio.run(main())
"""


def inside(url: str, job):
    """Do something to the database beside every store."""
    database = Database(url)
    try:
        [result] = database.transact([job])
        return result
    finally:
        database.dispose()


def version(url: str) -> str:
    return inside(url, lambda each: each.execute(sql.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar())


async def test_an_empty_database_gets_the_tables_of_today(store, url) -> None:
    """What the migrations make is what the code believes in, in every column, key and index."""
    assert version(url) == HEAD == ScriptDirectory(str(MIGRATIONS)).get_current_head()
    options = {"version_table": VERSION_TABLE, "compare_type": True}
    differences = inside(url, lambda each: compare_metadata(MigrationContext.configure(each, opts=options), METADATA))

    assert differences == []


async def test_a_database_of_version_1_is_upgraded_and_keeps_its_runs(url, clock) -> None:
    """A run that version 1 stored is read by today's code, and what is new works for it."""
    inside(url, lambda each: upgrade(each, "0001"))
    assert version(url) == "0001"
    insert = (
        "INSERT INTO flex_runs (run_id, correlation_id, client_id, name, envelope_hash, envelope, status,"
        " epoch, last_seq, created_at, updated_at) VALUES"
        """ ('r1', 'c1', '', 'flex', 'h', '{"objective":"say it"}', 'awaiting_hitl', 1, 0, 1, 1)"""
    )
    inside(url, lambda each: each.exec_driver_sql(insert))
    store = await Store.open(url, clock=clock)
    run = await store.runs.get("r1")
    await store.policies.fire("r1", "p")
    await store.close()

    assert (run.envelope, run.status) == ({"objective": "say it"}, "awaiting_hitl")
    assert version(url) == HEAD


async def test_a_database_of_a_newer_version_is_refused(store, url) -> None:
    """An older program says that it is too old, instead of misreading the tables."""
    inside(url, lambda each: each.execute(sql.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")))
    with pytest.raises(FlexError) as refused:
        await Store.open(url)

    assert refused.value.code == "store_unavailable"
    expected = "the store cannot be opened: a newer otel-agents made its tables; upgrade this one"
    assert refused.value.message == expected


async def test_the_tables_of_a_guest_are_left_alone(url, clock) -> None:
    """In a database with tables of somebody else, alembic's version among them, ours are beside them."""
    theirs = ("CREATE TABLE alembic_version (version_num VARCHAR(32))", "INSERT INTO alembic_version VALUES ('abc')")
    for statement in theirs:
        inside(url, lambda each, statement=statement: each.exec_driver_sql(statement))
    store = await Store.open(url, clock=clock)
    await running(store)
    await store.close()

    assert inside(url, lambda each: each.exec_driver_sql("SELECT * FROM alembic_version").scalar()) == "abc"


async def test_stores_of_one_process_may_open_at_once(url) -> None:
    """Ten stores that open an empty database at one moment make its tables once."""
    stores = await asyncio.gather(*(Store.open(url) for _ in range(10)))
    for store in stores:
        assert await store.runs.list() == []
        await store.close()

    assert version(url) == HEAD


@pytest.mark.slow
def test_processes_may_open_at_once(url) -> None:
    """Six processes that open an empty database at one moment make its tables once."""
    command = [sys.executable, "-W", "error", "-c", OPEN, url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(6)]
    said = [process.communicate(timeout=60) for process in processes]

    assert said == [(b"[]\n", b"")] * 6
    assert version(url) == HEAD
