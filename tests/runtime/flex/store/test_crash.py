"""A process that is killed while it writes: what it was told is stored is there, and the next one goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import defaultdict

import pytest

from otel_agents.runtime.flex.store import RUNNING, Store
from tests.runtime.flex.store.making import frame

ENOUGH = 300  # acknowledged frames before the kill
# Five runs, four writers each; prints a frame's id once it is acknowledged.
WRITER = """
import asyncio, os, sys
from otel_agents.runtime.flex.store import Store
from tests.runtime.flex.store.making import frame, running

async def write(store, run_id, epoch):
    while True:
        stored = await store.journal.append(frame(run_id, payload={"text": "x" * 500}), epoch=epoch)
        os.write(1, (stored.id + "\\n").encode())

async def main():
    store = await Store.open(sys.argv[1])
    runs = [await running(store, "killed", run_id=f"r{number}") for number in range(5)]
    await asyncio.gather(*(write(store, *run) for run in runs for _ in range(4)))

asyncio.run(main())
"""


def killed(url: str) -> list[str]:
    """Return the ids that a writer told us before we killed it, in the middle of writing."""
    command = [sys.executable, "-W", "error", "-c", WRITER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        told = [line for line, _ in zip(process.stdout, range(ENOUGH), strict=False)]
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.readlines()
        assert process.stderr.read() == ""
    return [line.strip() for line in told if line.endswith("\n")]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of Unix")
async def test_a_killed_writer_loses_nothing_that_was_acknowledged(url) -> None:
    """Every acknowledged frame is stored, numbers have no gap, and the runs are found and go on."""
    told = defaultdict(set)
    for each in killed(url):
        run_id, _, seq = each.partition(":")
        told[run_id].add(int(seq))
    store = await Store.open(url)
    try:
        await _goes_on(store, told)
    finally:
        await store.close()

    assert sum(map(len, told.values())) >= ENOUGH


async def _goes_on(store: Store, told: dict[str, set[int]]) -> None:
    for run_id in [f"r{number}" for number in range(5)]:
        numbers = [each.seq for each in await store.journal.after(run_id, limit=100_000)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert told[run_id] <= set(numbers)
        assert await store.leases.claim(run_id, "next", 30.0, [RUNNING]) is None  # its lease is not over
        await store.leases.release(run_id, 1)
        epoch = await store.leases.claim(run_id, "next", 30.0, [RUNNING])
        assert epoch == 2
        assert (await store.journal.append(frame(run_id), epoch=epoch)).seq == len(numbers) + 1
