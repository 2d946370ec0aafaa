"""A context manager or an awaitable that tells when it is used and done, and stays what it is; knows no patches."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from otel_agents.patching.likeness import unseen
from otel_agents.patching.watch import Watch

Kinds = tuple[type[Any], ...]
Opens = Callable[[], Watch | None]


class Steps(NamedTuple):
    """How a step of the host is taken, so that the watch ends when it raises: one that is awaited, one that is not."""

    held: Callable[[Any, Any], Awaitable[Any]]
    ran: Callable[..., Any]


class Several(NamedTuple):
    """Watches over one object, of several rows; that of the row that stands outside comes first."""

    watches: tuple[Watch, ...]

    def fail(self, error: BaseException) -> None:
        """End all with an exception."""
        for watch in reversed(self.watches):
            watch.fail(error)

    def finish(self, value: Any) -> Any:
        """End all with a result."""
        for watch in reversed(self.watches):
            value = watch.finish(value)
        return value


_OPENS: Final = "_otel_agents_opens"
_WATCH: Final = "_otel_agents_watch"
_OBSERVED: Final = "_otel_agents_observed"
_NOTHING: Final[Mapping[object, Any]] = {}


def observe(given: Any, by: object, opens: Opens, steps: Steps, kinds: Kinds) -> bool:
    """Have this one object watched from entering to leaving, or while it is awaited. It stays the object it is.

    Its class becomes a subclass of it, once. Given out again by the same row (``by``) before it is entered, it is
    watched once. Returns False for what is of none of these kinds, or of a class that keeps a list of its subclasses;
    raises TypeError for objects whose class cannot be changed.
    """
    host: Any = type(given)
    if _OBSERVED not in vars(host):
        if not issubclass(host, kinds) or _counts_subclasses(host):
            return False
        vars(given)
        given.__class__ = _observed(host, steps)
    vars(given).setdefault(_OPENS, {}).setdefault(by, opens)
    return True


def _opened(given: Any) -> Any:
    """Open what waits for an object to be used; return the watch, None when nobody wants to know."""
    watches: list[Watch] = []
    for opens in reversed(vars(given).pop(_OPENS, _NOTHING).values()):
        watch = opens()
        if watch is not None:
            watch.enter()
            watches.append(watch)
    return Several(tuple(watches)) if watches[1:] else watches[0] if watches else None


def _counts_subclasses(host: type) -> bool:
    owners = [owner for owner in host.__mro__ if "__init_subclass__" in vars(owner)]
    return any(owner.__module__ not in ("builtins", "typing") for owner in owners)


@functools.lru_cache(maxsize=64)  # host classes: few, unless a host makes classes by the call
def _observed(host: Any, steps: Steps) -> type:
    names = {"__module__": host.__module__, "__qualname__": host.__qualname__, "__slots__": (), _OBSERVED: True}
    if hasattr(host, _AGAIN):
        names[_AGAIN] = _again(host)
    for kind, body in BODIES.items():
        if issubclass(host, kind):
            names |= body(host, steps)
    made: type = type(host)(host.__name__, (host,), names)
    return made


def _async_body(host: Any, steps: Steps) -> dict[str, Any]:
    @unseen
    async def __aenter__(self: Any) -> Any:  # noqa: N807
        watch = _opened(self)
        if watch is None:
            return await host.__aenter__(self)
        value = await steps.held(host.__aenter__(self), watch)
        vars(self)[_WATCH] = watch, value
        return value

    @unseen
    async def __aexit__(self: Any, kind: Any, error: Any, traceback: Any) -> Any:  # noqa: N807
        watch, value = vars(self).pop(_WATCH, (None, None))
        leaving = host.__aexit__(self, kind, error, traceback)
        if watch is None:
            return await leaving
        swallowed = await steps.held(leaving, watch)
        _left(watch, value, None if swallowed else error)
        return swallowed

    return {"__aenter__": __aenter__, "__aexit__": __aexit__}


def _body(host: Any, steps: Steps) -> dict[str, Any]:
    @unseen
    def __enter__(self: Any) -> Any:  # noqa: N807
        watch = _opened(self)
        if watch is None:
            return host.__enter__(self)
        value = steps.ran(watch, host.__enter__, self)
        vars(self)[_WATCH] = watch, value
        return value

    @unseen
    def __exit__(self: Any, kind: Any, error: Any, traceback: Any) -> Any:  # noqa: N807
        watch, value = vars(self).pop(_WATCH, (None, None))
        if watch is None:
            return host.__exit__(self, kind, error, traceback)
        swallowed = steps.ran(watch, host.__exit__, self, kind, error, traceback)
        _left(watch, value, None if swallowed else error)
        return swallowed

    return {"__enter__": __enter__, "__exit__": __exit__}


def _await_body(host: Any, steps: Steps) -> dict[str, Any]:
    @unseen
    def __await__(self: Any) -> Any:  # noqa: N807
        watch = _opened(self)
        awaiting = host.__await__(self)
        return awaiting if watch is None else _whole(awaiting, watch, steps).__await__()

    return {"__await__": __await__}


class _Iterated(NamedTuple):
    """What ``await`` takes of an object whose ``__await__`` was called already."""

    steps: Iterator[Any]

    def __await__(self) -> Iterator[Any]:
        return self.steps


@unseen
async def _whole(awaiting: Iterator[Any], watch: Any, steps: Steps) -> Any:
    """Wait for all of an object that is awaited."""
    return watch.finish(await steps.held(_Iterated(awaiting), watch))


def _again(host: Any) -> Callable[[Any], Any]:
    """Let a manager that decorates a function, and is made anew for each of its calls, be watched in each."""

    def _recreate_cm(self: Any) -> Any:
        made = host._recreate_cm(self)  # noqa: SLF001  # as contextlib names what any class may override
        if made is not self and _OPENS in vars(self) and _OBSERVED in vars(type(made)):
            vars(made)[_OPENS] = dict(vars(self)[_OPENS])
        return made

    return _recreate_cm


_AGAIN: Final = "_recreate_cm"  # by which contextlib's decorators ask any manager for another one
MANAGED: Final[Kinds] = (contextlib.AbstractAsyncContextManager, contextlib.AbstractContextManager)
AWAITED: Final[Kinds] = (Awaitable,)
BODIES: Final = {
    contextlib.AbstractAsyncContextManager: _async_body,
    contextlib.AbstractContextManager: _body,
    Awaitable: _await_body,
}


def _left(watch: Watch, value: Any, error: BaseException | None) -> None:
    if error is None:
        watch.finish(value)
    else:
        watch.fail(error)


@contextlib.contextmanager
def _manager() -> Iterator[None]:
    yield


@contextlib.asynccontextmanager
async def _async_manager() -> AsyncIterator[None]:
    yield


MANAGERS: Final = (type(_manager()), type(_async_manager()))  # nothing else returns these but what is one by nature
MAKERS: Final = frozenset({_manager.__code__, _async_manager.__code__})
"""The code of all functions that ``contextlib`` made of generators: their own code runs when the block is entered."""
