"""A program that takes its work into threads, in all the ways that the standard library has."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import otel_agents
from tests.transparency.step import Here


def _pool(here: Here) -> Any:
    with ThreadPoolExecutor(1) as pool:
        first, second = pool.submit(here.now, "first"), pool.submit(here.now, "second")
        return [first.result(), *pool.map(here.now, ["mapped"]), second.result()]


class Own(threading.Thread):
    """A thread with a run of its own."""

    def __init__(self, here: Here) -> None:
        super().__init__(name="own")
        self.here = here

    def run(self) -> None:
        self.here.now("own thread")


def _threads(here: Here) -> Any:
    for each in (threading.Thread(target=here.now, args=("target",), name="target"), Own(here)):
        each.start()
        each.join()
        with suppress(RuntimeError):
            each.start()
            here.tell("never")
    return "joined"


async def _executor(here: Here) -> Any:
    loop = asyncio.get_running_loop()
    first = await loop.run_in_executor(None, here.now, "executor")
    return first, await asyncio.to_thread(here.now, "to_thread"), await here.later("back")


def _watched(function: Any) -> Any:
    """Run inside an operation where somebody watches, so that there is something to carry along."""

    def inside(here: Here) -> Any:
        with otel_agents.run("threads"), otel_agents.node("around"):
            return function(here)

    return inside


async def _awatched(here: Here) -> Any:
    async with otel_agents.run("threads"), otel_agents.node("around"):
        return await _executor(here)


SYNC = {"pool": _watched(_pool), "threads": _watched(_threads)}
ASYNC = {"executor": _awatched}
