"""What happens inside the steps of a host program, told in the order in which it does; knows no framework."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Wait = Callable[["Here"], Awaitable[None]]
FOREVER_S = 3600.0


def nothing() -> None:
    """Do nothing."""


class Here:
    """Where a host's steps go through: ``now`` in functions, ``later`` in coroutines.

    At one of the steps something happens: ``act`` is called; ``wait`` is awaited at the next that is a coroutine.
    """

    def __init__(self, act: Callable[[], None] = nothing, wait: Wait | None = None, *, at: int = 2) -> None:
        self.told: list[str] = []
        self.stop: Callable[[], None] = nothing  # cancels whoever runs the host; a wait calls it when it begins
        self._act, self._wait, self._at, self._steps = act, wait, at, 0

    def tell(self, what: str) -> None:
        """Add to the host's own story."""
        self.told.append(what)

    def now(self, place: str) -> str:
        """Take a step that is a function."""
        is_it = self._begin(place)
        try:
            if is_it:
                self._act()
        except BaseException as error:
            self.tell(f"{place} raises {type(error).__name__}")
            raise
        finally:
            self.tell(f"{place} cleans up")
        return place

    async def later(self, place: str) -> str:
        """Take a step that is a coroutine."""
        is_it = self._begin(place)
        try:
            if self._wait is not None and self._steps >= self._at:
                wait, self._wait = self._wait, None
                self.tell("waits")
                await wait(self)
            if is_it:
                self._act()
            await asyncio.sleep(0)
        except BaseException as error:
            self.tell(f"{place} raises {type(error).__name__} {error.args}")
            raise
        finally:
            self.tell(f"{place} cleans up")
        return place

    def _begin(self, place: str) -> bool:
        self._steps += 1
        self.tell(f"{place} begins")
        return self._steps == self._at

    async def forever(self, name: str = "inner") -> None:
        """Wait for what never comes, and tell how that ended."""
        try:
            await asyncio.sleep(FOREVER_S)
        finally:
            self.tell(f"{name} cleans up")


# Everything that a coroutine can wait at when it is cancelled


async def _already(here: Here) -> None:
    here.stop()
    await asyncio.sleep(0)


async def _bare(here: Here) -> None:
    here.stop()
    for _ in itertools.count():
        await asyncio.sleep(0)


async def _sleep(here: Here) -> None:
    here.stop()
    await here.forever()


async def _future(here: Here) -> None:
    here.stop()
    await asyncio.get_running_loop().create_future()


async def _event(here: Here) -> None:
    here.stop()
    await asyncio.Event().wait()


async def _queue(here: Here) -> None:
    here.stop()
    await asyncio.Queue[int]().get()


async def _lock(here: Here) -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    here.stop()
    try:
        async with lock:
            here.tell("never")
    finally:
        here.tell(f"locked {lock.locked()}")


async def _task(here: Here) -> None:
    task = asyncio.create_task(here.forever())
    await asyncio.sleep(0)
    here.stop()
    try:
        await task
    finally:
        here.tell(f"task cancelled {task.cancelled()}")


async def _gather(here: Here) -> None:
    both = asyncio.gather(here.forever("first"), here.forever("second"))
    await asyncio.sleep(0)
    here.stop()
    await both


async def _group(here: Here) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(here.forever())  # of several it is chance who is cancelled first
        await asyncio.sleep(0)
        here.stop()


async def _shield(here: Here) -> None:
    inner = asyncio.create_task(here.forever())
    await asyncio.sleep(0)
    here.stop()
    try:
        await asyncio.shield(inner)
    finally:
        here.tell(f"shielded {not inner.done()}")
        inner.cancel()
        await asyncio.wait([inner])


async def _wait_for(here: Here) -> None:
    here.stop()
    await asyncio.wait_for(here.forever(), FOREVER_S)


async def _timeout(here: Here) -> None:
    here.stop()
    async with asyncio.timeout(FOREVER_S):
        await here.forever()


async def _thread(here: Here) -> None:
    leave, left = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        here.stop()
        leave.wait()
        loop.call_soon_threadsafe(left.set)

    try:
        await asyncio.to_thread(work)
    finally:
        leave.set()
        await left.wait()


async def _async_for(here: Here) -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            await here.forever()
        finally:
            here.tell("generator cleans up")

    async for _ in numbers():
        here.stop()


@asynccontextmanager
async def _managed(here: Here, name: str) -> AsyncIterator[None]:
    try:
        yield
    finally:
        here.tell(f"{name} leaves")
        await asyncio.sleep(0)
        here.tell(f"{name} left")


async def _async_with(here: Here) -> None:
    async with _managed(here, "outer"), _managed(here, "inner"):
        here.stop()
        await here.forever()


async def _aexit(here: Here) -> None:
    async with _managed(here, "outer"):
        here.stop()


async def _finally(here: Here) -> None:
    try:
        here.stop()
        await here.forever()
    finally:
        await asyncio.sleep(0)
        here.tell("awaited once more")


async def _replaced(here: Here) -> None:
    here.stop()
    try:
        await here.forever()
    except asyncio.CancelledError as error:
        raise LookupError("instead") from error


async def _swallowed(here: Here) -> None:
    here.stop()
    try:
        await here.forever()
    except asyncio.CancelledError:
        here.tell("swallowed")


async def _taken_back(here: Here) -> None:
    here.stop()
    try:
        await here.forever()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        here.tell(f"left {task.uncancel() if task is not None else None}")


async def _twice(here: Here) -> None:
    here.stop()
    try:
        await here.forever("first")
    finally:
        here.stop()
        await here.forever("second")


AWAITS: dict[str, Wait] = {
    name.__name__.strip("_"): name
    for name in (
        *(_already, _bare, _sleep, _future, _event, _queue, _lock, _task, _gather, _group, _shield, _wait_for),
        *(_timeout, _thread, _async_for, _async_with, _aexit, _finally, _replaced, _swallowed, _taken_back, _twice),
    )
}


def failing(error: Callable[[], BaseException]) -> Callable[[], None]:
    """Return what raises: an error with a note, a cause and a context."""

    def act() -> None:
        raised: Any = error()
        raised.add_note("a note of the host")
        try:
            raise LookupError("context")
        except LookupError:
            raise raised from KeyError("cause")

    return act
