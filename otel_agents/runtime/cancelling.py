"""Work that can be asked to stop, from any thread, and that says how long it took to obey; must not know what it does.

A coroutine is cancelled where it waits. A plain function runs in a thread, which nobody can stop: it is waited for, and
obeys sooner if it looks at its ``Cancel`` now and then.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

Clock = Callable[[], float]  # monotonic seconds


class Cancelled(Exception):  # noqa: N818  # not an error: somebody asked for it
    """Work stopped because somebody asked for it; ``source`` says who."""

    def __init__(self, source: str) -> None:
        super().__init__(f"cancelled by {source}")
        self.source = source


class Cancel:
    """A wish to stop. The first one who asks is its source; safe from any thread."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.source = ""
        self.latency_s: float | None = None  # from the first wish until it was obeyed
        self._clock = clock
        self._asked_s = 0.0
        self._asked = threading.Event()
        self._lock = threading.RLock()  # a signal handler may ask while this thread asks
        self._told: list[Callable[[], object]] = []

    @property
    def is_requested(self) -> bool:
        """Whether somebody asked."""
        return self._asked.is_set()

    def request(self, source: str) -> bool:
        """Ask to stop; False when somebody did before."""
        with self._lock:
            if self._asked.is_set():
                return False
            self.source, self._asked_s = source, self._clock()
            self._asked.set()
            told = tuple(self._told)
        for tell in told:
            tell()
        return True

    def check(self) -> None:
        """Stop here, by raising `Cancelled`, if somebody asked."""
        if self._asked.is_set():
            raise Cancelled(self.source)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until somebody asks, at most so long: a sleep that ends early. True when somebody asked."""
        return self._asked.wait(timeout_s)

    def acknowledge(self) -> float:
        """Say that the work has stopped; returns the seconds since somebody asked."""
        if self.latency_s is None:
            self.latency_s = self._clock() - self._asked_s
        return self.latency_s

    @contextmanager
    def tells(self, tell: Callable[[], object]) -> Iterator[None]:
        """Have `tell` called, in the thread of who asks, if somebody asks within the block or asked before."""
        with self._lock:
            self._told.append(tell)
            is_late = self._asked.is_set()
        if is_late:
            tell()
        try:
            yield
        finally:
            with self._lock:
                self._told.remove(tell)


async def perform(work: Callable[..., Any], *args: object, cancel: Cancel) -> Any:
    """Call a function or coroutine function and return its result.

    Raises:
        Cancelled: Somebody asked; the work has stopped, or ended in spite of it.
        Exception: Whatever the work raises.
    """
    cancel.check()
    result = await awaited(work(*args), cancel) if is_async(work) else await _in_thread(partial(work, *args), cancel)
    if inspect.isawaitable(result):
        result = await awaited(result, cancel)
    cancel.check()
    return result


async def awaited(work: Any, cancel: Cancel) -> Any:
    """Wait for something in a task of its own, which is cancelled as soon as somebody asks.

    Raises:
        Cancelled: Somebody asked, and the work let itself be cancelled.
    """
    task: asyncio.Future[Any] = asyncio.ensure_future(work)
    with cancel.tells(partial(_stop, asyncio.get_running_loop(), task)):
        try:
            return await task
        except asyncio.CancelledError:
            if cancel.is_requested and not _is_cancelled_itself():
                raise Cancelled(cancel.source) from None
            raise


def is_async(work: Callable[..., Any]) -> bool:
    """Whether a call makes a coroutine: of coroutine functions, and of objects whose call is one."""
    return inspect.iscoroutinefunction(work) or inspect.iscoroutinefunction(type(work).__call__)


def _stop(loop: asyncio.AbstractEventLoop, task: asyncio.Future[Any]) -> None:
    try:
        loop.call_soon_threadsafe(task.cancel)
    except RuntimeError:  # the loop is closed, and the task with it
        pass


async def _in_thread(work: Callable[[], Any], cancel: Cancel) -> Any:
    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        cancel.request("caller")  # whoever waited has gone: the thread goes on until it looks
        raise


def _is_cancelled_itself() -> bool:
    """Whether the waiting task was cancelled, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
