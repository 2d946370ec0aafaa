"""Host code of all call shapes, which knows nothing of being patched."""

from __future__ import annotations

import abc
import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from tests.patching.elsewhere import imported_by_name  # noqa: F401 - is patched where it was imported to


class Pause(Exception):
    """Waits for a human."""


class Detour(Exception):
    """Goes on elsewhere, in good order."""


def act(what: Any) -> Any:
    """Return what is given, raise it when it is an exception, call it when it can be called."""
    if isinstance(what, BaseException):
        raise what
    return what() if callable(what) else what


def plain(what: Any = None, /, *rest: Any, key: str = "k", **more: Any) -> Any:
    """Plain."""
    return act(what)


async def coro(what: Any = None, *, key: str = "k") -> Any:
    """Coroutine."""
    await asyncio.sleep(0)
    return act(what)


def gen(*items: Any, result: Any = None) -> Generator[Any, Any, Any]:
    """Generator."""
    for item in items:
        yield act(item)
    return act(result)


async def agen(*items: Any) -> AsyncIterator[Any]:
    """Async generator."""
    for item in items:
        await asyncio.sleep(0)
        yield act(item)


def makes_coroutine(what: Any = None) -> Awaitable[Any]:
    """Plain, and returns a coroutine."""
    return coro(what)


def makes_task(what: Any = None) -> Awaitable[Any]:
    """Plain, and returns a task."""
    return asyncio.get_running_loop().create_task(coro(what))


def makes_value(what: Any = None) -> Any:
    """Plain, and returns what it is told, though its row expects something to wait for or to iterate."""
    return act(what)


def makes_generator(*items: Any, result: Any = None) -> Any:
    """Plain, and returns a generator."""
    return gen(*items, result=result)


def makes_async_generator(*items: Any) -> Any:
    """Plain, and returns an async generator."""
    return agen(*items)


@asynccontextmanager
async def session(what: Any = None, after: Any = None) -> AsyncIterator[Any]:
    """Async context manager."""
    value = act(what)
    try:
        yield value
    finally:
        act(after)


def in_pool(pool: ThreadPoolExecutor, function: Any) -> Any:
    """Run something in a pool."""
    return pool.submit(function)


@functools.lru_cache
def cached(value: int) -> int:
    """Cached."""
    return value


CONSTANT = 3


class Strict(type):
    """A metaclass that lets nobody set attributes."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise AttributeError(name)

    def __delattr__(cls, name: str) -> None:
        raise AttributeError(name)


class Guarded(metaclass=Strict):
    """Of that metaclass."""

    def method(self, what: Any = None) -> Any:
        return act(what)


class Base:
    """A class with all kinds of methods."""

    limit = property(lambda self: 1)

    def method(self, what: Any = None, /, *, key: str = "k") -> Any:
        return act(what)

    async def acoro(self, what: Any = None) -> Any:
        return act(what)

    def inherited(self, what: Any = None) -> Any:
        return act(what)

    @staticmethod
    def static(what: Any = None) -> Any:
        return act(what)

    @classmethod
    def of_class(cls, what: Any = None) -> Any:
        return cls, act(what)

    class Inner:
        """Nested."""

        class Innermost:
            """Deeper."""

            def method(self, what: Any = None) -> Any:
                return act(what)


class Sub(Base):
    """Inherits all of it."""


class Slotted:
    """With slots."""

    __slots__ = ("value",)

    def method(self, what: Any = None) -> Any:
        return act(what)


class Abstract(abc.ABC):
    """With an abstract method."""

    @abc.abstractmethod
    def method(self) -> None: ...
